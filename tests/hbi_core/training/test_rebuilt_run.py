"""A run with reconstruction learns as one without."""

from __future__ import annotations

from hbi_core.checkpoints.checkpoint import load_checkpoint
from hbi_core.training.loop import train
from support.releases import write_drawing
from support.small_runs import losses, settings
from support.toy import ToyEncoder


def test_learns_to_retrieve(tmp_path):
    """The two best of each query alone are ranked anew, so that both kinds of scores have to."""
    root = write_drawing(tmp_path / "large", train=16)
    config = settings(
        tmp_path,
        root,
        model={"reconstruction": True},
        loss={"alpha": 0.2, "beta": 0.5, "temperature": 0.1},
        optimiser={"epochs": 8},
        evaluate_every=8,
        reranked=2,
    )
    best = load_checkpoint(train(config, ToyEncoder()))
    assert best.retrieval.reranked == 2
    assert best.hierarchy.reconstructs
    for direction in best.training["validation"].values():
        assert direction["R@1"] >= 90
    first, last = losses(tmp_path)[0], losses(tmp_path)[-1]
    for level in ("entity", "action", "event"):
        for kind in ("contrastive", "reconstruction"):
            assert last[f"loss/{kind}/{level}"] < 0.6 * first[f"loss/{kind}/{level}"]
    opened = best.hierarchy.levels[0].reconstruction.video.project.weight
    assert opened.abs().max() > 0.01  # which was 0 before training
