"""The methods side by side, as the tab and the endpoint ask for them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from app.zero_gpu import with_gpu
from explainers.timing import Progress
from hbi_core.checks import real_number, whole_number
from hbi_core.errors import InputError
from hbi_core.exact_vs_estimated import MOST_SEEDS, LevelComparison, compare_level
from hbi_core.explanation import Explanation

LARGEST_SEED = 2**62
LONGEST_ENUMERATION = 120  # seconds that one visitor may take of all the others


def compared(
    explanation: Explanation,
    level: Any,
    budgets: Any,
    seeds: Any,
    first_seed: Any,
    limit_seconds: Any,
    progress: Progress | None = None,
) -> LevelComparison:
    """Values as a request has them, of any type; `compare_level` checks what is not checked here.

    Raises:
        InputError: with a sentence for the visitor.
    """
    if first_seed is None:
        raise InputError("Give the first seed, a whole number.")
    first = whole_number(first_seed, "The first seed {} was asked for", 0, LARGEST_SEED)
    runs = whole_number(seeds, "{} seeds were asked for", 1, MOST_SEEDS)
    limit = real_number(
        limit_seconds,
        "A limit of {} seconds for the full enumeration was asked for",
        0,
        LONGEST_ENUMERATION,
    )
    if not isinstance(budgets, Sequence) or isinstance(budgets, str):
        raise InputError("The sampling budgets are a list of whole numbers, such as [256, 4096].")
    comparison = _compare(
        explanation, level, tuple(budgets), range(first, first + runs), limit, progress
    )
    return replace(comparison, explanation=explanation)  # of another process, its frames are copies


def _seconds(
    explanation: Explanation,
    level: Any,
    budgets: tuple,
    seeds: range,
    limit_seconds: float,
    progress: Progress | None,
) -> int:
    """Declared for the GPU: the enumeration, and what the other methods take at most."""
    return 20 + math.ceil(limit_seconds)


@with_gpu(_seconds)
def _compare(
    explanation: Explanation,
    level: Any,
    budgets: tuple,
    seeds: range,
    limit_seconds: float,
    progress: Progress | None,
) -> LevelComparison:
    return compare_level(explanation, level, budgets, seeds, limit_seconds, progress=progress)
