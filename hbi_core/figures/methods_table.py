"""A comparison as the table of the page: a row for each method and budget."""

from __future__ import annotations

import math
import statistics
from itertools import groupby

from explainers.comparison import Row
from explainers.methods import METHODS
from explainers.timing import seconds_in_words
from hbi_core.figures.methods_view import Compared

HEADERS = (
    "Method",
    "Players",
    "Coalitions",
    "Time",
    "Device",
    "Relative error",
    "Max error",
    "Mean error",
    "Pearson",
    "Spearman",
    "Strongest links",
    "Signs",
)
_NONE = "–"


def methods_table(comparison: Compared) -> list[list[str]]:
    """Texts by HEADERS; with several seeds, the medians of their numbers."""
    rows = comparison.comparison.rows
    by_budget = groupby(rows, key=lambda row: (row.method, row.budget))
    return [_texts(list(runs), comparison) for _, runs in by_budget]


def _texts(runs: list[Row], comparison: Compared) -> list[str]:
    first = runs[0]
    seeds = f", {len(runs)} runs" if len(runs) > 1 else ""
    place = [f"{comparison.players}", f"{first.coalitions:,}"]
    if first.agreement is None:
        place[1] = f"{comparison.coalitions:,}"
        return [METHODS[first.method].label, *place, "not run", first.device, *[_NONE] * 7]
    if not first.coalitions:
        place[1] = "none"
    agreements = [run.agreement for run in runs]

    def median(name: str) -> float:
        return statistics.median(getattr(agreement, name) for agreement in agreements)

    return [
        METHODS[first.method].label + seeds,
        *place,
        seconds_in_words(statistics.median(run.seconds for run in runs)),
        first.device,
        *(_number(median(name), ".2g") for name in ("relative_error", "max_error", "mean_error")),
        *(_number(median(name), ".3f") for name in ("pearson", "spearman")),
        *(_number(median(name), ".0%") for name in ("top_links", "signs")),
    ]


def _number(value: float, form: str) -> str:
    return format(value, form) if math.isfinite(value) else _NONE
