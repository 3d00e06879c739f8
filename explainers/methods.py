"""The methods of computing interactions: the one registry of them.

What runs, names, orders, colours or tells methods apart reads it, so that a new one is an entry
here and its function.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch

from explainers.closed_forms import closed_form
from explainers.enumeration import enumerate_coalitions
from explainers.estimator import Estimator, estimate
from explainers.interactions import Interactions
from explainers.sampling import sample_coalitions
from explainers.timing import CoalitionProgress
from explainers.token_game import TokenGame

Marker = Literal["circle", "diamond", "square-open", "star"]


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a run of a method is given beside the game; each method takes what it needs of it.

    Attributes:
        budget: coalitions it may evaluate, 0 for methods without a budget.
        seed: of its random numbers, 0 for methods without a budget.
        estimator: the learned network, or None.
        limit_seconds: what would take longer is not run.
        progress: to be called with the coalitions done and all of them.
    """

    budget: int
    seed: int
    estimator: Estimator | None
    limit_seconds: float
    progress: CoalitionProgress


@dataclass(frozen=True, kw_only=True)
class Method:
    """A method of computing interactions.

    Attributes:
        label: what a reader calls it.
        colour: of its points, "#rrggbb".
        marker: shape of its points, so that methods can be told apart in grey.
        exact: whether its values are the exact ones, to rounding.
        budgeted: whether it is given a number of coalitions and a seed, and run for each of them.
        learned: whether it needs an estimator.
        run: computes the interactions of one game.

    Raises:
        TooManyCoalitionsError: by `run`, which would take longer than its limit.
    """

    label: str
    colour: str
    marker: Marker
    exact: bool
    budgeted: bool
    learned: bool = False
    run: Callable[[TokenGame, Run], Interactions]


def _enumerated(game: TokenGame, run: Run) -> Interactions:
    return enumerate_coalitions(game, limit_seconds=run.limit_seconds, progress=run.progress)


def _estimated(game: TokenGame, run: Run) -> Interactions:
    assert run.estimator is not None, "compare looks for it before anything runs"
    return estimate(game, run.estimator)


def _sampled(game: TokenGame, run: Run) -> Interactions:
    return sample_coalitions(game, run.budget, torch.Generator().manual_seed(run.seed))


REFERENCE = "closed_form"  # which the others are compared with
METHODS = {  # by the names that calls and files use, in the order of tables and legends
    REFERENCE: Method(
        label="closed form",
        colour="#111111",
        marker="star",
        exact=True,
        budgeted=False,
        run=lambda game, _: closed_form(game),
    ),
    "enumeration": Method(
        label="full enumeration",
        colour="#111111",
        marker="square-open",
        exact=True,
        budgeted=False,
        run=_enumerated,
    ),
    "estimator": Method(
        label="estimator",
        colour="#d9650a",
        marker="diamond",
        exact=False,
        budgeted=False,
        learned=True,
        run=_estimated,
    ),
    "sampling": Method(
        label="sampling",
        colour="#2b6cb0",
        marker="circle",
        exact=False,
        budgeted=True,
        run=_sampled,
    ),
}
