"""What the figures of a comparison show, whatever draws them."""

from __future__ import annotations

import math
import statistics
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from torch import Tensor

from explainers import Interactions, coalition_graph, player_id
from explainers.agreement import Agreement
from explainers.coalition_graph import GameLevel
from explainers.comparison import Comparison, Row
from explainers.methods import METHODS, REFERENCE
from hbi_core.figures.labels import length_in_em, shortened

MARGIN = 1.96  # standard errors, of a 95 % interval
NEGATIVE_TO_POSITIVE = (  # ColorBrewer's RdBu, which colour-blind readers can tell apart
    "#2166ac",
    "#4393c3",
    "#92c5de",
    "#d1e5f0",
    "#f7f7f7",
    "#fddbc7",
    "#f4a582",
    "#d6604d",
    "#b2182b",
)
EXACT_TICK = "exact"
_FEWEST_LETTERS = 10  # in a line that is worth reading
_MOST_LINES = 4
_MOST_TICKS = 6
_ZOOMS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
_ROUNDING = 1e-9  # a relative error below it is no error of the method


class Compared(Protocol):
    """What is drawn: methods side by side on the game of one level."""

    @property
    def level(self) -> GameLevel:
        """Whose game was played."""

    @property
    def comparison(self) -> Comparison:
        """The runs."""

    @property
    def players(self) -> int:
        """n = V + T."""

    @property
    def coalitions(self) -> int:
        """2^n, all that there are."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Estimates:
    """One run's estimates.

    Attributes:
        method: its name; no exact one.
        label: with the budget.
        pearson: correlation with the exact values, in words; empty where there is none.
        values: [V, T].
        margin: [V, T], half of their 95 % intervals, or None.
    """

    method: str
    label: str
    pearson: str
    values: np.ndarray
    margin: np.ndarray | None


@dataclass(frozen=True, eq=False, kw_only=True)
class HeatMap:
    """Values [V, T], and what they are multiplied with before they become colours."""

    title: str
    values: np.ndarray
    zoom: int = 1

    @property
    def drawn(self) -> np.ndarray:
        return self.zoom * self.values


@dataclass(frozen=True, kw_only=True)
class Cost:
    """A run as a point: the seconds it took, and its relative error."""

    method: str
    budget: int
    seed: int
    seconds: float
    error: float


@dataclass(frozen=True)
class Decades:
    """A logarithmic axis from 10^first to 10^last."""

    first: int
    last: int

    @classmethod
    def around(cls, values: list[float]) -> Decades:
        """The smallest that holds all values; there are positive ones."""
        first = math.floor(math.log10(min(values)))
        return cls(first, max(math.ceil(math.log10(max(values))), first + 1))

    @property
    def ticks(self) -> list[float]:
        step = math.ceil((self.last - self.first + 1) / _MOST_TICKS)
        return [10.0**power for power in range(self.first, self.last + 1, step)]


@dataclass(frozen=True, eq=False, kw_only=True)
class ComparisonView:
    """A comparison as it is drawn. Rows are video tokens, columns text tokens.

    Attributes:
        rows: short labels of the video tokens.
        columns: the text tokens.
        exact: [V, T].
        shown: the estimates of the scatter, the best on top: of each method that is not exact the
            first run with its largest budget.
        limit: the largest exact interaction; all heat maps run from -limit to +limit.
        runs: estimates as points, for every budget and seed.
        exact_runs: those of exact methods.
        times: axis of all seconds.
        errors: axis of the errors of `runs`. The exact ones have none that a logarithmic axis
            could show: they stand at `floor`, a decade below.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    exact: np.ndarray
    shown: tuple[Estimates, ...]
    limit: float
    runs: tuple[Cost, ...]
    exact_runs: tuple[Cost, ...]
    times: Decades
    errors: Decades

    @property
    def sampled(self) -> Estimates:
        """Of those that are shown, the ones that heat maps show: of a method with budgets."""
        return next(one for one in self.shown if METHODS[one.method].budgeted)

    @property
    def floor(self) -> float:
        """Where runs without an error stand."""
        return 10.0 ** (self.errors.first - 1)

    def height(self, run: Cost) -> float:
        """Where a run stands on the axis of errors."""
        return self.floor if METHODS[run.method].exact else max(run.error, self.floor)

    @property
    def curves(self) -> dict[str, list[Cost]]:
        """Medians over the seeds, by method and from the smallest budget to the largest."""
        curves: dict[str, list[Cost]] = {}
        for method, budget in sorted({(run.method, run.budget) for run in self.runs}):
            if METHODS[method].budgeted:
                runs = [run for run in self.runs if (run.method, run.budget) == (method, budget)]
                point = Cost(
                    method=method,
                    budget=budget,
                    seed=0,
                    seconds=statistics.median(run.seconds for run in runs),
                    error=statistics.median(run.error for run in runs),
                )
                curves.setdefault(method, []).append(point)
        return curves


def view_of(comparison: Compared) -> ComparisonView:
    """What to draw of a comparison by `compare_level`."""
    level, result = comparison.level, comparison.comparison
    runs = [
        Cost(
            method=row.method,
            budget=row.budget,
            seed=row.seed,
            seconds=row.seconds,
            error=row.agreement.relative_error,
        )
        for row in result.rows
        if row.agreement is not None
    ]
    estimated = [run for run in runs if not METHODS[run.method].exact and math.isfinite(run.error)]
    exact = _array(result.exact.values)
    return ComparisonView(
        rows=_video_labels(level),
        columns=tuple(token.text for token in level.text_tokens),
        exact=exact,
        shown=_shown(result),
        limit=float(np.abs(exact).max()) or 1.0,
        runs=tuple(estimated),
        exact_runs=tuple(run for run in runs if METHODS[run.method].exact),
        times=Decades.around([run.seconds for run in runs]),
        errors=Decades.around([run.error for run in estimated if run.error > _ROUNDING] or [1.0]),
    )


def column_labels(texts: Sequence[str], cell: float) -> tuple[list[str], bool]:
    """Labels of the columns of a heat map, and whether they must be turned by 90 degrees.

    Args:
        texts: of the columns.
        cell: width of a column, in em of the labels.
    """
    labels = [shortened(text) for text in texts]
    if max(map(length_in_em, labels)) <= cell and labels == list(texts):
        return labels, False
    letters = int(cell * len("".join(texts)) / length_in_em("".join(texts)))
    longest = max(len(word) for text in texts for word in text.split())
    if letters < max(_FEWEST_LETTERS, longest):
        return labels, True
    return [
        "\n".join(textwrap.wrap(text, letters, max_lines=_MOST_LINES, placeholder=" …"))
        for text in texts
    ], False


def colour_ticks(view: ComparisonView) -> dict[float, str]:
    """Of the scale of all heat maps; values beyond its ends take their colours."""
    largest = max(np.abs(one.drawn).max() for one in heat_maps(view))
    end = f"{view.limit:.2g}"
    below, above = ("≤ −", "≥ ") if largest > view.limit else ("−", "")
    return {-view.limit: below + end, 0.0: "0", view.limit: above + end}


def heat_maps(view: ComparisonView) -> tuple[HeatMap, HeatMap, HeatMap]:
    """Exact values, sampled ones, and their difference, magnified until it can be seen."""
    off = view.sampled.values - view.exact
    largest = np.abs(off).max()
    zoom = max((zoom for zoom in _ZOOMS if zoom * largest <= view.limit), default=1)
    times = f" × {zoom:,}" if zoom > 1 else ""
    return (
        HeatMap(title=f"exact ({METHODS[REFERENCE].label})", values=view.exact),
        HeatMap(title=view.sampled.label, values=view.sampled.values),
        HeatMap(title=f"difference{times}, at most {largest:.2g}", values=off, zoom=zoom),
    )


def _shown(comparison: Comparison) -> tuple[Estimates, ...]:
    largest = {row.method: row.budget for row in sorted(comparison.rows, key=lambda r: r.budget)}
    shown: dict[str, Estimates] = {}
    for row, result in zip(comparison.rows, comparison.estimates, strict=True):
        if METHODS[row.method].exact or row.budget < largest[row.method]:
            continue
        if row.method not in shown and row.agreement is not None and result is not None:
            shown[row.method] = _estimates(row, row.agreement, result)
    return tuple(shown.values())


def _estimates(row: Row, agreement: Agreement, result: Interactions) -> Estimates:
    budget = f", {row.budget:,} coalitions" if METHODS[row.method].budgeted else ""
    pearson = "" if math.isnan(agreement.pearson) else f" (r = {agreement.pearson:.2f})"
    error = result.standard_error
    return Estimates(
        method=row.method,
        label=METHODS[row.method].label + budget,
        pearson=pearson,
        values=_array(result.values),
        margin=None if error is None else MARGIN * _array(error),
    )


def _video_labels(level: GameLevel) -> tuple[str, ...]:
    """As the coalition graph names them: "frame 3", "frames 1–4"."""
    nodes = coalition_graph((level,)).nodes
    names = [
        nodes[player_id(level.name, "video", index)]["label"]
        for index in range(len(level.video_tokens))
    ]
    return tuple(
        shortened((name if len(token.frames) == 1 else f"frames{name[5:]}").replace("-", "–"))
        for name, token in zip(names, level.video_tokens, strict=True)
    )


def _array(values: Tensor) -> np.ndarray:
    return values.detach().cpu().double().numpy()
