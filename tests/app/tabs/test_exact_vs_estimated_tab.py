"""The tab "Exact vs estimated": its numbers are those of the explainers."""

from __future__ import annotations

import json
import re
import statistics
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch

from app.compared import LONGEST_ENUMERATION
from app.export import export
from app.tabs.exact_vs_estimated import ExactVsEstimated, describe
from explainers import compare
from explainers.comparison import METHODS
from hbi_core.errors import InputError
from hbi_core.estimator import load_estimator
from hbi_core.exact_vs_estimated import TOP, compare_level
from hbi_core.figures.methods_page import cost_figure, heat_map_figure, scatter_figure
from hbi_core.figures.methods_table import HEADERS
from hbi_core.figures.methods_view import view_of

BUDGETS = [64, 1024]


@pytest.fixture(scope="module")
def tab(laid_out):
    return laid_out(ExactVsEstimated)


@pytest.fixture(scope="module")
def shown(tab, explanation):
    """What the button returns for the action level, two runs from seed 5."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hbi_core.exact_vs_estimated.choose_device", lambda _: "cpu")
        return tab.compare(explanation, "action", BUDGETS, 2, 5, LONGEST_ENUMERATION)


@pytest.fixture(scope="module")
def python(explanation):
    """The same by `explainers` alone."""
    game = explanation.levels[1].game(explanation.weighting)
    top = min(TOP, game.similarity.numel() // 3)
    return compare(game, METHODS, BUDGETS, (5, 6), estimator=load_estimator(), top=top)


def test_the_table_is_that_of_python(tab, shown, python, explanation):
    table = [dict(zip(HEADERS, row, strict=True)) for row in shown[tab.table]]
    assert [row["Method"] for row in table] == [
        "closed form",
        "full enumeration",
        "estimator",
        "sampling, 2 runs",
        "sampling, 2 runs",
    ]
    players = sum(explanation.levels[1].similarity.shape)
    evaluated = ["none", f"{2**players:,}", "none", "64", "1,024"]
    assert [row["Coalitions"] for row in table] == evaluated
    assert {row["Players"] for row in table} == {str(players)}
    groups = [[row] for row in python.rows[:3]] + [list(python.rows[3:5]), list(python.rows[5:7])]
    forms = {
        "Relative error": ("relative_error", ".2g"),
        "Max error": ("max_error", ".2g"),
        "Mean error": ("mean_error", ".2g"),
        "Pearson": ("pearson", ".3f"),
        "Spearman": ("spearman", ".3f"),
        "Strongest links": ("top_links", ".0%"),
        "Signs": ("signs", ".0%"),
    }
    for row, runs in zip(table, groups, strict=True):
        for header, (name, form) in forms.items():
            value = statistics.median(getattr(run.agreement, name) for run in runs)
            assert row[header] == format(value, form), (row["Method"], header)


def test_the_figures_are_those_of_python(tab, shown, python):
    scatter, cost, heat_maps = (shown[one] for one in (tab.scatter, tab.cost, tab.heat_maps))
    exact = python.exact.values.numpy()
    largest, learned = python.estimates[5], python.estimates[2]
    for trace, estimated in zip(scatter.data[:2], (learned, largest), strict=True):
        assert np.array_equal(trace.x, exact.ravel())
        assert np.array_equal(trace.y, estimated.values.numpy().ravel())
    margin = scatter.data[1].error_y.array
    assert np.array_equal(margin, 1.96 * largest.standard_error.numpy().ravel())
    assert np.array_equal(scatter.data[2].x, scatter.data[2].y)

    maps = [np.array(trace.z) for trace in heat_maps.data]
    off = largest.values.numpy() - exact
    _, _, zoomed = heat_maps.layout.annotations[2].text.partition(" × ")
    zoom = int(zoomed.split(",")[0]) if zoomed else 1
    for drawn, values in zip(maps, (exact, largest.values.numpy(), zoom * off), strict=True):
        assert np.array_equal(drawn, values)
    scale = heat_maps.layout.coloraxis
    assert scale.cmax == -scale.cmin == abs(exact).max()

    points = {trace.name: trace for trace in cost.data if trace.mode == "markers"}
    errors = [row.agreement.relative_error for row in python.rows]
    assert list(points["sampling"].y) == errors[3:]
    assert list(points["estimator"].y) == errors[2:3]
    assert points["closed form"].y == points["full enumeration"].y
    assert points["closed form"].y[0] < min(errors[2:])
    assert "exact" in cost.layout.yaxis.ticktext


def test_what_ran_is_said_plainly(tab, shown, explanation):
    notes = shown[tab.notes]
    videos, texts = explanation.levels[1].similarity.shape
    players = videos + texts
    assert (
        f"{videos} video + {texts} text tokens = {players} players, 2<sup>{players}</sup> = "
        f"{2**players:,} coalitions" in notes
    )
    assert ("GPU (" if torch.cuda.is_available() else "no GPU was found") in notes
    assert re.search(r"The closed form took [\d.]+ m?s\.", notes)
    assert re.search(
        rf"The full enumeration of all {2**players:,} coalitions took [\d.]+ m?s; its largest "
        r"difference from the closed form is \de-\d+\.",
        notes,
    )
    assert f"off by {load_estimator().error['relative_rmse']:.2f} (relative error)" in notes
    assert f"the exact {min(TOP, videos * texts // 3)} strongest" in notes
    refused = tab.compare(explanation, "entity", [64], 1, 0, 0)
    row = dict(zip(HEADERS, refused[tab.table][1], strict=True))
    assert row["Time"] == "not run"
    players = sum(explanation.levels[0].similarity.shape)
    assert row["Coalitions"] == f"{2**players:,}"
    assert row["Pearson"] == "–"
    assert (
        f"The full enumeration was not run: {players} players have {2**players:,} coalitions, and "
        "a limit of 0 seconds allows none." in refused[tab.notes]
    )


def test_an_estimator_whose_error_is_not_known(tab, shown):
    unknown = replace(shown[tab.comparison], known_error=None)
    notes = describe(unknown)
    assert "The estimator, which sees no token weights, comes without a measured error." in notes
    assert json.loads(unknown.to_json())["estimator_known_error"] is None


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"explanation": None}, "Press Explain first"),
        ({"level": "scene"}, "no level 'scene'"),
        ({"budgets": []}, "at least one sampling budget"),
        ({"budgets": [2**30]}, "sampling budget"),
        ({"first_seed": None}, "first seed"),
        ({"first_seed": -3}, "seed -3"),
        ({"seeds": 100}, "100 seeds"),
    ],
)
def test_bad_input_is_answered_by_the_message(tab, explanation, changed, message):
    arguments = {
        "explanation": explanation,
        "level": "event",
        "budgets": [64],
        "seeds": 1,
        "first_seed": 0,
        "limit_seconds": 3,
    }
    shown = tab.compare(**arguments | changed)
    assert list(shown) == [tab.message]
    assert message in shown[tab.message].replace("\\", "")


def test_nothing_empties_all_that_a_comparison_fills(tab, shown):
    assert set(tab.nothing()) == set(shown)
    assert not any(tab.nothing().values())


def test_export(tab, shown):
    comparison = shown[tab.comparison]
    with zipfile.ZipFile(export(comparison, "column")) as archive:
        assert archive.filename.endswith("hbi-cafe-action.zip")
        assert set(archive.namelist()) == {
            "comparison.pdf",
            "comparison.svg",
            "comparison.png",
            "comparison.csv",
            "comparison.json",
        }
        data = json.loads(archive.read("comparison.json"))
    assert data["exact"] == comparison.comparison.exact.values.tolist()


def test_heat_maps_stand_side_by_side_where_their_words_fit(explanation):
    def columns(count):
        level = explanation.levels[0]
        many = replace(
            level,
            text_tokens=(level.text_tokens * 5)[:count],
            similarity=level.similarity.repeat(1, 5)[:, :count],
            text_logits=level.text_logits.repeat(5)[:count],
        )
        comparison = compare_level(
            replace(explanation, levels=(many,)), "entity", [64], [0], limit_seconds=0
        )
        figure = heat_map_figure(view_of(comparison))
        return len({trace.xaxis for trace in figure.data}), len(
            {axis.domain for axis in figure.select_yaxes()}
        )

    assert columns(16) == (3, 1)
    assert columns(64) == (3, 3)


def test_text_of_users_is_text(explanation):
    event = explanation.levels[2]
    tokens = (replace(event.text_tokens[0], text="<b>bold</b>"), *event.text_tokens[1:])
    changed = replace(explanation, levels=(replace(event, text_tokens=tokens),))
    view = view_of(compare_level(changed, "event", [64], [0], LONGEST_ENUMERATION))
    assert any("&lt;b&gt;" in text for text in scatter_figure(view).data[0].text)
    figure = heat_map_figure(view)
    assert "&lt;b&gt;bold&lt;/b&gt;" in figure.layout.xaxis.ticktext
    assert "<b>bold" not in cost_figure(view).to_json()


def test_the_notes_escape_names(tab, explanation, shown):
    named = replace(explanation, video=replace(explanation.video, name="a_b*c.mp4"))
    comparison = replace(shown[tab.comparison], explanation=named)
    assert r"a\_b\*c.mp4" in describe(comparison)
    assert comparison.title == "a_b*c-action"
    with pytest.raises(InputError, match="Cannot write"):
        comparison.save("/proc/nothing")
