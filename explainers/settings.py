"""What a method may be asked for: its settings, checked, and refused where they have no effect."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from explainers.token_game import TokenGame

PAIRS = ("cross", "all")


def check_game(game: TokenGame, method: str, takes: type[TokenGame] = TokenGame) -> None:
    """Raises TypeError where a method that needs a game of tokens is given something else."""
    if not isinstance(game, takes):
        names = "SimilarityGame or BilinearGame" if takes is TokenGame else takes.__name__
        raise TypeError(
            f"{method} takes a {names}, got {type(game).__name__}; enumerate_coalitions and "
            "sample_coalitions also take a function"
        )


def checked_pairs(pairs: str | None, game: TokenGame | Callable) -> str:
    """Which pairs: by default "cross" of a game of tokens and "all" of a function.

    Raises:
        ValueError: there are no such pairs, in this game.
    """
    has_sides = isinstance(game, TokenGame)
    if pairs is None:
        return "cross" if has_sides else "all"
    if pairs not in PAIRS:
        raise ValueError(f"pairs is {pairs!r}; it must be one of {PAIRS}")
    if pairs == "cross" and not has_sides:
        raise ValueError(
            "pairs is 'cross', but a game that is a function has no sides: leave pairs out"
        )
    return pairs


def whole_number(name: str, value: float, least: int, most: float = math.inf) -> int:
    """The value as an int. Raises ValueError where it is none, or not in [least, most]."""
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        number = None
    truth = isinstance(value, bool | np.bool_)
    if truth or number is None or number != value or not least <= number <= most:
        limits = f"{least} or more" if most == math.inf else f"{least} to {most}"
        raise ValueError(f"{name} is {value!r}; it must be a whole number, {limits}")
    return number
