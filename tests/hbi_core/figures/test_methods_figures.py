"""Figures and table of methods side by side: what they show, and that any comparison is drawn."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from explainers import closed_form
from explainers.methods import METHODS, Method
from hbi_core.exact_vs_estimated import compare_level
from hbi_core.figures.methods_page import cost_figure, scatter_figure
from hbi_core.figures.methods_print import methods_print
from hbi_core.figures.methods_table import HEADERS, methods_table
from hbi_core.figures.methods_view import column_labels, heat_maps, view_of
from hbi_core.pipeline import explain
from support.demo import CAFE
from support.printed import assert_for_print


@pytest.fixture(scope="module")
def comparison(explanation):
    return compare_level(explanation, "action", (64, 1024), (3, 4), 0, device="cpu")


@pytest.mark.parametrize(("width", "inches"), [("text", 6.875), ("column", 3.25)])
def test_figure_for_print(comparison, tmp_path, width, inches):
    comparison.save(tmp_path, width)
    assert_for_print(tmp_path / "comparison", inches)


@pytest.mark.parametrize(
    ("caption", "level", "width"),
    [
        ("猫 $x^2$ & <b> 😀", "entity", "text"),
        ("one", "event", "column"),
        ("w" * 3000 + " and more", "entity", "column"),
    ],
)
def test_any_caption_is_drawn(tmp_path, caption, level, width):
    explanation = explain(CAFE, caption, frames=1 if caption == "one" else 2)
    written = compare_level(explanation, level, (64,), (0,)).save(tmp_path, width)
    assert all(path.stat().st_size > 0 for path in written)


def test_a_game_that_is_worth_nothing_is_drawn(explanation, tmp_path):
    """Its interactions are all 0: relative errors and correlations have no value."""
    event = explanation.levels[2]
    flat = replace(event, similarity=torch.zeros_like(event.similarity))
    nothing = replace(explanation, levels=(flat,))
    comparison = compare_level(nothing, "event", (64,), (0,), 3600.0)
    view = view_of(comparison)
    assert view.runs == ()
    assert view.shown[0].pearson == ""
    comparison.save(tmp_path)
    json.loads((tmp_path / "comparison.json").read_text(), parse_constant=pytest.fail)


def test_what_the_figures_show(comparison):
    view, result = view_of(comparison), comparison.comparison
    exact = result.exact.values.numpy()
    assert (view.exact == exact).all()
    largest = result.estimates[result.rows.index(next(r for r in result.rows if r.budget == 1024))]
    assert (view.sampled.values == largest.values.numpy()).all()
    assert (view.sampled.margin == 1.96 * largest.standard_error.numpy()).all()
    assert [shown.method for shown in view.shown] == ["estimator", "sampling"]
    assert view.limit == abs(exact).max()
    assert view.floor < min(run.error for run in view.runs)
    assert all(view.height(run) == view.floor for run in view.exact_runs)
    assert all(view.height(run) == run.error for run in view.runs)
    runs = [row for row in result.rows if row.budget == 64]
    middle = sum(row.agreement.relative_error for row in runs) / 2
    (curve,) = view.curves.values()
    assert [point.budget for point in curve] == [64, 1024]
    assert curve[0].error == pytest.approx(middle)
    maps = heat_maps(view)
    assert maps[1].title == "sampling, 1,024 coalitions"
    off = maps[1].values - maps[0].values
    assert (maps[2].values == off).all()
    assert (maps[2].drawn == maps[2].zoom * off).all()
    assert view.limit / 2.5 < abs(maps[2].drawn).max() <= view.limit
    times = f" × {maps[2].zoom:,}" if maps[2].zoom > 1 else ""
    assert f"difference{times}, at most {abs(off).max():.2g}" == maps[2].title
    for label, token in zip(view.rows, comparison.level.video_tokens, strict=True):
        assert label.startswith("frame " if len(token.frames) == 1 else "frames ")
        assert str(token.frames[0] + 1) in label


def test_labels_of_columns():
    assert column_labels(["a cat", "sits"], 5.0) == (["a cat", "sits"], False)
    assert column_labels(["a cat", "sits"], 1.0) == (["a cat", "sits"], True)
    phrase = "a furry cat with whiskers and a tail that looks into the camera for a long time"
    wrapped, turned = column_labels([phrase, "cat"], 8.0)
    assert not turned
    assert wrapped[0].splitlines()[0] == "a furry cat"
    assert wrapped[0].endswith("…")
    assert column_labels([phrase, "cat"], 3.0) == (["a furry cat with …", "cat"], True)
    assert column_labels(["w" * 3000], 8.0) == (["w" * 17 + "…"], True)


def test_a_new_method_is_one_entry(explanation, monkeypatch):
    """It is run, told, listed and drawn under its own name, in its own colour."""

    def nothing(game, run):
        return replace(closed_form(game), values=torch.zeros_like(game.similarity))

    method = Method(
        label="nothing at all",
        colour="#123456",
        marker="diamond",
        exact=False,
        budgeted=False,
        run=nothing,
    )
    monkeypatch.setitem(METHODS, "nothing", method)
    steps = []
    comparison = compare_level(
        explanation, "event", (64,), (0,), 0, progress=lambda _, step: steps.append(step)
    )
    assert "Running: nothing at all" in steps
    rows = {row[0]: row for row in methods_table(comparison)}
    assert rows["nothing at all"][HEADERS.index("Relative error")] == "1"
    view = view_of(comparison)
    for figure in (scatter_figure(view), cost_figure(view)):
        (trace,) = (trace for trace in figure.data if trace.name == "nothing at all")
        assert (trace.marker.color, trace.marker.symbol) == ("#123456", "diamond")
    printed = methods_print(comparison)
    for axes in printed.axes[:2]:
        assert "nothing at all" in [text.get_text() for text in axes.get_legend().get_texts()]
