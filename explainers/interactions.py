"""What every method returns: the interactions, and what they cost."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class Interactions:
    """Banzhaf interactions of every video token with every text token.

    Attributes:
        values: float [..., V, T], in the unit of the similarity; rows are video tokens. Zero in
            the cells of padding tokens.
        standard_error: float [..., V, T], or None where the method is exact.
        method: name of the method, e.g. "closed_form".
        coalitions_evaluated: evaluations of the characteristic function, all games of the batch
            together; 0 for the closed form.
        seconds: wall-clock time of the computation.
        device: where it ran, e.g. "cpu" or "cuda:0".
    """

    values: Tensor
    standard_error: Tensor | None
    method: str
    coalitions_evaluated: int
    seconds: float
    device: str


def timed(compute: Callable[[], Result], device: torch.device) -> tuple[Result, float]:
    """Run `compute` and return its result with the seconds it took, GPU work included."""
    started = time.perf_counter()
    result = compute()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return result, time.perf_counter() - started
