"""The processes of a run: started, counted, and what they measured together."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence

import torch
import torch.distributed as dist
from accelerate import Accelerator, DistributedDataParallelKwargs
from accelerate.utils import broadcast, broadcast_object_list, gather_object
from torch import Tensor, nn

from hbi_core.data import Clip
from hbi_core.data.clips import digest
from hbi_core.errors import DataError, SettingsError
from hbi_core.training.config import OptimiserConfig


def start_processes(config: OptimiserConfig) -> Accelerator:
    """One process, or as many as torchrun or `accelerate launch` started.

    Raises:
        SettingsError: accelerate sees another number of them than were started.
    """
    started = int(os.environ.get("WORLD_SIZE", "1"))
    accelerator = Accelerator(
        cpu=started > 1 and not torch.accelerator.is_available(),
        mixed_precision=config.precision,
        gradient_accumulation_steps=config.accumulation,
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
    )
    joined = dist.get_world_size() if dist.is_initialized() else 1
    if "WORLD_SIZE" in os.environ and not started == joined == accelerator.num_processes:
        raise SettingsError(
            f"{started} processes were started, torch has joined {joined} and accelerate "
            f"{accelerator.num_processes}: each would train alone and write over the others. On a "
            "CPU set ACCELERATE_USE_CPU=true; on GPUs start as many processes as there are GPUs."
        )
    return accelerator


def mean_of_processes(accelerator: Accelerator, values: dict[str, Tensor]) -> dict[str, float]:
    """Means of scalars over all processes; every one must call it, with the same names."""
    stacked = torch.stack([value.detach().float() for value in values.values()])
    means = accelerator.reduce(stacked, "mean").tolist()
    return dict(zip(values, means, strict=True))


def new_name() -> str:
    """A name that was never used, the same in all processes; every one must call it."""
    return broadcast_object_list([secrets.token_hex(8)])[0]


def check_same_clips(clips: Sequence[Clip], split: str) -> None:
    """Whether all processes have the same clips and captions; every one must call it.

    Raises:
        DataError: they have not.
    """
    counts = gather_object([(len(clips), digest(clips))])
    if len(set(counts)) > 1:
        raise DataError(
            f"The processes have different clips or captions of {split} "
            f"({', '.join(f'{count:,}' for count, _ in counts)} clips), so they would not train "
            "on the same batches. Give all of them the same files."
        )


def take_state(module: nn.Module) -> None:
    """Parameters and buffers of the first process, for all of them; every one must call it.

    Running means, of batch normalisation say, differ: each process has seen its own batches.
    """
    for tensor in (*module.parameters(), *module.buffers()):
        tensor.data.copy_(broadcast(tensor.data.contiguous()))
