"""compare_level(): the numbers are those of the explainers, and the files hold them."""

from __future__ import annotations

import csv
import io
import json
import math

import pytest
import torch

from explainers import closed_form, compare, enumerate_coalitions, estimate, sample_coalitions
from hbi_core.errors import InputError
from hbi_core.estimator import load_estimator
from hbi_core.exact_vs_estimated import TOP, compare_level
from hbi_core.figures.methods_view import view_of

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
        game,
        ("estimator", "sampling"),
        (64, 1024),
        (3, 4),
        estimator=load_estimator(),
        top=min(TOP, game.similarity.numel() // 3),
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
    players = sum(explanation.levels[1].similarity.shape)
    assert (data["players"], data["coalitions"]) == (players, 2**players)
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
