"""Exact interactions: how fast, how exact, and beside shapiq, all in one run.

python -m benchmarks.exactness [--quick] [--device cuda]
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import tyro

from benchmarks.games import random_game, seconds
from benchmarks.peers import SHAPIQ, shapiq_interactions
from benchmarks.report import report
from explainers import (
    INDICES,
    WEIGHTINGS,
    Interactions,
    closed_form,
    enumerate_coalitions,
    estimate,
)
from explainers.methods import METHODS
from explainers.timing import seconds_in_words
from hbi_core.estimator import load_estimator

CLOSED_FORM, ENUMERATION, ESTIMATOR = (
    METHODS[name].label for name in ("closed_form", "enumeration", "estimator")
)


@dataclass(frozen=True)
class Settings:
    """Exact Banzhaf interactions: time and difference from the closed form."""

    threads: int = 2
    """CPU threads of torch."""
    device: str = "cuda" if torch.cuda.is_available() else "cpu"
    """For all but shapiq."""
    quick: bool = False
    """Leave out what takes longer than some seconds."""


def main(settings: Settings) -> None:
    torch.set_num_threads(settings.threads)
    device, rows = settings.device, []
    for videos, texts, *batch in [(8, 8), (12, 24), (12, 24, 8), (12, 24, 128)]:
        for weighting in WEIGHTINGS:
            game = random_game(videos, texts, weighting, *batch).to(device)
            rows.append(
                [
                    f"{CLOSED_FORM}, {weighting}",
                    f"{videos} × {texts}",
                    str(*batch or [1]),
                    seconds_in_words(seconds(lambda game=game: closed_form(game))),
                    "",
                    "",
                ]
            )
    estimator = load_estimator().to(device)
    for batch in [(), (8,), (128,)]:
        game = random_game(12, 24, "renormalised", *batch).to(device)
        forward = seconds(lambda game=game: estimate(game, estimator))
        ratios = [
            f"{CLOSED_FORM}, {weighting}: {seconds(lambda g=g: closed_form(g)) / forward:.2f} ×"
            for weighting in WEIGHTINGS
            for g in [random_game(12, 24, weighting, *batch).to(device)]
        ]
        rows.append(
            [
                f"{ESTIMATOR} (no exact values)",
                "12 × 24",
                str(*batch or [1]),
                seconds_in_words(forward),
                "; ".join(ratios),
                f"{_off(estimate(game, estimator), closed_form(game)):.0e}",
            ]
        )
    for index in INDICES:
        game = random_game(12, 24).to(device)
        duration = seconds(
            lambda game=game, index=index: closed_form(game, pairs="all", index=index)
        )
        rows.append(
            [
                f"{CLOSED_FORM}, {index}, all pairs",
                "12 × 24",
                "1",
                seconds_in_words(duration),
                "",
                "",
            ]
        )
    for videos, texts in [(8, 8), (10, 10), (12, 12), (12, 14), (12, 16)]:
        game = random_game(videos, texts).to(device)
        exact = closed_form(game).values
        duration = seconds(lambda game=game: enumerate_coalitions(game))
        difference = (enumerate_coalitions(game).values - exact).abs().max()
        rows.append(
            [
                ENUMERATION,
                f"{videos} × {texts}",
                "1",
                seconds_in_words(duration),
                f"{2 ** (videos + texts) / duration / 1e6:,.0f} million coalitions a second",
                f"{difference:.0e}",
            ]
        )
    for videos, texts in [(5, 5), (6, 6), (7, 7)] + ([] if settings.quick else [(8, 8)]):
        game = random_game(videos, texts)
        there = game.to(device)
        ours = seconds(lambda game=there: closed_form(game))
        enumerated = seconds(lambda game=there: enumerate_coalitions(game))
        duration = seconds(lambda game=game: shapiq_interactions(game), least=1)
        difference = (shapiq_interactions(game) - closed_form(game).values).abs().max()
        rows.append(
            [
                "shapiq ExactComputer",
                f"{videos} × {texts}",
                "1",
                seconds_in_words(duration),
                f"{duration / ours:,.0f} × the closed form, {duration / enumerated:,.0f} × our "
                "enumeration",
                f"{difference:.0e}",
            ]
        )
    report(
        "exactness",
        f"Exact Banzhaf interactions, float64, {device}, {settings.threads} CPU threads, {SHAPIQ}",
        [
            "method",
            "frames × words",
            "games",
            "time (median)",
            "rate or ratio",
            "largest difference from the closed form",
        ],
        rows,
        device,
    )


def _off(one: Interactions, other: Interactions) -> float:
    return float((one.values - other.values).abs().max())


if __name__ == "__main__":
    main(tyro.cli(Settings))
