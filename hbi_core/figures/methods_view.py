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

from explainers import coalition_graph
from explainers.coalition_graph import GameLevel
from explainers.comparison import Comparison, Row
from hbi_core.figures.layout import length_in_em, shortened

NAMES = {
    "closed_form": "closed form",
    "enumeration": "full enumeration",
    "estimator": "estimator",
    "sampling": "sampling",
}
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
COLOURS = {
    "sampling": "#2b6cb0",
    "estimator": "#d9650a",
    "closed_form": "#111111",
    "enumeration": "#111111",
}
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


@dataclass(frozen=True, eq=False)
class Estimates:
    """One run's estimates.

    Attributes:
        method: "sampling" or "estimator".
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


@dataclass(frozen=True, eq=False)
class HeatMap:
    """Values [V, T], and what they are multiplied with before they become colours."""

    title: str
    values: np.ndarray
    zoom: int = 1

    @property
    def drawn(self) -> np.ndarray:
        return self.zoom * self.values


@dataclass(frozen=True)
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


@dataclass(frozen=True, eq=False)
class ComparisonView:
    """A comparison as it is drawn. Rows are video tokens, columns text tokens.

    Attributes:
        rows: short labels of the video tokens.
        columns: the text tokens.
        exact: [V, T].
        shown: the estimates of the scatter: sampling with the largest budget, and the estimator.
        limit: the largest exact interaction; all heat maps run from -limit to +limit.
        runs: estimates as points, sampling for every budget and seed.
        exact_runs: closed form and, where it was run, enumeration.
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
        """Sampling with the largest budget."""
        return self.shown[0]

    @property
    def floor(self) -> float:
        """Where runs without an error stand."""
        return 10.0 ** (self.errors.first - 1)

    def height(self, run: Cost) -> float:
        """Where a run stands on the axis of errors."""
        return self.floor if run in self.exact_runs else max(run.error, self.floor)

    @property
    def curve(self) -> list[Cost]:
        """Sampling's medians, by budget."""
        sampled = [run for run in self.runs if run.method == "sampling"]
        points = []
        for budget in sorted({run.budget for run in sampled}):
            runs = [run for run in sampled if run.budget == budget]
            seconds = statistics.median(run.seconds for run in runs)
            error = statistics.median(run.error for run in runs)
            points.append(Cost("sampling", budget, 0, seconds, error))
        return points


def view_of(comparison: Compared) -> ComparisonView:
    """What to draw of a comparison by `compare_level`."""
    level, result = comparison.level, comparison.comparison
    runs = [_cost(row) for row in result.rows if row.agreement is not None]
    estimated = [run for run in runs if run.method not in ("closed_form", "enumeration")]
    estimated = [run for run in estimated if math.isfinite(run.error)]
    exact = _array(result.exact.values)
    return ComparisonView(
        _video_labels(comparison),
        tuple(token.text for token in level.text_tokens),
        exact,
        _shown(comparison),
        float(np.abs(exact).max()) or 1.0,
        tuple(estimated),
        tuple(run for run in runs if run.method in ("closed_form", "enumeration")),
        Decades.around([run.seconds for run in runs]),
        Decades.around([run.error for run in estimated if run.error > _ROUNDING] or [1.0]),
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
        HeatMap("exact (closed form)", view.exact),
        HeatMap(view.sampled.label, view.sampled.values),
        HeatMap(f"difference{times}, at most {largest:.2g}", off, zoom),
    )


def _cost(row: Row) -> Cost:
    return Cost(row.method, row.budget, row.seed, row.seconds, row.agreement.relative_error)


def _shown(comparison: Compared) -> tuple[Estimates, ...]:
    """The first run of sampling's largest budget, and the estimator's."""
    runs = list(zip(comparison.comparison.rows, comparison.comparison.estimates, strict=True))
    largest = max(row.budget for row, _ in runs)
    shown = []
    for method, budget in (("sampling", largest), ("estimator", 0)):
        row, result = next(r for r in runs if (r[0].method, r[0].budget) == (method, budget))
        error = result.standard_error
        shown.append(
            Estimates(
                method,
                NAMES[method] + (f", {budget:,} coalitions" if budget else ""),
                "" if math.isnan(row.agreement.pearson) else f" (r = {row.agreement.pearson:.2f})",
                _array(result.values),
                None if error is None else MARGIN * _array(error),
            )
        )
    return tuple(shown)


def _video_labels(comparison: Compared) -> tuple[str, ...]:
    """As the coalition graph names them: "frame 3", "frame 1-4"."""
    level = comparison.level
    nodes = coalition_graph((level,)).nodes
    names = [nodes[f"{level.name}/video/{i}"]["label"] for i in range(len(level.video_tokens))]
    return tuple(
        shortened((name if len(token.frames) == 1 else f"frames{name[5:]}").replace("-", "–"))
        for name, token in zip(names, level.video_tokens, strict=True)
    )


def _array(values: Tensor) -> np.ndarray:
    return values.detach().cpu().double().numpy()
