"""The prediction head of one level: forward and backward, with fused and with plain attention.

    python -m benchmarks.prediction_head

Sizes of MSR-VTT (12 frames, 24 words) and of ActivityNet and DiDeMo (64 and 64). The plain
attention holds every pair of cells, (V·T)² numbers for each game. Then the tiny estimator, a
network of the same form, beside the closed form. Each run has a process of its own, whose memory is
what it grew by at most.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import torch
import tyro
from torch.nn.attention import SDPBackend, sdpa_kernel

from benchmarks.games import random_game
from benchmarks.report import report
from explainers import closed_form, estimate
from explainers.methods import METHODS
from explainers.prediction_head import CellNetwork
from explainers.timing import seconds_in_words
from hbi_core.estimator import load_estimator

SIZES = ((12, 24, 128), (64, 64, 16))  # frames, words, batch
BACKENDS = {
    "head with fused attention, forward and backward": [
        SDPBackend.FLASH_ATTENTION,
        SDPBackend.EFFICIENT_ATTENTION,
    ],
    "head with plain attention, forward and backward": [SDPBackend.MATH],
}
RUNS = {
    f"{METHODS['estimator'].label}, no gradients": estimate,
    f"{METHODS['closed_form'].label}, float64": lambda game, _: closed_form(game),
}


@dataclass(frozen=True)
class Settings:
    """Time and memory of the prediction head."""

    device: str = "cuda" if torch.cuda.is_available() else "cpu"


def main(settings: Settings) -> None:
    runs = [(kind, *size) for size in SIZES for kind in BACKENDS]
    runs += [(name, *SIZES[0]) for name in RUNS]
    rows = []
    for name, videos, texts, batch in runs:
        with ProcessPoolExecutor(1, get_context("spawn")) as alone:
            seconds, grown = alone.submit(_measured, name, videos, texts, batch, settings).result()
        rows.append(
            [name, f"{videos} × {texts}", str(batch), seconds_in_words(seconds), f"{grown:.2f} GiB"]
        )
    report(
        "prediction_head",
        f"Prediction head (CNN + SA, 64 channels, float32), and what it estimates, "
        f"{settings.device}, one CPU thread",
        ["", "frames × words", "games", "time", "memory"],
        rows,
        settings.device,
    )


def _measured(
    name: str, videos: int, texts: int, batch: int, settings: Settings
) -> tuple[float, float]:
    """Seconds of the fastest of some runs, and the GiB that they took.

    On one CPU thread those of the processor, whatever else the machine does.
    """
    torch.set_num_threads(1)
    torch.manual_seed(0)
    device = torch.device(settings.device)
    if name in RUNS:
        estimator, game = load_estimator().to(device), random_game(videos, texts).to(device)
        games = random_game(videos, texts, "renormalised", batch).to(device)
        return _fastest(lambda g: RUNS[name](g, estimator), game, games, device)
    head = CellNetwork("cnn+sa", 64).to(device)

    def step(similarity: torch.Tensor) -> None:
        masks = (torch.ones_like(similarity[..., 0]), torch.ones_like(similarity[:, 0]))
        head(similarity, *(mask.bool() for mask in masks)).square().sum().backward()

    similarity = torch.randn(batch, videos, texts, device=device)
    with sdpa_kernel(BACKENDS[name]):
        return _fastest(step, similarity[:1], similarity, device)


def _fastest(
    run: Callable, first: object, given: object, device: torch.device
) -> tuple[float, float]:
    """Of runs on what is given, after one on the first."""
    run(first)
    before, times = _peak(device), []
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    while len(times) < 3 or sum(times) < 4.0:
        started = clock()
        run(given)
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(clock() - started)
    return min(times), _peak(device) - before


def _peak(device: torch.device) -> float:
    """GiB at most so far."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    main(tyro.cli(Settings))
