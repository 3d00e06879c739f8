"""Walsh coefficients of games from random coalitions, with a fitted polynomial as control variate.

The terms x of a coalition are products of its signs, s_i or s_i s_j. They are orthonormal over the
2^n coalitions, so that the coefficients of a game φ are E[x φ], and those of a polynomial c + βᵀx
are its β. The estimate of E[x φ] with the polynomial as control variate (Glasserman 2003, 4.1),

    β + mean[ x (φ - c - βᵀx) ]

has the error of the residuals alone. It is unbiased where the polynomial was fitted to other
coalitions. So these are dealt out to folds, each of which has a polynomial that was fitted to all
the others (cross-fitting, Chernozhukov et al. 2018).
"""

from __future__ import annotations

import torch
from torch import Tensor

_RIDGE = 0.1  # penalty, as a multiple of the number of terms
_MOST_TERMS = 2**11  # of a regression: 64 players. Above, the control variate is the mean alone
_STEPS = 12  # of conjugate gradients; further ones hardly change the error


class WalshSums:
    """Sums over the observations y of G games, and the coefficients that follow from them.

    Memory is that of Σ x xᵀ, [F, p, p] for F folds, however many observations there are.

    Args:
        terms: int [2, p], the signs i and j that are multiplied.
        games: G.
        folds: F; 1 for no control variates.
    """

    def __init__(self, terms: Tensor, games: int, folds: int) -> None:
        self.terms, self.folds = terms, folds
        size = terms.shape[1]

        def zeros(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
            return torch.zeros(folds, *shape, dtype=dtype, device=terms.device)

        self.count, self.y, self.yy = zeros(1, 1), zeros(games, 1), zeros(games, 1)
        self.x, self.xy, self.xx = zeros(1, size), zeros(games, size), None
        if folds > 1 and size <= _MOST_TERMS:
            self.xx = zeros(size, size, dtype=torch.float32)  # whole numbers, exact up to 2^24
        self.observations = 0

    def add(self, signs: Tensor, values: Tensor) -> None:
        """Signs ±1, float32 [n, K]; values float64 [G, K]."""
        terms = signs[self.terms[0]] * signs[self.terms[1]]
        for fold in range(self.folds):
            mine = slice((fold - self.observations) % self.folds, None, self.folds)
            x, y = terms[:, mine], values[:, mine]
            self.count[fold] += y.shape[1]
            self.y[fold] += y.sum(1, keepdim=True)
            self.yy[fold] += y.square().sum(1, keepdim=True)
            self.x[fold] += x.sum(1)
            self.xy[fold] += y @ x.mT.double()
            if self.xx is not None:
                self.xx[fold].addmm_(x, x.mT)
        self.observations += values.shape[1]

    def coefficients(self, kept: Tensor) -> tuple[Tensor, Tensor]:
        """E[x y] of every game and the standard errors, [G, p].

        Args:
            kept: bool [G, p], the terms of each game. Those with padding tokens are not fitted.
        """
        centre, control = self._control(kept)
        rest = self.xy - centre * self.x  # Σ x r of the residuals r
        energy = self.yy - 2 * centre * self.y + self.count * centre.square()  # Σ r²
        if self.xx is not None:
            explained = torch.stack(
                [b @ xx.double() for b, xx in zip(control, self.xx, strict=True)]
            )
            energy = energy - (control * (2 * rest - explained)).sum(-1, keepdim=True)
            rest = rest - explained
        mean = (rest + self.count * control).sum(0) / self.observations
        squares = (energy - rest.square() / self.count).sum(0).clamp(min=0)
        variance = squares / (self.observations - self.folds) / self.observations
        if self.xx is not None:
            variance = variance * self._dependence(kept.sum(-1, keepdim=True))
        return mean, variance.sqrt()

    def _control(self, kept: Tensor) -> tuple[Tensor, Tensor]:
        """Constants c [F, G, 1] and coefficients β [F, G, p] of the control variates."""
        if self.folds == 1:
            return torch.zeros_like(self.y), torch.zeros_like(self.xy)
        count, x, y, yy, xy = map(_of_other_folds, (self.count, self.x, self.y, self.yy, self.xy))
        if self.xx is None:
            return y / count, torch.zeros_like(xy)
        deviation = (yy - y.square() / count).clamp(min=0).sqrt()
        xy = _ratio(xy - y / count * x, deviation) * kept
        xx = _of_other_folds(self.xx) - (x.mT @ (x / count)).float()
        control = deviation * _shrunken_ridge(xx, xy.float(), kept, count.float()).double()
        return (y - (control * x).sum(-1, keepdim=True)) / count, control

    def _dependence(self, terms: Tensor) -> Tensor:
        """By how much the variance of the mean of all folds exceeds that of independent ones.

        Two folds have seen each other's coalitions in their polynomials. The errors of these make
        the covariance Σ_kl E[x x_k x_l r]² / N². For pairs of n players and residuals of degree 4
        that is the share 72 (n - 3) / (n (n - 1)) of the variance, over N; for single players less.
        """
        players = (1 + (1 + 8 * terms).sqrt()) / 2
        share = 72 * (players - 3).clamp(min=0) / (players * (players - 1)).clamp(min=1)
        return 1 + share * self.folds / (self.folds - 1) / self.observations


def _of_other_folds(sums: Tensor) -> Tensor:
    return sums.sum(0) - sums


def _shrunken_ridge(xx: Tensor, xy: Tensor, kept: Tensor, count: Tensor) -> Tensor:
    """Coefficients [F, G, p] of ridge regressions, scaled down as far as they do not predict.

    The factor in [0, 1] is the one that fits y best if each prediction ŷ is made without its own
    observation: that is (ŷ - h y) / (1 - h), where the leverage h is about the same for all. In
    float32: whatever the coefficients, they do not bias the estimate.

    Args:
        xx: Σ x xᵀ [F, p, p].
        xy: Σ x y [F, G, p] with Σ y² = 1; 0 where not kept.
        kept: bool [G, p], the terms of each game.
        count: of observations, [F, 1, 1].
    """
    terms = kept.sum(-1, keepdim=True)
    control = torch.zeros_like(xy)
    rest = direction = xy
    size = rest.square().sum(-1, keepdim=True)
    for _ in range(_STEPS):  # of conjugate gradients: control (Σ x xᵀ + penalty) = xy
        image = (direction @ xx) * kept + _RIDGE * terms * direction
        step = _ratio(size, (direction * image).sum(-1, keepdim=True))
        control = control + step * direction
        rest = rest - step * image
        size, before = rest.square().sum(-1, keepdim=True), size
        direction = rest + _ratio(size, before) * direction
    h = _leverage(count / terms)
    fitted = (control * xy).sum(-1, keepdim=True)  # Σ ŷ y
    length = (control * (control @ xx)).sum(-1, keepdim=True)  # Σ ŷ²
    shrink = _ratio((1 - h) * (fitted - h), length - 2 * h * fitted + h.square())
    return control * shrink.clamp(0.0, 1.0)


def _leverage(ratio: Tensor) -> Tensor:
    """Leverage of an observation in a ridge regression on `ratio` observations for each term.

    That of independent terms, in the limit of many (Marchenko & Pastur 1967): h = t / (1 + t),
    where t (λ + ratio / (1 + t)) = 1 with the penalty λ for each term.
    """
    b = 1 - _RIDGE - ratio
    t = 2 / ((b.square() + 4 * _RIDGE).sqrt() - b)
    return t / (1 + t)


def _ratio(above: Tensor, below: Tensor) -> Tensor:
    """above / below, and 0 where below is not positive."""
    return torch.where(below > 0, above / below, 0.0)
