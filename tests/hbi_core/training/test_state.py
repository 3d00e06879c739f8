"""A run goes on where it was killed."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from hbi_core.tensor_file import read_tensors
from hbi_core.training.folder import BEST
from hbi_core.training.loop import train
from hbi_core.training.state import Metrics, save_state, saved_states
from support.patience import PATIENCE
from support.processes import child, forks
from support.small_runs import lines, losses, settings
from support.toy import ToyEncoder

RANDOM = {"noise": 0.3, "dropout": 0.3}

LONG = {"epochs": 4, "average": 0.9}


def run_until_killed(config, encoder, moment):
    """Train in a process that dies at a moment."""
    write, rename = Metrics.write, Path.rename

    def die():
        os.kill(os.getpid(), signal.SIGKILL)

    def after_writing(self, step, numbers):
        write(self, step, numbers)
        if step == 7:
            die()

    def before_renaming(self, target):
        return die() if str(target).endswith("-00000008") else rename(self, target)

    def before_saving(accelerator, folder, step):
        return die() if step == 8 else save_state(accelerator, folder, step)

    with pytest.MonkeyPatch.context() as patch:
        if moment == "between two states":
            patch.setattr(Metrics, "write", after_writing)
        elif moment == "saved but not renamed":
            patch.setattr(Path, "rename", before_renaming)
        last = moment == "validated but not saved"
        train(config, encoder, before_saving if last else save_state)


def killed(config, encoder, moment):
    """Leave in config.out what such a process leaves; returns the step of its saved state."""
    process = child(run_until_killed, config, encoder, moment)
    process.join(PATIENCE)
    assert process.exitcode == -signal.SIGKILL
    return int(saved_states(config.out)[-1].name.removeprefix("state-"))


@pytest.fixture(scope="module", params=["frozen", "learning", "rebuilt"])
def uninterrupted(request, small, tmp_path_factory):
    """A whole run: its settings, and whether its encoder learns."""
    learns = request.param == "learning"
    config = settings(
        tmp_path_factory.mktemp(request.param) / "whole",
        small,
        data={"workers": 1},
        model=RANDOM | {"reconstruction": request.param == "rebuilt"},
        optimiser=LONG | {"encoder_learning_rate": 1e-3 if learns else 0.0},
        save_every=3,
        evaluate_every=2,
    )
    train(config, ToyEncoder(learns))
    return config, learns


@forks
@pytest.mark.parametrize(
    "moment", ["between two states", "saved but not renamed", "validated but not saved"]
)
def test_goes_on_where_it_was_killed(uninterrupted, moment, tmp_path):
    whole, learns = uninterrupted
    if (learns or whole.model.reconstruction) and moment != "between two states":
        pytest.skip("the frozen run shows it")
    config = replace(whole, out=tmp_path / "killed")
    saved = killed(config, ToyEncoder(learns), moment)
    assert 0 < saved < 16
    (config.out / "state.partial" / "model").mkdir(parents=True, exist_ok=True)
    (config.out / "state.partial" / "model" / "half").write_text("x")
    with (config.out / "metrics.jsonl").open("a") as file:
        file.write('{"step": 9, "loss/tot')
    train(config, ToyEncoder(learns))
    assert [line["step"] for line in losses(config.out)] == list(range(1, 17))
    assert lines(config.out) == lines(whole.out)
    ours, expected = (read_tensors(c.out / BEST)[0] for c in (config, whole))
    assert ours.keys() == expected.keys()
    assert all(torch.equal(ours[name], expected[name]) for name in expected)
    assert [path.name for path in saved_states(config.out)] == ["state-00000016"]
    assert not (config.out / "state.partial").exists()


def test_a_finished_run_stays_as_it_is(uninterrupted):
    whole, learns = uninterrupted
    before = lines(whole.out), (whole.out / BEST).stat().st_mtime_ns
    assert train(whole, ToyEncoder(learns)) == whole.out / BEST
    assert (lines(whole.out), (whole.out / BEST).stat().st_mtime_ns) == before


def test_state_at_the_end_of_an_epoch_knows_its_validation(small, tmp_path):
    """Also where save_every falls on that step: going on from it must not validate again."""
    config = settings(tmp_path, small, save_every=4)
    train(config, ToyEncoder())
    before = lines(tmp_path)
    assert [line["step"] for line in before] == [1, 2, 3, 4, 4, 5, 6, 7, 8, 8]
    assert not (tmp_path / "state.partial").exists()
    train(config, ToyEncoder())
    assert lines(tmp_path) == before


def test_metrics_take_back_what_came_after_the_state(tmp_path):
    metrics = Metrics(tmp_path, 0, True)
    for step in (1, 2, 3):
        metrics.write(step, {"loss": step / 2})
    metrics.close()
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 2, "lo')
    Metrics(tmp_path, 2, False)  # another process, which does not write
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 4
    metrics = Metrics(tmp_path, 2, True)
    metrics.write(3, {"loss": 9.0})
    metrics.close()
    assert lines(tmp_path) == [
        {"step": 1, "loss": 0.5},
        {"step": 2, "loss": 1.0},
        {"step": 3, "loss": 9.0},
    ]
