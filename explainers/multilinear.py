"""Exact Banzhaf interactions in polynomial time.

Let every player join independently with probability ½. Then the expected value of the random
coalition is Owen's multilinear extension (1972) at ½, and the Banzhaf interaction of two players
is its mixed second difference in them (Grabisch & Roubens 1999). The members A on the video side
and B on the text side are independent, so for a frame i and a word j it factorises into first
differences:

    I(i, j) = ½ [ Σ_v Δ_i P_v · Δ_j M_v  +  Σ_t Δ_i N_t · Δ_j Q_t ]

    M_v = E[max_{t∈B} a[v,t]]    N_t = E[max_{v∈A} a[v,t]]     (0 for an empty coalition)
    P_v = E[ω_v(A)]              Q_t = E[ω_t(B)]

which is what this module computes, for all pairs of all games of a batch at once. It equals the
enumeration of all 2^n coalitions (`explainers.enumeration`) to rounding error.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from explainers.game import SimilarityGame, exact_precision, masked_softmax
from explainers.interactions import Interactions, timed

# The quadrature of `_renormalised_weight_gain`. The trapezoidal rule in log τ converges like
# exp(-π²/step), 5e-15 here; beyond these ends the integrand leaves less than 1e-13.
_STEP = 0.3
_LOWEST_LOG_TAU = -32.0
_HIGHEST_LOG_TAU = 3.6
_LARGEST_GAP = 40.0  # between neighbouring logits, see `_without_gaps`
_LARGEST_EXPONENT = 7.0  # exp(-exp(7)) is 0 in float64; beyond it, gradients would be inf · 0


def closed_form(game: SimilarityGame) -> Interactions:
    """Exact Banzhaf interactions (HBI, Eq. 3) of every video token with every text token.

    Cost: O(V·T·log) with "fixed" weighting; plus O((V² + T²)·K) with "renormalised", where the
    K quadrature nodes grow with the spread of the logits: about 120 + 3.3 per unit of spread, and
    never more than 120 + 130·V.

    Args:
        game: any batch of games, any device. Differentiable in its similarity and logits.

    Returns:
        Interactions with values [..., V, T] in the dtype of the game. In float64 the absolute
        error is below 1e-10 for similarities in [-1, 1] and logits that differ by up to 20; in
        float32 it is below 1e-4 of the largest value.

    Raises:
        ValueError: a logit of a real token is not finite ("renormalised" weighting).
    """
    device = game.similarity.device
    values, seconds = timed(lambda: interaction_values(game), device)
    return Interactions(values, None, "closed_form", 0, seconds, str(device))


def interaction_values(game: SimilarityGame) -> Tensor:
    """The values of `closed_form`, float [..., V, T], without their cost."""
    weight_gain = _WEIGHT_GAIN[game.weighting]
    with exact_precision(game.similarity):
        video_weight_gain = weight_gain(game.video_logits, game.video_mask)
        text_weight_gain = weight_gain(game.text_logits, game.text_mask)
        best_text_gain = _max_gain(game.similarity, game.text_mask.unsqueeze(-2))
        best_video_gain = _max_gain(game.similarity.mT, game.video_mask.unsqueeze(-2)).mT
        return 0.5 * (video_weight_gain.mT @ best_text_gain + best_video_gain @ text_weight_gain)


def _max_gain(similarity: Tensor, mask: Tensor) -> Tensor:
    """Δ_j E[max_{t∈B} a[·,t]]: what player j adds to the expected maximum of a random coalition.

    With the players sorted in descending order, the one at rank r changes the maximum only if
    nobody above it is in the coalition, with probability 2^-r. It then replaces the expected
    maximum of those below it, Σ_{s>r} 2^-(s-r) a_(s), where the empty coalition counts as 0.

    Args:
        similarity: [..., N], 0 in masked cells.
        mask: bool, broadcastable to similarity.

    Returns:
        [..., N], 0 in masked cells.
    """
    mask = mask.expand(similarity.shape)
    # Padding is sorted to the end, where its zeros add nothing to the sums.
    order = similarity.masked_fill(~mask, -torch.inf).argsort(dim=-1, descending=True)
    ranked = similarity.gather(-1, order)
    rank = torch.arange(similarity.shape[-1], device=similarity.device, dtype=similarity.dtype)
    reach = torch.tril(torch.exp2(rank - rank.unsqueeze(-1)), diagonal=-1)  # [s, r] = 2^-(s-r)
    gain = torch.exp2(-rank) * (ranked - ranked @ reach)
    return torch.zeros_like(gain).scatter(-1, order, gain).masked_fill(~mask, 0.0)


def _fixed_weight_gain(logits: Tensor, mask: Tensor) -> Tensor:
    """Δ_i P_v with fixed weights: only a token's own entry brings its weight. [..., N, N]"""
    return torch.diag_embed(masked_softmax(logits, mask))


def _renormalised_weight_gain(logits: Tensor, mask: Tensor) -> Tensor:
    """Δ_i P_v = Δ_i E[ω_v(A)] with ω_v(A) = w_v / Σ_{u∈A} w_u. [..., N, N], rows v.

    1/W = ∫ e^(-Wτ) dτ turns the ratio into a product over the players, whose expectation
    factorises: with g_u = ½ (1 + e^(-w_u τ)),

        Δ_i P_i = ∫ w_i e^(-w_i τ) Π_{u≠i} g_u dτ
        Δ_i P_v = ½ ∫ w_v e^(-w_v τ) (e^(-w_i τ) - 1) Π_{u≠v,i} g_u dτ      (v ≠ i)

    The integrals run over log τ, on nodes that cover the range of 1/w of all games at once.
    """
    peak = logits.masked_fill(~mask, -torch.inf).amax(-1, keepdim=True).detach()
    logits = torch.where(mask, logits - peak, 0.0)
    spread = -float(logits.detach().min())
    if not math.isfinite(spread):
        raise ValueError("a token logit is not finite; mask padding tokens instead")
    if spread > _LARGEST_GAP:
        logits, spread = _without_gaps(logits)
    log_tau = torch.arange(
        _LOWEST_LOG_TAU,
        _HIGHEST_LOG_TAU + spread + _STEP,
        _STEP,
        device=logits.device,
        dtype=logits.dtype,
    )
    mask = mask.unsqueeze(-1)
    exponent = (logits.unsqueeze(-1) + log_tau).masked_fill(~mask, -torch.inf)  # [..., N, K]
    rate = exponent.clamp(max=_LARGEST_EXPONENT).exp()  # w τ, 0 for padding
    decay = (-rate).exp()
    drop = torch.expm1(-rate)  # e^(-wτ) - 1
    factor = 1.0 + 0.5 * drop  # g, 1 for padding
    product = factor.prod(dim=-2, keepdim=True)
    joins = rate * decay / factor  # the player whose weight is measured
    others = drop / factor * product * _STEP  # the player who joins
    gain = 0.5 * joins @ others.mT
    own = (joins * product).sum(-1) * _STEP
    diagonal = torch.eye(gain.shape[-1], dtype=torch.bool, device=gain.device)
    return torch.where(diagonal, own.unsqueeze(-1), gain)


def _without_gaps(logits: Tensor) -> tuple[Tensor, float]:
    """Close gaps between neighbouring logits that are too wide to matter; also the new spread.

    Beyond a gap of 40, a weight is less than 1e-17 of the other: rounding, at any width.
    """
    ranked, order = logits.sort(-1, descending=True)
    gaps = (ranked[..., :-1] - ranked[..., 1:]).clamp(max=_LARGEST_GAP)
    closed = torch.cat([torch.zeros_like(ranked[..., :1]), -gaps.cumsum(-1)], -1)
    return torch.zeros_like(closed).scatter(-1, order, closed), -float(closed.detach().min())


_WEIGHT_GAIN = {"fixed": _fixed_weight_gain, "renormalised": _renormalised_weight_gain}
