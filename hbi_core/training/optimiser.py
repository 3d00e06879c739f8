"""Which parameters learn, and how fast at each step."""

from __future__ import annotations

import math
from typing import Any

from hbi_core.tasks.base import Task
from hbi_core.training.config import OptimiserConfig


def parameter_groups(task: Task, config: OptimiserConfig) -> list[dict[str, Any]]:
    """Groups of parameters; "rate" says which of `learning_rates` they have."""
    encoder = [] if task.encoder is None else list(task.encoder.parameters())
    known = {id(parameter) for parameter in (*task.scales, *encoder)}
    rest = [p for p in task.parameters() if id(p) not in known and p.requires_grad]
    return [
        {"params": rest, "weight_decay": config.weight_decay, "rate": 0},
        {"params": encoder, "weight_decay": config.weight_decay, "rate": 1},
        {"params": task.scales, "weight_decay": 0.0, "rate": 1 if encoder else 0},
    ]


def learning_rates(config: OptimiserConfig, step: int, steps: int) -> tuple[float, float]:
    """Of the model and of the encoder at a step, counted from 0: warm-up, then cosine.

    Warm-up takes N steps, the first at 1 / N of the rate and the last at all of it.
    """
    warm = math.ceil(config.warmup * steps)
    if step < warm:
        factor = (step + 1) / warm
    else:
        factor = 0.5 + 0.5 * math.cos(math.pi * (step - warm) / (steps - warm))
    return config.learning_rate * factor, config.encoder_learning_rate * factor
