"""The stream of all coalitions: against the plain route, brute force, and within its limits."""

from __future__ import annotations

import time

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
    enumeration,
    enumeration_seconds,
)
from explainers.enumeration import duration
from oracles import brute_force_indices, random_game


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
    result = enumerate_coalitions(game, players=players, index=index, probability=0.3)

    def value(coalition):
        members = torch.zeros(1, players, dtype=torch.bool)
        members[0, list(coalition)] = True
        return float(game(members))

    interactions, singles = brute_force_indices(value, players, index, 0.3)
    assert np.abs(result.values.numpy() - interactions).max() < 1e-12
    assert np.abs(result.player_values.numpy() - singles).max() < 1e-12
    assert (result.method, result.index, result.coalitions_evaluated) == (
        "enumeration", index, 2**players,
    )  # fmt: skip


@pytest.mark.parametrize("index", INDICES)
@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize("size", [(1, 1), (1, 6), (6, 1), (3, 5), (5, 3)])
def test_matrix_products_equal_the_plain_route(index, weighting, size):
    """Coalition by coalition, through SimilarityGame.value: the witness of the fast stream."""
    game = random_game(*size, weighting, spread=6.0)
    settings = {"index": index, "probability": 0.7}
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


def test_the_time_is_told_beforehand_and_long_runs_are_refused(monkeypatch):
    monkeypatch.setattr(enumeration, "_TRIAL_SECONDS", 0.05)
    game = random_game(12, 24)
    expected = enumeration_seconds(game)
    assert 20 < expected < 1e5
    with pytest.raises(
        TooManyCoalitionsError, match=r"36 players have 68,719,476,736 coal"
    ) as refused:
        enumerate_coalitions(game, limit_seconds=10)
    assert refused.value.coalitions == 2**36
    assert 0.1 < refused.value.seconds / expected < 10
    with pytest.raises(ValueError, match="120 players"):  # refused at once, whatever the size
        enumerate_coalitions(random_game(60, 60))
    quick = enumeration_seconds(random_game(2, 3))
    assert 0 < quick < 1


def test_a_slow_function_is_refused(monkeypatch):
    monkeypatch.setattr(enumeration, "_TRIAL_SECONDS", 0.05)
    seen = 0

    def slow(members):
        nonlocal seen
        seen += len(members)
        time.sleep(1e-3 * len(members))
        return members.double().sum(-1)

    with pytest.raises(TooManyCoalitionsError) as refused:
        enumerate_coalitions(slow, players=22, limit_seconds=60)
    assert seen < 200
    assert 0.5 * 2**22 * 1e-3 < refused.value.seconds < 3 * 2**22 * 1e-3


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


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda s: torch.zeros(len(s), 1), r"\[2, 1\] for \[2, 6\] coalitions"),
        (lambda s: torch.full((len(s),), torch.nan), "not finite"),
    ],
)
def test_a_function_that_returns_something_else(function, message):
    with pytest.raises(ValueError, match=message):
        enumerate_coalitions(function, players=6)


@pytest.mark.parametrize("empty", ["video_mask", "text_mask"])
def test_a_side_without_tokens(empty):
    """Of one game of the batch; nothing can be gained in it."""
    game = random_game(3, 4, batch=(2,))
    getattr(game, empty)[1] = False
    result = enumerate_coalitions(game, pairs="all")
    expected = closed_form(game, pairs="all")
    assert difference(result, expected) < 1e-13
    assert not result.values[1].any()
    assert result.values[0].any()


def test_times_in_words():
    words = [duration(x) for x in (0.5, 9.96, 100, 119, 125, 8000, 2e5, 1e9)]
    assert words == [
        "0.5 seconds", "10 seconds", "100 seconds", "119 seconds", "2 minutes", "2 hours",
        "2 days", "32 years",
    ]  # fmt: skip


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="number of players"):
        enumerate_coalitions(table_game(3))
    with pytest.raises(ValueError, match=r"use game\.to\(device\)"):
        enumerate_coalitions(random_game(2, 2), device="cpu")
    with pytest.raises(ValueError, match="players is for games that are functions"):
        enumerate_coalitions(random_game(2, 2), players=4)
    with pytest.raises(ValueError, match="pairs is 'both'"):
        enumerate_coalitions(random_game(2, 2), pairs="both")
    with pytest.raises(ValueError, match="index is 'core'"):
        enumerate_coalitions(random_game(2, 2), index="core")
    with pytest.raises(ValueError, match="probability"):
        enumerate_coalitions(random_game(2, 2), index="weighted_banzhaf", probability=1.0)


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
