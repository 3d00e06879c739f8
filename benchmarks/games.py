"""Random games, and how long a run takes: what every benchmark of `explainers` shares."""

from __future__ import annotations

import statistics
import time

import torch
from torch import Tensor

from explainers import SimilarityGame


def random_game(
    videos: int, texts: int, weighting: str = "renormalised", *batch: int, seed: int = 0
) -> SimilarityGame:
    """A game of float64 similarities in [-1, 1] and logits in [-2, 2]."""
    generator = torch.Generator().manual_seed(seed)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*batch, *shape, generator=generator, dtype=torch.float64) * 2 - 1

    return SimilarityGame(
        uniform(videos, texts), 2 * uniform(videos), 2 * uniform(texts), weighting=weighting
    )


def seconds(run, least: int = 5, budget: float = 2.0) -> float:
    """Median of at least `least` runs after one to warm up; fewer where one takes long."""
    started = time.perf_counter()
    run()
    first = time.perf_counter() - started
    times = [first] if first > budget else []
    while (len(times) < least or sum(times) < budget / 4) and sum(times) < budget:
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return statistics.median(times)
