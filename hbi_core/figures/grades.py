"""How strong a link is, as its colour and width say it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Grade:
    """A class of confidence: links of at least `least` of the `reference_of` their level.

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
KEPT_AGAINST = replace(GRADES[-1], colour="#5b6470", width=0.6, opacity=1.0)  # of chosen players
OUTLIER = Grade("outlier", 1.0, "#6b0012", 3.2, 1.0)  # see `reference_of`


KEY_TITLE = "Of the highest:"  # see `reference_of`


def key_label(number: int) -> str:
    """What a grade means, e.g. "50–75 %"."""
    grade = GRADES[number]
    if grade.least < 0:
        return grade.name
    above = 1.0 if number == 0 else GRADES[number - 1].least
    return f"{100 * grade.least:.0f}–{100 * above:.0f} %"


def reference_of(values: np.ndarray, sign: str = "both") -> float:
    """What the shares of these links are taken of: the highest of them that is no outlier.

    The highest links are outliers where the next one is below a quarter of them, since all others
    would then be of the lowest grade; at most one in twenty of the links with the sign, and always
    one of three or more.

    Args:
        values: float, of any shape.
        sign: "negative" takes the magnitudes of negative values, else positive values count. Where
            there are none, the reference is the highest magnitude of all.

    Example:
        >>> reference_of(np.array([0.4, 0.2, -0.9]))
        0.4
        >>> reference_of(np.array([40.0, 0.4, 0.2, -0.9]))
        0.4
    """
    signed = np.sort(-values if sign == "negative" else values, axis=None)[::-1]
    highest = signed[signed > 0]
    if not highest.size:
        return float(np.abs(values).max())
    most = max(1, highest.size // 20) if highest.size > 2 else 0
    gaps = np.flatnonzero(highest[1 : most + 1] < GRADES[-3].least * highest[:most])
    return float(highest[gaps[-1] + 1 if gaps.size else 0])


def grade_of(share: float, negative: bool = False, alone: bool = False) -> Grade:
    """The grade of a link.

    Args:
        share: its magnitude as a part of its reference; above 1 it is an outlier.
        negative: whether its value is.
        alone: whether only negative links are shown: they then have the grades of positive ones,
            dotted.
    """
    if negative and not alone:
        return GRADES[-1]
    grade = OUTLIER if share > 1 else next(grade for grade in GRADES if share >= grade.least)
    return replace(grade, dotted=True) if negative else grade
