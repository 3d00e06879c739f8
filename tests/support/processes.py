"""Runs in child processes, alone and two together."""

from __future__ import annotations

import multiprocessing
import os

import pytest
import torch

from hbi_core.training.loop import train
from support.patience import PATIENCE
from support.ports import free_port

forks = pytest.mark.skipif(torch.cuda.is_available(), reason="forked processes have no CUDA")


def child(function, *arguments):
    """Start a process with what is imported here, which saves the seconds of importing."""
    process = multiprocessing.get_context("fork").Process(
        target=_alone, args=(function, *arguments)
    )
    process.start()
    return process


def _alone(function, *arguments):
    torch.set_num_threads(1)
    function(*arguments)


def as_one_of_two(rank, port):
    """As torchrun starts it, on a machine without a GPU: no variable of accelerate is set."""
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(True)
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }


def one_of_two(rank, port, config, encoder):
    as_one_of_two(rank, port)
    encoded = []

    def remembered(pixels, known=encoder.frame_features):
        encoded.append(len(pixels) * (not encoder.training))
        return known(pixels)

    encoder.frame_features = remembered
    train(config, encoder)
    (config.out / f"encoded-{rank}").write_text(str(sum(encoded)))


def on_two_processes(config, encoder, alone=None):
    """Train on two processes; alone: what is done here meanwhile."""
    port = free_port()
    processes = [child(one_of_two, rank, port, config, encoder) for rank in range(2)]
    if alone:
        alone()
    for process in processes:
        process.join(PATIENCE)
        assert process.exitcode == 0
    return [int((config.out / f"encoded-{rank}").read_text()) for rank in range(2)]
