"""What reconstruction costs: a training step and a retrieval, with and without it, in turns.

    python -m benchmarks.reconstruction

The paper's sizes: batch of 128, 12 frames, 24 words, 512 features, three levels, the losses of
interactions by the closed form; frozen features (random numbers here). Retrieval is of as many
texts as videos, from features to scores. What it is worth: `benchmarks.training_signal`.
"""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import tyro
from tqdm import trange

from benchmarks.report import report
from benchmarks.training_step import FRAMES, READS, WORDS, random_batch
from hbi_core.checkpoints.checkpoint import Checkpoint
from hbi_core.data import Clip
from hbi_core.data.features import Features
from hbi_core.losses import LossConfig
from hbi_core.model import ModelConfig, build_hierarchy
from hbi_core.tasks.retrieval import RetrievalTask

OFF = "without reconstruction"
NEGATIVES = (1, 2, 4)
RERANKED = (10, 20, 50)


@dataclass(frozen=True)
class Settings:
    """CPU seconds with and without reconstruction."""

    rounds: int = 5
    width: int = 512
    clips: int = 300
    """So many videos, and as many texts, are retrieved."""


def task_of(width: int, reranked: int | None = None, negatives: int | None = None) -> RetrievalTask:
    """A task; one that reconstructs where one of the numbers is given."""
    rebuilds = reranked is not None or negatives is not None
    config = ModelConfig(width, width, width, reconstruction=rebuilds)
    reads = replace(READS, reranked=reranked or READS.reranked)
    heads = Checkpoint("none", config, build_hierarchy(config), reads, "none")
    loss = LossConfig()
    return RetrievalTask(heads, replace(loss, hard_negatives=negatives or loss.hard_negatives))


def random_features(clips: int, width: int) -> Features:
    """Random features of frames and words, without padding."""
    return Features(
        clips=tuple(Clip(str(n), (Path("none"),), ("none",)) for n in range(clips)),
        frames=torch.randn(clips, FRAMES, width).half(),
        frame_mask=torch.ones(clips, FRAMES, dtype=torch.bool),
        plain=FRAMES,
        words=torch.randn(clips * WORDS, width).half(),
        starts=WORDS * torch.arange(clips + 1),
        owners=torch.arange(clips),
    )


def medians(kinds: dict[str, Callable[[], object]], rounds: int, title: str) -> dict[str, float]:
    """CPU seconds of each kind, taken in turns; the first round does not count.

    Not those of a clock: so other work on the machine has little part in them.
    """
    seconds: dict[str, list[float]] = defaultdict(list)
    for _ in trange(rounds + 1, desc=title):
        for name, run in kinds.items():
            started = time.process_time()
            run()
            seconds[name].append(time.process_time() - started)
    return {name: statistics.median(values[1:]) for name, values in seconds.items()}


def main(settings: Settings) -> None:
    torch.manual_seed(0)
    batch, features = random_batch(settings.width), random_features(settings.clips, settings.width)
    trained = {OFF: task_of(settings.width)} | {
        f"{count} hard negatives of each video and each text": task_of(
            settings.width, negatives=count
        )
        for count in NEGATIVES
    }
    steps = medians(
        {
            name: lambda task=task: task(batch)["total"].backward()  # type: ignore[misc]
            for name, task in trained.items()
        },
        settings.rounds,
        "steps",
    )
    retrieved = {OFF: task_of(settings.width).eval()} | {
        f"{count} of {settings.clips} ranked anew": task_of(settings.width, count).eval()
        for count in (*RERANKED, settings.clips)
    }
    retrievals = medians(
        {
            name: lambda task=task: task.validate(features)  # type: ignore[misc]
            for name, task in retrieved.items()
        },
        1,
        "retrieval",
    )
    report(
        "reconstruction_cost",
        f"The cost of reconstruction: a training step (batch of {len(batch.frames)}) and the "
        f"retrieval of {settings.clips} videos and texts; {FRAMES} x {WORDS}, {settings.width} "
        "features, frozen encoder",
        ["what", "kind", "CPU seconds", "of that without"],
        [
            [what, name, f"{value:.2f}", f"{value / found[OFF]:.2f}"]
            for what, found in (("training step", steps), ("retrieval", retrievals))
            for name, value in found.items()
        ],
    )


if __name__ == "__main__":
    main(tyro.cli(Settings))
