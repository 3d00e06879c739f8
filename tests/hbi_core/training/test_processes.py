"""Training on two processes is training on one."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from hbi_core.errors import DataError, SettingsError
from hbi_core.training.config import OptimiserConfig
from hbi_core.training.folder import BEST
from hbi_core.training.loop import train
from hbi_core.training.processes import check_same_clips, new_name, start_processes
from hbi_core.training.state import saved_states
from support.patience import PATIENCE
from support.ports import free_port
from support.processes import as_one_of_two, child, forks, on_two_processes
from support.small_runs import clips_with, lines, losses, settings
from support.toy import ToyEncoder


@forks
def test_a_run_on_two_processes(small, tmp_path):
    """The losses that see all pairs are those of one process, step by step, in float32.

    Each process encodes its half of the clips, also where no cache was asked for.
    """
    one, two = (
        settings(tmp_path / name, small, data={"cache": None, "workers": 0}, save_every=3)
        for name in ("one", "two")
    )
    encoded = on_two_processes(two, ToyEncoder(), lambda: train(one, ToyEncoder()))
    assert encoded == [8 * (64 + 16) // 2] * 2
    assert [line["step"] for line in lines(two.out)] == [line["step"] for line in lines(one.out)]
    for ours, expected in zip(losses(two.out), losses(one.out), strict=True):
        for level in ("entity", "action", "event"):
            name = f"loss/contrastive/{level}"
            assert ours[name] == pytest.approx(expected[name], rel=2e-2), name
            name = f"loss/banzhaf/{level}"  # of a process's own pairs: logged is their mean
            assert ours[name] == pytest.approx(expected[name], rel=5e-2), name
    assert (two.out / BEST).is_file()
    assert not list((two.out / "features").glob("meeting-*"))
    assert [path.name for path in saved_states(two.out)] == ["state-00000008"]
    assert json.loads((two.out / "run.json").read_text())["processes"] == "2 (cpu)"


class Running(ToyEncoder):
    """Keeps a running mean, as batch normalisation does; each process sees its own batches."""

    def __init__(self):
        super().__init__(learns=True)
        self.register_buffer("mean", torch.tensor(0.0))

    def frame_features(self, pixels):
        if self.training:
            self.mean.lerp_(pixels.mean(), 0.1)
        return super().frame_features(pixels - self.mean)


@forks
def test_two_processes_share_the_validation_of_an_encoder_that_learns(small, tmp_path):
    config = settings(
        tmp_path / "two",
        small,
        data={"clips": 32, "workers": 0},
        loss={"target": "none", "distillation": ()},
        optimiser={"encoder_learning_rate": 1e-3},
    )
    encoded = on_two_processes(config, Running())
    assert encoded == [2 * 8 * 16 // 2] * 2  # in two epochs
    assert not (config.out / "validation-features").exists()


def told_of_clips(rank, port, folder):
    as_one_of_two(rank, port)
    start_processes(OptimiserConfig())
    (folder / f"names-{rank}").write_text(f"{new_name()} {new_name()}")
    clips = clips_with(1, 2, 1)
    check_same_clips(clips, "train")
    other = replace(clips[2], captions=("another",))
    for number, changed in enumerate(((*clips[:2], other), clips[:2], clips[::-1])):
        try:
            check_same_clips(changed if rank else clips, "train")
        except DataError as error:
            (folder / f"{number}-{rank}").write_text(str(error))


@forks
def test_processes_agree_on_clips_and_names(tmp_path):
    port = free_port()
    processes = [child(told_of_clips, rank, port, tmp_path) for rank in range(2)]
    for process in processes:
        process.join(PATIENCE)
        assert process.exitcode == 0
    for number, counts in enumerate(("3, 3", "3, 2", "3, 3")):
        for rank in range(2):
            told = (tmp_path / f"{number}-{rank}").read_text()
            assert f"different clips or captions of train ({counts} clips)" in told
    names, others = ((tmp_path / f"names-{rank}").read_text() for rank in range(2))
    assert names == others
    assert len(set(names.split())) == 2


@pytest.mark.parametrize(("started", "joined"), [("2", 1), ("3", 2)])
def test_another_number_of_processes_than_were_started_is_told(
    small, tmp_path, monkeypatch, started, joined
):
    """As where accelerate or torch did not join them: each would train alone."""
    from hbi_core.training import processes

    class Alone:
        num_processes = joined

    monkeypatch.setenv("WORLD_SIZE", started)
    monkeypatch.setattr(processes, "Accelerator", lambda **_: Alone())
    with pytest.raises(SettingsError, match=f"{started} processes were started.*ACCELERATE_USE"):
        train(settings(tmp_path / "run", small), ToyEncoder())
    assert not (tmp_path / "run").exists()
