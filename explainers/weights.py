"""Token weights in a random coalition: their means, and how these change as players join.

Every player of a side joins with one probability p. With "renormalised" weighting, ω_v(A) = w_v /
Σ_{u∈A} w_u is a ratio, which 1/W = ∫ e^(-Wτ) dτ turns into a product over the players, whose
expectation factorises (`explainers.multilinear`); g_u = 1 - p + p e^(-w_u τ) throughout.
"""

from __future__ import annotations

import torch
from torch import Tensor

from explainers.multilinear import STEP, rates
from explainers.tensors import masked_softmax
from explainers.token_game import Side


def weight_gain(side: Side, probability: float) -> Tensor:
    """Δ_i P_v, what player i adds to the mean weight P_v = E[ω_v(A)]; [..., N, N], rows v.

        Δ_i P_i = ∫ w_i e^(-w_i τ) Π_{u≠i} g_u dτ
        Δ_i P_v = p ∫ w_v e^(-w_v τ) (e^(-w_i τ) - 1) Π_{u≠v,i} g_u dτ      (v ≠ i)

    With fixed weights only a token's own entry brings its weight.
    """
    if side.weighting == "fixed":
        return torch.diag_embed(masked_softmax(side.logits, side.mask))
    rate = rates(side.logits, side.mask)  # w τ, 0 for padding
    decay = (-rate).exp()
    drop = torch.expm1(-rate)  # e^(-wτ) - 1
    factor = 1.0 + probability * drop  # g, 1 for padding
    product = factor.prod(dim=-2, keepdim=True)
    joins = rate * decay / factor  # the player whose weight is measured
    others = drop / factor * product * STEP  # the player who joins
    gain = probability * joins @ others.mT
    own = (joins * product).sum(-1) * STEP
    diagonal = torch.eye(gain.shape[-1], dtype=torch.bool, device=gain.device)
    return torch.where(diagonal, own.unsqueeze(-1), gain)


def mean_weight(gain: Tensor, probability: float) -> Tensor:
    """P_v, [..., N], of the gains: a weight is 0 without its player, so that P_v = p Δ_v P_v."""
    return probability * gain.diagonal(dim1=-2, dim2=-1)


def pair_weight_gain(side: Side, worth: Tensor, probability: float) -> Tensor:
    """Σ_v worth_v Δ_ij P_v, [..., N, N]; it has no meaning for i = j.

    With h_u = e^(-w_u τ) - 1,

        Δ_ij P_v = p ∫ w_v e^(-w_v τ) h_i h_j Π_{u≠v,i,j} g_u dτ      (v ≠ i, j)
        Δ_ij P_i = ∫ w_i e^(-w_i τ) h_j Π_{u≠i,j} g_u dτ

    and the sum over v is taken over all of them, which g_i - p h_i = 1 makes up for. Fixed weights
    are linear in each player.
    """
    if side.weighting == "fixed":
        return torch.zeros_like(torch.diag_embed(worth))
    rate = rates(side.logits, side.mask)
    decay, drop = (-rate).exp(), torch.expm1(-rate)
    factor = 1.0 + probability * drop
    product = factor.prod(dim=-2, keepdim=True) * STEP
    joins = worth.unsqueeze(-1) * rate * decay / factor
    others = drop / factor
    all_joins = probability * joins.sum(-2, keepdim=True)
    one = (joins / factor * product) @ others.mT
    return (others * all_joins * product) @ others.mT + one + one.mT


def weight_moments(side: Side, probability: float) -> tuple[Tensor, Tensor]:
    """Mean weights E[ω_u], [..., N], and second moments E[ω_u ω_s], [..., N, N].

    With 1/W² = ∫ τ e^(-Wτ) dτ,

        E[ω_u]      = p ∫ w_u e^(-w_u τ) Π_{t≠u} g_t dτ
        E[ω_u ω_s]  = p² ∫ τ w_u w_s e^(-w_u τ - w_s τ) Π_{t≠u,s} g_t dτ     (u ≠ s)
        E[ω_u²]     = p ∫ τ w_u² e^(-w_u τ) Π_{t≠u} g_t dτ
    """
    if side.weighting == "fixed":
        weight = masked_softmax(side.logits, side.mask)
        mean = probability * weight
        second = mean.unsqueeze(-1) * mean.unsqueeze(-2)
        return mean, second + torch.diag_embed((1.0 - probability) * mean * weight)
    rate, joins, log_factor = joining_rates(side, probability)
    product = log_factor.sum(-2, keepdim=True).exp() * STEP
    second = joins * product @ joins.mT
    own = (joins * rate * product).sum(-1)
    diagonal = torch.eye(second.shape[-1], dtype=torch.bool, device=second.device)
    return (joins * product).sum(-1), torch.where(diagonal, own.unsqueeze(-1), second)


def joining_rates(side: Side, probability: float) -> tuple[Tensor, Tensor, Tensor]:
    """Of the integrands, at each node: w τ, p w τ e^(-w τ) / g, and log g; all [..., N, K]."""
    rate = rates(side.logits, side.mask)  # 0 for padding
    decay = (-rate).exp()
    factor = 1.0 - probability + probability * decay
    factor = torch.where(side.mask.unsqueeze(-1), factor, 1.0)
    return rate, probability * rate * decay / factor, factor.log()
