"""Rows of an ablation: trained once each, and told as they were measured."""

from __future__ import annotations

import json
import statistics
from dataclasses import replace

import pytest

from hbi_core.errors import SettingsError
from hbi_core.settings import plain
from hbi_core.tasks import TASKS
from hbi_core.tasks.retrieval import RetrievalTask
from hbi_core.training.ablation import COLUMNS, Ablation, Row, as_markdown, planned, run_ablation
from hbi_core.training.config_file import read_config
from support.demo import ROOT
from support.small_runs import settings, toy_train

FILE = ROOT / "configs" / "ablation_flickr.yaml"


def test_rows_that_we_measured_can_be_read():
    ablation = read_config(Ablation, ["--config", str(FILE)])
    assert len(ablation.seeds) == 3
    rows = planned(replace(ablation, seeds=(0,)))
    folders = {config.out for _, _, configs in rows for config in configs}
    assert 20 < len(folders) < len(rows)
    assert {c.out for c in rows[-1][2]} == {c.out for c in rows[4][2]}  # both are the whole model


@pytest.fixture
def ablation(small, tmp_path):
    """Two rows and a twin of the first, two seeds, of runs of two steps."""
    base = tmp_path / "base.yaml"
    base.write_text(json.dumps(plain(settings(tmp_path / "x", small, optimiser={"epochs": 1}))))
    rows = {"without": {"loss.target": "none"}, "with": {}}
    return Ablation(
        base,
        {"data.clips": 32, "loss.distillation": [], "encoder": "lite"},
        {"Tab. 1: one": rows, "Tab. 2: other": {"again": {"loss.target": "none"}}},
        (0, 1),
        tmp_path / "runs",
        tmp_path / "docs" / "ablation.md",
    )


def test_each_row_is_trained_once(ablation, monkeypatch):
    first, second, again = run_ablation(ablation, toy_train)
    folders = list(ablation.out.iterdir())
    assert len(folders) == 4
    results = [json.loads((f / "result.json").read_text())["validation"] for f in folders]
    measured = sorted(result["text_to_video"]["MnR"] for result in results)
    assert sorted(first.results["MnR"] + second.results["MnR"]) == measured
    assert again.results == first.results
    text = ablation.document.read_text()
    mean, deviation = (f(first.results["MnR"]) for f in (statistics.mean, statistics.stdev))
    assert text.count(f" {mean:.1f} ± {deviation:.1f} |") >= 2
    gains = [b - a for a, b in zip(first.results["R@1"], second.results["R@1"], strict=True)]
    mean, deviation = statistics.mean(gains), statistics.stdev(gains)
    assert text.count(f"| {mean:+.1f} ± {deviation:.1f} |\n") == 1
    assert "over 2 seeds" in text
    assert "train: 32 clips, 32 captions" in text

    class WithoutData(RetrievalTask):
        corpus = None  # nothing is trained again

    monkeypatch.setitem(TASKS, "retrieval", WithoutData)
    run_ablation(ablation, toy_train)
    assert ablation.document.read_text() == text


def test_tables_that_are_not_measured_are_told(ablation):
    facts = {"train": "", "validation": "", "steps": ""}
    rows = [
        Row(table, name, {column: [1.0] for column in COLUMNS})
        for table, names in ablation.tables.items()
        for name in names
    ]
    told = "\nNot measured, or not every row: "
    assert told not in as_markdown(ablation, facts, rows)
    assert f"{told}Tab. 2: other.\n" in as_markdown(ablation, facts, rows[:2])
    assert f"{told}Tab. 1: one; Tab. 2: other.\n" in as_markdown(ablation, facts, rows[:1])


def test_the_document_in_docs_has_every_row():
    """Its tables are those of the configuration; what is not measured, it names."""
    plan = read_config(Ablation, ["--config", str(FILE)])
    head, *tables = (FILE.parents[1] / plan.document).read_text("utf-8").split("\n## ")
    known = {
        title: [line.split("|")[1].strip() for line in lines[3:] if line]
        for title, *lines in (table.split("\n") for table in tables)
    }
    for title, rows in plan.tables.items():
        assert known.get(title) == list(rows) or title in head, title


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"seeds": ()}, "needs a seed"),
        ({"seeds": (-1,)}, "seeds"),
        ({"tables": {"Tab. 1": {}}}, "a row in each table"),
        ({"tables": {"Tab. 1": {"a": {}, "b": {"optimiser.epochs": 0}}}}, "epochs is 0"),
        ({"tables": {"Tab. 1": {"a": {}, "b": {"optimiser.epoch": 1}}}}, "epoch"),
        ({"tables": {"Tab. 1": {"a": {"data.validation": None}}}}, "must not be null"),
        ({"document": FILE.parent}, "is a folder"),
    ],
)
def test_wrong_rows_are_told_before_the_first_is_trained(ablation, changes, told):
    with pytest.raises(SettingsError, match=told):
        run_ablation(replace(ablation, **changes), toy_train)
    assert not ablation.out.exists()
