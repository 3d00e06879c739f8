"""Exact interactions: how fast, how exact, and beside shapiq, all in one run.

python -m benchmarks.exactness [--quick]
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import torch
import tyro
from torch import Tensor

from benchmarks.peers import shapiq_interactions
from benchmarks.report import report
from explainers import WEIGHTINGS, SimilarityGame, closed_form, enumerate_coalitions


@dataclass(frozen=True)
class Settings:
    """Exact Banzhaf interactions: time and difference from the closed form."""

    threads: int = 2
    """CPU threads of torch."""
    quick: bool = False
    """Leave out what takes longer than some seconds."""


def random_game(videos: int, texts: int, weighting: str = "renormalised", *batch: int):
    """A game of float64 similarities in [-1, 1] and logits in [-2, 2]."""
    generator = torch.Generator().manual_seed(0)

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


def formatted(value: float) -> str:
    return f"{value * 1e3:.2f} ms" if value < 1 else f"{value:.2f} s"


def main(settings: Settings) -> None:
    torch.set_num_threads(settings.threads)
    rows = []
    for videos, texts, *batch in [(8, 8), (12, 24), (12, 24, 8), (12, 24, 128)]:
        for weighting in WEIGHTINGS:
            game = random_game(videos, texts, weighting, *batch)
            rows.append(
                [f"closed form, {weighting}", f"{videos} × {texts}", str(*batch or [1]),
                 formatted(seconds(lambda game=game: closed_form(game))), "", ""]
            )  # fmt: skip
    for videos, texts in [(8, 8), (10, 10), (12, 12), (12, 14), (12, 16)]:
        game = random_game(videos, texts)
        exact = closed_form(game).values
        duration = seconds(lambda game=game: enumerate_coalitions(game))
        difference = (enumerate_coalitions(game).values - exact).abs().max()
        rows.append(
            ["enumeration of all coalitions", f"{videos} × {texts}", "1", formatted(duration),
             f"{2 ** (videos + texts) / duration / 1e6:,.0f} million coalitions a second",
             f"{difference:.0e}"]
        )  # fmt: skip
    for videos, texts in [(5, 5), (6, 6), (7, 7)] + ([] if settings.quick else [(8, 8)]):
        game = random_game(videos, texts)
        ours = seconds(lambda game=game: closed_form(game))
        enumerated = seconds(lambda game=game: enumerate_coalitions(game))
        duration = seconds(lambda game=game: shapiq_interactions(game), least=1)
        difference = (shapiq_interactions(game) - closed_form(game).values).abs().max()
        rows.append(
            ["shapiq ExactComputer", f"{videos} × {texts}", "1", formatted(duration),
             f"{duration / ours:,.0f} × the closed form, {duration / enumerated:,.0f} × our "
             "enumeration", f"{difference:.0e}"]
        )  # fmt: skip
    report(
        "exactness",
        f"Exact Banzhaf interactions, float64, {settings.threads} CPU threads",
        ["method", "frames × words", "games", "time (median)", "rate or ratio",
         "largest difference from the closed form"],
        rows,
    )  # fmt: skip


if __name__ == "__main__":
    main(tyro.cli(Settings))
