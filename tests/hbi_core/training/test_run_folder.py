"""The folder of a run: what it tells, and that it answers only for its own settings."""

from __future__ import annotations

import json
import logging
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from hbi_core.checkpoints.checkpoint import load_checkpoint
from hbi_core.data import read_corpus
from hbi_core.errors import SettingsError
from hbi_core.tasks import TASKS
from hbi_core.tasks.retrieval import RetrievalTask
from hbi_core.training.config import TrainConfig
from hbi_core.training.config_file import read_config
from hbi_core.training.folder import BEST, read_result
from hbi_core.training.loop import train
from hbi_core.training.state import save_state, saved_states
from support.releases import write_drawing
from support.small_runs import lines, settings
from support.toy import ToyEncoder


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


def copy_of(config, out):
    """A run in another folder, to be damaged."""
    shutil.copytree(config.out, out)
    return replace(config, out=out)


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

    class WithoutData(RetrievalTask):
        corpus = None

    monkeypatch.setitem(TASKS, "retrieval", WithoutData)
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


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("config.yaml", ""),
        ("config.yaml", "a: ["),
        ("config.yaml", "- 1\n"),
        ("config.yaml", "\udcff"),
        ("config.yaml", "data: 3\n"),
        ("result.json", ""),
        ("result.json", "3"),
        ("result.json", "{}"),
    ],
)
def test_a_damaged_file_is_told(ended, tmp_path, file, text):
    config = copy_of(ended, tmp_path / "run")
    (config.out / file).write_bytes(text.encode("utf-8", "surrogateescape"))
    before = contents(config.out)
    with pytest.raises(SettingsError, match=rf"(?s){re.escape(file)}.*out=FOLDER|other settings"):
        train(config, ToyEncoder())
    assert contents(config.out) == before


def test_a_result_that_was_lost_is_written_anew(ended, tmp_path):
    config = copy_of(ended, tmp_path / "run")
    result = (config.out / "result.json").read_text()
    (config.out / "result.json").unlink()
    before = contents(config.out)[config.out / BEST]
    train(config, ToyEncoder())
    assert (config.out / "result.json").read_text() == result
    assert (config.out / BEST).read_bytes() == before


def test_a_run_that_lost_its_checkpoint_is_told(ended, tmp_path):
    config = copy_of(ended, tmp_path / "run")
    (config.out / BEST).unlink()
    with pytest.raises(SettingsError, match=rf"{re.escape(BEST)}, which is not there"):
        train(config, ToyEncoder())
    (config.out / "result.json").unlink()  # as of a run that goes on
    with pytest.raises(SettingsError, match=rf"{re.escape(BEST)}, which is not there"):
        train(config, ToyEncoder())


def test_a_result_alone_has_its_settings(ended, tmp_path):
    config = copy_of(ended, tmp_path / "run")
    (config.out / BEST).unlink()
    shutil.rmtree(saved_states(config.out)[0])
    with pytest.raises(SettingsError, match=r"other settings \(seed: 0 -> 7\)"):
        train(replace(config, seed=7), ToyEncoder())


@pytest.fixture
def stopped(tmp_path):
    """Settings of a run that was stopped after its first epoch, on eight photographs; and how
    their captions are written.
    """
    root = tmp_path / "data"
    (root / "Images").mkdir(parents=True)
    for number in range(8):
        Image.new("RGB", (20, 20), (30 * number, 0, 0)).save(root / "Images" / f"{number}.jpg")

    def write(captions):
        rows = ["image,caption", *(f"{name}.jpg,{text}" for name, text in captions.items())]
        (root / "captions.txt").write_text("\n".join(rows) + "\n")
        for split, names in (("train", list(captions)[:-2]), ("dev", list(captions)[-2:])):
            names = "".join(f"{name}.jpg\n" for name in names)
            (root / f"Flickr_8k.{split}Images.txt").write_text(names)

    write(CAPTIONS)
    config = settings(
        tmp_path / "run",
        root,
        data={"dataset": "flickr8k", "frames": 1, "workers": 0, "cache": None},
        loss={"target": "none", "distillation": ()},
        optimiser={"batch_size": 2},
    )

    def once(*arguments):
        save_state(*arguments)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config, ToyEncoder(), once)
    return config, write


CAPTIONS = {str(number): f"a dog {number}" for number in (0, 1, 2, 3, 6, 7)}


@pytest.mark.parametrize(
    ("captions", "told"),
    [
        ({"4": "a cat", "5": "a cow"} | CAPTIONS, r"train: 4 clips.* -> train: 6 clips.*steps: 4"),
        (CAPTIONS | {"1": "a dog that runs"}, r"\(digest of train: \w+ -> \w+\)"),
        ({"1": "a dog 1"} | CAPTIONS, r"\(digest of train: \w+ -> \w+\)"),
        (CAPTIONS | {"6": "a cat"}, r"\(digest of validation: \w+ -> \w+\)"),
    ],
    ids=["more", "another caption", "another order", "validation"],
)
def test_other_data_are_refused(stopped, captions, told):
    """Steps would be left out, and the best score is of other clips."""
    config, write = stopped
    write(captions)
    before = contents(config.out)
    with pytest.raises(SettingsError, match=f"began with other data.*{told}"):
        train(config, ToyEncoder())
    assert contents(config.out) == before


def test_a_clip_that_can_no_longer_be_read_is_other_data(stopped):
    config, _ = stopped
    (config.data.root / "Images" / "2.jpg").write_text("broken")
    with pytest.raises(SettingsError, match=r"train: 4 clips.* -> train: 3 clips"):
        train(config, ToyEncoder())


def test_the_same_data_go_on(stopped):
    config, write = stopped
    write(CAPTIONS)
    train(config, ToyEncoder())
    assert [line["step"] for line in lines(config.out) if "loss/total" in line] == [1, 2, 3, 4]


@pytest.mark.parametrize("text", [None, "", "[]", "{}"])
def test_a_run_that_does_not_tell_its_data_is_refused(stopped, text):
    config, _ = stopped
    if text is None:
        (config.out / "run.json").unlink()
    else:
        (config.out / "run.json").write_text(text)
    with pytest.raises(SettingsError, match=r"run\.json|other data"):
        train(config, ToyEncoder())


def test_a_damaged_state_is_told(stopped):
    """Each of its files: cut off, or lost."""
    config, _ = stopped
    (state,) = saved_states(config.out)
    files = [file for file in state.rglob("*") if file.is_file()]
    assert len(files) == 4  # weights, optimiser, random states, steps done
    for file in files:
        whole = file.read_bytes()
        for damaged in (whole[:40], b"", None):
            file.unlink()
            if damaged is not None:
                file.write_bytes(damaged)
            with pytest.raises(SettingsError, match=rf"{state.name} cannot be read"):
                train(config, ToyEncoder())
            file.write_bytes(whole)
    train(config, ToyEncoder())


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
    frozen = settings(tmp_path / "frozen", small, optimiser={"epochs": 1}, data={"workers": 0})
    train(frozen, ToyEncoder())
    told = json.loads((tmp_path / "frozen" / "run.json").read_text())["encoder"]
    assert told == "toy: 25,600 parameters, 0 of them learn"
    step = lines(tmp_path / "run")[0]
    assert {f"loss/{name}" for name in facts["losses"].split(", ")} | {"loss/total"} == {
        name for name in step if name.startswith("loss/")
    }
    assert "16 clips are few to choose a checkpoint on" in caplog.text
    assert not (tmp_path / "run" / "missing.txt").exists()


def test_what_is_left_out_is_listed(tmp_path):
    """In a file, all of it; in the facts, how many."""
    root, out = write_drawing(tmp_path / "data"), tmp_path / "run"
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
