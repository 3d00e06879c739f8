"""Exact and estimated interactions as plotly figures that answer the pointer."""

from __future__ import annotations

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from explainers.methods import METHODS, REFERENCE
from explainers.timing import seconds_in_words
from hbi_core.figures.labels import length_in_em, shortened
from hbi_core.figures.methods_view import (
    EXACT_TICK,
    NEGATIVE_TO_POSITIVE,
    ComparisonView,
    Cost,
    Estimates,
    HeatMap,
    colour_ticks,
    column_labels,
    heat_maps,
)
from hbi_core.figures.page_style import FONT, PAPER, WIDTH, escape

SCATTER_HEIGHT = 420  # pixels
_AXIS = {
    "showline": True,
    "linecolor": "#666666",
    "gridcolor": "#e8e8e8",
    "zeroline": False,
    "ticks": "outside",
    "tickcolor": "#666666",
    "exponentformat": "power",
    "fixedrange": True,
}
_FONT_SIZE = 12
_LABEL_SIZE = 11
_NARROWEST_CELL = 12.0  # pixels, that a turned label fits
_ROW = 18.0
_MANY = 100  # pairs, whose points are drawn smaller


def scatter_figure(view: ComparisonView) -> go.Figure:
    """Every estimate against the exact value, with 95 % intervals and the diagonal."""
    ends = [float(view.exact.min()), float(view.exact.max())]
    diagonal = go.Scatter(
        x=ends,
        y=ends,
        mode="lines",
        name="estimate = exact",
        hoverinfo="skip",
        line={"color": "#111111", "width": 1.2, "dash": "dash"},
    )
    figure = go.Figure([*(_estimates(view, shown) for shown in view.shown), diagonal])
    return _styled(figure, "exact interaction", "estimate")


def cost_figure(view: ComparisonView) -> go.Figure:
    """Relative error against seconds, both logarithmic; exact methods stand on the lowest line."""
    curves = [_curve(method, curve, view) for method, curve in view.curves.items()]
    runs = (*view.runs, *view.exact_runs)
    methods = dict.fromkeys(run.method for run in runs)
    traces = [_costs([run for run in runs if run.method == method], view) for method in methods]
    figure = _styled(go.Figure([*curves, *traces]), "time", "relative error (RMS)")
    ticks = view.times.ticks
    figure.update_xaxes(
        type="log",
        tickvals=ticks,
        ticktext=[seconds_in_words(tick) for tick in ticks],
        range=[view.times.first - 0.1, view.times.last + 0.3],
    )
    figure.update_yaxes(
        type="log",
        tickvals=[view.floor, *view.errors.ticks],
        ticktext=[EXACT_TICK, *(f"{tick:g}" for tick in view.errors.ticks)],
        range=[view.errors.first - 1.35, view.errors.last + 0.25],
    )
    figure.add_hline(view.floor, line={"color": "#666666", "width": 1, "dash": "dot"})
    return figure


def heat_map_figure(view: ComparisonView) -> go.Figure:
    """Exact values, sampled ones and their difference, on one scale."""
    videos, texts = view.exact.shape
    maps = heat_maps(view)
    left = 7.0 * max(map(len, view.rows)) + 14
    beside = (WIDTH - left - 130) / 3 / texts >= _NARROWEST_CELL
    cell = (WIDTH - left - 130) / (3 if beside else 1) / texts
    words, turned = column_labels(view.columns, cell / _LABEL_SIZE)
    lines = max(word.count("\n") for word in words) + 1
    below = 14 + _LABEL_SIZE * (max(map(length_in_em, words)) if turned else 1.3 * lines)
    each = max(_ROW * videos, 90.0)
    count = 1 if beside else 3
    height = 34 + count * each + (count - 1) * 34 + below
    figure = make_subplots(
        *((1, 3) if beside else (3, 1)),
        shared_xaxes=True,
        shared_yaxes=True,
        subplot_titles=[one.title for one in maps],
        horizontal_spacing=0.02,
        vertical_spacing=34 / (height - 34 - below),
    )
    for number, one in enumerate(maps):
        place = (1, number + 1) if beside else (number + 1, 1)
        figure.add_trace(_heat_map(one, view), *place)
    axis = {
        "tickfont": {"size": _LABEL_SIZE},
        "showgrid": False,
        "zeroline": False,
        "fixedrange": True,
    }
    figure.update_xaxes(
        tickvals=list(range(texts)),
        ticktext=[escape(word).replace("\n", "<br>") for word in words],
        tickangle=-90 if turned else 0,
        **axis,
    )
    figure.update_yaxes(
        tickvals=list(range(videos)), ticktext=view.rows, range=[videos - 0.5, -0.5], **axis
    )
    figure.update_layout(
        height=height,
        margin={"l": left, "r": 100, "t": 34, "b": below},
        coloraxis=_colour_axis(view, each * count),
    )
    figure.update_annotations(font_size=_FONT_SIZE + 1)
    return figure.update_layout(font={**FONT, "size": _FONT_SIZE}, **PAPER)


def _estimates(view: ComparisonView, shown: Estimates) -> go.Scatter:
    method, margin = METHODS[shown.method], shown.margin
    texts = [
        f"<b>{escape(text)}</b> — {frames}<br>exact {view.exact[video, column]:+.4f}<br>"
        f"{method.label} {shown.values[video, column]:+.4f}"
        + ("" if margin is None else f" ± {margin[video, column]:.4f}")
        for video, frames in enumerate(view.rows)
        for column, text in enumerate(map(shortened, view.columns))
    ]
    error = None
    if margin is not None:
        faint = "rgba({}, {}, {}, 0.3)".format(*bytes.fromhex(method.colour[1:]))
        error = {"array": margin.ravel(), "color": faint, "thickness": 1, "width": 0}
    return go.Scatter(
        x=view.exact.ravel(),
        y=shown.values.ravel(),
        error_y=error,
        text=texts,
        hovertemplate="%{text}<extra></extra>",
        mode="markers",
        name=shown.label + shown.pearson,
        marker={
            "color": method.colour,
            "symbol": method.marker,
            "size": 7 if view.exact.size <= _MANY else 5,
            "opacity": 0.85,
        },
    )


def _curve(method: str, points: list[Cost], view: ComparisonView) -> go.Scatter:
    """The medians of a method, each with its budget."""
    return go.Scatter(
        x=[point.seconds for point in points],
        y=[view.height(point) for point in points],
        text=[f"\u00a0{point.budget:,}" for point in points],
        mode="lines+text",
        textposition="top right",
        cliponaxis=False,
        hoverinfo="skip",
        showlegend=False,
        line={"color": METHODS[method].colour, "width": 1.5},
    )


def _costs(runs: list[Cost], view: ComparisonView) -> go.Scatter:
    name = runs[0].method
    method = METHODS[name]
    texts = []
    for run in runs:
        what = f", {run.budget:,} coalitions, seed {run.seed}" if method.budgeted else ""
        error = "exact, the reference" if name == REFERENCE else f"error {run.error:.2g}"
        time = seconds_in_words(run.seconds)
        texts.append(f"<b>{method.label}</b>{what}<br>{time}<br>{error}")
    return go.Scatter(
        x=[run.seconds for run in runs],
        y=[view.height(run) for run in runs],
        text=texts,
        hovertemplate="%{text}<extra></extra>",
        mode="markers",
        name=method.label,
        marker={
            "color": method.colour,
            "symbol": method.marker,
            "size": 12 if method.exact else 8,
            "opacity": 0.7 if method.budgeted else 1.0,
        },
    )


def _heat_map(heat_map: HeatMap, view: ComparisonView) -> go.Heatmap:
    texts = [
        [
            f"<b>{escape(shortened(text))}</b> — {frames}<br>{value:+.3g}"
            for text, value in zip(view.columns, row, strict=True)
        ]
        for frames, row in zip(view.rows, heat_map.values, strict=True)
    ]
    return go.Heatmap(
        z=heat_map.drawn,
        text=texts,
        hovertemplate="%{text}<extra></extra>",
        coloraxis="coloraxis",
        xgap=1,
        ygap=1,
    )


def _colour_axis(view: ComparisonView, height: float) -> dict:
    ticks = colour_ticks(view)
    return {
        "colorscale": [
            [number / (len(NEGATIVE_TO_POSITIVE) - 1), colour]
            for number, colour in enumerate(NEGATIVE_TO_POSITIVE)
        ],
        "cmin": -view.limit,
        "cmax": view.limit,
        "colorbar": {
            "tickvals": list(ticks),
            "ticktext": list(ticks.values()),
            "thickness": 14,
            "outlinewidth": 0,
            "len": min(height, 220),
            "lenmode": "pixels",
            "x": 1.01,
            "tickfont": {"size": _LABEL_SIZE},
        },
    }


def _styled(figure: go.Figure, horizontal: str, vertical: str) -> go.Figure:
    figure.update_layout(
        height=SCATTER_HEIGHT,
        margin={"l": 64, "r": 28, "t": 64, "b": 48},
        legend={
            "orientation": "h",
            "x": 0,
            "y": 1.02,
            "yanchor": "bottom",
            "font": {"size": _FONT_SIZE},
        },
    )
    figure.update_xaxes(title={"text": horizontal, "standoff": 8}, **_AXIS)
    figure.update_yaxes(title={"text": vertical, "standoff": 4}, **_AXIS)
    return figure.update_layout(font={**FONT, "size": _FONT_SIZE}, **PAPER)
