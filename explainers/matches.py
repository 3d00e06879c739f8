"""How a token matches the members of the other side, in a random coalition of them.

Every player joins with one probability p. Of matches m(B) to the members B there are the mean, what
a player adds to it, and what two players add beyond that.
"""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor

from explainers.tensors import applied
from explainers.token_game import Side
from explainers.weights import mean_weight, pair_weight_gain, weight_gain


class Match(Protocol):
    """A match of M tokens with a side of N, of which there are cells [..., M, N]."""

    def mean(self, cells: Tensor, side: Side, probability: float) -> Tensor:
        """E[m(B)], [..., M]."""

    def gain(self, cells: Tensor, side: Side, probability: float) -> Tensor:
        """Δ_j E[m(B)], [..., M, N], 0 for padding."""

    def pair_gain(self, cells: Tensor, side: Side, weight: Tensor, probability: float) -> Tensor:
        """Σ_m weight_m Δ_ij E[m(B)], [..., N, N]; the diagonal has no meaning."""


class Best:
    """m(B) = max_{t∈B} a[·,t], 0 for nobody."""

    def mean(self, cells: Tensor, side: Side, probability: float) -> Tensor:
        """With the players in descending order and q = 1 - p, Σ_r p q^r a_(r)."""
        ranked, _ = _ranked(cells, side.mask.unsqueeze(-2))
        return probability * (ranked * _absent(ranked, 1.0 - probability)).sum(-1)

    def gain(self, cells: Tensor, side: Side, probability: float) -> Tensor:
        """With the players in descending order, the one at rank r changes the maximum only if
        nobody above it is in the coalition, with probability q^r. It then replaces the expected
        maximum of those below it, Σ_{s>r} p q^(s-r-1) a_(s), where the empty coalition counts as 0.
        So it adds q^r a_(r) - p/q Σ_{s>r} q^s a_(s).
        """
        ranked, order = _ranked(cells, side.mask.unsqueeze(-2))
        absence = 1.0 - probability
        ranked = ranked * _absent(ranked, absence)
        count = ranked.shape[-1]
        below = ranked @ torch.tril(ranked.new_ones(count, count), diagonal=-1)
        gain = ranked - probability / absence * below
        return torch.zeros_like(gain).scatter(-1, order, gain)

    def pair_gain(self, cells: Tensor, side: Side, weight: Tensor, probability: float) -> Tensor:
        """The maximum is a_(0) less the drop d_r to the next similarity, or to 0, for every r whose
        first r + 1 players are all absent, with probability q^(r+1). So two of them that join save
        q^(r-1) d_r less together than apart.
        """
        ranked, order = _ranked(cells, side.mask.unsqueeze(-2))
        drop = ranked - torch.cat([ranked[..., 1:], torch.zeros_like(ranked[..., :1])], -1)
        count, absence = ranked.shape[-1], 1.0 - probability
        first = torch.nn.functional.one_hot(order, count).cumsum(-2).to(ranked.dtype)
        first = first.flatten(-3, -2)  # [..., M·N, N]: who is among the first r + 1 of row m
        lost = (weight.unsqueeze(-1) * drop * _absent(ranked, absence) / absence).flatten(-2)
        return -(lost.unsqueeze(-1) * first).mT @ first


class Mean:
    """m(B) = Σ_{t∈B} ω_t(B) a[·,t]: linear in the weights, whose means and gains give its own."""

    def mean(self, cells: Tensor, side: Side, probability: float) -> Tensor:
        return applied(cells, mean_weight(weight_gain(side, probability), probability))

    def gain(self, cells: Tensor, side: Side, probability: float) -> Tensor:
        return cells @ weight_gain(side, probability)

    def pair_gain(self, cells: Tensor, side: Side, weight: Tensor, probability: float) -> Tensor:
        return pair_weight_gain(side, applied(cells.mT, weight), probability)


MATCHES: dict[str, Match] = {"best": Best(), "mean": Mean()}  # by `TokenGame.match`


def _ranked(similarity: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Similarities in descending order, and whose they are.

    Padding is sorted to the end, where its zeros add nothing to any sum.
    """
    order = similarity.masked_fill(~mask, -torch.inf).argsort(dim=-1, descending=True)
    return similarity.gather(-1, order), order


def _absent(ranked: Tensor, absence: float) -> Tensor:
    """q^r, [N]: the probability that nobody above rank r is there."""
    rank = torch.arange(ranked.shape[-1], device=ranked.device, dtype=ranked.dtype)
    return torch.exp2(rank * math.log2(absence))
