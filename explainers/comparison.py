"""Methods side by side on one game: what each costs, and how far it is from the exact values."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import product

from explainers.agreement import Agreement, agreement
from explainers.closed_forms import closed_form
from explainers.enumeration import TooManyCoalitionsError
from explainers.estimator import Estimator, estimate
from explainers.interactions import Interactions
from explainers.methods import METHODS, Method, Run
from explainers.settings import check_game, whole_number
from explainers.timing import Progress
from explainers.token_game import TokenGame

BUDGETS = (256, 1024, 4096, 16384)  # coalitions
# A method of one's own: a game, a number of coalitions, a seed -> its interactions.
OwnMethod = Callable[[TokenGame, int, int], Interactions]
_Run = tuple[str, int, int, Callable[[TokenGame, Run], Interactions]]


@dataclass(frozen=True, kw_only=True)
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


@dataclass(frozen=True, eq=False, kw_only=True)
class Comparison:
    """What `compare` returns.

    Attributes:
        exact: the closed form, which every run is compared with.
        rows: one for each run, in the order of the methods, budgets and seeds.
        estimates: the Interactions of each row; None where there are no results.
        top: links that count as the strongest.

    Example:
        >>> import torch
        >>> from explainers import SimilarityGame, compare
        >>> similarity = torch.tensor([[0.9, 0.1], [0.2, 0.6]])
        >>> game = SimilarityGame(similarity, torch.zeros(2), torch.zeros(2))
        >>> comparison = compare(game, "sampling", budgets=(64, 1024), seeds=(0, 1))
        >>> [(row.method, row.budget, row.seed) for row in comparison.rows]
        [('sampling', 64, 0), ('sampling', 64, 1), ('sampling', 1024, 0), ('sampling', 1024, 1)]
        >>> len(comparison.to_csv().splitlines())
        5
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
    game: TokenGame,
    methods: str | Iterable[str] | Mapping[str, Method | OwnMethod] = (
        "closed_form",
        "enumeration",
        "sampling",
    ),
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
        game: one game, [V, T]. What its masks leave out is not compared.
        methods: names out of `explainers.methods.METHODS`, or methods of one's own by name:
            functions of a game, a budget and a seed, which are run for every budget and seed, as
            sampling is. Each is given a copy of the game.
        budgets: coalitions that a method may evaluate, for those that draw some. Repetitions of
            methods, budgets and seeds are dropped.
        seeds: of random numbers, 0 to 2^63 - 1.
        estimator: the learned network of the method "estimator".
        top: k, the strongest links that `Agreement.top_links` looks at.
        limit_seconds: an enumeration that would take longer becomes a row without results.
        progress: called with a fraction in [0, 1] and the method that runs.

    Returns:
        A row and the estimates of each run, with the exact values.

    Raises:
        TypeError: the game is no TokenGame, or no SimilarityGame for "estimator".
        ValueError: a batch of games, one without a real pair, an unknown method, nothing to run, no
            estimator for "estimator", or a number out of range.

    Example:
        >>> import torch
        >>> from explainers import SimilarityGame, compare
        >>> similarity = torch.tensor([[0.9, 0.1], [0.2, 0.6]])
        >>> game = SimilarityGame(similarity, torch.zeros(2), torch.zeros(2))
        >>> comparison = compare(game, ("closed_form", "enumeration"), top=2)
        >>> [(row.method, row.coalitions) for row in comparison.rows]
        [('closed_form', 0), ('enumeration', 16)]
        >>> [row.agreement.top_links for row in comparison.rows]
        [1.0, 1.0]
    """
    check_game(game, "compare")
    if game.cells.dim() != 2:
        raise ValueError(f"compare takes one game, not a batch {list(game.cells.shape[:-2])}")
    real = game.video_mask.unsqueeze(-1) & game.text_mask
    if not real.any():
        raise ValueError("the game has no pair of real tokens to compare")
    top = whole_number("top", top, 1)
    budgets = [whole_number("a budget", budget, 1) for budget in dict.fromkeys(budgets)]
    seeds = [whole_number("a seed", seed, 0, 2**63 - 1) for seed in dict.fromkeys(seeds)]
    runs = _runs(_chosen(methods), budgets, seeds, estimator)
    if not runs:
        raise ValueError("nothing to run: give a method, and for sampling a budget and a seed")
    closed_form(game)  # the first call of anything is slower than it is
    if estimator is not None:
        estimate(game, estimator)
    exact = closed_form(game)
    rows: list[Row] = []
    estimates: list[Interactions | None] = []
    for number, (name, budget, seed, method) in enumerate(runs):

        def tell(done: int, total: int, number: int = number, name: str = name) -> None:
            if progress:
                progress((number + done / total) / len(runs), name)

        tell(0, 1)
        run = Run(
            budget=budget,
            seed=seed,
            estimator=estimator,
            limit_seconds=limit_seconds,
            progress=tell,
        )
        try:
            result = method(game, run)
        except TooManyCoalitionsError as refused:
            rows.append(
                Row(
                    method=name,
                    budget=budget,
                    seed=seed,
                    seconds=math.nan,
                    coalitions=0,
                    device=str(game.cells.device),
                    note=str(refused),
                )
            )
            estimates.append(None)
            continue
        rows.append(
            Row(
                method=name,
                budget=budget,
                seed=seed,
                seconds=result.seconds,
                coalitions=result.coalitions_evaluated,
                device=result.device,
                agreement=agreement(result.values[real], exact.values[real], top),
            )
        )
        estimates.append(result)
    return Comparison(exact=exact, rows=tuple(rows), estimates=tuple(estimates), top=top)


def _chosen(
    methods: str | Iterable[str] | Mapping[str, Method | OwnMethod],
) -> Mapping[str, Method | OwnMethod]:
    if isinstance(methods, Mapping):
        return methods
    names = (methods,) if isinstance(methods, str) else tuple(methods)
    if unknown := set(names) - set(METHODS):
        raise ValueError(f"methods {sorted(unknown)} are unknown; there are {tuple(METHODS)}")
    return {name: METHODS[name] for name in names}


def _runs(
    methods: Mapping[str, Method | OwnMethod],
    budgets: Sequence[int],
    seeds: Sequence[int],
    estimator: Estimator | None,
) -> list[_Run]:
    """Name, budget, seed and function of each run."""
    runs: list[_Run] = []
    each = list(product(budgets, seeds))
    for name, method in methods.items():
        if not isinstance(method, Method):
            runs += [(name, *run, _on_copies(method)) for run in each]
            continue
        if method.learned and estimator is None:
            raise ValueError(f"the method {name!r} needs one: estimator=Estimator(...), trained")
        runs += [(name, *run, method.run) for run in (each if method.budgeted else [(0, 0)])]
    return runs


def _on_copies(method: OwnMethod) -> Callable[[TokenGame, Run], Interactions]:
    """A method may change its game and reuse its answer: it is given a copy, and copied."""

    def run_own(game: TokenGame, run: Run) -> Interactions:
        result = method(replace(game), run.budget, run.seed)
        if result.values.shape != game.cells.shape:
            raise ValueError(
                f"a method returned values {list(result.values.shape)} for the game "
                f"{list(game.cells.shape)}; it must return one for each pair [V, T]"
            )
        error = result.standard_error
        return replace(
            result,
            values=result.values.detach().clone(),
            standard_error=None if error is None else error.detach().clone(),
        )

    return run_own
