"""How strong a link is, as its colour and width say it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Grade:
    """A class of confidence: links of at least `least` of the `reference` of their level.

    The colours are the paper's order from high to low. They also grow lighter and the lines
    thinner, so that the order can be read in grey and by colour-blind readers. Negative
    interactions, of players that are worth less together, are dotted.
    """

    name: str
    least: float
    colour: str
    width: float
    opacity: float
    dotted: bool = False


GRADES = (  # from the strongest
    Grade("red", 0.75, "#b3001b", 2.2, 1.0),
    Grade("orange", 0.50, "#d9650a", 1.4, 0.95),
    Grade("green", 0.25, "#6cc07a", 0.8, 0.85),
    Grade("blue", 0.00, "#85b3e6", 0.5, 0.9),
    Grade("negative", -math.inf, "#d5d5d5", 0.35, 0.8, dotted=True),
)


KEY_TITLE = "Of the highest:"  # see `reference`


def key_label(number: int) -> str:
    """What a grade means, e.g. "50–75 %"."""
    grade = GRADES[number]
    if grade.least < 0:
        return grade.name
    above = 1.0 if number == 0 else GRADES[number - 1].least
    return f"{100 * grade.least:.0f}–{100 * above:.0f} %"


def reference(interactions: Iterable[float]) -> float:
    """The interaction that grades are shares of: the strongest, but for one link in a hundred.

    So a few outliers among hundreds of links do not make all others pale; of fewer than a hundred
    links it is the strongest.
    """
    strongest_first = sorted(interactions, reverse=True)
    return strongest_first[len(strongest_first) // 100]


def grade_of(interaction: float, strongest: float) -> Grade:
    """The grade of an interaction beside the `reference` of its level."""
    if interaction > 0 >= strongest:
        return GRADES[0]
    share = interaction / strongest if interaction > 0 else interaction
    return next(grade for grade in GRADES if share >= grade.least)
