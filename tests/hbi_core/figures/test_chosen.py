"""Who is brought out of a figure, which links stay, and what is said of it."""

from __future__ import annotations

import pytest

from explainers import closed_form
from hbi_core.figures.chosen import Chosen, chosen_of, labels_of, seen_at
from hbi_core.figures.shown_links import shown_links
from hbi_core.figures.view import FigureView
from hbi_core.figures.view_in_words import players_in_words
from support.contrasts import drawn_video, made_up

GROUPS = [(None, None), ([(0, 1), (2,)], [(0, 1), (2, 3)])]


@pytest.fixture(scope="module")
def made():
    return made_up("a cat looks up", drawn_video(3), GROUPS)


@pytest.mark.parametrize(
    ("names", "entity", "action"),
    [
        (("entity/text/1",), ((), (1,)), ((), (0,))),
        (("entity/video/0", "entity/video/2"), ((0, 2), ()), ((0, 1), ())),
        (("action/video/0", "action/text/1"), ((0, 1), (2, 3)), ((0,), (1,))),
        (("action/text/0", "entity/text/3"), ((), (3,)), ((), (1,))),  # of one level
    ],
)
def test_those_who_share_members_are_brought_out_at_other_levels(made, names, entity, action):
    chosen = chosen_of(names, made.levels)
    for level, wanted in zip(made.levels, (entity, action), strict=True):
        seen = seen_at(level, chosen, made.levels)
        assert (seen.video, seen.text) == wanted
        assert seen.own == (level.name == chosen.level)


@pytest.mark.parametrize("names", [(), ("entity/text/99",), ("event/text/0",)])
def test_nobody_is_chosen(made, names):
    assert chosen_of(names, made.levels) is None
    assert seen_at(made.levels[0], None, made.levels) is None


@pytest.mark.parametrize(
    ("chosen", "kept"),
    [
        (Chosen("action", text=(1,)), {"v0-t1", "v1-t1", "t0-t1"}),
        (Chosen("action", video=(0,)), {"v0-t0", "v0-t1", "v0-v1"}),
        (Chosen("action", video=(0,), text=(1,)), {"v0-t1", "v0-v1", "t0-t1"}),
    ],
)
def test_links_between_the_two_sides_stay_where_both_have_chosen_players(made, chosen, kept):
    action = made.levels[1]
    pairs = closed_form(action.game(made.weighting), pairs="all").values
    links = shown_links(action, FigureView(sides=True), pairs)
    short = {"cross": "v{}-t{}", "video": "v{}-v{}", "text": "t{}-t{}"}
    found = {
        short[link.kind].format(link.first, link.second) for link in links if chosen.keeps(link)
    }
    assert found == kept


def test_what_is_said(made):
    view = FigureView(chosen=("entity/text/1",), left_out=("action/video/0",))
    assert players_in_words(view, made.levels) == (
        "without frames 1–2 at the action level",
        "lines are of the game of those who are left, all else is of the whole game",
        "links of “cat”, and of what shares words with it, stand out",
    )
    several = tuple(f"entity/text/{word}" for word in (1, 2)), ("entity/video/2",)
    view = FigureView(levels=("entity",), chosen=sum(several, ()))
    assert players_in_words(view, made.levels) == (
        "links of “cat” and “looks” with frame 3 stand out",
    )
    assert players_in_words(FigureView(), made.levels) == ()
    view = FigureView(levels=("entity",), left_out=("action/video/0",))
    assert players_in_words(view, made.levels) == ()


def test_names_of_many_are_counted():
    many = made_up("a b c d e f g h", drawn_video(2))
    entity = many.levels[0]
    assert labels_of(entity)[0] == ["frame 1", "frame 2"]
    view = FigureView(levels=("entity",), chosen=tuple(f"entity/text/{n}" for n in range(8)))
    (said,) = players_in_words(view, many.levels)
    assert said == "links of “a”, “b”, “c”, “d”, “e” and 3 more stand out"


def test_who_is_left_out_needs_the_game_of_the_others(made):
    with pytest.raises(ValueError, match="game of the others"):
        shown_links(made.levels[0], FigureView(left_out=("entity/text/0",)))
    view = FigureView(left_out=("entity/text/9",))  # nobody
    assert shown_links(made.levels[0], view) == shown_links(made.levels[0], FigureView())
