"""The folder of a run: what it tells, and that it answers only for its own settings."""

from __future__ import annotations

import json
import logging
import re
from dataclasses import replace
from pathlib import Path

import pytest

from hbi_core.checkpoint import load_checkpoint
from hbi_core.data import read_corpus
from hbi_core.errors import SettingsError
from hbi_core.train import read_config
from hbi_core.training.config import TrainConfig
from hbi_core.training.folder import BEST, read_result
from hbi_core.training.loop import train
from hbi_core.training.progress import saved_states
from small_runs import lines, settings
from toy import ToyEncoder


@pytest.fixture(scope="module")
def ended(small, tmp_path_factory):
    """The settings of a run that has ended."""
    config = settings(
        tmp_path_factory.mktemp("ended") / "run",
        small,
        loss={"target": "none", "distillation": ()},
        optimiser={"epochs": 1},
    )
    train(config, ToyEncoder())
    return config


def contents(folder):
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path: path.read_bytes() for path in files}


def test_its_settings_can_be_read_again(ended):
    read = read_config(TrainConfig, ["--config", str(ended.out / "config.yaml")])
    assert read == ended


@pytest.mark.parametrize(
    ("part", "changes", "told"),
    [
        ("loss", {"beta": 0.0}, r"loss\.beta: 2\.0 -> 0\.0"),
        ("model", {"width": 16}, r"model\.width: 32 -> 16"),
        ("data", {"root": Path("elsewhere")}, r"data\.root: .* -> elsewhere"),
        ("optimiser", {"epochs": 2}, r"optimiser\.epochs: 1 -> 2\). More epochs cannot be added"),
        (None, {"seed": 5, "half": True}, r"half: False -> True, seed: 0 -> 5"),
    ],
)
def test_others_are_refused(ended, part, changes, told):
    """At once, whether the run has ended or not; and nothing in the folder changes."""
    changed = replace(getattr(ended, part), **changes) if part else None
    config = replace(ended, **({part: changed} if part else changes))
    before = contents(ended.out)
    with pytest.raises(SettingsError, match=told):
        train(config, ToyEncoder())
    assert contents(ended.out) == before


def test_what_changes_no_result_may_differ(ended, monkeypatch, capsys):
    """And a run that has ended says so, without reading its data."""
    monkeypatch.setattr("hbi_core.training.run.read_corpus", None)
    data = replace(ended.data, workers=0, cache=None)
    again = replace(ended, data=data, save_every=7, out=ended.out / ".." / "run")
    before = contents(ended.out)
    assert train(again, ToyEncoder()) == again.out / BEST
    assert "has ended, after 4 steps" in capsys.readouterr().out
    assert contents(ended.out) == before


def test_its_result_is_that_of_the_checkpoint(ended):
    result = read_result(ended.out)
    assert (result["checkpoint"], result["step"], result["best_step"]) == (BEST, 4, 4)
    assert result["validation"] == load_checkpoint(ended.out / BEST).training["validation"]
    (last,) = [line for line in lines(ended.out) if "text_to_video/R@1" in line]
    assert last["text_to_video/R@1"] == result["validation"]["text_to_video"]["R@1"]


def test_the_checkpoint_keeps_what_the_model_reads(ended):
    retrieval = load_checkpoint(ended.out / BEST).retrieval
    assert (retrieval.frames, retrieval.words, retrieval.level_weights) == (8, 24, (1.0,) * 3)


def test_all_of_its_files_can_be_read_by_others(ended):
    (ended.out / "other").touch()
    expected = (ended.out / "other").stat().st_mode
    files = [*ended.out.glob("*.*"), *saved_states(ended.out)[0].rglob("*.safetensors")]
    assert {"model.safetensors", BEST} <= {file.name for file in files}
    assert {file.stat().st_mode for file in files if file.is_file()} == {expected}
    (ended.out / "other").unlink()


def test_a_state_without_settings_is_refused(ended, tmp_path):
    config = replace(ended, out=tmp_path)
    (tmp_path / "state-00000004").mkdir()
    with pytest.raises(SettingsError, match=r"not its config\.yaml"):
        train(config, ToyEncoder())


def test_where_nothing_was_saved_any_settings_will_do(ended, tmp_path):
    """As after a run that was refused, or that diverged in its first steps."""
    wrong = replace(ended, out=tmp_path, seed=7)
    (tmp_path / "config.yaml").write_text((ended.out / "config.yaml").read_text())
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "loss/total": 3.0}\n')
    train(wrong, ToyEncoder())
    assert read_config(TrainConfig, ["--config", str(tmp_path / "config.yaml")]).seed == 7
    assert [line["step"] for line in lines(tmp_path)] == [1, 2, 3, 4, 4]


def test_what_a_run_is_stands_at_its_start(small, tmp_path, capsys, caplog):
    config = settings(
        tmp_path / "run",
        small,
        loss={"beta": 0.0},
        optimiser={"epochs": 3, "average": 0.5, "encoder_learning_rate": 1e-3, "accumulation": 2},
        data={"workers": 0},
        evaluate_every=3,
    )
    with caplog.at_level(logging.WARNING):
        train(config, ToyEncoder(learns=True))
    facts = json.loads((tmp_path / "run" / "run.json").read_text())
    printed = capsys.readouterr().out
    for name, fact in facts.items():
        assert f"{name:21}{fact}" in printed
    assert facts["train"] == "train: 64 clips, 64 captions"
    assert facts["validation"] == "validation: 16 clips, 16 captions"
    assert facts["steps"].startswith("12 in 3 epochs, batches of 16")
    assert facts["encoder"] == "toy: 25,600 parameters, 25,600 of them learn"
    assert facts["processes"].startswith("1 (")
    model = load_checkpoint(tmp_path / "run" / BEST).hierarchy
    count = sum(parameter.numel() for parameter in model.parameters())
    assert facts["model"].startswith(f"{count:,} parameters, {count:,} of them learn")
    step = lines(tmp_path / "run")[0]
    assert {f"loss/{name}" for name in facts["losses"].split(", ")} | {"loss/total"} == {
        name for name in step if name.startswith("loss/")
    }
    assert "16 clips are few to choose a checkpoint on" in caplog.text
    assert not (tmp_path / "run" / "missing.txt").exists()


def test_what_is_left_out_is_listed(tmp_path):
    """In a file, all of it; in the facts, how many."""
    root, out = tmp_path / "data", tmp_path / "run"
    corpus = read_corpus("synthetic", root, "train").clips
    for number in (3, 5):
        corpus[number].files[0].write_text("broken")
    train(
        settings(out, root, optimiser={"epochs": 1}, data={"clips": 60, "workers": 0}),
        ToyEncoder(),
    )
    listed = [line.split("\t") for line in (out / "missing.txt").read_text().splitlines()]
    kept = {clip.id for clip in read_corpus("synthetic", root, "train").subset(60).clips}
    broken = [f"train-{n}" for n in (3, 5) if f"train-{n}" in kept]
    assert [line[:2] for line in listed] == [["train", name] for name in broken]
    assert all(re.search(r"\d-0\.png cannot be read", reason) for _, _, reason in listed)
    facts = json.loads((out / "run.json").read_text())
    assert facts["train"].endswith(f"; {len(broken)} left out, see missing.txt")
