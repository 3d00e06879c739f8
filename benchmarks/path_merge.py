"""What it costs that the token merge sees where tokens stand: training steps taken in turns.

    python -m benchmarks.path_merge

Batch, sizes and losses as in `benchmarks.training_step`. Processor time, so that what else runs on
the machine counts little; the ratio is that of steps next to each other.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, replace

import torch
import tyro
from tqdm import trange

from benchmarks.report import report
from benchmarks.training_step import BATCH, FRAMES, READS, WORDS, random_batch
from hbi_core.checkpoints.checkpoint import Checkpoint
from hbi_core.losses import LossConfig
from hbi_core.model import ModelConfig, build_hierarchy
from hbi_core.tasks.retrieval import RetrievalTask


@dataclass(frozen=True)
class Settings:
    """Processor seconds of a training step by λ."""

    rounds: int = 9
    width: int = 512


def main(settings: Settings) -> None:
    torch.manual_seed(0)
    paper = ModelConfig(settings.width, settings.width, settings.width)
    paths = {"0 (the paper)": (0.0, 0.0), "frames 0.5, text 1": (0.5, 1.0)}
    tasks = {}
    for name, (video, text) in paths.items():
        config = replace(paper, video_path=video, text_path=text)
        heads = Checkpoint("none", config, build_hierarchy(config), READS, name)
        tasks[name] = RetrievalTask(heads, LossConfig())
    batch = random_batch(settings.width)
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in trange(1 + settings.rounds, desc="rounds"):
        for name, task in tasks.items():
            started = time.process_time()
            task(batch)["total"].backward()
            seconds[name].append(time.process_time() - started)
    usual, *_ = seconds.values()
    report(
        "path_merge",
        f"A training step by the λ of its token merges, batch of {BATCH}, {FRAMES} x {WORDS}, "
        f"{settings.width} features, frozen encoder",
        ["λ", "processor seconds", "ratio", "smallest and largest ratio"],
        [[name, *_row(own[1:], usual[1:])] for name, own in seconds.items()],
    )


def _row(own: list[float], usual: list[float]) -> list[str]:
    ratios = [mine / theirs for mine, theirs in zip(own, usual, strict=True)]
    return [
        f"{statistics.median(own):.3f}",
        f"{statistics.median(ratios):.3f}",
        f"{min(ratios):.3f} – {max(ratios):.3f}",
    ]


if __name__ == "__main__":
    main(tyro.cli(Settings))
