"""What training promises holds for every task: resuming, several processes, checkpoints."""

from __future__ import annotations

import os
import signal
from dataclasses import replace

import pytest
import torch

from hbi_core.checkpoints.checkpoint import load_checkpoint
from hbi_core.data.encoding import encode_corpus
from hbi_core.tasks import TASKS, load_task
from hbi_core.tensor_file import read_tensors
from hbi_core.training.folder import BEST, read_result
from hbi_core.training.loop import train
from hbi_core.training.state import Metrics, saved_states
from support.patience import PATIENCE
from support.processes import child, forks, on_two_processes
from support.small_runs import lines, losses, settings
from support.toy import ToyEncoder

RUNS = {
    "retrieval": {},
    "question_answering": {
        "data": {"dataset": "synthetic_questions", "words": 32},
        "task_settings": {"hidden": 16},
    },
    "captioning": {
        "task_settings": {"width": 16, "layers": 1, "heads": 2, "hidden": 32, "longest": 12},
    },
}
SURE = {"captioning": {"without_video": 0.0, "dropout": 0.0}}  # nothing is drawn in a step


def run_of(task, out, small, sure=False, **others):
    own = {name: dict(value) for name, value in RUNS[task].items()}
    own.setdefault("data", {})
    if sure:
        own["task_settings"] = own.get("task_settings", {}) | SURE.get(task, {})
    own["data"] |= others.pop("data", {})
    return settings(out, small, task=task, **own, **others)


def test_no_task_is_left_out():
    assert RUNS.keys() == TASKS.keys()


def run_until_killed(config):
    """Train in a process that dies in the second epoch, after a state was saved."""
    write = Metrics.write

    def deadly(self, step, numbers):
        write(self, step, numbers)
        if step == 7:
            os.kill(os.getpid(), signal.SIGKILL)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Metrics, "write", deadly)
        train(config, ToyEncoder())


@forks
@pytest.mark.parametrize("task", RUNS)
def test_goes_on_where_it_was_killed_and_comes_back(task, small, tmp_path):
    """Equal to the bit to a run that nobody interrupted, and its file measures what it did."""
    random = {"noise": 0.3, "dropout": 0.3}
    whole = run_of(task, tmp_path / "whole", small, model=random, save_every=3)
    train(whole, ToyEncoder())
    config = replace(whole, out=tmp_path / "killed")
    process = child(run_until_killed, config)
    process.join(PATIENCE)
    assert process.exitcode == -signal.SIGKILL
    assert saved_states(config.out)
    best = train(config, ToyEncoder())
    assert lines(config.out) == lines(whole.out)
    ours, expected = (read_tensors(c.out / BEST)[0] for c in (config, whole))
    assert ours.keys() == expected.keys()
    assert all(torch.equal(ours[name], expected[name]) for name in expected)

    model, data = load_checkpoint(best), config.data
    assert model.task.name == task
    features = encode_corpus(
        ToyEncoder(), TASKS[task].corpus(data, data.validation), data.frames, words=data.words
    )
    measured, told = load_task(model).validate(features), read_result(config.out)["validation"]
    assert measured.keys() == told.keys()
    for name, values in measured.items():
        assert values == pytest.approx(told[name], rel=1e-6)


@forks
@pytest.mark.parametrize("task", RUNS)
def test_two_processes_are_one(task, small, tmp_path):
    """Step by step, but for the order of sums in float32."""
    chosen = {"data": {"workers": 0}, "loss": {"target": "none"}}
    one, two = (run_of(task, tmp_path / n, small, sure=True, **chosen) for n in ("one", "two"))
    on_two_processes(two, ToyEncoder(), lambda: train(one, ToyEncoder()))
    assert len(losses(two.out)) == len(losses(one.out)) > 4
    for ours, expected in zip(losses(two.out), losses(one.out), strict=True):
        assert ours["loss/total"] == pytest.approx(expected["loss/total"], rel=2e-2)
