"""What games do with tensors: take them, weight them, and tell their shape."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def as_tensor(name: str, value: Tensor | np.ndarray) -> Tensor:
    """A tensor as it is, an array as a copy. Raises TypeError for anything else."""
    if isinstance(value, Tensor):
        return value
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{name} must be a tensor or an array, got {type(value).__name__}")
    try:
        return torch.from_numpy(np.array(value, value.dtype.newbyteorder("="), order="C"))
    except TypeError as error:
        raise TypeError(f"{name} must be a tensor or an array of its kinds: {error}") from error


def exact_precision(tensor: Tensor) -> torch.autocast:
    """A context in which automatic mixed precision does not touch the game."""
    return torch.autocast(tensor.device.type, enabled=False)


def masked_softmax(logits: Tensor, mask: Tensor) -> Tensor:
    """Softmax over the last dimension among the True cells of mask; zeros where none is True."""
    logits = logits.masked_fill(~mask, -torch.inf)
    peak = logits.amax(-1, keepdim=True).clamp(min=torch.finfo(logits.dtype).min)
    weights = (logits - peak.detach()).exp()
    return weights / weights.sum(-1, keepdim=True).clamp(min=torch.finfo(logits.dtype).tiny)


def applied(matrix: Tensor, vector: Tensor) -> Tensor:
    """[..., M, N] and [..., N] -> [..., M]."""
    return (matrix @ vector.unsqueeze(-1)).squeeze(-1)


def shape_of(values: Tensor | np.ndarray) -> str:
    return str(list(values.shape))
