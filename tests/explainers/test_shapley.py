"""Shapley values, against orders of arrival, the closed form of pairs, and their axioms."""

from __future__ import annotations

import itertools

import pytest
import torch

from explainers import WEIGHTINGS, SimilarityGame, closed_form, shapley_values
from support import oracles
from support.games import extreme_logits, padded
from support.oracles import random_game

every_weighting = pytest.mark.parametrize("weighting", WEIGHTINGS)


@every_weighting
def test_the_mean_over_all_orders_of_arrival(weighting):
    """The definition: what each adds when it comes, in the mean over all orders."""
    game = random_game(2, 3, weighting)
    value = oracles.set_values(game)
    expected = torch.zeros(5, dtype=torch.float64)
    orders = list(itertools.permutations(range(5)))
    for order in orders:
        for place, player in enumerate(order):
            before = frozenset(order[:place])
            expected[player] += value[before | {player}] - value[before]
    assert (shapley_values(game) - expected / len(orders)).abs().max() < 1e-13


@every_weighting
def test_they_are_those_of_the_closed_form_and_add_up(weighting):
    games = [random_game(4, 5, weighting, batch=(2,), spread=spread) for spread in (0.0, 20.0)]
    games += [
        SimilarityGame(random_game(3, 4, weighting).similarity, *logits, weighting=weighting)
        for logits in extreme_logits()
    ]
    for game in games:
        values = shapley_values(game)
        expected = closed_form(game, pairs="all", index="shapley").player_values
        assert (values - expected).abs().max() < 1e-12
        assert (values.sum(-1) - game.grand_value()).abs().max() < 1e-12


@every_weighting
def test_padding_has_no_share(weighting):
    singles = [random_game(2, 3, weighting), random_game(4, 2, weighting)]
    game, places = padded(singles)
    values = shapley_values(game)
    for row, (single, place) in enumerate(zip(singles, places, strict=True)):
        assert (values[row, place] - shapley_values(single)).abs().max() < 1e-12
        assert values[row].count_nonzero() == len(place)


def test_gradients_may_be_switched_off():
    game = random_game(2, 2, "fixed")
    expected = shapley_values(game)
    for off in (torch.no_grad(), torch.inference_mode()):
        with off:
            assert torch.equal(shapley_values(game), expected)
    with pytest.raises(TypeError, match="shapley_values"):
        shapley_values(lambda members: members.sum(-1))
