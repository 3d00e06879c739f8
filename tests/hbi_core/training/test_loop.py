"""Training: it learns, and tells what it measures."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from hbi_core.checkpoints.checkpoint import load_checkpoint
from hbi_core.data import read_corpus
from hbi_core.data.encoding import encode_corpus
from hbi_core.encoders.loading import fill_encoder
from hbi_core.model import build_hierarchy
from hbi_core.tasks import TASKS
from hbi_core.tasks.retrieval import RetrievalTask
from hbi_core.tasks.retrieval_metrics import retrieval_metrics, similarity_scores
from hbi_core.tensor_file import read_tensors
from hbi_core.training.folder import BEST
from hbi_core.training.loop import train
from hbi_core.training.optimiser import learning_rates
from support.releases import write_drawing
from support.small_runs import losses, settings
from support.toy import ToyEncoder


def test_learns_to_retrieve(tmp_path):
    """From chance (6 %) to nearly every colour and direction, the direction by time alone."""
    root, epochs = write_drawing(tmp_path / "large", train=16), 8
    config = settings(
        tmp_path,
        root,
        loss={"alpha": 0.2, "beta": 0.5, "temperature": 0.1},
        optimiser={"epochs": epochs},
        evaluate_every=4,
    )
    best = load_checkpoint(train(config, ToyEncoder()))
    corpus = read_corpus("synthetic", root, "validation")
    known = encode_corpus(ToyEncoder(), corpus, 8)

    def recall(hierarchy):
        scores = similarity_scores(hierarchy, known, 24, (1, 1, 1))
        return retrieval_metrics(scores, known.owners)

    assert recall(build_hierarchy(best.config).eval())["text_to_video"]["R@1"] < 30
    results = recall(best.hierarchy)
    assert results["text_to_video"]["R@1"] >= 90
    assert results["video_to_text"]["R@1"] >= 90
    assert results == best.training["validation"]
    assert best.training["settings"]["optimiser"]["epochs"] == epochs
    assert (best.encoder, best.path) == ("toy", None)
    first, last = losses(tmp_path)[0], losses(tmp_path)[-1]
    for name in first:
        if name.startswith("loss/contrastive"):
            assert last[name] < 0.6 * first[name], name


@pytest.mark.parametrize("workers", [0, 1])
def test_the_encoder_learns(small, tmp_path, workers):
    config = settings(
        tmp_path, small, data={"workers": workers}, optimiser={"encoder_learning_rate": 1e-3}
    )
    encoder = ToyEncoder(learns=True)
    best = load_checkpoint(train(config, encoder))
    total = [line["loss/total"] for line in losses(tmp_path)]
    assert len(total) == 8
    assert np.mean(total[-2:]) < np.mean(total[:2])
    start = dict(ToyEncoder().named_parameters())
    for name, value in encoder.named_parameters():
        assert not torch.equal(value, start[name]), name
    assert best.path == tmp_path / BEST
    tensors, _ = read_tensors(tmp_path / BEST, prefix="encoder.")
    assert set(tensors) == {"table.weight", "pixels.weight"}
    filled = ToyEncoder()
    fill_encoder(filled, best.path)
    assert not torch.equal(filled.pixels.weight, start["pixels.weight"])


def test_an_encoder_is_in_training_mode_from_the_first_step(small, tmp_path, monkeypatch):
    """Otherwise a run that goes on would differ from one that was never stopped."""
    modes, encoder = [], ToyEncoder(learns=True)
    known = encoder.frame_features
    monkeypatch.setattr(
        encoder, "frame_features", lambda x: (modes.append(encoder.training), known(x))[1]
    )
    train(settings(tmp_path, small, optimiser={"encoder_learning_rate": 1e-3}), encoder)
    assert modes == ([True] * 4 + [False] * 16) * 2


def test_clips_that_cannot_be_read_are_left_out(tmp_path, monkeypatch):
    """And every caption stays with its own clip."""
    root = write_drawing(tmp_path / "data")
    corpus = read_corpus("synthetic", root, "train")
    corpus.clips[5].files[0].write_text("broken")
    config = settings(tmp_path / "run", root, optimiser={"epochs": 1})
    seen = []

    class Remembered(RetrievalTask):
        def prepare(self, clips):
            self.clips = clips

        def forward(self, batch):
            seen.extend((self.clips[s.clips[0]], s.captions[0]) for s in batch.samples)
            return super().forward(batch)

    monkeypatch.setitem(TASKS, "retrieval", Remembered)
    train(config, ToyEncoder())
    captions = [c for clip in corpus.clips if clip.id != "train-5" for c in clip.captions]
    assert len(seen) == 48  # of 63: three batches
    assert all(captions[number] in clip.captions for clip, number in seen)
    assert corpus.clips[5] not in {clip for clip, _ in seen}


def test_losses_are_logged_by_name(small, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train(settings(tmp_path, small, optimiser={"epochs": 1}), ToyEncoder())
    names = {
        f"loss/{kind}/{level}"
        for kind in ("contrastive", "banzhaf")
        for level in ("entity", "action", "event")
    }
    names |= {f"loss/distillation/entity>{level}" for level in ("action", "event")}
    step = losses(tmp_path)[0]
    rates = {"learning_rate", "encoder_learning_rate"}
    assert set(step) == names | rates | {"loss/total", "gradient_norm", "step"}
    (first, *_) = map(json.loads, (tmp_path / "metrics.jsonl").read_text().splitlines())
    assert 0 < first["data_seconds"] < first["seconds"]  # waiting for data is part of a step
    weights = {"contrastive": 1.0, "banzhaf": 1.0, "distillation": 2.0}
    total = sum(weights[name.split("/")[1]] * step[name] for name in names)
    assert step["loss/total"] == pytest.approx(total, rel=1e-5)
    board = EventAccumulator(str(tmp_path / "tensorboard"))
    board.Reload()
    tags = board.Tags()["scalars"]
    assert set(tags) >= names | {"loss/total", "text_to_video/R@1", "video_to_text/MdR"}
    values = [(event.step, event.value) for event in board.Scalars("loss/total")]
    expected = [(line["step"], line["loss/total"]) for line in losses(tmp_path)]
    assert [s for s, _ in values] == [s for s, _ in expected]
    assert [v for _, v in values] == pytest.approx([v for _, v in expected], rel=1e-5)


def test_learning_rates_are_used(small, tmp_path):
    config = settings(tmp_path, small, optimiser={"warmup": 0.5, "encoder_learning_rate": 0.0})
    train(config, ToyEncoder())
    used = [line["learning_rate"] for line in losses(tmp_path)]
    expected = [learning_rates(config.optimiser, step, 8)[0] for step in range(8)]
    assert used == pytest.approx(expected)
    assert max(used) == pytest.approx(1e-2)
