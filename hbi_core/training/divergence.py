"""How a run ends that computes infinity, or no numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

from hbi_core.errors import NotFiniteError, TrainingError


def finite(values: dict[str, float], prefix: str = "") -> dict[str, float]:
    """The values, their names with a prefix.

    Raises:
        NotFiniteError: one is infinite or no number.
    """
    values = {prefix + name: value for name, value in values.items()}
    if wrong := [name for name, value in values.items() if not math.isfinite(value)]:
        raise NotFiniteError(f"Not finite: {', '.join(wrong)}.")
    return values


@contextmanager
def stopping(step: int, rates: dict[str, float], advice: str) -> Iterator[None]:
    """Inside, what is not finite ends the run.

    Args:
        step: of the training, counted from 1.
        rates: learning rates in force, by the names of their settings.
        advice: what else to try than lower ones.

    Raises:
        TrainingError: a NotFiniteError was raised; it says all of this.
    """
    try:
        yield
    except NotFiniteError as error:
        told = ", ".join(f"{name} was {value:.3g}" for name, value in rates.items())
        raise TrainingError(
            f"Training diverged at step {step}: {error} There, {told}. Try a lower one, {advice}; "
            "start again with another place to write to. What was saved before is kept."
        ) from error
