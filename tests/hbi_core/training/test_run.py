"""What a run validates, averages and keeps."""

from __future__ import annotations

import json

import pytest
import torch

from hbi_core.checkpoints.checkpoint import load_checkpoint
from hbi_core.data import read_corpus
from hbi_core.data.encoding import encode_corpus
from hbi_core.encoders.loading import fill_encoder
from hbi_core.tasks import TASKS
from hbi_core.tasks.retrieval import RetrievalTask
from hbi_core.tasks.retrieval_metrics import retrieval_metrics, similarity_scores
from hbi_core.training.loop import train
from hbi_core.training.state import save_state
from support.small_runs import lines, settings
from support.toy import ToyEncoder


def weights_of(task):
    return {name: value.clone() for name, value in task.hierarchy.state_dict().items()}


def test_best_checkpoint_is_that_of_the_best_validation(small, tmp_path, monkeypatch):
    """By the sum of recalls, given here; an equal one later changes nothing."""
    given = iter([10.0, 30.0, 20.0, 30.0])
    kept = []

    class Measured(RetrievalTask):
        def validate(self, features):
            row = dict.fromkeys(("R@1", "R@5", "R@10", "MdR", "MnR"), next(given))
            kept.append(weights_of(self))
            return {"text_to_video": row, "video_to_text": row}

    monkeypatch.setitem(TASKS, "retrieval", Measured)
    file = train(settings(tmp_path, small, optimiser={"epochs": 4}), ToyEncoder())
    best = load_checkpoint(file)
    assert len(kept) == 4
    for epoch, weights in enumerate(kept):
        same = [torch.equal(v, weights[k]) for k, v in best.hierarchy.state_dict().items()]
        assert all(same) == (epoch == 1)
    assert best.training["step"] == 8
    assert best.training["validation"]["text_to_video"]["R@1"] == 30.0
    assert "text_to_video/R@1" in lines(tmp_path)[4]


def test_the_moving_average_is_what_is_saved(small, tmp_path, monkeypatch):
    """Of the weights after each step, from the first on."""
    config = settings(tmp_path, small, optimiser={"epochs": 1, "average": 0.5}, save_every=1)
    tasks, kept = [], []

    class Remembered(RetrievalTask):
        def prepare(self, clips):
            tasks.append(self)

    def remembered(*arguments):
        save_state(*arguments)
        kept.append(weights_of(tasks[0]))

    monkeypatch.setitem(TASKS, "retrieval", Remembered)
    best = load_checkpoint(train(config, ToyEncoder(), remembered)).hierarchy.state_dict()
    for name, value in best.items():
        average = kept[0][name]
        for weights in kept[1:]:
            average = 0.5 * average + 0.5 * weights[name]
        assert torch.allclose(value, average, atol=1e-6), name
    moved = best["levels.0.text.0.linear.weight"] - kept[-1]["levels.0.text.0.linear.weight"]
    assert moved.abs().max() > 1e-3


def test_a_model_of_phrases_learns(small, tmp_path):
    """Its projection of the context too; and what is saved is measured as it was in the run."""
    model = {"text_players": "phrases", "text_context": 32, "text_path": 1.0, "video_path": 0.5}
    first = load_checkpoint(train(settings(tmp_path / "1", small, model=model), ToyEncoder()))
    again = load_checkpoint(train(settings(tmp_path / "2", small, model=model), ToyEncoder()))
    name = "levels.1.text.0.projection.linear.weight"
    weight = first.hierarchy.state_dict()[name]
    assert (weight - torch.eye(32)).abs().max() > 1e-3
    assert torch.equal(weight, again.hierarchy.state_dict()[name])
    validation = read_corpus("synthetic", small, "validation")
    features = encode_corpus(ToyEncoder(), validation, 8, players="phrases", words=64)
    scores = similarity_scores(first.hierarchy, features, 64, (1.0, 1.0, 1.0))
    measured = retrieval_metrics(scores, features.owners)
    assert measured == {k: first.training["validation"][k] for k in measured}


def test_the_moving_average_is_of_the_encoder_too(small, tmp_path):
    """Where it learns: in the file and in the validation, which is not that of the last weights."""
    config = settings(
        tmp_path,
        small,
        data={"workers": 0},
        optimiser={"epochs": 1, "average": 0.9, "encoder_learning_rate": 1e-2},
        save_every=1,
    )
    encoder = ToyEncoder(learns=True)
    best = load_checkpoint(train(config, encoder))
    average = ToyEncoder()
    fill_encoder(average, best.path)
    start = ToyEncoder().pixels.weight
    moved, averaged = (x.pixels.weight.detach() - start for x in (encoder, average))
    assert 0.05 < float(averaged.abs().mean() / moved.abs().mean()) < 0.6
    corpus = read_corpus("synthetic", small, "validation")
    known = encode_corpus(average, corpus, 8)
    scores = similarity_scores(best.hierarchy, known, 24, (1, 1, 1))
    assert retrieval_metrics(scores, known.owners) == best.training["validation"]


def test_montages_that_are_validated_on_do_not_depend_on_the_seed(small, tmp_path, monkeypatch):
    seen = []

    class Remembered(RetrievalTask):
        def validate(self, features):
            seen.append([clip.id for clip in features.clips])
            return super().validate(features)

    monkeypatch.setitem(TASKS, "retrieval", Remembered)
    for seed in (0, 3):
        config = settings(
            tmp_path / str(seed),
            small,
            data={"clips": 16, "validation_parts": 3},
            model={"positions": 24},
            optimiser={"epochs": 1},
            seed=seed,
        )
        train(config, ToyEncoder())
    assert seen[0] == seen[1]
    assert len(seen[0]) == 5
    facts = json.loads((config.out / "run.json").read_text())
    assert facts["validation"] == "validation: 16 clips, 16 captions, in montages of 3"


@pytest.mark.parametrize("learning_rate", [0.0, 1e-3])
def test_a_run_whose_text_players_are_phrases(small, tmp_path, learning_rate):
    """Frozen or not, with context, places and pointing; and its checkpoint measures what it did."""
    config = settings(
        tmp_path,
        small,
        data={"workers": 0, "clips": 32, "montages": 0.5, "words": 32},
        model={
            "text_players": "phrases",
            "text_context": 32,
            "text_path": 1.0,
            "video_path": 0.5,
            "positions": 32,
        },
        loss={"pointing": 0.5 if not learning_rate else 0.0},
        optimiser={"epochs": 1, "encoder_learning_rate": learning_rate},
    )
    best = load_checkpoint(train(config, ToyEncoder(learns=learning_rate > 0)))
    assert (best.config.text_players, best.config.text_context) == ("phrases", 32)
    encoder = ToyEncoder()
    if learning_rate:
        fill_encoder(encoder, best.path)
    corpus = read_corpus("synthetic", small, "validation")
    known = encode_corpus(encoder, corpus, 8, players="phrases", words=32)
    assert int(known.counts.max()) > 1
    scores = similarity_scores(best.hierarchy, known, 32, (1, 1, 1))
    assert retrieval_metrics(scores, known.owners) == best.training["validation"]
