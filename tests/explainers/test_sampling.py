"""Monte Carlo against the closed form: unbiased, and its standard errors are true."""

from __future__ import annotations

import pytest
import torch

from explainers import WEIGHTINGS, SimilarityGame, closed_form, sample_coalitions, sampling
from oracles import random_game


def drawn_from(seed):
    return torch.Generator().manual_seed(seed)


def masked_game(weighting, seed=0):
    """Two games of 4 x 5 players, some of which are padding."""
    video_mask = torch.tensor([[True] * 4, [True, False, True, False]])
    text_mask = torch.tensor([[True] * 5, [False, True, True, True, False]])
    return random_game(
        4, 5, weighting, seed=seed, batch=(2,), video_mask=video_mask, text_mask=text_mask
    )


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_unbiased(weighting):
    game = masked_game(weighting)
    real = game.video_mask.unsqueeze(-1) & game.text_mask.unsqueeze(-2)
    result = sample_coalitions(game, 20_000, drawn_from(0))
    assert (result.standard_error[real] > 0).all()
    assert (result.standard_error[real] < 0.02).all()
    deviation = (result.values - closed_form(game).values)[real] / result.standard_error[real]
    assert deviation.abs().max() < 5
    assert deviation.abs().mean() > 0.2  # an estimate, whose errors are not smaller than stated
    assert not result.values[~real].any()
    assert not result.standard_error[~real].any()
    assert (result.method, result.coalitions_evaluated) == ("sample_coalitions", 40_000)


def test_intervals_cover_the_exact_value():
    """The 95 % interval does so in 95 % of 400 repetitions, pooled over 12 pairs."""
    game = random_game(3, 4, seed=1)
    exact, generator = closed_form(game).values, drawn_from(2)
    results = [sample_coalitions(game, 400, generator) for _ in range(400)]
    values = torch.stack([r.values for r in results])
    errors = torch.stack([r.standard_error for r in results])
    covered = ((values - exact).abs() <= 1.96 * errors).double().mean()
    assert 0.92 < covered < 0.98
    # The spread of 400 repetitions is known to 1 / sqrt(800) = 3.5 %.
    ratio = errors.mean(0) / values.std(0)
    assert (ratio - 1).abs().max() < 0.15
    assert float(ratio.mean()) == pytest.approx(1, abs=0.05)


def test_smallest_sample():
    """The standard error is that of a mean: the sum of squares has n - 1 degrees of freedom."""
    game, generator = random_game(2, 2, seed=3), drawn_from(4)
    results = [sample_coalitions(game, 2, generator) for _ in range(1000)]
    values = torch.stack([r.values for r in results])
    squares = torch.stack([r.standard_error for r in results]).square().mean(0)
    assert float((squares / values.var(0)).mean()) == pytest.approx(1, abs=0.15)
    with pytest.raises(ValueError, match="at least 2"):
        sample_coalitions(game, 1)


def test_same_generator_same_result():
    game = random_game(3, 4)
    before = torch.get_rng_state()
    one, same, other = (sample_coalitions(game, 50, drawn_from(s)).values for s in (5, 5, 6))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), before)  # torch's own is left alone


@pytest.mark.parametrize("at_once", [1, 7, 64])
def test_chunks_change_nothing(monkeypatch, at_once):
    """Up to the order of summation, in float64."""
    game = masked_game("renormalised")
    whole = sample_coalitions(game, 100, drawn_from(7))
    monkeypatch.setattr(sampling, "_CHUNK_CELLS", at_once * game.similarity.numel())
    parts = sample_coalitions(game, 100, drawn_from(7))
    assert (parts.values - whole.values).abs().max() < 1e-13
    assert (parts.standard_error - whole.standard_error).abs().max() < 1e-13


def test_batch_equals_single_games():
    game = masked_game("renormalised")
    batch = sample_coalitions(game, 100, drawn_from(8))
    for row in range(2):
        single = SimilarityGame(
            game.similarity[row], game.video_logits[row], game.text_logits[row],
            game.video_mask[row], game.text_mask[row],
        )  # fmt: skip
        alone = sample_coalitions(single, 100, drawn_from(8))
        assert (batch.values[row] - alone.values).abs().max() < 1e-13
        assert (batch.standard_error[row] - alone.standard_error).abs().max() < 1e-13
