"""Exact and estimated interactions for print: vector, at the width of a page or a column."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure

from explainers.methods import METHODS
from explainers.timing import seconds_in_words
from hbi_core.figures.labels import length_in_em
from hbi_core.figures.methods_view import (
    EXACT_TICK,
    NEGATIVE_TO_POSITIVE,
    Compared,
    ComparisonView,
    Estimates,
    colour_ticks,
    column_labels,
    heat_maps,
    view_of,
)
from hbi_core.figures.print_style import EM, POINTS, WIDTHS, print_style

_COLOUR_MAP = LinearSegmentedColormap.from_list("negative_to_positive", NEGATIVE_TO_POSITIVE)
MARKERS: dict[str, dict[str, Any]] = {
    "circle": {"marker": "o", "markersize": 3.0},
    "diamond": {"marker": "D", "markersize": 3.2},
    "star": {"marker": "*", "markersize": 7.0},
    "square-open": {"marker": "s", "markersize": 5.5, "fillstyle": "none"},
}  # of shapes, by the names of `Method.marker`
_NARROWEST_CELL = 5.5  # points, that a turned label fits
_MANY = 100  # pairs, whose points are drawn smaller
_SHOWN_NEGATIVE = 0.05  # of the limit
"""Below it a cell has no minus: it would be noise on white."""


def methods_print(comparison: Compared, width: str = "text", font: str = "sans") -> Figure:
    """Draw a comparison: estimates against exact values, error against time, heat maps.

    Args:
        comparison: what to draw.
        width: "text" (6.875 in) or "column" (3.25 in).
        font: "sans" or "serif".
    """
    view, em = view_of(comparison), EM[width]
    inches = WIDTHS[width]
    sheet = _Sheet(inches * POINTS, em, view)
    figure = Figure(figsize=(inches, sheet.height / POINTS))
    with print_style(font):
        scatter, cost, *maps = (
            figure.add_axes(
                (
                    left / sheet.width,
                    1 - (top + height) / sheet.height,
                    across / sheet.width,
                    height / sheet.height,
                )
            )
            for left, top, across, height in sheet.places
        )
        _draw_scatter(scatter, view, em)
        _draw_costs(cost, view, em)
        _draw_heat_maps(maps, view, sheet)
    return figure


class _Sheet:
    """Where the axes stand: left, top, width, height of each, in points from the top left.

    Two plots, side by side on a page and one above the other in a column; below them three heat
    maps, side by side where their words fit; a colour bar at the right.
    """

    def __init__(self, width: float, em: float, view: ComparisonView) -> None:
        self.width, self.em = width, em
        self.places: list[tuple[float, float, float, float]] = []
        self.page = width > 60 * em  # not a column
        left, right, legend, below, plot = 5.4 * em, 0.8 * em, 3.6 * em, 3.6 * em, 17 * em
        top = 0.0
        if self.page:
            across = (width - 2 * left - 2 * right) / 2
            for number in range(2):
                start = left + number * (across + right + left)
                self.places.append((start, top + legend, across, plot))
            top += legend + plot + below
        else:
            for _ in range(2):
                self.places.append((left, top + legend, width - left - right, plot))
                top += legend + plot + below
        self._place_maps(top, view)

    def _place_maps(self, top: float, view: ComparisonView) -> None:
        videos, texts = view.exact.shape
        em = self.em
        self.label = 0.85 * em
        left = self.label * max(map(length_in_em, view.rows)) + 0.9 * em
        right, title, gap = 7.2 * em, 1.6 * em, 0.8 * em
        room = self.width - left - right
        self.beside = self.page and (room - 2 * gap) / 3 / texts >= _NARROWEST_CELL
        across = (room - 2 * gap) / 3 if self.beside else room
        cell = across / texts
        self.words, self.turned = column_labels(view.columns, cell / self.label)
        self.word = min(self.label, 0.9 * cell) if self.turned else self.label
        longest = 1.1 * max(map(length_in_em, self.words))
        lines = max(word.count("\n") for word in self.words) + 1
        below = self.word * (longest if self.turned else 1.3 * lines) + 0.6 * em
        tall = max(1.1 * em * videos, 4.5 * em)
        first = top + title
        for number in range(3):
            if self.beside:
                self.places.append((left + number * (across + gap), first, across, tall))
            else:
                self.places.append((left, top + title, across, tall))
                top += title + tall + (0.4 * em if number < 2 else 0.0)
        bottom = first + tall if self.beside else top
        length = min(bottom - first, 14 * em)
        self.places.append((self.width - right + em, first, 0.9 * em, length))
        self.height = bottom + below


def _draw_scatter(axes: Axes, view: ComparisonView, em: float) -> None:
    for shown in view.shown:
        _draw_estimates(axes, view, shown)
    ends = [view.exact.min(), view.exact.max()]
    axes.plot(ends, ends, color="0.1", lw=0.8, dashes=(4, 2), label="estimate = exact", zorder=3)
    _style(axes, em, "exact interaction", "estimate")
    axes.locator_params(nbins=5)


def _draw_estimates(axes: Axes, view: ComparisonView, shown: Estimates) -> None:
    method = METHODS[shown.method]
    if shown.margin is not None:
        axes.errorbar(
            view.exact.ravel(),
            shown.values.ravel(),
            shown.margin.ravel(),
            fmt="none",
            ecolor=method.colour,
            elinewidth=0.4,
            alpha=0.35,
        )
    marker = dict(MARKERS[method.marker])
    if view.exact.size > _MANY:
        marker["markersize"] *= 0.7
    axes.plot(
        view.exact.ravel(),
        shown.values.ravel(),
        ls="",
        color=method.colour,
        alpha=0.85,
        mew=0.5,
        label=shown.label + shown.pearson,
        **marker,
    )


def _draw_costs(axes: Axes, view: ComparisonView, em: float) -> None:
    axes.axhline(view.floor, color="0.4", lw=0.6, ls=":")
    for name, curve in view.curves.items():
        places = [(point.seconds, view.height(point)) for point in curve]
        axes.plot(*zip(*places, strict=True), color=METHODS[name].colour, lw=0.8)
        for point, place in zip(curve, places, strict=True):
            axes.annotate(
                f"{point.budget:,}",
                place,
                (0.4 * em, 0.3 * em),
                textcoords="offset points",
                fontsize=0.7 * em,
            )
    runs = (*view.runs, *view.exact_runs)
    for name in dict.fromkeys(run.method for run in runs):
        chosen, method = [run for run in runs if run.method == name], METHODS[name]
        axes.plot(
            [run.seconds for run in chosen],
            [view.height(run) for run in chosen],
            ls="",
            color=method.colour,
            mew=0.7,
            alpha=0.85,
            label=method.label,
            **MARKERS[method.marker],
        )
    axes.set(xscale="log", yscale="log")
    ticks = view.times.ticks
    axes.set_xticks(ticks, [seconds_in_words(tick) for tick in ticks])
    axes.set_yticks(
        [view.floor, *view.errors.ticks], [EXACT_TICK, *(f"{e:g}" for e in view.errors.ticks)]
    )
    axes.minorticks_off()
    axes.set(
        xlim=(0.8 * 10**view.times.first, 2 * 10**view.times.last),
        ylim=(view.floor / 2, 2 * 10**view.errors.last),
    )
    _style(axes, em, "time", "relative error (RMS)")


def _style(axes: Axes, em: float, horizontal: str, vertical: str) -> None:
    axes.set_xlabel(horizontal, fontsize=0.9 * em, labelpad=2)
    axes.set_ylabel(vertical, fontsize=0.9 * em, labelpad=2)
    axes.tick_params(labelsize=0.8 * em, length=2, width=0.5, pad=2)
    axes.grid(color="0.92", lw=0.5)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_linewidth(0.6)
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1.0),
        ncols=2,
        fontsize=0.8 * em,
        frameon=False,
        borderpad=0.1,
        handletextpad=0.4,
        columnspacing=1.2,
        labelspacing=0.25,
    )


def _draw_heat_maps(axes: list[Axes], view: ComparisonView, sheet: _Sheet) -> None:
    *maps, bar = axes
    scale = Normalize(-view.limit, view.limit)
    videos, texts = view.exact.shape
    for number, (one, heat_map) in enumerate(zip(maps, heat_maps(view), strict=True)):
        cells = heat_map.drawn
        one.pcolormesh(cells, cmap=_COLOUR_MAP, norm=scale, edgecolors="white", linewidth=0.3)
        _mark_negative(one, cells, view.limit, sheet)
        one.set(xlim=(0, texts), ylim=(videos, 0))
        one.set_title(heat_map.title, fontsize=0.9 * sheet.em, pad=2, loc="left")
        one.tick_params(length=0, pad=1.5)
        words = sheet.words if sheet.beside or number == 2 else [""] * texts
        one.set_xticks(
            np.arange(texts) + 0.5,
            [word.replace("$", r"\$") for word in words],
            rotation=90 if sheet.turned else 0,
            fontsize=sheet.word,
        )
        rows = view.rows if number == 0 or not sheet.beside else [""] * videos
        one.set_yticks(np.arange(videos) + 0.5, rows, fontsize=sheet.label)
        one.spines[:].set_visible(False)
    _draw_colour_bar(bar, view, scale, sheet.em)


def _mark_negative(axes: Axes, cells: np.ndarray, limit: float, sheet: _Sheet) -> None:
    """A minus in negative cells: in grey, both ends of the scale are dark."""
    rows, columns = np.nonzero(cells < -_SHOWN_NEGATIVE * limit)
    size = 0.45 * min(sheet.places[2][2] / cells.shape[1], sheet.places[2][3] / cells.shape[0])
    axes.plot(
        columns + 0.5,
        rows + 0.5,
        ls="",
        marker="_",
        color="0.1",
        markersize=min(size, sheet.em),
        mew=0.5,
    )


def _draw_colour_bar(axes: Axes, view: ComparisonView, scale: Normalize, em: float) -> None:
    bar = axes.figure.colorbar(ScalarMappable(scale, _COLOUR_MAP), cax=axes)
    ticks = colour_ticks(view)
    bar.set_ticks(list(ticks), labels=list(ticks.values()))
    bar.ax.tick_params(labelsize=0.8 * em, length=2, width=0.5, pad=1.5)
    bar.outline.set_visible(False)
