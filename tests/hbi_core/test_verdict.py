"""What a contrast says in sentences."""

from __future__ import annotations

import pytest
import torch

from hbi_core.contrasted import Contrast
from hbi_core.difference import ContrastPlayer, LevelContrast
from hbi_core.errors import InputError
from hbi_core.verdict import matching, of_level, verdict
from support.contrasts import drawn_video, made_up


def player(name, difference, side="text", a=0, b=0):
    shares = (difference, 0.0) if difference > 0 else (0.0, -difference)
    nothing = (0.0, 0.0)
    return ContrastPlayer(
        side=side,
        members=(0,),
        label=name,
        name=name,
        a=a,
        b=b,
        shares=shares,
        values=nothing,
        links=nothing,
    )


def level(name, scores, *players):
    video = tuple(one for one in players if one.side == "video")
    text = tuple(one for one in players if one.side == "text")
    return LevelContrast(
        name=name,
        scores=scores,
        video_players=video,
        text_players=text,
        interactions=torch.zeros(2, len(video), len(text)),
    )


def test_the_verdict_tells_the_level_that_differs_most():
    levels = [
        level("entity", (0.3, 0.2)),
        level("action", (0.3, 0.32)),
        level(
            "event",
            (0.5, 0.2),
            player("x", 0.1),
            player("y", 0.15),
            player("z", 0.05),
            player("w", -0.02),
            player("weak", -0.01),
            player("frames 1–2", 0.03, "video"),
        ),
    ]
    assert verdict(levels) == (
        "A scores higher than B at the entity and event levels and lower than B at the action "
        "level; they differ most at the event level, by 0.300, where what speaks most for A are y "
        "(+0.150), x (+0.100) and frames 1–2 (+0.030), and what speaks most for B is w (−0.020)."
    )


def test_other_verdicts():
    alike = [level("entity", (0.3, 0.3)), level("action", (0.3, 0.3001))]
    assert verdict(alike) == "A and B score alike at all 2 levels."
    assert verdict([level("entity", (0.1, 0.4), player("x", -0.3))]) == (
        "A scores lower than B at the entity level; the difference is 0.300, where what speaks "
        "most for B is x (−0.300)."
    )


def test_a_level_in_words():
    told = of_level(level("action", (0.2, 0.5), player("x", -0.4), player("frame 2", 0.1, "video")))
    assert told == (
        "Action level: A scores 0.200, 0.300 below B’s 0.500; of the difference, +0.100 is of the "
        "video players and −0.400 of the text players. What speaks most for A is frame 2 (+0.100), "
        "and what speaks most for B is x (−0.400)."
    )


VIDEO = drawn_video(3)


@pytest.mark.parametrize(
    ("a", "b", "told"),
    [
        (
            ("a cat", VIDEO),
            ("a dog", VIDEO),
            "All 3 video players are the same in A and B; of 2 text players of A and 2 of B, 1 is "
            "the same.",
        ),
        (
            ("a cat", VIDEO),
            ("a cat", drawn_video(2, seed=1)),
            "Of 3 video players of A and 2 of B, none is the same, for A and B have no frames in "
            "common; all 2 text players are the same in A and B.",
        ),
        (
            ("a cat", VIDEO, [([(0,), (1, 2)], None)]),
            ("the dog", VIDEO, [([(0, 1), (2,)], None)]),
            "Of 2 video players of A and 2 of B, none is the same, for the same frames were merged "
            "in other ways; of 2 text players of A and 2 of B, none is the same, for A and B have "
            "no words in common.",
        ),
    ],
)
def test_which_players_are_the_same_and_why_others_are_not(a, b, told):
    contrast = Contrast(made_up(*a), made_up(*b, seed=1))
    assert matching(contrast.levels[0]) == told


def test_models_are_told_not_to_have_a_common_scale():
    a = made_up("a cat", VIDEO, checkpoint="one")
    contrast = Contrast(a, made_up("a cat", VIDEO, seed=1, checkpoint="two"))
    assert contrast.differs == ("model",)
    assert contrast.told == ("toy, one, renormalised", "toy, two, renormalised")
    (note,) = contrast.notes
    assert "no common scale" in note
    assert not Contrast(a, made_up("a dog", VIDEO, seed=1, checkpoint="one")).notes


def test_the_same_twice_is_refused():
    a = made_up("a cat", VIDEO)
    with pytest.raises(InputError, match="A and B are the same"):
        Contrast(a, made_up("a cat", drawn_video(3)))
    # Another checkpoint of the same name.
    assert Contrast(a, made_up("a cat", VIDEO, seed=5)).differs == ("model",)


def test_levels_of_one_alone_are_not_compared():
    two = [(None, None), ([(0, 1, 2)], [(0, 1)])]
    contrast = Contrast(made_up("a cat", VIDEO, two), made_up("a dog", VIDEO))
    assert [one.name for one in contrast.levels] == ["entity"]
    assert contrast.notes == ("Only levels that both have are compared: entity.",)
