"""What the interactions cost in training: steps with each target, taken in turns.

    python -m benchmarks.training_step

The paper's sizes: batch of 128, 12 frames, 24 words, 512 features, three levels, all losses;
frozen features (random numbers here), so that the share of the interactions is as large as it gets:
an encoder that learns would make every step many times longer.
"""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from dataclasses import dataclass

import torch
import tyro
from tqdm import trange

from benchmarks.report import report
from explainers import closed_form
from hbi_core.checkpoints.checkpoint import Checkpoint, RetrievalSettings
from hbi_core.data.batch import Batch
from hbi_core.estimator import SHIPPED_ESTIMATOR
from hbi_core.losses import TARGETS, LossConfig
from hbi_core.model import ModelConfig, build_hierarchy
from hbi_core.tasks.retrieval import RetrievalTask

BATCH, FRAMES, WORDS = 128, 12, 24
READS = RetrievalSettings(FRAMES, WORDS, (1.0, 1.0, 1.0))


@dataclass(frozen=True)
class Settings:
    """Seconds of a training step by interaction target."""

    rounds: int = 7
    width: int = 512
    device: str = "cuda" if torch.cuda.is_available() else "cpu"


def random_batch(width: int) -> Batch:
    """Random features of frames and words, without padding."""
    return Batch(
        torch.randn(BATCH, FRAMES, width),
        torch.ones(BATCH, FRAMES, dtype=torch.bool),
        torch.randn(BATCH, WORDS, width),
        torch.ones(BATCH, WORDS, dtype=torch.bool),
        torch.arange(BATCH),
    )


def main(settings: Settings) -> None:
    torch.manual_seed(0)
    device = torch.device(settings.device)
    config = ModelConfig(settings.width, settings.width, settings.width)
    tasks = {
        target: RetrievalTask(
            Checkpoint("none", config, build_hierarchy(config), READS, target),
            LossConfig(target=target, estimator=SHIPPED_ESTIMATOR),
        )
        for target in TARGETS
    }
    batch = random_batch(settings.width).to(device)
    seconds: dict[str, list[float]] = defaultdict(list)
    for _ in trange(settings.rounds, desc="rounds"):
        for target, task in tasks.items():
            task.to(device)
            started = _now(device)
            task(batch)["total"].backward()
            seconds[target].append(_now(device) - started)
    with torch.no_grad():
        for level in tasks["closed_form"].hierarchy(*tasks["closed_form"].tokens(batch)):
            alone = [closed_form(level.game()).seconds for _ in range(settings.rounds)]
            seconds[f"the closed form alone, {level.name} level"] = alone
    middle = {name: statistics.median(values[1:]) for name, values in seconds.items()}
    report(
        "training_step",
        f"A training step by interaction target, batch of {BATCH}, {FRAMES} x {WORDS}, "
        f"{settings.width} features, frozen encoder, {device}",
        ["target", "seconds", "share of the step"],
        [
            [name, f"{value:.3f}", f"{100 * value / middle['closed_form']:.1f} %"]
            for name, value in middle.items()
        ],
        settings.device,
    )


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


if __name__ == "__main__":
    main(tyro.cli(Settings))
