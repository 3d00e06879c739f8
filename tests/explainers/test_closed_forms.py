"""The closed form and the enumeration against brute force, shapiq, and each other."""

from __future__ import annotations

import pytest
import torch

from benchmarks.peers import shapiq_interactions
from explainers import WEIGHTINGS, SimilarityGame, closed_form, enumerate_coalitions
from support import oracles
from support.oracles import random_game

METHODS = [closed_form, enumerate_coalitions]
SIZES = [(1, 1), (1, 5), (5, 1), (2, 3), (4, 4), (3, 5)]


def brute_force(game):
    return torch.tensor(
        oracles.banzhaf_interactions(
            game.similarity.tolist(),
            game.video_logits.tolist(),
            game.text_logits.tolist(),
            game.weighting,
        ),
        dtype=torch.float64,
    )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("spread", [0.0, 2.0, 20.0])
def test_equals_brute_force(method, weighting, size, spread):
    game = random_game(*size, weighting, spread=spread, seed=sum(size))
    # 1e-10 is what we promise; the brute force itself is exact to about 1e-15.
    assert (method(game).values - brute_force(game)).abs().max() < 1e-10


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_extreme_logits(method, weighting):
    """Logits at both ends of a range of 20, one dominating, and a range beyond exp's."""
    game = random_game(4, 4, weighting)
    ends = torch.tensor([20.0, 0.0, 0.0, 20.0], dtype=torch.float64)
    one = torch.tensor([0.0, 0.0, 20.0, 0.0], dtype=torch.float64)
    masked = torch.tensor([0.0, -1e9, 1.0, -1e9], dtype=torch.float64)  # as an additive mask
    pairs = [(ends, one), (one, -ends), (ends * 60, one * 100), (masked, one), (ends, masked)]
    for video_logits, text_logits in pairs:
        extreme = SimilarityGame(game.similarity, video_logits, text_logits, weighting=weighting)
        assert (method(extreme).values - brute_force(extreme)).abs().max() < 1e-10


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize("values", [[0.5] * 12, [0.0] * 12, [-1.0] * 12, [0.3, -0.2, 0.3] * 4])
def test_ties_and_negative_similarities(method, weighting, values):
    similarity = torch.tensor(values, dtype=torch.float64).reshape(3, 4)
    logits = random_game(3, 4)
    game = SimilarityGame(similarity, logits.video_logits, logits.text_logits, weighting=weighting)
    assert (method(game).values - brute_force(game)).abs().max() < 1e-10


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_padding_is_no_player(method, weighting):
    """A padded batch gives what the samples give alone, whatever stands in the padding."""
    singles = [random_game(v, t, weighting, seed=v) for v, t in [(2, 5), (4, 3), (1, 1)]]
    shape = (len(singles), 4, 5)
    similarity = torch.full(shape, torch.nan, dtype=torch.float64)
    video_logits = torch.full(shape[:2], torch.inf, dtype=torch.float64)
    text_logits = torch.full((shape[0], 5), 99.0, dtype=torch.float64)
    video_mask = torch.zeros(shape[:2], dtype=torch.bool)
    text_mask = torch.zeros(shape[0], 5, dtype=torch.bool)
    places = []
    for row, single in enumerate(singles):
        v, t = single.similarity.shape
        frames = torch.arange(4 - v, 4)  # padding in front of the frames, behind the words
        words = torch.arange(t)
        similarity[row, frames.unsqueeze(-1), words] = single.similarity
        video_logits[row, frames], text_logits[row, words] = single.video_logits, single.text_logits
        video_mask[row, frames], text_mask[row, words] = True, True
        places.append((frames.unsqueeze(-1), words))
    batch = SimilarityGame(
        similarity, video_logits, text_logits, video_mask, text_mask, weighting=weighting
    )
    result = method(batch)
    for row, (single, place) in enumerate(zip(singles, places, strict=True)):
        assert (result.values[row][place] - method(single).values).abs().max() < 1e-12
    outside = ~(video_mask.unsqueeze(-1) & text_mask.unsqueeze(-2))
    assert (result.values[outside] == 0).all()
    if method is enumerate_coalitions:
        assert result.coalitions_evaluated == 2**7 + 2**7 + 2**2


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_closed_form_equals_enumeration_at_20_players(weighting):
    game = random_game(8, 12, weighting, spread=10.0)
    exact = enumerate_coalitions(game)
    assert exact.coalitions_evaluated == 2**20
    assert (closed_form(game).values - exact.values).abs().max() < 1e-10


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_equals_shapiq(weighting):
    game = random_game(4, 5, weighting)
    expected = shapiq_interactions(game)
    assert (closed_form(game).values - expected).abs().max() < 1e-12
    assert (enumerate_coalitions(game).values - expected).abs().max() < 1e-12


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_gradients(weighting):
    game = random_game(3, 4, weighting, batch=(2,))
    mask = torch.tensor([[True] * 4, [True, True, False, True]])
    inputs = [
        x.clone().requires_grad_() for x in (game.similarity, game.video_logits, game.text_logits)
    ]

    def interactions(*tensors):
        return closed_form(SimilarityGame(*tensors, text_mask=mask, weighting=weighting)).values

    assert torch.autograd.gradcheck(interactions, inputs)


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_what_stands_in_the_padding_reaches_no_gradient(weighting):
    game = random_game(3, 4, weighting)
    mask = torch.tensor([True, False, True])
    similarity = game.similarity.masked_fill(~mask.unsqueeze(-1), torch.nan).requires_grad_()
    logits = game.video_logits.masked_fill(~mask, torch.nan).requires_grad_()
    padded = SimilarityGame(similarity, logits, game.text_logits, mask, weighting=weighting)
    (closed_form(padded).values.sum() + padded.grand_value()).backward()
    for tensor in (similarity, logits):
        assert tensor.grad[mask].isfinite().all()
        assert (tensor.grad[~mask] == 0).all()


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_float32_is_close(weighting):
    double = random_game(12, 24, weighting, batch=(16,), spread=6.0)
    single = SimilarityGame(
        double.similarity.float(),
        double.video_logits.float(),
        double.text_logits.float(),
        weighting=weighting,
    )
    expected = closed_form(double).values
    result = closed_form(single).values
    assert result.dtype == torch.float32
    assert (result - expected).abs().max() < 1e-4 * expected.abs().max()


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_permutation_equivariance(weighting):
    game = random_game(4, 6, weighting)
    videos, texts = torch.tensor([2, 0, 3, 1]), torch.tensor([5, 1, 0, 4, 2, 3])
    permuted = SimilarityGame(
        game.similarity[videos][:, texts],
        game.video_logits[videos],
        game.text_logits[texts],
        weighting=weighting,
    )
    expected = closed_form(game).values[videos][:, texts]
    assert (closed_form(permuted).values - expected).abs().max() < 1e-14


@pytest.mark.parametrize("method", METHODS)
def test_mixed_precision_does_not_touch_the_game(method):
    game = random_game(4, 5)
    game = SimilarityGame(game.similarity.float(), game.video_logits.float(), game.text_logits)
    expected, whole = method(game).values, game.grand_value()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(method(game).values, expected)
        assert torch.equal(game.grand_value(), whole)


def test_symmetry_axiom():
    """Two identical frames get identical interactions."""
    game = random_game(3, 4)
    twin = torch.tensor([0, 0, 1, 2])
    values = closed_form(
        SimilarityGame(game.similarity[twin], game.video_logits[twin], game.text_logits)
    ).values
    assert (values[0] - values[1]).abs().max() < 1e-14


def test_dummy_axiom():
    """With fixed weights, a frame of no similarity and no weight interacts with nobody."""
    game = random_game(3, 4)
    similarity = game.similarity.abs()
    similarity[1] = 0.0
    logits = game.video_logits.clone()
    logits[1] = -200.0
    values = closed_form(
        SimilarityGame(similarity, logits, game.text_logits, weighting="fixed")
    ).values
    assert values[1].abs().max() < 1e-15
    assert values[0].abs().max() > 1e-3


def test_recursivity_axiom():
    """Together = each alone + the interaction, in Banzhaf values of the game."""
    game = random_game(3, 3)
    i, j = 1, 2
    rest = list(oracles.subsets([("v", 0), ("v", 2), ("t", 0), ("t", 1)]))

    def phi(*players):
        return oracles.characteristic(
            game.similarity.tolist(),
            game.video_logits.tolist(),
            game.text_logits.tolist(),
            game.weighting,
            players,
        )

    frame, word = ("v", i), ("t", j)
    together = sum(phi(*s, frame, word) - phi(*s) for s in rest) / len(rest)
    apart = sum(phi(*s, frame) + phi(*s, word) - 2 * phi(*s) for s in rest) / len(rest)
    assert together == pytest.approx(apart + float(closed_form(game).values[i, j]), abs=1e-12)
