"""Which mean over coalitions an index takes.

Let every player join independently with probability s, and let φ̄(s) be the expected value of the
random coalition (Owen's multilinear extension). Its mixed differences at s = ½ are the Banzhaf
interactions (Grabisch & Roubens 1999), at s = p the weighted ones (Marichal & Mathonet 2011), and
their mean over all s in [0, 1] the Shapley value and interactions.
"""

from __future__ import annotations

import numpy as np

INDICES = ("banzhaf", "weighted_banzhaf", "shapley")


def joining_probabilities(
    index: str, probability: float | None, players: int
) -> list[tuple[float, float]]:
    """The points s at which an index looks, with their weights, which add up to 1.

    Args:
        index: one of INDICES.
        probability: p in (0, 1), for "weighted_banzhaf" only; None is ½.
        players: n. The mean over s is that of a polynomial of degree below n, so that the
            Gauss-Legendre rule with ⌈n / 2⌉ points is exact.

    Raises:
        ValueError: the index is unknown, or the probability is out of range or has no effect.
    """
    if index not in INDICES:
        raise ValueError(f"index is {index!r}; it must be one of {INDICES}")
    if probability is not None and index != "weighted_banzhaf":
        raise ValueError(
            f"probability is for index='weighted_banzhaf'; {index!r} has none: leave it out"
        )
    if index == "banzhaf":
        return [(0.5, 1.0)]
    if index == "weighted_banzhaf":
        probability = 0.5 if probability is None else probability
        if not 0.0 < probability < 1.0:
            raise ValueError(f"probability is {probability}; it must lie between 0 and 1")
        return [(float(probability), 1.0)]
    points, weights = np.polynomial.legendre.leggauss(max(1, (players + 1) // 2))
    return list(zip(((points + 1) / 2).tolist(), (weights / 2).tolist(), strict=True))
