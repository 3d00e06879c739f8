"""Methods side by side on one game: what each costs, and how far it is from the exact values."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor

from explainers.closed_forms import closed_form
from explainers.coalition_graph import ranks
from explainers.enumeration import TooManyCoalitionsError, enumerate_coalitions
from explainers.estimator import Estimator, estimate
from explainers.game import SimilarityGame
from explainers.interactions import Interactions
from explainers.sampling import sample_coalitions
from explainers.settings import check_game, whole_number
from explainers.timing import Progress

METHODS = ("closed_form", "enumeration", "estimator", "sampling")
BUDGETS = (256, 1024, 4096, 16384)  # coalitions
# A method of one's own: a game, a number of coalitions, a seed -> its interactions.
Method = Callable[[SimilarityGame, int, int], Interactions]


@dataclass(frozen=True)
class Agreement:
    """How well estimates agree with exact values, over the pairs of real tokens.

    Attributes:
        max_error, mean_error: largest and mean absolute difference, in the unit of the game.
        relative_error: root of the mean squared difference over that of the exact values; NaN where
            these are all 0.
        pearson, spearman: correlations over the pairs; NaN where one side is constant.
        top_links: share of the exact k strongest links among the estimated k strongest; NaN where
            there are no more than k.
        signs: share of the pairs whose sign is right, among those that are not exactly 0; NaN where
            all are.
    """

    max_error: float
    mean_error: float
    relative_error: float
    pearson: float
    spearman: float
    top_links: float
    signs: float


@dataclass(frozen=True)
class Row:
    """One run of one method.

    Attributes:
        method: its name.
        budget: coalitions it was allowed, 0 for methods without a budget.
        seed: of its random numbers; 0 for methods without any.
        seconds: it took.
        coalitions: it evaluated.
        device: it ran on.
        note: why there are no results, else empty.
        agreement: with the exact values; None where there are no results.
    """

    method: str
    budget: int
    seed: int
    seconds: float
    coalitions: int
    device: str
    note: str = ""
    agreement: Agreement | None = None


@dataclass(frozen=True, eq=False)
class Comparison:
    """What `compare` returns.

    Attributes:
        exact: the closed form, which every run is compared with.
        rows: one for each run, in the order of the methods, budgets and seeds.
        estimates: the Interactions of each row; None where there are no results.
        top: links that count as the strongest.
    """

    exact: Interactions
    rows: tuple[Row, ...]
    estimates: tuple[Interactions | None, ...]
    top: int

    def table(self) -> list[dict[str, str | int | float]]:
        """The rows as flat records; where there are no results, their errors are NaN."""
        names = [field.name for field in fields(Agreement)]
        records = []
        for row in self.rows:
            record = asdict(row)
            note, agreement = record.pop("note"), record.pop("agreement")
            records.append(record | (agreement or dict.fromkeys(names, math.nan)) | {"note": note})
        return records

    def to_csv(self) -> str:
        """The table, with a line of names first."""
        records, text = self.table(), io.StringIO()
        writer = csv.DictWriter(text, records[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
        return text.getvalue()

    def to_json(self) -> str:
        """The table with the exact values and all estimates; null where a number is missing."""
        results = [
            record
            | {
                "values": None if estimated is None else estimated.values.tolist(),
                "standard_error": None
                if estimated is None or estimated.standard_error is None
                else estimated.standard_error.tolist(),
            }
            for record, estimated in zip(self.table(), self.estimates, strict=True)
        ]
        data = {
            "schema": "hbi-comparison/1",
            "top": self.top,
            "exact": self.exact.values.tolist(),
            "rows": [
                {
                    k: None if isinstance(v, float) and not math.isfinite(v) else v
                    for k, v in row.items()
                }
                for row in results
            ],
        }
        return json.dumps(data, ensure_ascii=False, indent=1, allow_nan=False)


def compare(
    game: SimilarityGame,
    methods: Sequence[str] | Mapping[str, Method] = ("closed_form", "enumeration", "sampling"),
    budgets: Iterable[int] = BUDGETS,
    seeds: Iterable[int] = (0,),
    *,
    estimator: Estimator | None = None,
    top: int = 10,
    limit_seconds: float = 60.0,
    progress: Progress | None = None,
) -> Comparison:
    """Run methods on one game and compare each with the closed form.

    Args:
        game: one game, similarity [V, T]. What its masks leave out is not compared.
        methods: names out of METHODS, or methods of one's own by name; those are run for every
            budget and seed, as sampling is. Each is given a copy of the game.
        budgets: coalitions that a method may evaluate, for those that draw some. Repetitions of
            methods, budgets and seeds are dropped.
        seeds: of random numbers, 0 to 2^63 - 1.
        estimator: the learned network of the method "estimator".
        top: k, the strongest links that `Agreement.top_links` looks at.
        limit_seconds: an enumeration that would take longer becomes a row without results.
        progress: called with a fraction in [0, 1] and the method that runs.

    Raises:
        TypeError: the game is no SimilarityGame.
        ValueError: a batch of games, one without a real pair, an unknown method, nothing to run, no
            estimator for "estimator", or a number out of range.
    """
    check_game(game, "compare")
    if game.similarity.dim() != 2:
        raise ValueError(f"compare takes one game, not a batch {list(game.similarity.shape[:-2])}")
    real = game.video_mask.unsqueeze(-1) & game.text_mask
    if not real.any():
        raise ValueError("the game has no pair of real tokens to compare")
    top = whole_number("top", top, 1)
    if not isinstance(methods, Mapping):
        methods = (methods,) if isinstance(methods, str) else tuple(dict.fromkeys(methods))
    budgets = [whole_number("a budget", budget, 1) for budget in dict.fromkeys(budgets)]
    seeds = [whole_number("a seed", seed, 0, 2**63 - 1) for seed in dict.fromkeys(seeds)]
    runs = _runs(methods, budgets, seeds, estimator, limit_seconds)
    if not runs:
        raise ValueError("nothing to run: give a method, and for sampling a budget and a seed")
    closed_form(game)  # the first call of anything is slower than it is
    if estimator is not None:
        estimate(game, estimator)
    exact = closed_form(game)
    rows, estimates = [], []
    for number, (name, budget, seed, run) in enumerate(runs):

        def tell(done: int, total: int, number: int = number, name: str = name) -> None:
            if progress:
                progress((number + done / total) / len(runs), name)

        tell(0, 1)
        try:
            result = run(game, tell)
        except TooManyCoalitionsError as refused:
            device = str(game.similarity.device)
            rows.append(Row(name, budget, seed, math.nan, 0, device, str(refused)))
            estimates.append(None)
            continue
        rows.append(
            Row(
                name,
                budget,
                seed,
                result.seconds,
                result.coalitions_evaluated,
                result.device,
                agreement=agreement(result.values[real], exact.values[real], top),
            )
        )
        estimates.append(result)
    return Comparison(exact, tuple(rows), tuple(estimates), top)


def agreement(estimated: Tensor, exact: Tensor, top: int = 10) -> Agreement:
    """Agreement of estimates with exact values, both float of one shape, without padding."""
    both_strong = (ranks(estimated) <= top) & (ranks(exact) <= top)
    one, other = (x.detach().cpu().double().numpy().ravel() for x in (estimated, exact))
    off, nonzero = np.abs(one - other), other != 0
    same_sign = (np.sign(one) == np.sign(other))[nonzero]
    return Agreement(
        float(off.max()),
        float(off.mean()),
        float(np.linalg.norm(off) / np.linalg.norm(other)) if nonzero.any() else math.nan,
        _correlation(one, other),
        _correlation(_mean_ranks(one), _mean_ranks(other)),
        int(both_strong.sum()) / top if len(one) > top else math.nan,
        float(same_sign.mean()) if nonzero.any() else math.nan,
    )


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return math.nan
    return float(np.corrcoef(one, other)[0, 1])


def _mean_ranks(values: np.ndarray) -> np.ndarray:
    """Ascending; equal values share the mean of their ranks."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[place]


def _runs(methods, budgets, seeds, estimator, limit_seconds) -> list[tuple]:
    """Name, budget, seed and a function of the game and of what it tells, for each run."""
    if isinstance(methods, Mapping):
        return [
            (name, budget, seed, lambda game, _, m=method, b=budget, s=seed: _own(m, game, b, s))
            for name, method in methods.items()
            for budget in budgets
            for seed in seeds
        ]
    if unknown := set(methods) - set(METHODS):
        raise ValueError(f"methods {sorted(unknown)} are unknown; there are {METHODS}")
    if "estimator" in methods and estimator is None:
        raise ValueError("the method 'estimator' needs one: estimator=Estimator(...), trained")
    without_budget = {
        "closed_form": lambda game, _: closed_form(game),
        "enumeration": lambda game, tell: enumerate_coalitions(
            game, limit_seconds=limit_seconds, progress=tell
        ),
        "estimator": lambda game, _: estimate(game, estimator),
    }
    runs = []
    for name in methods:
        if name == "sampling":
            runs += _runs({name: _sampled}, budgets, seeds, None, limit_seconds)
        else:
            runs.append((name, 0, 0, without_budget[name]))
    return runs


def _own(method: Method, game: SimilarityGame, budget: int, seed: int) -> Interactions:
    """Of a copy of the game, and copied: a method may change the one and reuse the other."""
    result = method(replace(game), budget, seed)
    if result.values.shape != game.similarity.shape:
        raise ValueError(
            f"a method returned values {list(result.values.shape)} for the game "
            f"{list(game.similarity.shape)}; it must return one for each pair [V, T]"
        )
    error = result.standard_error
    return replace(
        result,
        values=result.values.detach().clone(),
        standard_error=None if error is None else error.detach().clone(),
    )


def _sampled(game: SimilarityGame, budget: int, seed: int) -> Interactions:
    return sample_coalitions(game, budget, torch.Generator().manual_seed(seed))
