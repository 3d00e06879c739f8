"""The game of those who are left, against the enumeration of their coalitions."""

from __future__ import annotations

import pytest
import torch

from explainers import WEIGHTINGS, closed_form, enumerate_coalitions
from hbi_core.what_if import interactions_of_others
from hbi_core.worth import GAMES
from support.oracles import random_game

EXACT = 1e-10  # what the quadrature promises


@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize("kind", GAMES)
def test_coalitions_are_those_of_who_is_left(weighting, kind):
    game = random_game(5, 4, weighting, seed=3, kind=GAMES[kind])
    video = torch.tensor([True, False, True, True, False])
    text = torch.tensor([False, True, True, True])
    found = interactions_of_others(game, video, text)
    left = torch.cat([video, text])

    def value(members):
        everybody = torch.zeros(len(members), len(left), dtype=torch.bool)
        everybody[:, left] = members
        return game.coalition_values(everybody)

    expected = enumerate_coalitions(value, players=int(left.sum())).values
    videos = int(video.sum())
    torch.testing.assert_close(
        found[video][:, text], expected[:videos, videos:], atol=EXACT, rtol=0
    )
    assert not found[~video].any()
    assert not found[:, ~text].any()


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_everyone_and_nobody(weighting):
    game = random_game(4, 3, weighting, seed=1)
    everyone = torch.ones(4, dtype=torch.bool), torch.ones(3, dtype=torch.bool)
    found = interactions_of_others(game, *everyone)
    torch.testing.assert_close(found, closed_form(game).values, atol=EXACT, rtol=0)
    assert not interactions_of_others(game, torch.zeros(4, dtype=torch.bool), everyone[1]).any()
