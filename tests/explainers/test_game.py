"""The characteristic function."""

from __future__ import annotations

import pytest
import torch

import oracles
from explainers import WEIGHTINGS, SimilarityGame
from oracles import random_game


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_value_of_every_coalition(weighting):
    game = random_game(3, 3, weighting, spread=20.0)
    coalitions = list(oracles.subsets([(s, k) for s in "vt" for k in range(3)]))
    members = {
        side: torch.tensor([[(side, k) in c for k in range(3)] for c in coalitions])
        for side in "vt"
    }
    expected = torch.tensor(
        [
            oracles.characteristic(
                game.similarity.tolist(),
                game.video_logits.tolist(),
                game.text_logits.tolist(),
                weighting,
                coalition,
            )
            for coalition in coalitions
        ],
        dtype=torch.float64,
    )
    assert (game.value(members["v"], members["t"]) - expected).abs().max() < 1e-14
    assert game.grand_value() == pytest.approx(float(expected[-1]), abs=1e-14)


def test_coalitions_of_a_batch_of_games():
    batch = random_game(3, 4, batch=(2,))
    generator = torch.Generator().manual_seed(1)
    video = torch.rand(5, 1, 3, generator=generator) < 0.5
    text = torch.rand(5, 1, 4, generator=generator) < 0.5
    values = batch.value(video, text)
    assert values.shape == (5, 2)
    for row in range(2):
        single = SimilarityGame(
            batch.similarity[row], batch.video_logits[row], batch.text_logits[row]
        )
        assert torch.equal(values[:, row], single.value(video[:, 0], text[:, 0]))


def test_all_pairs_broadcast():
    """One logit per video and per text is enough for the games of every video with every text."""
    game = random_game(3, 4, batch=(2, 5))
    pairs = SimilarityGame(
        game.similarity, game.video_logits[:, :1], game.text_logits[:1], weighting="fixed"
    )
    assert pairs.grand_value().shape == (2, 5)


def test_value_has_gradients_at_empty_coalitions():
    game = random_game(2, 2)
    similarity = game.similarity.clone().requires_grad_()
    logits = game.video_logits.clone().requires_grad_()
    empty = torch.zeros(2, dtype=torch.bool)
    value = SimilarityGame(similarity, logits, game.text_logits).value(empty, ~empty)
    value.backward()
    assert value == 0
    assert torch.equal(similarity.grad, torch.zeros(2, 2, dtype=torch.float64))
    assert torch.equal(logits.grad, torch.zeros(2, dtype=torch.float64))


def test_half_precision_is_computed_in_float32():
    game = SimilarityGame(torch.ones(2, 2).bfloat16(), torch.zeros(2), torch.zeros(2))
    assert game.grand_value().dtype == torch.float32


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((torch.ones(3), torch.zeros(3), torch.zeros(3)), ValueError, r"\[\.\.\., V, T\]"),
        ((torch.ones(2, 3), torch.zeros(3), torch.zeros(3)), ValueError, "2 video tokens"),
        ((torch.ones(2, 3), torch.zeros(2), torch.zeros(2)), ValueError, "3 text tokens"),
        ((torch.ones(2, 3).long(), torch.zeros(2), torch.zeros(3)), TypeError, "floating point"),
        ((torch.ones(2, 3), torch.zeros(2), torch.zeros(3), torch.ones(2)), TypeError, "bool"),
        ((torch.ones(0, 3), torch.zeros(0), torch.zeros(3)), ValueError, "no tokens"),
        ((torch.ones(4, 2, 3), torch.zeros(5, 2), torch.zeros(3)), ValueError, "broadcast"),
    ],
)
def test_wrong_input_is_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        SimilarityGame(*arguments)


def test_unknown_weighting_is_refused():
    with pytest.raises(ValueError, match="renormalised"):
        SimilarityGame(torch.ones(2, 3), torch.zeros(2), torch.zeros(3), weighting="softmax")
