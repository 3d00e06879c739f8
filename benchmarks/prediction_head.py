"""The prediction head of one level: forward and backward, with fused and with plain attention.

    python -m benchmarks.prediction_head

Sizes of MSR-VTT (12 frames, 24 words) and of ActivityNet and DiDeMo (64 and 64). The plain
attention holds every pair of cells, (V·T)² numbers for each game. Each run has a process of its
own, whose memory is what it grew by at most.
"""

from __future__ import annotations

import resource
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import torch
import tyro
from torch.nn.attention import SDPBackend, sdpa_kernel

from benchmarks.games import formatted
from benchmarks.report import report
from explainers.estimator import CellNetwork

SIZES = ((12, 24, 128), (64, 64, 16))  # frames, words, batch


@dataclass(frozen=True)
class Settings:
    """Time and memory of the prediction head."""

    device: str = "cuda" if torch.cuda.is_available() else "cpu"


def main(settings: Settings) -> None:
    rows = []
    for videos, texts, batch in SIZES:
        for kind in ("fused", "plain"):
            with ProcessPoolExecutor(1, get_context("spawn")) as alone:
                seconds, grown = alone.submit(_step, kind, videos, texts, batch, settings).result()
            rows.append(
                [kind, f"{videos} × {texts}", str(batch), formatted(seconds), f"{grown:.2f} GiB"]
            )
    report(
        "prediction_head",
        f"Prediction head (CNN + SA, 64 channels), forward and backward, float32, "
        f"{settings.device}, one CPU thread",
        ["attention", "frames × words", "games", "time", "memory"],
        rows,
        settings.device,
    )


def _step(
    kind: str, videos: int, texts: int, batch: int, settings: Settings
) -> tuple[float, float]:
    """Seconds of the fastest of some steps, and the GiB that they took.

    On one CPU thread those of the processor, whatever else the machine does.
    """
    torch.set_num_threads(1)
    torch.manual_seed(0)
    device = torch.device(settings.device)
    head = CellNetwork("cnn+sa", 64).to(device)
    similarity = torch.randn(batch, videos, texts, device=device)
    masks = [torch.ones(batch, n, dtype=torch.bool, device=device) for n in (videos, texts)]
    backends = [SDPBackend.MATH]
    if kind == "fused":
        backends = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION]
    with sdpa_kernel(backends):
        head(similarity[:1], *(mask[:1] for mask in masks)).sum().backward()
        before, times = _peak(device), []
        clock = time.process_time if device.type == "cpu" else time.perf_counter
        while len(times) < 3 or sum(times) < 4.0:
            started = clock()
            head(similarity, *masks).square().sum().backward()
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
