"""Explained variance against all coalitions, and against a weighted least-squares fit."""

from __future__ import annotations

import math
from itertools import combinations

import pytest
import torch

from explainers import WEIGHTINGS, SimilarityGame, closed_form, explained_variance
from explainers.explained_variance import SHARES
from support import oracles
from support.games import extreme_logits, padded
from support.oracles import random_game

SIZES = [(1, 1), (1, 4), (4, 1), (3, 4), (4, 3)]
PROBABILITIES = [0.5, 0.3, 0.9]
every_weighting = pytest.mark.parametrize("weighting", WEIGHTINGS)
every_probability = pytest.mark.parametrize("probability", PROBABILITIES)


def tensor(numbers):
    return torch.tensor(numbers, dtype=torch.float64)


def coalitions(game, probability):
    """Every set of players, its value and its probability."""
    values = oracles.set_values(game)
    players = sum(game.similarity.shape)
    weights = [
        probability ** len(members) * (1 - probability) ** (players - len(members))
        for members in values
    ]
    return list(values), tensor(list(values.values())), tensor(weights)


def variance_of(values, weights):
    return weights @ (values - weights @ values) ** 2


def left_by_fit(game, probability, order):
    """The variance that the best fit by sets of up to `order` players leaves, by least squares."""
    sets, values, weights = coalitions(game, probability)
    players = range(sum(game.similarity.shape))
    terms = [set(term) for size in range(order + 1) for term in combinations(players, size)]
    design = tensor([[float(term <= members) for term in terms] for members in sets])
    root = weights.sqrt()
    fit = torch.linalg.lstsq(root[:, None] * design, (root * values)[:, None]).solution
    return variance_of(values - (design @ fit)[:, 0], weights)


def exact_variance(game, probability):
    return variance_of(*coalitions(game, probability)[1:])


def assert_equals_oracles(game, probability):
    explained = explained_variance(game, probability)
    variance = exact_variance(game, probability)
    assert abs(explained.variance - variance) < 1e-10
    first, second = (left_by_fit(game, probability, order) for order in (1, 2))
    singles = explained.video_singles + explained.text_singles
    assert abs(singles * variance - (variance - first)) < 1e-10
    pairs = explained.cross_pairs + explained.video_pairs + explained.text_pairs
    assert abs(pairs * variance - (first - second)) < 1e-10
    assert abs(explained.rest * variance - second) < 1e-10
    assert abs(sum(explained.shares().values()) - 1) < 1e-10
    assert abs(explained.r_squared - (1 - second / variance)) < 1e-10


@every_weighting
@every_probability
@pytest.mark.parametrize("size", SIZES)
def test_equals_all_coalitions_and_the_least_squares_fit(weighting, probability, size):
    assert_equals_oracles(random_game(*size, weighting, seed=sum(size)), probability)


@every_weighting
def test_extreme_logits(weighting):
    similarity = random_game(3, 4).similarity
    for video_logits, text_logits in extreme_logits():
        game = SimilarityGame(similarity, video_logits, text_logits, weighting=weighting)
        variance = exact_variance(game, 0.5)
        assert abs(explained_variance(game).variance - variance) < 1e-10


@every_weighting
@pytest.mark.parametrize("values", [[0.5] * 12, [-1.0] * 12, [0.3, -0.2, 0.3] * 4])
def test_ties_and_negative_similarities(weighting, values):
    similarity = torch.tensor(values, dtype=torch.float64).reshape(3, 4)
    logits = random_game(3, 4)
    game = SimilarityGame(similarity, logits.video_logits, logits.text_logits, weighting=weighting)
    assert_equals_oracles(game, 0.3)


@every_weighting
def test_each_kind_of_terms_by_the_definition(weighting):
    """The values and interactions of the closed form, squared and added by hand."""
    game, p = random_game(3, 4, weighting), 0.3
    played = closed_form(game, pairs="all", index="weighted_banzhaf", probability=p)
    values, single = played.values.tolist(), played.player_values.tolist()
    video, text = range(3), range(3, 7)
    expected = {
        "video_singles": p * (1 - p) * math.fsum(single[i] ** 2 for i in video),
        "text_singles": p * (1 - p) * math.fsum(single[i] ** 2 for i in text),
    }
    of_pairs = {
        "cross_pairs": [(i, j) for i in video for j in text],
        "video_pairs": combinations(video, 2),
        "text_pairs": combinations(text, 2),
    }
    for name, pairs in of_pairs.items():
        expected[name] = (p * (1 - p)) ** 2 * math.fsum(values[i][j] ** 2 for i, j in pairs)
    explained = explained_variance(game, p)
    for name, part in expected.items():
        assert float(getattr(explained, name) * explained.variance) == pytest.approx(
            part, abs=1e-12
        )


@every_weighting
@every_probability
def test_a_padded_batch_gives_what_its_games_give_alone(weighting, probability):
    singles = [random_game(v, t, weighting, seed=v) for v, t in [(2, 5), (4, 3), (1, 1)]]
    batch = explained_variance(padded(singles)[0], probability)
    for row, single in enumerate(singles):
        alone = explained_variance(single, probability)
        for name in (*SHARES, "variance"):
            assert getattr(batch, name).shape == (3,)
            assert abs(getattr(batch, name)[row] - getattr(alone, name)) < 1e-12


@every_weighting
def test_two_leading_dimensions(weighting):
    game = random_game(3, 4, weighting, batch=(2, 3))
    explained = explained_variance(game)
    alone = SimilarityGame(
        game.similarity[1, 2], game.video_logits[1, 2], game.text_logits[1, 2], weighting=weighting
    )
    assert explained.cross_pairs.shape == (2, 3)
    assert abs(explained.cross_pairs[1, 2] - explained_variance(alone).cross_pairs) < 1e-14


@every_weighting
def test_float32_is_close_and_mixed_precision_does_not_touch_it(weighting):
    game = random_game(12, 24, weighting, spread=6.0)
    tensors = (game.similarity, game.video_logits, game.text_logits)
    single = SimilarityGame(*(x.float() for x in tensors), weighting=weighting)
    expected = explained_variance(game)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        explained = explained_variance(single)
    for name in SHARES:
        assert getattr(explained, name).dtype == torch.float32
        assert abs(getattr(explained, name) - getattr(expected, name)) < 1e-5


def test_a_game_worth_nothing_has_nothing_to_explain():
    explained = explained_variance(SimilarityGame(*(torch.zeros(s) for s in ((2, 3), (2,), (3,)))))
    assert explained.variance == 0
    assert set(map(float, explained.shares().values())) == {0.0}
    assert explained.r_squared == 1


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_whether_or_not_gradients_are_on(mode):
    expected = explained_variance(random_game(2, 3))
    with mode():
        game = random_game(2, 3)
        if mode is torch.enable_grad:
            game.similarity.requires_grad_()
        explained = explained_variance(game)
    assert explained.cross_pairs == expected.cross_pairs
    assert not explained.cross_pairs.requires_grad


@pytest.mark.parametrize("probability", [0.0, 1.0, -1.0, math.nan])
def test_a_probability_out_of_range_is_refused(probability):
    with pytest.raises(ValueError, match="probability"):
        explained_variance(random_game(2, 3), probability)


def test_only_a_similarity_game_has_it():
    with pytest.raises(TypeError, match="explained_variance takes a SimilarityGame"):
        explained_variance(lambda members: members.sum(-1))


def test_no_games():
    shape = (0, 2, 3)
    game = SimilarityGame(torch.zeros(shape), torch.zeros(0, 2), torch.zeros(0, 3))
    assert explained_variance(game).rest.shape == (0,)
