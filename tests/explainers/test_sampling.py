"""Monte Carlo against exact values: unbiased, its standard errors are true, and few are needed."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
import torch

from explainers import WEIGHTINGS, SimilarityGame, closed_form, sample_coalitions
from explainers.control_variates import WalshSums
from support.oracles import in_room, random_game
from support.toy import Clock

KINDS = [
    {"antithetic": antithetic, "control_variates": controls}
    for antithetic, controls in product((True, False), repeat=2)
]


def drawn_from(seed):
    return torch.Generator().manual_seed(seed)


def tolerance(kind):
    """The control variate is rounded to float32, the rest to float64."""
    return 1e-6 if kind["control_variates"] else 1e-13


def masked_game(weighting="renormalised", seed=0):
    """Two games of 4 x 5 players, some of which are padding."""
    video_mask = torch.tensor([[True] * 4, [True, False, True, False]])
    text_mask = torch.tensor([[True] * 5, [False, True, True, True, False]])
    return random_game(
        4, 5, weighting, seed=seed, batch=(2,), video_mask=video_mask, text_mask=text_mask
    )


def row_of(game, row):
    return SimilarityGame(
        game.similarity[row],
        game.video_logits[row],
        game.text_logits[row],
        game.video_mask[row],
        game.text_mask[row],
    )


def every_pair(tables):
    """Cells above the diagonal of [..., N, N]."""
    return tables[(..., *torch.triu_indices(*tables.shape[-2:], 1))]


class TableGame:
    """A game without any structure: 2^n random values."""

    def __init__(self, players, seed=0):
        self.players = players
        self.table = torch.randn(2**players, generator=drawn_from(seed), dtype=torch.float64)

    def __call__(self, members):
        return self.table[members.long() @ 2 ** torch.arange(self.players)]

    def difference(self, coalition):
        """Mean over the coalitions of the others of the mixed difference in these players."""
        terms = []
        for members in product((False, True), repeat=self.players):
            absent = sum(not members[p] for p in coalition)
            terms.append((-1) ** absent * self(torch.tensor(members)).item())
        return math.fsum(terms) / 2 ** (self.players - len(coalition))


# What is estimated


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_unbiased(weighting, kind):
    game = masked_game(weighting)
    exact = closed_form(game, pairs="all")
    result = sample_coalitions(game, 20_000, drawn_from(0), pairs="all", **kind)
    for value, error, truth in (
        (result.values, result.standard_error, exact.values),
        (result.player_values, result.player_standard_error, exact.player_values),
    ):
        real = truth != 0
        assert (error[real] > 0).all()
        assert (error[real] < 0.02).all()
        deviation = (value - truth)[real] / error[real]
        assert deviation.abs().max() < 5
        assert deviation.abs().mean() > 0.2  # an estimate, whose errors are not smaller than stated
        assert not value[~real].any()
        assert not error[~real].any()
    assert torch.equal(result.values, result.values.mT)
    assert (result.method, result.coalitions_evaluated) == ("sample_coalitions", 40_000)


@pytest.mark.parametrize("kind", KINDS)
def test_any_game(kind):
    """Eq. 3 by brute force, for a game that is nothing but a table of random values."""
    game = TableGame(6)
    result = sample_coalitions(game, 100_000, drawn_from(1), players=6, **kind)
    for i in range(6):
        for j in range(i):
            deviation = result.values[i, j] - game.difference((i, j))
            assert abs(deviation) < 5 * result.standard_error[i, j] < 0.1
        deviation = result.player_values[i] - game.difference((i,))
        assert abs(deviation) < 5 * result.player_standard_error[i] < 0.05
    assert not result.values.diagonal().any()
    assert result.coalitions_evaluated == 100_000


@pytest.mark.parametrize("kind", KINDS)
def test_unbiased_at_few_coalitions(kind):
    """The mean of many estimates of 40 coalitions, whose polynomials fit badly."""
    game = random_game(3, 3, seed=5, batch=(4,))
    generator = drawn_from(6)
    results = [sample_coalitions(game, 40, generator, **kind).values for _ in range(100)]
    deviation = torch.stack(results).mean(0) - closed_form(game).values
    spread = torch.stack(results).std(0) / len(results) ** 0.5
    assert (deviation / spread).abs().max() < 4
    assert (deviation / spread).square().mean() < 1.5


@pytest.mark.parametrize("kind", KINDS)
def test_function_of_a_game_is_the_game(kind):
    game = random_game(3, 5, seed=2)
    ours = sample_coalitions(game, 3000, drawn_from(3), pairs="all", **kind)
    function = sample_coalitions(game.coalition_values, 3000, drawn_from(3), players=8, **kind)
    array = sample_coalitions(
        lambda members: game.coalition_values(members).numpy(),
        3000,
        drawn_from(3),
        players=8,
        pairs="all",
        **kind,
    )
    for result in (function, array):
        for name in ("values", "standard_error", "player_values", "player_standard_error"):
            assert (getattr(result, name) - getattr(ours, name)).abs().max() < tolerance(kind)
    cross = sample_coalitions(game, 3000, drawn_from(3), **kind)
    assert (cross.values - ours.values[:3, 3:]).abs().max() < 1e-12
    assert (cross.standard_error - ours.standard_error[:3, 3:]).abs().max() < 1e-12
    assert cross.player_values is None


# Standard errors


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("videos", "texts", "coalitions", "repetitions"),
    [
        (2, 3, 256, 60),
        (3, 4, 256, 60),
        (3, 4, 8192, 30),
        (3, 6, 192, 60),
        (6, 8, 512, 30),
        (12, 24, 256, 5),
        (12, 24, 2048, 3),
    ],
)
def test_intervals_cover_the_exact_value(videos, texts, coalitions, repetitions, kind):
    """The 95 % intervals do so in 95 % of the pairs, players, games and repetitions.

    These are so many that the share of the pairs is known to 0.5 %.
    """
    covered, squares, variances = [], [], []
    for weighting in WEIGHTINGS:
        game = random_game(videos, texts, weighting, seed=7, batch=(2,))
        exact, generator = closed_form(game, pairs="all"), drawn_from(8)
        for _ in range(repetitions):
            result = sample_coalitions(game, coalitions, generator, pairs="all", **kind)
            off, error = every_pair(result.values - exact.values), every_pair(result.standard_error)
            off_player = result.player_values - exact.player_values
            in_player = off_player.abs() <= 1.96 * result.player_standard_error
            covered.append([(off.abs() <= 1.96 * error).double().mean(), in_player.double().mean()])
            squares.append(off.square().mean(-1))
            variances.append(error.square().mean(-1))
    pairs, players = torch.tensor(covered).mean(0)
    assert 0.93 < pairs < 0.97
    assert 0.93 < players < 0.97
    ratio = torch.stack(variances).sum(0) / torch.stack(squares).sum(0)
    assert float(ratio.mean()) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_smallest_sample(kind):
    """The standard error is that of a mean: the sum of squares has n - 1 degrees of freedom."""
    game, generator = random_game(2, 2, seed=3, batch=(8,)), drawn_from(4)
    least = 4 if kind["antithetic"] else 2
    results = [sample_coalitions(game, least, generator, **kind) for _ in range(300)]
    values = torch.stack([r.values for r in results])
    squares = torch.stack([r.standard_error for r in results]).square().mean(0)
    assert float((squares / values.var(0)).mean()) == pytest.approx(1, abs=0.15)
    with pytest.raises(ValueError, match=f"at least {least}"):
        sample_coalitions(game, least - 1, **kind)


# What the two classics are good for


def mean_square(game, exact, coalitions, repetitions, **settings):
    generator = drawn_from(9)
    off = [
        sample_coalitions(game, coalitions, generator, **settings).values - exact
        for _ in range(repetitions)
    ]
    return float(torch.stack(off).square().mean())


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_they_make_the_paper_s_game_hundreds_of_times_cheaper(weighting):
    """12 frames and 24 words; the variance at 4096 coalitions."""
    game = random_game(12, 24, weighting, seed=10, batch=(4,))
    exact = closed_form(game).values

    def error(**settings):
        return mean_square(game, exact, 4096, 2, **settings)

    both = error()
    assert both < error(antithetic=False, control_variates=False) / 300
    assert both < error(antithetic=False) / 1.5
    assert both < error(control_variates=False) / 300


def test_regression_beats_the_mean_alone():
    """Also where there are more terms than coalitions: 630 against 256 pairs of them.

    In a room of 66 players, padding and all, the control variate is the mean alone.
    """
    game = random_game(12, 24, seed=11)
    room = in_room(game, torch.arange(26) < 12, torch.arange(40) < 24)

    def error(game, coalitions, repetitions):
        off = mean_square(game, closed_form(game).values, coalitions, repetitions)
        return off * game.similarity.numel()  # in all cells; padding has none

    assert error(game, 512, 12) < error(room, 512, 12) / 1.1
    assert error(game, 4096, 6) < error(room, 4096, 6) / 4


@pytest.mark.parametrize("coalitions", [128, 512, 2048])
def test_control_variates_do_no_harm(coalitions):
    """To a game of which no polynomial explains anything, a tenth of the variance at most."""
    signs = 2.0 * torch.randint(0, 2, (200, 10), generator=drawn_from(12)).double() - 1
    masks = signs[(signs > 0).sum(1) > 2] > 0

    def parities(members):  # Walsh functions of degrees above 2
        return (1 - 2 * ((~members).double() @ masks.double().mT % 2)).mean(1)

    settings = {"players": 10, "repetitions": 40}
    without = mean_square(parities, 0.0, coalitions, control_variates=False, **settings)
    assert mean_square(parities, 0.0, coalitions, **settings) < 1.1 * without


def test_a_polynomial_is_found_out():
    """A game of degree 2 is estimated as if it had a thousandth of its variance, or less."""
    generator = drawn_from(13)
    linear, square = torch.randn(9, 8, generator=generator).double().split([1, 8])

    def polynomial(members):
        signs = (2.0 * members - 1).double()
        return 5 + ((linear + signs @ square) * signs).sum(1)

    result = sample_coalitions(polynomial, 4096, generator, players=8)
    plain = sample_coalitions(polynomial, 4096, generator, players=8, control_variates=False)
    assert result.standard_error.max() < plain.standard_error.max() / 1000**0.5
    interactions = 4 * (square + square.mT).fill_diagonal_(0)
    assert (result.values - interactions).abs().max() < 5 * result.standard_error.max()
    assert (result.player_values - 2 * linear).abs().max() < 5 * result.player_standard_error.max()


def test_padding_is_no_term_of_the_regression():
    """A game of 3 x 4 players in the room of 12 x 24 is estimated as well as without the room."""
    small = random_game(3, 4, seed=14)
    video_mask, text_mask = torch.arange(12) % 4 == 1, torch.arange(24) % 6 == 2
    big = in_room(small, video_mask, text_mask)
    room, alone = (sample_coalitions(game, 1024, drawn_from(15)) for game in (big, small))
    assert room.standard_error.max() < 1.2 * alone.standard_error.max()
    real = room.values[video_mask][:, text_mask]
    assert (real - closed_form(small).values).abs().max() < 5 * room.standard_error.max()


# When it ends


@pytest.fixture
def clock(monkeypatch):
    """A minute for an estimate, apart from the evaluations."""
    clock, coefficients = Clock(), WalshSums.coefficients

    def slowly(self, kept):
        clock.wait(30.0)  # even part and odd part
        return coefficients(self, kept)

    monkeypatch.setattr(WalshSums, "coefficients", slowly)
    return clock


@pytest.mark.parametrize("each", [0.01, 1.0])
@pytest.mark.parametrize("seconds", [500.0, 3000.0])
def test_seconds(clock, seconds, each):
    table = TableGame(6)

    def slow(members):
        clock.wait(each * len(members))
        return table(members)

    result = sample_coalitions(slow, seconds=seconds, players=6, clock=clock)
    assert clock.now == result.seconds == pytest.approx(seconds, abs=60 + 2 * each)
    assert result.coalitions_evaluated * each == pytest.approx(seconds - 120, abs=60 + 2 * each)
    least = sample_coalitions(slow, seconds=1e-3, players=6, clock=clock)
    assert least.coalitions_evaluated == 32
    first = sample_coalitions(slow, 200, seconds=1e6, players=6, clock=clock)
    assert first.coalitions_evaluated == 200


def test_target_error():
    game, goal = random_game(3, 4, seed=16), 0.01
    result = sample_coalitions(game, None, drawn_from(17), target_error=goal)
    assert result.standard_error.max() <= goal
    coalitions = result.coalitions_evaluated
    assert coalitions in [256 * 2**k for k in range(1, 12)]
    assert sample_coalitions(game, coalitions // 2, drawn_from(17)).standard_error.max() > goal
    assert ((result.values - closed_form(game).values) / result.standard_error).abs().max() < 5
    first = sample_coalitions(game, 1001, drawn_from(17), target_error=goal / 100)
    assert first.coalitions_evaluated == 1000
    timely = sample_coalitions(game, target_error=1e-9, seconds=2000, clock=Clock(tick=10.0))
    assert timely.standard_error.max() > 1e-9
    assert timely.seconds < 2100
    some = random_game(3, 4, batch=(0,))
    assert sample_coalitions(some, target_error=goal).values.shape == (0, 3, 4)


def test_stopping_by_the_error_is_hardly_optimistic():
    """Intervals of runs that ended because their error looked small."""
    game = random_game(3, 4, seed=18)
    exact, generator, covered = closed_form(game).values, drawn_from(19), []
    for _ in range(100):
        result = sample_coalitions(game, None, generator, target_error=0.02)
        covered.append(((result.values - exact).abs() <= 1.96 * result.standard_error).double())
    assert 0.93 < float(torch.stack(covered).mean()) < 0.97


def test_number_of_coalitions():
    game = random_game(2, 3, batch=(5,))
    assert sample_coalitions(game).coalitions_evaluated == 5 * 4096
    assert sample_coalitions(game, 101).coalitions_evaluated == 5 * 100
    assert sample_coalitions(game, 101, antithetic=False).coalitions_evaluated == 5 * 101


def test_progress():
    seen = []
    sample_coalitions(TableGame(5), 5001, players=5, progress=lambda *both: seen.append(both))
    assert seen == [(1024, 5000), (2048, 5000), (3072, 5000), (4096, 5000), (5000, 5000)]
    seen.clear()
    game = random_game(2, 3, batch=(5,))
    sample_coalitions(game, 100, progress=lambda *both: seen.append(both))
    assert seen[-1] == (500, 500)
    seen.clear()
    sample_coalitions(game, 1000, target_error=1e-9, progress=lambda *both: seen.append(both))
    assert seen[-1] == (5000, 0)
    assert len(seen) > 1


def test_cancelled_by_progress():
    class StoppedError(Exception):
        pass

    def stop(done, _):
        if done >= 2048:
            raise StoppedError

    calls = []

    def game(members):
        calls.append(len(members))
        return torch.zeros(len(members))

    with pytest.raises(StoppedError):
        sample_coalitions(game, 10**6, players=5, progress=stop)
    assert sum(calls) == 2048


# What does not matter, and what is refused


def test_same_generator_same_result():
    game = random_game(3, 4)
    before = torch.get_rng_state()
    one, same, other = (sample_coalitions(game, 50, drawn_from(s)).values for s in (5, 5, 6))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), before)  # torch's own is left alone


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("at_once", [1, 7, 64])
def test_chunks_change_nothing(at_once, kind):
    """Up to rounding, which depends on the order of summation."""
    game = masked_game()
    whole = sample_coalitions(game, 100, drawn_from(7), pairs="all", **kind)
    cells = at_once * game.similarity.numel()
    parts = sample_coalitions(game, 100, drawn_from(7), pairs="all", chunk_cells=cells, **kind)
    for name in ("values", "standard_error", "player_values", "player_standard_error"):
        assert (getattr(parts, name) - getattr(whole, name)).abs().max() < tolerance(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_batch_equals_single_games(kind):
    game = masked_game()
    batch = sample_coalitions(game, 100, drawn_from(8), pairs="all", **kind)
    for row in range(2):
        alone = sample_coalitions(row_of(game, row), 100, drawn_from(8), pairs="all", **kind)
        for name in ("values", "standard_error", "player_values", "player_standard_error"):
            off = getattr(batch, name)[row] - getattr(alone, name)
            assert off.abs().max() < tolerance(kind)


def test_shapes_and_precision():
    game = random_game(2, 3, batch=(4, 1))
    single = SimilarityGame(
        game.similarity.float().requires_grad_(),
        game.video_logits.float(),
        game.text_logits.float(),
    )
    result = sample_coalitions(single, 64, drawn_from(0), pairs="all")
    exact = sample_coalitions(game, 64, drawn_from(0), pairs="all")
    for name, shape in (("values", (4, 1, 5, 5)), ("player_values", (4, 1, 5))):
        value = getattr(result, name)
        assert (value.shape, value.dtype) == (shape, torch.float32)
        assert not value.requires_grad
        assert (value - getattr(exact, name)).abs().max() < 1e-5
    empty = sample_coalitions(random_game(2, 3, batch=(0,)), 64)
    assert empty.values.shape == (0, 2, 3)
    alone = sample_coalitions(lambda members: members[:, 0].double(), 64, players=1)
    assert (alone.values.shape, alone.player_values.shape) == ((1, 1), (1,))
    assert float(alone.player_values) == pytest.approx(1, abs=1e-3)


def test_constant_game():
    result = sample_coalitions(lambda members: torch.full((len(members),), 3.0), players=4)
    assert result.values.abs().max() < 1e-12
    assert result.standard_error.max() < 1e-6


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"coalitions": 0}, "at least 4"),
        ({"coalitions": -1}, "coalitions is -1; it must be a whole number"),
        ({"coalitions": 10.5}, "coalitions is 10.5"),
        ({"coalitions": math.nan}, "coalitions is nan"),
        ({"coalitions": math.inf}, "coalitions is inf"),
        ({"chunk_cells": 0}, "chunk_cells is 0"),
        ({"seconds": 0.0}, "seconds is 0.0"),
        ({"target_error": -1.0}, "target_error is -1.0"),
        ({"target_error": math.nan}, "target_error is nan"),
        ({"seconds": math.nan}, "seconds is nan"),
        ({"seconds": math.inf}, "seconds is inf; it must be positive and finite"),
        ({"pairs": "some"}, "pairs is 'some'"),
        ({"device": "cpu"}, r"use game\.to\(device\)"),
        ({"players": 4}, "players is for games that are functions"),
    ],
)
def test_refused_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        sample_coalitions(random_game(2, 2), **settings)


@pytest.mark.parametrize("generator", [0, np.random.default_rng(0)])
def test_generators_are_those_of_torch(generator):
    with pytest.raises(TypeError, match=r"generator is a .*torch\.Generator\(\)\.manual_seed"):
        sample_coalitions(random_game(2, 2), 64, generator)


def test_more_coalitions_than_there_are():
    """They are drawn with replacement."""
    game = random_game(1, 1)
    result = sample_coalitions(game, 4096, drawn_from(0))
    assert (result.values - closed_form(game).values).abs() <= 5 * result.standard_error + 1e-12
    assert result.coalitions_evaluated == 4096


def test_nobody_plays():
    nobody = torch.zeros(2, dtype=torch.bool)
    game = random_game(2, 2, video_mask=nobody, text_mask=nobody)
    for kind in KINDS:
        result = sample_coalitions(game, 64, drawn_from(0), pairs="all", **kind)
        for values in (result.values, result.standard_error, result.player_values):
            assert not values.any()
