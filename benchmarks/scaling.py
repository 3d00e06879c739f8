"""Cost against the number of players and against the batch size, one table and one plot.

python -m benchmarks.scaling
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import tyro
from matplotlib.figure import Figure
from tqdm import tqdm

from benchmarks.games import random_game, seconds
from benchmarks.peers import shapiq_interactions
from benchmarks.report import RESULTS, named, report
from explainers import (
    WEIGHTINGS,
    closed_form,
    enumerate_coalitions,
    enumeration_seconds,
    estimate,
    sample_coalitions,
)
from explainers.methods import METHODS
from explainers.timing import seconds_in_words
from hbi_core.estimator import load_estimator
from hbi_core.figures.methods_print import MARKERS

Curves = dict[str, dict[int, float]]


@dataclass(frozen=True)
class Settings:
    """Seconds of every method by number of players and by batch size."""

    threads: int = 2
    """CPU threads of torch."""
    device: str = "cuda" if torch.cuda.is_available() else "cpu"
    limit: float = 30.0
    """Seconds: what would take longer is left out."""


def main(settings: Settings) -> None:
    torch.set_num_threads(settings.threads)
    players = _by_players(settings)
    batch = _by_batch(settings)
    rows = [
        [what, _style(method)["label"], str(size), seconds_in_words(value)]
        for what, curves in (("players", players), ("games of 12 × 24 in a batch", batch))
        for method, curve in curves.items()
        for size, value in curve.items()
    ]
    report(
        "scaling",
        f"Time against size, float64, {settings.device}, {settings.threads} CPU threads, "
        "4,096 coalitions sampled",
        ["", "method", "number", "time (median)"],
        rows,
        settings.device,
    )
    _plot(players, batch, RESULTS / f"{named('scaling', settings.device)}.png")


def _by_players(settings: Settings) -> Curves:
    curves: Curves = defaultdict(dict)
    estimator = load_estimator().to(settings.device)
    for players in tqdm([*range(5, 36, 3), 36], desc="players"):
        videos = max(1, players // 3)
        game = random_game(videos, players - videos).to(settings.device)
        curves["closed_form"][players] = seconds(lambda game=game: closed_form(game))
        if enumeration_seconds(game) < settings.limit:
            curves["enumeration"][players] = seconds(
                lambda game=game: enumerate_coalitions(game), least=1
            )
        curves["sampling"][players] = seconds(lambda game=game: sample_coalitions(game))
        curves["estimator"][players] = seconds(lambda game=game: estimate(game, estimator))
        if players < 16:
            on_cpu = game.to("cpu")
            curves["shapiq, all coalitions"][players] = seconds(
                lambda game=on_cpu: shapiq_interactions(game), least=1
            )
    return curves


def _by_batch(settings: Settings) -> Curves:
    curves: Curves = defaultdict(dict)
    estimator = load_estimator().to(settings.device)
    methods: dict[str, tuple[str, Callable]] = {
        f"{METHODS['closed_form'].label}, {weighting}": (weighting, closed_form)
        for weighting in WEIGHTINGS
    }
    methods["estimator"] = (WEIGHTINGS[0], lambda game: estimate(game, estimator))
    for batch in tqdm([1, 2, 4, 8, 16, 32, 64, 128, 256], desc="batch"):
        for name, (weighting, method) in methods.items():
            game = random_game(12, 24, weighting, batch).to(settings.device)
            curves[name][batch] = seconds(lambda game=game, method=method: method(game))
    return curves


def _style(method: str) -> dict[str, Any]:
    """Other people's methods go by their names."""
    if method not in METHODS:
        return {"label": method, "marker": "o", "markersize": 3}
    known = METHODS[method]
    return {"label": known.label, "color": known.colour, **MARKERS[known.marker]}


def _plot(players: Curves, batch: Curves, path: Path) -> None:
    figure = Figure(figsize=(6.875, 3.8), layout="constrained")
    for axes, curves, label in zip(
        figure.subplots(1, 2), (players, batch), ("players", "games in a batch"), strict=True
    ):
        for method, curve in curves.items():
            axes.plot(list(curve), list(curve.values()), **_style(method))
        axes.set(xlabel=label, ylabel="seconds", yscale="log")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=6, loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=2)
    figure.axes[1].set_xscale("log", base=2)
    figure.savefig(path, dpi=150, metadata={"Software": None})


if __name__ == "__main__":
    main(tyro.cli(Settings))
