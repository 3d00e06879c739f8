"""The time that a computation takes: measured, told while it runs, and put into words."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import torch

Result = TypeVar("Result")
Clock = Callable[[], float]  # seconds, from wherever it counts
Progress = Callable[[float, str], object]  # told a fraction in [0, 1] and what is being done
CoalitionProgress = Callable[[int, int], object]  # told the coalitions done and all of them

_UNITS = (("years", 3.156e7), ("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0))


def timed(
    compute: Callable[[], Result], device: torch.device, clock: Clock | None = None
) -> tuple[Result, float]:
    """Run `compute` and return its result with the seconds it took, GPU work included."""
    clock = time.perf_counter if clock is None else clock
    started = clock()
    result = compute()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return result, clock() - started


def seconds_in_words(seconds: float) -> str:
    """Two digits in the unit in which a reader thinks: "2.1 ms", "1.5 s", "3.2 hours"."""
    if seconds < 0.0995:
        return f"{1000 * seconds:.2g} ms"
    for unit, size in _UNITS:
        if seconds >= 2 * size:
            return f"{_two_digits(seconds / size)} {unit}"
    return f"{_two_digits(seconds)} s"


def _two_digits(value: float) -> str:
    return f"{value:.2g}" if value < 9.95 else f"{value:,.0f}"


def or_silence(progress: Progress | None) -> Progress:
    """What is told goes nowhere if None. Not `progress or ...`: gradio's is false without a bar."""
    return (lambda fraction, step: None) if progress is None else progress


def half_of(progress: Progress | None, name: str, start: float) -> Progress:
    """The bar of one of two halves, each of whose steps is told with the name of the half.

    Args:
        progress: of both halves, or None.
        name: of the half.
        start: 0 or ½, where it begins.
    """
    tell = or_silence(progress)
    return lambda fraction, step: tell(start + fraction / 2, f"{name}: {step}")
