"""Estimates beside each other: error against time at equal budgets, one game after another.

python -m benchmarks.sampling [--quick] [--device cuda]

Ours, shapiq's approximators, a sampler that works as the paper's research code does (four values
for each pair and sample, with up to the 1,000 samples of the paper), and the tiny estimator; the
closed form is the truth. The errors are relative root mean squares over the pairs, medians over
the seeds.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro
from matplotlib.figure import Figure
from tqdm import tqdm

from benchmarks.games import random_game
from benchmarks.peers import APPROXIMATORS, SHAPIQ, four_evaluations, shapiq_estimate
from benchmarks.report import RESULTS, named, report
from explainers import closed_form, estimate, sample_coalitions
from explainers.agreement import agreement
from explainers.methods import METHODS
from explainers.timing import seconds_in_words
from hbi_core.estimator import load_estimator

OURS, PLAIN = "ours", "ours, plain: without antithetic pairs and control variates"
FOUR = "four evaluations a pair and sample"
CLOSED_FORM, ESTIMATOR = METHODS["closed_form"].label, METHODS["estimator"].label
PAPER_SAMPLES = 1000


@dataclass(frozen=True)
class Settings:
    """Errors and times of estimates at equal budgets of coalitions."""

    threads: int = 2
    """CPU threads of torch."""
    device: str = "cuda" if torch.cuda.is_available() else "cpu"
    """For ours and the estimator."""
    videos: int = 8
    texts: int = 12
    budgets: tuple[int, ...] = (512, 1024, 2048, 4096, 8192, 16384, 32768)
    seeds: int = 3
    limit: float = 3.0
    """Seconds: a method whose run takes longer is not given larger budgets."""
    quick: bool = False
    """Budgets up to 4,096 only, and not the paper's 1,000 samples."""


@dataclass(frozen=True, kw_only=True)
class Point:
    method: str
    coalitions: int
    seconds: float
    error: float


def main(settings: Settings) -> None:
    torch.set_num_threads(settings.threads)
    budgets = [b for b in settings.budgets if not settings.quick or b <= 4096]
    points = list(_measured(settings, budgets))
    rows = [
        [
            p.method,
            f"{p.coalitions:,}" if p.coalitions else "",
            seconds_in_words(p.seconds),
            f"{p.error:.2g}",
            _against(p, points),
        ]
        for p in points
    ]
    report(
        "sampling",
        f"Estimated Banzhaf interactions, {settings.videos} × {settings.texts} players, "
        f"{settings.device}, {settings.threads} CPU threads, {SHAPIQ}",
        [
            "method",
            "coalitions",
            "time (median)",
            "relative error (median)",
            "time, as a multiple of ours to the same error",
        ],
        rows,
        settings.device,
    )
    _plot(points, RESULTS / f"{named('sampling', settings.device)}.png")


def _measured(settings: Settings, budgets: list[int]) -> Iterator[Point]:
    game = random_game(settings.videos, settings.texts)
    exact = {
        index: closed_form(game, index=index).values for index, _ in APPROXIMATORS.values()
    }  # also warms up
    pairs = settings.videos * settings.texts
    there = game.to(settings.device)

    def ours(budget: int, seed: int, **options):
        return sample_coalitions(there, budget, torch.Generator().manual_seed(seed), **options)

    methods = {
        OURS: ours,
        PLAIN: lambda *run: ours(*run, antithetic=False, control_variates=False),
        FOUR: lambda budget, seed: four_evaluations(game, budget // (4 * pairs), seed),
    }
    methods |= {
        name: lambda *run, name=name: shapiq_estimate(name, game, *run) for name in APPROXIMATORS
    }
    given = dict.fromkeys(methods, budgets)
    given[FOUR] = [budget for budget in budgets if budget >= 4 * pairs]
    if not settings.quick:
        given[FOUR].append(4 * pairs * PAPER_SAMPLES)
    bar = tqdm(total=sum(map(len, given.values())) * settings.seeds, desc="estimates")
    for name, method in methods.items():
        index = APPROXIMATORS[name][0] if name in APPROXIMATORS else "banzhaf"
        slow = False
        for budget in given[name]:
            if slow:
                bar.update(settings.seeds)
                continue
            runs = []
            for seed in range(settings.seeds):
                runs.append(method(budget, seed))
                bar.update()
            slow = max(run.seconds for run in runs) > settings.limit
            errors = [agreement(run.values.cpu(), exact[index]).relative_error for run in runs]
            yield Point(
                method=name if index == "banzhaf" else f"{name} (Shapley interactions)",
                coalitions=runs[0].coalitions_evaluated,
                seconds=statistics.median(run.seconds for run in runs),
                error=statistics.median(errors),
            )
    bar.close()
    estimator = load_estimator().to(settings.device)
    runs = [estimate(there, estimator) for _ in range(10)]
    error = agreement(runs[0].values.cpu(), exact["banzhaf"]).relative_error
    seconds = statistics.median(run.seconds for run in runs)
    yield Point(method=ESTIMATOR, coalitions=0, seconds=seconds, error=error)
    runs = [closed_form(there) for _ in range(10)]
    seconds = statistics.median(run.seconds for run in runs)
    yield Point(method=CLOSED_FORM, coalitions=0, seconds=seconds, error=0.0)


def _against(point: Point, points: list[Point]) -> str:
    """Its time over that of our first budget that is at least as exact."""
    as_exact = [p.seconds for p in points if p.method == OURS and p.error <= point.error]
    if point.method in (OURS, PLAIN, CLOSED_FORM) or not as_exact:
        return ""
    ratio = point.seconds / min(as_exact)
    return f"{ratio:,.0f} ×" if ratio >= 10 else f"{ratio:.1f} ×"


def _plot(points: list[Point], path: Path) -> None:
    figure = Figure(figsize=(6.875, 4.6), layout="constrained")
    axes = figure.add_subplot()
    for method in dict.fromkeys(point.method for point in points):
        own = [p for p in points if p.method == method and p.error > 0]
        if own:
            axes.loglog([p.seconds for p in own], [p.error for p in own], "o-", ms=4, label=method)
    exact = next(p.seconds for p in points if p.method == CLOSED_FORM)
    axes.axvline(exact, color="0.3", ls="--", lw=1, label=f"{CLOSED_FORM}: exact")
    axes.set(xlabel="seconds", ylabel="relative error")
    axes.grid(alpha=0.3)
    figure.legend(fontsize=7, loc="outside lower center", ncols=3)
    figure.savefig(path, dpi=150, metadata={"Software": None})


if __name__ == "__main__":
    main(tyro.cli(Settings))
