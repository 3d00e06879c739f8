"""The difference game, against an enumeration of all its coalitions."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from explainers import WEIGHTINGS, enumerate_coalitions
from hbi_core.contrasted import Contrast
from support.contrasts import drawn_video, made_up


def value_of(contrast, level):
    """φ_Δ(S) = φ_A(S ∩ N_A) - φ_B(S ∩ N_B) of coalitions of the players of both."""
    games = [
        one.levels[[each.name for each in one.levels].index(level.name)].game(one.weighting)
        for one in (contrast.a, contrast.b)
    ]

    def own(members, which):
        sides = []
        for players, offset in (
            (level.video_players, 0),
            (level.text_players, len(level.video_players)),
        ):
            places = {
                (player.a, player.b)[which]: offset + number
                for number, player in enumerate(players)
            }
            own = sorted(number for number in places if number is not None)
            sides.append(members[:, [places[number] for number in own]])
        return sides

    return lambda members: games[0].value(*own(members, 0)) - games[1].value(*own(members, 1))


VIDEO = drawn_video(3)
OTHER = drawn_video(2, seed=1, name="other.mp4")
PAIRS = {
    "captions": (("a cat sleeps", VIDEO), ("a dog sleeps here", VIDEO)),
    "videos": (("a cat sleeps", VIDEO), ("a cat sleeps", OTHER)),
    "both": (("one two", VIDEO), ("three", OTHER)),
}


def contrasts():
    for name, halves in PAIRS.items():
        for weighting in WEIGHTINGS:
            a, b = (
                made_up(*half, seed=seed, weighting=weighting) for seed, half in enumerate(halves)
            )
            yield pytest.param(Contrast(a, b), id=f"{name}, {weighting}")
    models = [made_up("a cat sleeps", VIDEO, seed=seed, checkpoint=f"{seed}") for seed in range(2)]
    yield pytest.param(Contrast(*models), id="models")
    merged = (
        made_up("a cat sleeps", VIDEO, [([(0,), (1, 2)], [(0, 2), (1,)])]),
        made_up("a cat runs", VIDEO, [([(0, 1), (2,)], [(0, 2), (1,)])], seed=1),
    )
    yield pytest.param(Contrast(*merged), id="merged")


CONTRASTS = list(contrasts())


@pytest.mark.parametrize("contrast", CONTRASTS)
def test_indices_are_those_of_the_difference_game(contrast):
    (level,) = contrast.levels
    players = level.players
    value = value_of(contrast, level)
    shapley, banzhaf = (
        enumerate_coalitions(value, players=len(players), pairs="all", index=index)
        for index in ("shapley", "banzhaf")
    )
    found = torch.tensor([player.difference for player in players], dtype=torch.float64)
    assert (found - shapley.player_values).abs().max() < 1e-12
    found = torch.tensor([player.values for player in players], dtype=torch.float64)
    assert (found[:, 0] - found[:, 1] - banzhaf.player_values).abs().max() < 1e-12
    videos = len(level.video_players)
    cross = banzhaf.values[:videos, videos:]
    assert (level.interactions[0] - level.interactions[1] - cross).abs().max() < 1e-12
    links = torch.tensor([player.links for player in players], dtype=torch.float64)
    expected = torch.cat([cross.sum(1), cross.sum(0)])
    assert (links[:, 0] - links[:, 1] - expected).abs().max() < 1e-12


@pytest.mark.parametrize("contrast", CONTRASTS)
def test_shares_add_up_to_the_scores(contrast):
    for level in contrast.levels:
        for which in range(2):
            total = sum(player.shares[which] for player in level.players)
            assert total == pytest.approx(level.scores[which], abs=1e-12)
        assert level.rest == pytest.approx(0, abs=1e-12)


def test_what_a_score_counts_beside_its_players_is_told():
    """A released checkpoint counts padding."""
    a = made_up("a cat", VIDEO)
    b = made_up("a dog", VIDEO, seed=1)
    object.__setattr__(b.levels[0], "score", b.levels[0].score + 0.25)
    (level,) = Contrast(a, b).levels
    assert level.rest == pytest.approx(-0.25, abs=1e-12)


def test_players_are_the_same_if_their_members_are():
    a = made_up("a cat sleeps", VIDEO, [([(0,), (1, 2)], [(0, 2), (1,)])])
    b = made_up("a cat sleeps", VIDEO, [([(0,), (1, 2)], [(0,), (1,), (2,)])], seed=1)
    (level,) = Contrast(a, b).levels
    assert [(player.label, player.a, player.b) for player in level.video_players] == [
        ("frame 1", 0, 0),
        ("frames 2–3", 1, 1),
    ]
    assert [(player.name, player.a, player.b) for player in level.text_players] == [
        ("B’s “a”", None, 0),
        ("A’s “a sleeps”", 0, None),
        ("“cat”", 1, 1),
        ("B’s “sleeps”", None, 2),
    ]
    absent = level.text_players[0]
    assert absent.shares[0] == absent.values[0] == absent.links[0] == 0


def test_equal_words_are_told_apart_by_what_follows():
    contrast = Contrast(
        made_up("a cat and a dog", VIDEO), made_up("a cat and a bird", VIDEO, seed=1)
    )
    names = [player.name for player in contrast.levels[0].text_players]
    assert names == [
        "“a” before “cat”",
        "“cat”",
        "“and”",
        "“a” before “dog”",
        "A’s “dog”",
        "B’s “bird”",
    ]


def test_players_are_called_by_the_words_of_their_own_caption():
    """“blue” stands elsewhere in A, so that it comes last of B’s words in the row of both."""
    contrast = Contrast(
        made_up("a suit and THE blue sky", VIDEO, [(None, [(0, 1), (2,), (3, 4, 5)])]),
        made_up("In the blue suit", VIDEO, [(None, [(0,), (1, 2, 3)])], seed=1),
    )
    players = contrast.levels[0].text_players
    labels = {player.label for player in players}
    assert labels == {"a suit", "and", "THE blue sky", "In", "the blue suit"}
    words = contrast.a.words, contrast.b.words
    for player in players:
        which = player.a is None
        shared = [contrast.words[member] for member in player.members]
        own = [one.b if which else one.a for one in shared]
        assert " ".join(words[which][number] for number in own) == player.label


def test_frames_are_counted_as_in_their_own_video():
    a, b = drawn_video(3), drawn_video(3)
    b = replace(b, frames=b.frames[1:], times=b.times[1:])
    contrast = Contrast(
        made_up("a cat", a, [([(0,), (1,), (2,)], None)]), made_up("a cat", b, [([(0, 1)], None)])
    )
    names = [player.name for player in contrast.levels[0].video_players]
    assert names == ["A’s frame 1", "A’s frame 2", "B’s frames 1–2", "A’s frame 3"]
