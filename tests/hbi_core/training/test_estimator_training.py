"""The training of the tiny network, and what its file tells of it."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest
import torch
from safetensors import safe_open

from explainers import SimilarityGame, closed_form, estimate
from hbi_core.estimator import load_estimator
from hbi_core.train import main
from hbi_core.training.estimator import EstimatorConfig, random_games, train_estimator

SMALL = {"steps": 150, "batch_size": 16, "channels": 8, "frames": 4, "words": 5, "seed": 3}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """File of an estimator, trained by the command line, and what it printed."""
    file = tmp_path_factory.mktemp("estimator") / "new" / "tiny.safetensors"
    settings = [f"{name}={value}" for name, value in SMALL.items()]
    assert main(["--task", "estimator", f"out={file}", *settings]) == 0
    return file


def test_its_error_in_the_file_is_true(trained):
    config = EstimatorConfig(trained, **SMALL)
    generator = torch.Generator().manual_seed(config.seed)
    estimator, off, true = load_estimator(trained), [], []
    for _ in range(8):  # the held-out games come first
        game = random_games(config, generator)
        real = game.video_mask.unsqueeze(-1) & game.text_mask.unsqueeze(-2)
        exact = closed_form(game).values
        off.append((estimate(game, estimator).values - exact)[real])
        true.append(exact[real])
    off, true = torch.cat(off), torch.cat(true)
    error = estimator.error
    assert error["pairs"] == len(true)
    assert error["rmse"] == pytest.approx(float(off.square().mean().sqrt()), rel=1e-4)
    assert error["largest"] == pytest.approx(float(off.abs().max()), rel=1e-4)
    relative = float(off.square().mean().sqrt() / true.square().mean().sqrt())
    assert error["relative_rmse"] == pytest.approx(relative, rel=1e-4)
    estimated = off + true
    correlation = float(torch.corrcoef(torch.stack([estimated, true]))[0, 1])
    assert error["pearson"] == pytest.approx(correlation, abs=1e-4)
    assert relative < 0.95  # better than zero everywhere
    assert error["pearson"] > 0.3
    assert estimator.unit == pytest.approx(float(true.square().mean().sqrt()), rel=1e-4)


def test_file_keeps_how_it_was_trained(trained):
    with safe_open(trained, "pt") as file:
        training = json.loads(file.metadata()["settings"])["training"]
    assert training == json.loads(
        json.dumps(asdict(EstimatorConfig(trained, **SMALL)), default=str)
    )


def test_same_seed_same_network(tmp_path):
    few = SMALL | {"steps": 3}
    files = [
        train_estimator(EstimatorConfig(tmp_path / f"{number}.safetensors", **few | {"seed": seed}))
        for number, seed in enumerate([3, 3, 4])
    ]
    weights = [load_estimator(file).network.decode.weight for file in files]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_random_games():
    """Between one and the most players of each side, first ones real; similarities are cosines."""
    config = EstimatorConfig("x", batch_size=200, frames=3, words=4, weighting="fixed")
    game = random_games(config, torch.Generator().manual_seed(0))
    assert isinstance(game, SimilarityGame)
    assert game.weighting == "fixed"
    assert game.similarity.shape == (200, 3, 4)
    assert game.similarity.abs().max() <= 1 + 1e-6
    for mask, most in ((game.video_mask, 3), (game.text_mask, 4)):
        assert set(mask.sum(-1).tolist()) == set(range(1, most + 1))
        assert (mask[:, :-1] >= mask[:, 1:]).all()
