"""Games that add up on one side, against all coalitions of both sides."""

from __future__ import annotations

from dataclasses import fields

import pytest
import torch

from explainers import enumerate_coalitions
from explainers.additive_games import additive_interactions
from explainers.coalition_function import values_of
from explainers.coalition_stream import binary_digits
from explainers.explained_variance import explained_by

CPU = torch.device("cpu")


class Drawn:
    """T games of V players whose values are drawn, and the coalitions that were asked for."""

    def __init__(self, videos, texts, seed=0):
        generator = torch.Generator().manual_seed(seed)
        self.values = torch.randn(2**videos, texts, generator=generator, dtype=torch.float64)
        self.asked = []

    def __call__(self, members):
        codes = (members.long() << torch.arange(members.shape[1])).sum(-1)
        self.asked += codes.tolist()
        return self.values[codes]


def smooth(videos, texts):
    """Games that are nearly additive on the video's side too, as those of a model are."""
    generator = torch.Generator().manual_seed(1)
    weights = torch.randn(videos, texts, generator=generator, dtype=torch.float64)

    def games(members):
        seen = members.double() @ weights
        return seen + 0.3 * torch.tanh(seen)

    return games


def whole_game(games, videos):
    """φ(A, B) = Σ_{t∈B} g_t(A), of V + T players."""

    def value(members):
        return (games(members[:, :videos]) * members[:, videos:]).sum(-1)

    return value


@pytest.mark.parametrize(("videos", "texts"), [(1, 1), (4, 3), (5, 1), (2, 6)])
def test_it_is_the_game_of_both_sides(videos, texts):
    """Its interactions, values and shares of variance, by all coalitions of all players."""
    games = Drawn(videos, texts)
    found, explained = additive_interactions(games, videos)
    phi = whole_game(games, videos)
    players = videos + texts
    brute = enumerate_coalitions(phi, players=players)
    assert (found.values - brute.values).abs().max() < 1e-12
    assert (found.player_values - brute.player_values).abs().max() < 1e-12
    assert (found.method, found.standard_error) == ("enumeration", None)
    variance = values_of(phi, binary_digits(0, 2**players, players, CPU)).var(correction=0)
    expected = explained_by(brute.player_values, brute.values, variance, videos)
    for one in fields(expected):
        share = getattr(explained, one.name)
        assert abs(share - getattr(expected, one.name)) < 1e-12, one.name


def test_each_coalition_is_evaluated_once():
    games = Drawn(6, 4)
    found, _ = additive_interactions(games, 6)
    assert sorted(games.asked) == list(range(64))
    assert found.coalitions_evaluated == 64


def test_more_players_are_sampled_with_standard_errors():
    """13 players: off by no more than chance allows, and of the right size."""
    games = smooth(13, 3)
    found, explained = additive_interactions(games, 13, coalitions=2048, seed=4)
    assert (found.method, explained) == ("sample_coalitions", None)
    everyone = binary_digits(0, 2**13, 13, CPU)
    exact = enumerate_coalitions(lambda members: games(members)[:, 1], players=13)
    for value, error, truth in (
        (found.values[:13, 14], found.standard_error[:13, 14], exact.player_values),
        (found.player_values[13:], found.player_standard_error[13:], games(everyone).mean(0)),
    ):
        assert ((value - truth).abs() < 5 * error + 1e-12).all()
        assert (error < 0.2).all()
    assert not found.values[13:, 13:].any()
    again, _ = additive_interactions(games, 13, coalitions=2048, seed=4)
    assert torch.equal(found.values, again.values)
    other, _ = additive_interactions(games, 13, coalitions=2048, seed=5)
    assert not torch.equal(found.values, other.values)


@pytest.mark.parametrize("players", [63, 64])
def test_many_players_are_told_apart(players):
    """Player 64 is the sign of the number that stands for a coalition."""
    games = smooth(players, 2)
    found, _ = additive_interactions(games, players, coalitions=64)
    assert found.coalitions_evaluated == 64


@pytest.mark.parametrize(
    ("games", "message"),
    [
        (lambda members: members.sum(-1).double(), "one value of each game"),
        (lambda members: members.double() / 0, "not finite"),
        (lambda members: members.double()[:, :0], "one value of each game"),
        (lambda members: members, "real numbers"),
        (lambda members: members.double()[:1].repeat(3, 1), "one value for each"),
    ],
)
def test_functions_that_are_none_are_refused(games, message):
    with pytest.raises(ValueError, match=message):
        additive_interactions(games, 4)


@pytest.mark.parametrize("players", [0, 65, 2.5])
def test_players_are_counted(players):
    with pytest.raises(ValueError, match="players is"):
        additive_interactions(smooth(3, 2), players)
