"""How well estimates agree with exact values."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from explainers.coalition_graph import ranks


@dataclass(frozen=True, kw_only=True)
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


def agreement(estimated: Tensor, exact: Tensor, top: int = 10) -> Agreement:
    """Agreement of estimates with exact values, both float of one shape, without padding."""
    both_strong = (ranks(estimated) <= top) & (ranks(exact) <= top)
    one, other = (x.detach().cpu().double().numpy().ravel() for x in (estimated, exact))
    off, nonzero = np.abs(one - other), other != 0
    same_sign = (np.sign(one) == np.sign(other))[nonzero]
    return Agreement(
        max_error=float(off.max()),
        mean_error=float(off.mean()),
        relative_error=(
            float(np.linalg.norm(off) / np.linalg.norm(other)) if nonzero.any() else math.nan
        ),
        pearson=_correlation(one, other),
        spearman=_correlation(_mean_ranks(one), _mean_ranks(other)),
        top_links=int(both_strong.sum()) / top if len(one) > top else math.nan,
        signs=float(same_sign.mean()) if nonzero.any() else math.nan,
    )


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return math.nan
    return float(np.corrcoef(one, other)[0, 1])


def _mean_ranks(values: np.ndarray) -> np.ndarray:
    """Ascending; equal values share the mean of their ranks."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[place]
