"""compare_level(explanation, level): the exact interactions of a level beside their estimates."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from explainers import Comparison, Interactions, SimilarityGame, compare
from explainers.comparison import BUDGETS
from explainers.methods import METHODS
from explainers.timing import Progress
from hbi_core.checks import real_number, whole_number
from hbi_core.devices import choose_device
from hbi_core.errors import InputError
from hbi_core.estimator import load_estimator
from hbi_core.explanation import Explanation, Level
from hbi_core.json_document import json_text
from hbi_core.tables import to_csv

SMALLEST_BUDGET, LARGEST_BUDGET = 4, 2**20  # coalitions; a standard error takes two pairs
MOST_SEEDS = 20
TOP = 10  # strongest links, of at least three times as many
LONGEST_ENUMERATION = 3600.0  # seconds


@dataclass(frozen=True, eq=False, kw_only=True)
class LevelComparison:
    """Methods side by side on the game of one level.

    Attributes:
        explanation: which the level is of.
        level: whose game was played.
        comparison: the runs; `comparison.exact` is the closed form. Tensors are on the CPU.
        device: where they ran, in words.
        known_error: relative root-mean-square error of the estimator on random games that it never
            saw, of those that it was trained on; None where it was not measured.
    """

    explanation: Explanation
    level: Level
    comparison: Comparison
    device: str
    known_error: float | None

    @property
    def title(self) -> str:
        """What its files are named after: the video and the level."""
        return f"{self.explanation.title}-{self.level.name}"

    @property
    def players(self) -> int:
        """n = V + T."""
        return len(self.level.video_tokens) + len(self.level.text_tokens)

    @property
    def coalitions(self) -> int:
        """2^n, all that there are."""
        return 2**self.players

    def to_json(self) -> str:
        """The contents of comparison.json: `Comparison.to_json`, and the game that it is of."""
        of = self.explanation.to_dict(thumbnails=False)
        runs = json.loads(self.comparison.to_json())
        data = {
            "schema": runs["schema"],
            **{name: of[name] for name in ("caption", "video", "model")},
            "level": self.level.to_dict(),
            "players": self.players,
            "coalitions": self.coalitions,
            "device": self.device,
            "estimator_known_error": self.known_error,
        }
        return json_text(data | runs)

    def to_csv(self) -> str:
        """The contents of comparison.csv: a line for each run of each method."""
        records = self.comparison.table()
        return to_csv(list(records[0]), [list(record.values()) for record in records])

    def save(self, directory: str | Path, width: str = "text", font: str = "sans") -> list[Path]:
        """Write comparison.pdf, .svg, .png, .csv and .json.

        Args:
            directory: made if it is not there.
            width: of the figure, "text" (6.875 in) or "column" (3.25 in).
            font: of the figure, "sans" or "serif".

        Returns:
            The files.
        """
        from hbi_core.export import save_comparison  # matplotlib takes its time

        return save_comparison(self, directory, width, font)


def compare_level(
    explanation: Explanation,
    level: str = "entity",
    budgets: Iterable[int] = BUDGETS,
    seeds: Iterable[int] = (0, 1, 2),
    limit_seconds: float = 3.0,
    device: str | None = None,
    progress: Progress | None = None,
) -> LevelComparison:
    """Compare closed form, full enumeration, estimator and sampling on the game of a level.

    The estimator reads similarities: in the game of an answer it does not run.

    Args:
        explanation: what `explain` returned.
        level: "entity", "action" or "event".
        budgets: coalitions that sampling may evaluate, each 4 to 2^20; repetitions are dropped.
        seeds: of its random numbers, 20 at most; it runs once for each budget and seed.
        limit_seconds: a full enumeration that would take longer is not run, 0 to 3600. To know,
            it is tried for a tenth of that, half a second at most.
        device: a torch device; None takes a GPU if there is one.
        progress: called with a fraction in [0, 1] and what is being done.

    Raises:
        InputError: there is no such level, or a number is out of range.
    """
    chosen = next((one for one in explanation.levels if one.name == level), None)
    if chosen is None:
        names = ", ".join(one.name for one in explanation.levels)
        raise InputError(f"There is no level {level!r}: use one of {names}.")
    budgets, seeds = _checked_budgets(budgets), _checked_seeds(seeds)
    limit_seconds = real_number(
        limit_seconds,
        "A limit of {} seconds for the full enumeration was asked for",
        0,
        LONGEST_ENUMERATION,
    )
    device = choose_device(device)

    told: dict[str, int] = {}

    def tell(fraction: float, method: str) -> None:
        if progress is None:  # gradio's is false while it has no bar
            return
        percent = int(100 * fraction)
        if told.get(method) != percent:  # an enumeration tells of every tile
            told[method] = percent
            progress(fraction, f"Running: {METHODS[method].label}")

    game, estimator = chosen.game(explanation.weighting).to(device), load_estimator().to(device)
    learned = isinstance(game, SimilarityGame)  # what the estimator learnt to read
    comparison = compare(
        game,
        [name for name, method in METHODS.items() if learned or not method.learned],
        budgets,
        seeds,
        estimator=estimator if learned else None,
        top=max(1, min(TOP, game.cells.numel() // 3)),
        limit_seconds=limit_seconds,
        progress=tell,
    )
    known_error = estimator.error.get("relative_rmse") if learned else None
    return LevelComparison(
        explanation=explanation,
        level=chosen,
        comparison=_on_cpu(comparison),
        device=_in_words(device),
        known_error=known_error,
    )


def _checked_budgets(budgets: Iterable[int]) -> list[int]:
    told = "A sampling budget of {} coalitions was asked for"
    checked = {whole_number(one, told, SMALLEST_BUDGET, LARGEST_BUDGET) for one in budgets}
    if not checked:
        raise InputError("Choose at least one sampling budget: how many coalitions it evaluates.")
    return sorted(checked)


def _checked_seeds(seeds: Iterable[int]) -> list[int]:
    told = "The seed {} was asked for"
    checked = list(dict.fromkeys(whole_number(seed, told, 0, 2**63 - 1) for seed in seeds))
    if not 1 <= len(checked) <= MOST_SEEDS:
        raise InputError(f"{len(checked)} seeds were asked for; use 1 to {MOST_SEEDS}.")
    return checked


def _on_cpu(comparison: Comparison) -> Comparison:
    def moved(result: Interactions) -> Interactions:
        tensors: dict[str, Any] = {
            k: v.cpu() for k, v in vars(result).items() if isinstance(v, torch.Tensor)
        }
        return replace(result, **tensors)

    estimates = tuple(one if one is None else moved(one) for one in comparison.estimates)
    return replace(comparison, exact=moved(comparison.exact), estimates=estimates)


def _in_words(device: str) -> str:
    if torch.device(device).type == "cuda":
        return f"GPU ({torch.cuda.get_device_name(device)})"
    threads = torch.get_num_threads()
    found = "" if torch.cuda.is_available() else "; no GPU was found"
    return f"CPU ({threads} thread{'s' * (threads != 1)}{found})"
