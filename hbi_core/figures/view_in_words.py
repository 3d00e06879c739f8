"""What a view shows, for readers: the key of its colours, and what it changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from hbi_core.figures.chosen import (
    Labels,
    Players,
    chosen_in_words,
    chosen_of,
    labels_of,
    named_in_words,
    players_of,
)
from hbi_core.figures.grades import GRADES, KEPT_AGAINST, KEY_TITLE, Grade, key_label
from hbi_core.figures.view import FigureView
from hbi_core.worth import SIMILARITY, Worth

_SIGNS = {"positive": "positive links alone", "negative": "negative links alone"}
KEY = tuple((grade, key_label(number)) for number, grade in enumerate(GRADES))


def key_title(view: FigureView) -> str:
    """What shares are taken of: "Of the highest:"."""
    return "Of the lowest:" if view.sign == "negative" else KEY_TITLE


def key_of(view: FigureView, kept: bool = False) -> tuple[tuple[Grade, str], ...]:
    """The grades that links of a view can have, with their labels, the strongest first.

    Args:
        view: of a figure.
        kept: whether players are chosen, so that negative links that stay are darker.
    """
    if view.sign == "both":
        return (*KEY[:-1], (KEPT_AGAINST, KEY[-1][1])) if kept else KEY
    dotted = view.sign == "negative"
    return tuple((replace(grade, dotted=dotted), label) for grade, label in KEY[:-1])


def in_words(view: FigureView, worth: Worth = SIMILARITY) -> tuple[str, ...]:
    """What a view changes of the default but its levels: phrases without a capital or a stop.

    Args:
        view: of a figure.
        worth: what its scores are of.

    Example:
        >>> in_words(FigureView(top=10, sign="positive"))
        ('positive links alone', 'the 10 strongest of a level')
        >>> in_words(FigureView())
        ()
    """
    said = []
    if view.measure == "cosine":
        said.append(f"lines are {worth.pairs}")
    elif view.measure == "difference":
        said.append(f"lines are the interaction less the {worth.pair}, each in standard deviations")
    if view.sign != "both":
        said.append(_SIGNS[view.sign])
    if view.top is not None:
        said.append(f"the {view.top} strongest of a level")
    if view.top_per_word is not None:
        said.append(f"the {view.top_per_word} strongest of a word or phrase")
    if view.threshold > 0:
        said.append(f"{100 * view.threshold:.3g} % of the scale and more")
    if view.scale != "level":
        said.append(f"each {view.scale} has a scale of its own")
    if view.shows_sides:
        said.append("arcs are interactions within a side")
    if view.fade:
        said.append("function words are lighter")
    if view.values:
        said.append("bars are Banzhaf values: what a player adds on average")
    return tuple(said)


def players_in_words(
    view: FigureView, levels: Sequence[Players], labels: Callable[[Players], Labels] = labels_of
) -> tuple[str, ...]:
    """Who is left out of a figure and who is brought out, as phrases likewise.

    Args:
        view: of the figure.
        levels: all that there are.
        labels: of the players of a level.
    """
    said = []
    for level in levels:
        out = players_of(view.left_out, level) if level.name in view.levels else None
        if out is not None:
            names = named_in_words(out, labels(level))
            said.append(f"without {names} at the {level.name} level")
    if said:
        said.append("lines are of the game of those who are left, all else is of the whole game")
    chosen = chosen_of(view.chosen, levels)
    if chosen is not None:
        level = next(level for level in levels if level.name == chosen.level)
        elsewhere = any(name != level.name for name in view.levels)
        said.append(chosen_in_words(chosen, labels(level), elsewhere))
    return tuple(said)
