"""compare_level(): the numbers are those of the explainers, and the files hold them."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import replace

import pytest
import torch

from explainers import closed_form, compare, enumerate_coalitions, estimate, sample_coalitions
from explainers.methods import METHODS, Method
from hbi_core.errors import InputError
from hbi_core.estimator import load_estimator
from hbi_core.exact_vs_estimated import compare_level
from hbi_core.figures.methods_page import cost_figure, scatter_figure
from hbi_core.figures.methods_print import methods_print
from hbi_core.figures.methods_table import HEADERS, methods_table
from hbi_core.figures.methods_view import column_labels, heat_maps, view_of
from hbi_core.pipeline import explain
from support.demo import CAFE
from support.printed import assert_for_print

LONG = 3600.0  # seconds; as long as a full enumeration may take
FILES = {
    "comparison.json",
    "comparison.csv",
    "comparison.pdf",
    "comparison.svg",
    "comparison.png",
}


@pytest.fixture(scope="module")
def comparison(explanation):
    return compare_level(explanation, "action", (64, 1024), (3, 4), LONG, device="cpu")


@pytest.fixture(scope="module")
def saved(comparison, tmp_path_factory):
    return comparison.save(tmp_path_factory.mktemp("saved") / "new")


def test_a_level_gives_its_game(explanation):
    for level in explanation.levels:
        game = level.game(explanation.weighting)
        assert float(game.grand_value()) == pytest.approx(level.score, abs=1e-12)
        assert (closed_form(game).values - level.interactions.values).abs().max() < 1e-12


def test_numbers_are_those_of_the_explainers(comparison, explanation):
    game = explanation.levels[1].game(explanation.weighting)
    assert comparison.players == game.players
    assert comparison.coalitions == 2**game.players
    alone = {
        "closed_form": lambda row: closed_form(game),
        "enumeration": lambda row: enumerate_coalitions(game),
        "estimator": lambda row: estimate(game, load_estimator()),
        "sampling": lambda row: sample_coalitions(
            game, row.budget, torch.Generator().manual_seed(row.seed)
        ),
    }
    result = comparison.comparison
    sampled = [(row.budget, row.seed) for row in result.rows if row.method == "sampling"]
    assert sampled == [(64, 3), (64, 4), (1024, 3), (1024, 4)]
    assert {row.method for row in result.rows} == set(alone)
    for row, estimated in zip(result.rows, result.estimates, strict=True):
        expected = alone[row.method](row)
        assert torch.equal(estimated.values, expected.values), row.method
        assert row.coalitions == expected.coalitions_evaluated
    by_hand = compare(
        game, ("estimator", "sampling"), (64, 1024), (3, 4), estimator=load_estimator(), top=6
    )
    agreements = [row.agreement for row in result.rows if row.method in ("estimator", "sampling")]
    assert agreements == [row.agreement for row in by_hand.rows]


def test_the_device_is_said(explanation):
    comparison = compare_level(explanation, "event", (64,), (0,), LONG)
    if torch.cuda.is_available():
        assert comparison.device == f"GPU ({torch.cuda.get_device_name()})"
    else:
        assert comparison.device.startswith("CPU (")
        assert "no GPU was found" in comparison.device
    for estimated in comparison.comparison.estimates:
        assert estimated.values.device.type == "cpu"


def test_progress_is_told(explanation):
    class Progress(list):  # false while it is empty, as gradio's is
        def __call__(self, fraction, step):
            self.append((fraction, step))

    steps = Progress()
    compare_level(explanation, "event", (64,), (0,), progress=steps)
    assert [fraction for fraction, _ in steps] == sorted(fraction for fraction, _ in steps)
    assert ("Running: full enumeration") in [step for _, step in steps]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"level": "scene"}, "no level 'scene': use one of entity, action, event"),
        ({"budgets": ()}, "at least one sampling budget"),
        ({"budgets": (3,)}, "budget of 3 coalitions"),
        ({"budgets": (64, 2**20 + 1)}, "4 to 1,048,576"),
        ({"budgets": (64.5,)}, "whole number"),
        ({"seeds": ()}, "0 seeds were asked for; use 1 to 20"),
        ({"seeds": range(21)}, "21 seeds"),
        ({"seeds": (-1,)}, "seed -1"),
        ({"limit_seconds": -1}, "limit of -1 seconds"),
        ({"limit_seconds": math.nan}, "limit of nan seconds"),
    ],
)
def test_wrong_input(explanation, arguments, message):
    with pytest.raises(InputError, match=message):
        compare_level(explanation, **{"level": "event"} | arguments)


def test_what_is_not_enumerated_says_why(explanation, tmp_path):
    comparison = compare_level(explanation, "entity", (64,), (0,), limit_seconds=0)
    players = 12 + len(explanation.levels[0].text_tokens)
    assert comparison.players == players
    row = next(row for row in comparison.comparison.rows if row.method == "enumeration")
    assert row.agreement is None
    assert row.note.startswith(
        f"{players} players have {2**players:,} coalitions, and a limit of 0 seconds allows none. "
    )
    assert {run.method for run in view_of(comparison).exact_runs} == {"closed_form"}
    comparison.save(tmp_path, "column")
    data = json.loads((tmp_path / "comparison.json").read_text())
    assert data["rows"][1]["seconds"] is None


def test_files_hold_the_numbers(comparison, explanation, saved, tmp_path):
    assert {path.name for path in saved} == FILES
    folder = saved[0].parent
    data = json.loads((folder / "comparison.json").read_text())
    assert data["schema"] == "hbi-comparison/1"
    assert data["caption"] == explanation.caption
    assert data["model"] == explanation.to_dict()["model"]
    assert data["level"] == explanation.to_dict()["levels"][1]
    assert (data["players"], data["coalitions"]) == (9, 512)
    assert data["exact"] == comparison.comparison.exact.values.tolist()
    for row, estimated in zip(data["rows"], comparison.comparison.estimates, strict=True):
        assert row["values"] == estimated.values.tolist()
    rows = list(csv.DictReader(io.StringIO((folder / "comparison.csv").read_text("utf-8-sig"))))
    table = comparison.comparison.table()
    assert [row["max_error"] for row in rows] == [str(row["max_error"]) for row in table]
    with pytest.raises(InputError, match="width is 'page'"):
        comparison.save(tmp_path, "page")


def test_the_same_comparison_gives_the_same_files(comparison, saved, tmp_path):
    for one, other in zip(saved, comparison.save(tmp_path), strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name


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
    comparison = compare_level(nothing, "event", (64,), (0,), LONG)
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
    assert f"difference × {maps[2].zoom}, at most {abs(off).max():.2g}" == maps[2].title
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
