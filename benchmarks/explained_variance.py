"""How much of a game its players and pairs explain: how fast, and how exact.

python -m benchmarks.explained_variance

Time is that of one core and of this process alone, so that what else runs on the machine hardly
counts.
"""

from __future__ import annotations

import time

import torch

from benchmarks.games import random_game
from benchmarks.report import report
from explainers import WEIGHTINGS, SimilarityGame, explained_variance
from explainers.timing import seconds_in_words


def main() -> None:
    torch.set_num_threads(1)
    rows = []
    for videos, texts, *batch in [(8, 8), (12, 24), (12, 24, 8)]:
        for weighting in WEIGHTINGS:
            game = random_game(videos, texts, weighting, *batch)
            fastest, median = _times(game)
            few = videos + texts <= 16
            rows.append(
                [
                    weighting,
                    f"{videos} × {texts}",
                    str(*batch or [1]),
                    seconds_in_words(fastest),
                    seconds_in_words(median),
                    f"{_off(game):.0e}" if few else "",
                ]
            )
    report(
        "explained_variance",
        "Explained variance in closed form, float64, one core",
        [
            "weighting",
            "frames × words",
            "games",
            "time (fastest)",
            "time (median)",
            "relative difference from the variance of all coalitions",
        ],
        rows,
    )


def _times(game: SimilarityGame, runs: int = 21) -> tuple[float, float]:
    """The fastest run and the middle one, in seconds of the processor."""
    times = []
    for _ in range(runs):
        started = time.process_time()
        explained_variance(game)
        times.append(time.process_time() - started)
    return min(times), sorted(times)[runs // 2]


def _off(game: SimilarityGame) -> float:
    members = torch.cartesian_prod(*[torch.tensor([False, True])] * game.players)
    expected = game.coalition_values(members).var(correction=0)
    return float((explained_variance(game).variance / expected - 1).abs())


if __name__ == "__main__":
    main()
