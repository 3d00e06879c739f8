"""The stream of all coalitions: against the plain route, brute force, and within its limits."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from explainers import (
    INDICES,
    WEIGHTINGS,
    SimilarityGame,
    TooManyCoalitionsError,
    closed_form,
    enumerate_coalitions,
    enumeration_seconds,
)
from support.oracles import brute_force_indices, random_game
from support.toy import Clock


def options(index, probability):
    return {"index": index, "probability": probability if index == "weighted_banzhaf" else None}


def table_game(players, seed=0):
    """A game without any structure: a table of 2^n random values."""
    values = torch.randn(2**players, generator=torch.Generator().manual_seed(seed)).double()
    place = 2 ** torch.arange(players)

    def value(members):
        return values[(members * place).sum(-1)]

    return value


def difference(one, other):
    return max(
        float((one.values - other.values).abs().max()),
        float((one.player_values - other.player_values).abs().max()),
    )


@pytest.mark.parametrize("index", INDICES)
@pytest.mark.parametrize("players", [1, 2, 5])
def test_a_function_equals_brute_force(index, players):
    game = table_game(players)
    result = enumerate_coalitions(game, players=players, **options(index, 0.3))

    def value(coalition):
        members = torch.zeros(1, players, dtype=torch.bool)
        members[0, list(coalition)] = True
        return float(game(members))

    interactions, singles = brute_force_indices(value, players, index, 0.3)
    assert np.abs(result.values.numpy() - interactions).max() < 1e-12
    assert np.abs(result.player_values.numpy() - singles).max() < 1e-12
    assert (result.method, result.index, result.coalitions_evaluated) == (
        "enumeration",
        index,
        2**players,
    )


@pytest.mark.parametrize("index", INDICES)
@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize("size", [(1, 1), (1, 6), (6, 1), (3, 5), (5, 3)])
def test_matrix_products_equal_the_plain_route(index, weighting, size):
    """Coalition by coalition, through SimilarityGame.value: the witness of the fast stream."""
    game = random_game(*size, weighting, spread=6.0)
    settings = options(index, 0.7)
    fast = enumerate_coalitions(game, pairs="all", **settings)
    plain = enumerate_coalitions(game.coalition_values, players=sum(size), **settings)
    assert difference(fast, plain) < 1e-13
    cross = enumerate_coalitions(game, **settings)
    assert torch.equal(cross.values, fast.values[: size[0], size[0] :])
    assert cross.player_values is None


def test_a_padded_batch_of_all_pairs():
    video_mask = torch.tensor([[True] * 3, [True, False, True]])
    text_mask = torch.tensor([[True] * 4, [False, True, True, False]])
    game = random_game(3, 4, batch=(2,), video_mask=video_mask, text_mask=text_mask)
    result = enumerate_coalitions(game, pairs="all")
    assert result.values.shape == (2, 7, 7)
    assert result.coalitions_evaluated == 2**7 + 2**4
    for row in range(2):
        real = torch.cat([video_mask[row], text_mask[row]]).nonzero().flatten()
        alone = SimilarityGame(
            game.similarity[row][video_mask[row]][:, text_mask[row]],
            game.video_logits[row][video_mask[row]],
            game.text_logits[row][text_mask[row]],
        )
        expected = enumerate_coalitions(alone, pairs="all")
        assert torch.equal(result.values[row][real][:, real], expected.values)
        assert torch.equal(result.player_values[row][real], expected.player_values)
        assert int(result.values[row].count_nonzero()) <= len(real) * (len(real) - 1)
        assert int(result.player_values[row].count_nonzero()) <= len(real)


@pytest.mark.parametrize("size", [(2, 5), (5, 2)])
@pytest.mark.parametrize("chunk", [1, 2, 16, 100, 2**22])
def test_the_chunk_changes_nothing(size, chunk):
    game = random_game(*size)
    reference = enumerate_coalitions(game, pairs="all")
    # Only the order of summation changes.
    result = enumerate_coalitions(game, pairs="all", chunk_coalitions=chunk)
    assert difference(result, reference) < 1e-13
    plain = enumerate_coalitions(game.coalition_values, players=7, chunk_coalitions=chunk)
    assert difference(plain, reference) < 1e-13


def test_memory_is_bounded_by_the_chunk():
    """No tensor that is made grows with the 2^18 coalitions."""
    largest = 0

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            nonlocal largest
            result = function(*args, **(kwargs or {}))
            if isinstance(result, torch.Tensor):
                largest = max(largest, result.untyped_storage().nbytes())
            return result

    game = random_game(9, 9)
    with Watch():
        enumerate_coalitions(game, chunk_coalitions=2**12)
    assert largest <= 2**12 * 8
    largest = 0
    with Watch():
        enumerate_coalitions(lambda s: s[:, 0].double(), players=14, chunk_coalitions=2**8)
    assert largest <= 2**8 * 14 * 8


class Slow:
    """A function whose coalitions take some of a clock's seconds each."""

    def __init__(self, clock, each):
        self.clock, self.each, self.seen = clock, each, 0

    def __call__(self, members):
        self.seen += len(members)
        self.clock.wait(self.each * len(members))
        return members.double().sum(-1)


@pytest.mark.parametrize("players", [1, 12, 60])
def test_a_limit_of_nothing_runs_nothing(players):
    def never(*_):
        pytest.fail("it ran")

    settings = {"limit_seconds": 0, "clock": never, "progress": never}
    for game, more in ((never, {"players": players}), (random_game(players, players), {})):
        with pytest.raises(
            TooManyCoalitionsError, match="and a limit of 0 seconds allows none"
        ) as refused:
            enumerate_coalitions(game, **settings, **more)
        assert math.isnan(refused.value.seconds)
        assert refused.value.coalitions == 2 ** more.get("players", 2 * players)


@pytest.mark.parametrize("each", [1e-7, 1e-3, 10.0])
@pytest.mark.parametrize("share", [0.3, 0.98, 1.02, 1e4])
def test_the_estimate_decides(each, share):
    """However fast the machine: in a tenth of the limit, or in the first calls."""
    clock = Clock()
    function, all_of_it = Slow(clock, each), 2**16 * each
    limit = share * all_of_it

    def run():
        return enumerate_coalitions(function, players=16, limit_seconds=limit, clock=clock)

    if share > 1:
        assert run().seconds == pytest.approx(all_of_it) == clock.now
        return
    with pytest.raises(TooManyCoalitionsError) as refused:
        run()
    assert refused.value.seconds == pytest.approx(all_of_it)
    tried = min(0.1 * limit, 0.5)
    assert clock.now <= max(3 * tried, 6 * each)  # calls double; the first is not measured
    assert clock.now == pytest.approx(function.seen * each)


def test_the_estimate_of_matrix_products_decides():
    """A clock that goes on by a second a tile: 64 tiles."""
    game, clock = random_game(6, 10), Clock()

    def run(limit):
        clock.now = 0.0
        settings = {"limit_seconds": limit, "chunk_coalitions": 2**10, "clock": clock}
        enumerate_coalitions(game, progress=lambda *_: clock.wait(1.0), **settings)

    run(65.0)
    assert clock.now == 64.0
    run(math.inf)
    assert clock.now == 64.0
    for limit in (63.0, 10.0, 0.5):
        with pytest.raises(
            TooManyCoalitionsError, match="16 players have 65,536 coalitions: about 64 s"
        ) as refused:
            run(limit)
        assert refused.value.seconds == pytest.approx(64.0)
        assert clock.now == (1.0 if limit == 0.5 else 2.0)  # the first tile warms up


def test_the_first_call_does_not_count():
    """It may have to load a model."""
    clock = Clock()
    function = Slow(clock, 1e-3)

    def loading(members):
        clock.wait(30.0 * (function.seen == 0))
        return function(members)

    settings = {"players": 14, "limit_seconds": 60.0, "clock": clock}
    assert enumerate_coalitions(loading, **settings).seconds == pytest.approx(30 + 2**14 * 1e-3)


def test_a_function_that_becomes_slow_ends_at_the_limit():
    """Also within what would have been one call of 2^14 coalitions."""
    clock, seen = Clock(), 0

    def slower(members):
        nonlocal seen
        seen += len(members)
        clock.wait(len(members) * (1e-5 if seen < 2**13 else 0.5))
        return members.double().sum(-1)

    with pytest.raises(TooManyCoalitionsError) as refused:
        enumerate_coalitions(slower, players=16, limit_seconds=1000.0, clock=clock)
    assert clock.now < 1000 + 0.5 * 2**13  # the call in which it became slow
    assert refused.value.seconds > 1000

    clock.now, seen = 0.0, 0
    steady = Slow(clock, 1.0)
    with pytest.raises(TooManyCoalitionsError):
        enumerate_coalitions(steady, players=10, limit_seconds=1023.0, clock=clock)
    assert clock.now < 10


@pytest.mark.parametrize("limit", [4200, 4400, 4600, 4800])
def test_calls_shrink_towards_the_limit(limit):
    """A call takes no more coalitions than there is time for, at the speed of the last one."""
    clock = Clock()
    function = Slow(clock, 1.0)

    def rising(members):  # slower by and by: all seem to take 2^12 seconds, and take 5,100
        function.each = 1.0 + function.seen / 2**13
        return function(members)

    with pytest.raises(TooManyCoalitionsError):
        enumerate_coalitions(
            rising, players=12, chunk_coalitions=512, limit_seconds=limit, clock=clock
        )
    assert limit < clock.now < limit * 1.02


def test_seconds_are_told_beforehand():
    clock = Clock()
    for each, players in ((1.0, 40), (1e-6, 10)):
        told = enumeration_seconds(Slow(clock, each), players=players, clock=clock)
        assert told == pytest.approx(2**players * each)
    assert clock.now < 10
    with pytest.raises(ValueError, match="leave it out"):
        enumeration_seconds(random_game(2, 2), limit_seconds=3.0)
    assert enumeration_seconds(random_game(2, 3)) > 0
    assert enumeration_seconds(random_game(60, 60)) > 1e9  # years, whatever the machine


def test_progress_and_cancellation():
    told = []
    enumerate_coalitions(
        random_game(6, 6), chunk_coalitions=2**8, progress=lambda *now: told.append(now)
    )
    done, totals = zip(*told, strict=True)
    assert set(totals) == {2**12}
    assert list(done) == sorted(done)
    assert len(done) > 4
    assert done[-1] == 2**12

    def cancel(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        enumerate_coalitions(random_game(12, 24), progress=cancel)


@pytest.mark.parametrize("empty", ["video_mask", "text_mask"])
def test_a_side_without_tokens(empty):
    """Of one game of the batch; nothing can be gained in it."""
    game = random_game(3, 4, batch=(2,))
    mask = getattr(game, empty).clone()
    mask[1] = False
    game = replace(game, **{empty: mask})
    result = enumerate_coalitions(game, pairs="all")
    expected = closed_form(game, pairs="all")
    assert difference(result, expected) < 1e-13
    assert not result.values[1].any()
    assert result.values[0].any()


def test_nobody_plays():
    game = random_game(3, 4, batch=(2,), video_mask=torch.zeros(3, dtype=torch.bool))
    game = SimilarityGame(
        game.similarity,
        game.video_logits,
        game.text_logits,
        game.video_mask,
        torch.zeros(4, dtype=torch.bool),
    )
    result = enumerate_coalitions(game, pairs="all")
    assert result.coalitions_evaluated == 2
    assert not result.values.any()
    assert not closed_form(game, pairs="all").values.any()


def test_more_players_than_bits():
    """Those of a function get coalitions of true numbers, as far as they come."""
    seen = []

    def function(members):
        seen.append(members)
        return members.double().sum(-1)

    with pytest.raises(TooManyCoalitionsError, match="100 players"):
        enumerate_coalitions(function, players=100, limit_seconds=1e-3)
    numbers = torch.cat(seen).double() @ 2.0 ** torch.arange(100, dtype=torch.float64)
    assert torch.equal(numbers, torch.arange(len(numbers)).double())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"device": "cpu"}, r"use game\.to\(device\)"),
        ({"players": 4}, "players is for games that are functions"),
        ({"pairs": "both"}, "pairs is 'both'"),
        ({"index": "core"}, "index is 'core'"),
        ({"index": "weighted_banzhaf", "probability": 1.0}, "probability is 1.0"),
        ({"index": "weighted_banzhaf", "probability": math.nan}, "probability is nan"),
        ({"chunk_coalitions": 0}, "chunk_coalitions is 0; it must be a whole number, 1 or more"),
        ({"chunk_coalitions": -1}, "chunk_coalitions is -1"),
        ({"chunk_coalitions": 1.5}, "chunk_coalitions is 1.5"),
        ({"limit_seconds": -1}, "limit_seconds is -1; it must be 0 or more"),
        ({"limit_seconds": math.nan}, "limit_seconds is nan"),
        ({"dtype": torch.int64}, "dtype is torch.int64"),
        ({"dtype": torch.float16}, "dtype is torch.float16"),
    ],
)
def test_arguments_are_checked(settings, message):
    with pytest.raises(ValueError, match=message):
        enumerate_coalitions(random_game(2, 2), **settings)


def test_arrays_and_float32():
    """An outside model's game in numpy; a game in single precision is summed in double."""
    game = random_game(3, 3)
    numpy_game = enumerate_coalitions(
        lambda s: game.coalition_values(s).numpy().astype(np.float32), players=6
    )
    exact = enumerate_coalitions(game, pairs="all")
    assert numpy_game.values.dtype == torch.float64
    assert 1e-10 < difference(numpy_game, exact) < 1e-5
    single = SimilarityGame(
        game.similarity.float(), game.video_logits.float(), game.text_logits.float()
    )
    result = enumerate_coalitions(single)
    assert result.values.dtype == torch.float32
    assert (result.values - closed_form(game).values).abs().max() < 1e-6
