"""The device to compute on, and what several processes have together."""

from __future__ import annotations

import os

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import functional

DEVICE_VARIABLE = "HBI_DEVICE"  # of the environment: the device where none is given


def choose_device(device: str | None = None) -> str:
    """The given device; that of the environment's HBI_DEVICE; or a GPU if there is one."""
    found = "cuda" if torch.cuda.is_available() else "cpu"
    return device or os.environ.get(DEVICE_VARIABLE) or found


def is_first_process() -> bool:
    """Whether this process is the one, of several, that draws progress bars."""
    return not dist.is_initialized() or dist.get_rank() == 0


def gather(tensor: Tensor) -> Tensor:
    """[B, ...] of each process -> [processes · B, ...]; the tensor itself if there is one process.

    Each process's gradient flows back to it from the losses of all of them. Sequences that are
    shorter in one process than in another are filled up with zeros (False).
    """
    if not dist.is_initialized() or dist.get_world_size() == 1:
        return tensor
    if tensor.dim() > 1:
        longest = torch.tensor(tensor.shape[1], device=tensor.device)
        dist.all_reduce(longest, dist.ReduceOp.MAX)
        missing = int(longest) - tensor.shape[1]
        tensor = functional.pad(tensor, [0, 0] * (tensor.dim() - 2) + [0, missing])
    return _Gather.apply(tensor.contiguous())


class _Gather(torch.autograd.Function):
    """all_gather along the first dimension; backwards, the sum of all processes' gradients.

    Not torch.distributed.nn's: with gloo, that one mixes up a gradient that is not contiguous.
    """

    @staticmethod
    def forward(ctx, tensor: Tensor) -> Tensor:
        parts = [torch.empty_like(tensor) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, tensor)
        return torch.cat(parts)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        gradient = gradient.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(gradient)
        return gradient.chunk(dist.get_world_size())[dist.get_rank()]
