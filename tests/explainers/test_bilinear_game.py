"""The game of an answer: pairs of tokens, weighted on both sides."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
import torch

from benchmarks.peers import shapiq_interactions
from explainers import (
    INDICES,
    WEIGHTINGS,
    BilinearGame,
    Estimator,
    closed_form,
    coalition_interaction,
    compare,
    enumerate_coalitions,
    estimate,
    explained_variance,
    multilinear_extension,
    sample_coalitions,
    shapley_values,
)
from explainers.explained_variance import SHARES
from support import oracles
from support.games import extreme_logits, padded

SIZES = [(1, 1), (1, 4), (4, 1), (3, 4)]
P = 0.3  # of "weighted_banzhaf"
every_index = pytest.mark.parametrize("index", INDICES)
every_weighting = pytest.mark.parametrize("weighting", WEIGHTINGS)


def random_game(*size, **options):
    return oracles.random_game(*size, kind=BilinearGame, **options)


def options(index):
    return {"index": index, "probability": P if index == "weighted_banzhaf" else None}


def members_of(game):
    """Every coalition as members, and its value by loops."""
    known = oracles.set_values(game)
    videos, texts = game.cells.shape
    rows = [[player in one for player in range(videos + texts)] for one in known]
    members = torch.tensor(rows)
    expected = torch.tensor(list(known.values()), dtype=torch.float64)
    return members, expected


def assert_equals_brute_force(game, index, methods=(closed_form, enumerate_coalitions)):
    """1e-10 is what we promise; the brute force itself is exact to about 1e-15."""
    videos, texts = game.cells.shape
    value = oracles.set_values(game)
    pairs, players = map(
        torch.from_numpy,
        oracles.brute_force_indices(lambda s: value[frozenset(s)], videos + texts, index, P),
    )
    for method in methods:
        everything = method(game, pairs="all", **options(index))
        assert (everything.player_values - players).abs().max() < 1e-10
        assert (everything.values - pairs).abs().max() < 1e-10
        cross = method(game, **options(index)).values
        assert (cross - pairs[:videos, videos:]).abs().max() < 1e-10


@every_weighting
def test_the_value_of_every_coalition(weighting):
    game = random_game(3, 3, weighting=weighting, spread=20.0)
    members, expected = members_of(game)
    assert (game.coalition_values(members) - expected).abs().max() < 1e-14
    assert float(game.grand_value()) == pytest.approx(float(expected[-1]), abs=1e-14)
    assert game.value(torch.zeros(3, dtype=torch.bool), members[-1, 3:]) == 0


@every_index
@every_weighting
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("spread", [0.0, 20.0])
def test_equals_brute_force(index, weighting, size, spread):
    game = random_game(*size, weighting=weighting, spread=spread, seed=sum(size))
    assert_equals_brute_force(game, index)


@every_index
@every_weighting
def test_extreme_logits(index, weighting):
    """The enumeration adds up logarithms, of which -1e9 leaves 7 digits."""
    values = random_game(3, 4).values
    for logits in extreme_logits():
        game = BilinearGame(values, *logits, weighting=weighting)
        assert_equals_brute_force(game, index, [closed_form])


@every_index
@every_weighting
@pytest.mark.parametrize("values", [[0.5] * 6, [-1.0] * 6, [0.0] * 6, [0.3, -0.2, 0.3] * 2])
def test_ties(index, weighting, values):
    values = torch.tensor(values, dtype=torch.float64).reshape(2, 3)
    logits = random_game(2, 3)
    tied = torch.zeros(3, dtype=torch.float64)
    for text_logits in (logits.text_logits, tied):
        game = BilinearGame(values, logits.video_logits, text_logits, weighting=weighting)
        assert_equals_brute_force(game, index)


@every_weighting
def test_equals_shapiq_and_the_enumeration_of_more_players(weighting):
    game = random_game(4, 5, weighting=weighting)
    assert (closed_form(game).values - shapiq_interactions(game)).abs().max() < 1e-12
    game = random_game(8, 9, weighting=weighting, spread=10.0)
    exact, found = (method(game, pairs="all") for method in (enumerate_coalitions, closed_form))
    assert (found.values - exact.values).abs().max() < 1e-10
    assert (found.player_values - exact.player_values).abs().max() < 1e-10


@every_weighting
def test_a_padded_batch_gives_what_its_games_give_alone(weighting):
    singles = [random_game(v, t, weighting=weighting, seed=v) for v, t in [(2, 5), (4, 3), (1, 1)]]
    batch, places = padded(singles)
    results = [method(batch, pairs="all") for method in (closed_form, enumerate_coalitions)]
    explained = explained_variance(batch)
    for row, (single, place) in enumerate(zip(singles, places, strict=True)):
        alone = closed_form(single, pairs="all")
        for result in results:
            inside = result.values[row][place][:, place]
            assert (inside - alone.values).abs().max() < 1e-12
            assert abs(inside.abs().sum() - result.values[row].abs().sum()) < 1e-12
            assert (result.player_values[row][place] - alone.player_values).abs().max() < 1e-12
        assert abs(batch.grand_value()[row] - single.grand_value()) < 1e-14
        for name in (*SHARES, "variance"):
            expected = getattr(explained_variance(single), name)
            assert abs(getattr(explained, name)[row] - expected) < 1e-12


@every_weighting
def test_the_difference_of_two_games_is_a_game(weighting):
    """Additivity: of one set of weights, what holds of values holds of the indices."""
    one, other = (random_game(3, 4, weighting=weighting, seed=seed) for seed in (1, 2))
    other = BilinearGame(other.values, one.video_logits, one.text_logits, weighting=weighting)
    change = dataclasses.replace(one, values=one.values - other.values)
    value = [members_of(game)[1] for game in (change, one, other)]
    assert (value[0] - (value[1] - value[2])).abs().max() < 1e-15
    first, second, both = (closed_form(game, pairs="all") for game in (one, other, change))
    assert (both.values - (first.values - second.values)).abs().max() < 1e-14
    assert (both.player_values - (first.player_values - second.player_values)).abs().max() < 1e-14


@every_weighting
def test_gradients(weighting):
    game = random_game(3, 4, weighting=weighting, batch=(2,))
    mask = torch.tensor([[True] * 4, [True, True, False, True]])
    inputs = [
        tensor.clone().requires_grad_()
        for tensor in (game.values, game.video_logits, game.text_logits)
    ]

    def interactions(*tensors):
        made = BilinearGame(*tensors, text_mask=mask, weighting=weighting)
        return closed_form(made).values, made.grand_value()

    assert torch.autograd.gradcheck(interactions, inputs)


@every_weighting
@pytest.mark.parametrize("probability", [0.5, 0.3, 0.9])
def test_the_extension_and_the_variance_are_moments_of_the_random_coalition(weighting, probability):
    game = random_game(3, 4, weighting=weighting, spread=6.0)
    members, values = members_of(game)
    point = torch.full((7,), probability, dtype=torch.float64)
    joined = torch.where(members, point, 1 - point).prod(-1)
    mean = joined @ values
    assert abs(multilinear_extension(game, point[:3], point[3:]) - mean) < 1e-12
    explained = explained_variance(game, probability)
    assert abs(explained.variance - joined @ (values - mean).square()) < 1e-12
    assert abs(sum(explained.shares().values()) - 1) < 1e-10


@every_weighting
def test_the_extension_at_the_corners_is_the_game(weighting):
    for logits in [(torch.zeros(3).double(), torch.zeros(4).double()), *extreme_logits()]:
        game = BilinearGame(random_game(3, 4).values, *logits, weighting=weighting)
        members, expected = members_of(game)
        corners = multilinear_extension(game, members[:, :3].double(), members[:, 3:].double())
        assert (corners - expected).abs().max() < 1e-12


@every_weighting
def test_the_interaction_of_a_set(weighting):
    game = random_game(2, 3, weighting=weighting)
    for chosen in itertools.chain.from_iterable(
        itertools.combinations(range(5), size) for size in range(6)
    ):
        members = torch.tensor([player in chosen for player in range(5)])
        found = coalition_interaction(game, members[:2], members[2:])
        assert abs(found - oracles.coalition_interaction(game, chosen)) < 1e-12


@every_weighting
def test_shapley_values_add_up_to_the_logit(weighting):
    game = random_game(3, 4, weighting=weighting, spread=6.0)
    shared = shapley_values(game)
    everything = closed_form(game, pairs="all", index="shapley")
    assert (shared - everything.player_values).abs().max() < 1e-12
    assert abs(shared.sum() - game.grand_value()) < 1e-12


@every_weighting
def test_sampling_comes_near_within_its_errors(weighting):
    game = random_game(3, 4, weighting=weighting, batch=(2,))
    generator = torch.Generator().manual_seed(0)
    found = sample_coalitions(game, 4096, generator, pairs="all")
    off = (found.values - closed_form(game, pairs="all").values).abs()
    assert (off <= 5 * found.standard_error + 1e-12).all()


def test_methods_are_compared_but_the_network_of_similarities():
    game = random_game(3, 4)
    comparison = compare(game, ("closed_form", "enumeration", "sampling"), budgets=(256,))
    errors = [row.agreement.max_error for row in comparison.rows]
    assert errors[0] == 0
    assert errors[1] < 1e-12
    assert errors[2] < 0.2
    with pytest.raises(TypeError, match="estimate takes a SimilarityGame, got BilinearGame"):
        estimate(game, Estimator())
    with pytest.raises(TypeError, match="estimate takes a SimilarityGame, got BilinearGame"):
        compare(game, "estimator", estimator=Estimator())


@every_weighting
def test_single_precision_is_close(weighting):
    double = random_game(12, 24, weighting=weighting, batch=(4,), spread=6.0)
    expected = closed_form(double).values
    single = double.to(dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = closed_form(single).values
    assert found.dtype == torch.float32
    assert (found - expected).abs().max() < 1e-4 * expected.abs().max()


def test_what_does_not_fit_is_told_by_its_name():
    logits = torch.zeros(2), torch.zeros(3)
    with pytest.raises(ValueError, match=r"values must be \[\.\.\., V, T\]"):
        BilinearGame(torch.zeros(3), *logits)
    with pytest.raises(ValueError, match=r"but values \[2, 2\] has 2 text tokens"):
        BilinearGame(torch.zeros(2, 2), *logits)
    with pytest.raises(ValueError, match="values is not finite in 6 of 6 cells"):
        BilinearGame(np.full((2, 3), np.nan), *logits)
