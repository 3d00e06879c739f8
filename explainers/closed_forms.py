"""Exact interactions in polynomial time.

Let every player join independently with probability p. Then the expected value of the random
coalition is Owen's multilinear extension (1972) at (p, .., p), and its mixed second difference in
two players is their Banzhaf interaction at p = ½ (Grabisch & Roubens 1999), and their Shapley
interaction in the mean over p (`explainers.indices`). The members A on the video side and B on the
text side are independent, so for a frame i and a word j it factorises into first differences:

    I(i, j) = ½ [ Σ_v Δ_i P_v · Δ_j M_v  +  Σ_t Δ_i N_t · Δ_j Q_t ]

    M_v = E[max_{t∈B} a[v,t]]    N_t = E[max_{v∈A} a[v,t]]     (0 for an empty coalition)
    P_v = E[ω_v(A)]              Q_t = E[ω_t(B)]

which is what this module computes, for all pairs of all games of a batch at once. It equals the
enumeration of all 2^n coalitions (`explainers.enumeration`) to rounding error. The pairs of one
side, and single players, come from the extension itself (`explainers.multilinear`).
"""

from __future__ import annotations

import math
from functools import reduce

import torch
from torch import Tensor

from explainers.game import SimilarityGame, exact_precision, masked_softmax
from explainers.indices import joining_probabilities
from explainers.interactions import Interactions
from explainers.multilinear import STEP, all_differences, rates
from explainers.settings import check_game, checked_pairs
from explainers.timing import timed


def closed_form(
    game: SimilarityGame,
    *,
    pairs: str = "cross",
    index: str = "banzhaf",
    probability: float | None = None,
) -> Interactions:
    """Exact interactions (HBI, Eq. 3) of the tokens, and exact values of single tokens.

    Cost with pairs="cross": O(V·T·(V + T)) with "fixed" weighting; plus O((V² + T²)·K) with
    "renormalised", where the K quadrature nodes grow with the spread of the logits: about 120 + 3.3
    per unit of spread, and never more than 120 + 130·V. With pairs="all" and N = V + T tokens,
    O(N·V·T + N²·K) of time and memory. "shapley" takes ⌈N / 2⌉ times as long.

    Args:
        game: any batch of games, any device.
        pairs: "cross" for every video token with every text token; "all" for every token with every
            other, and single tokens.
        index: "banzhaf"; "weighted_banzhaf", where players join coalitions with a probability other
            than ½ (Marichal & Mathonet 2011); or "shapley", the Shapley interaction index (Grabisch
            & Roubens 1999) and the Shapley value.
        probability: in (0, 1), for "weighted_banzhaf" only; None is ½.

    Returns:
        Interactions in the dtype of the game. With pairs="cross", values [..., V, T],
        differentiable in its similarity and logits; with pairs="all", values [..., N, N] and player
        values [..., N], video tokens first, not differentiable. In float64 the absolute error is
        below 1e-10 for similarities in [-1, 1] and logits that differ by up to 20; in float32 it is
        below 1e-4 of the largest value.

    Raises:
        TypeError: the game is no SimilarityGame.
        ValueError: pairs or index is unknown, or the probability is out of range or has no effect.

    Example:
        The first frame and the first word belong together, and so do the second ones:

        >>> import torch
        >>> from explainers import SimilarityGame, closed_form
        >>> similarity = torch.tensor([[0.9, 0.1], [0.2, 0.6]])
        >>> game = SimilarityGame(similarity, torch.zeros(2), torch.zeros(2))
        >>> closed_form(game).values
        tensor([[ 0.6000, -0.1250],
                [-0.1000,  0.3750]])

        The Shapley values share out the similarity of all among the four tokens:

        >>> closed_form(game, pairs="all", index="shapley").player_values
        tensor([0.2375, 0.1375, 0.2625, 0.1125])
    """
    check_game(game, "closed_form")
    pairs = checked_pairs(pairs, game)
    points = joining_probabilities(index, probability, sum(game.similarity.shape[-2:]))
    differences = interaction_values if pairs == "cross" else all_differences

    def compute() -> Tensor:
        return reduce(torch.add, (weight * differences(game, p) for p, weight in points))

    device = game.similarity.device
    values, seconds = timed(compute, device)
    players = None
    if pairs == "all":
        players = values.diagonal(dim1=-2, dim2=-1)
        values = values - players.diag_embed()
    return Interactions(
        values=values,
        standard_error=None,
        method="closed_form",
        coalitions_evaluated=0,
        seconds=seconds,
        device=str(device),
        index=index,
        player_values=players,
    )


def interaction_values(game: SimilarityGame, probability: float = 0.5) -> Tensor:
    """Interactions of video and text tokens where players join with one probability in (0, 1).

    Returns:
        float [..., V, T], differentiable. At ½ these are the values of `closed_form`.
    """
    weight_gain = _WEIGHT_GAIN[game.weighting]
    with exact_precision(game.similarity):
        video_weight_gain = weight_gain(game.video_logits, game.video_mask, probability)
        text_weight_gain = weight_gain(game.text_logits, game.text_mask, probability)
        best_text_gain = _max_gain(game.similarity, game.text_mask.unsqueeze(-2), probability)
        best_video_gain = _max_gain(game.similarity.mT, game.video_mask.unsqueeze(-2), probability)
        return 0.5 * (video_weight_gain.mT @ best_text_gain + best_video_gain.mT @ text_weight_gain)


def _max_gain(similarity: Tensor, mask: Tensor, probability: float) -> Tensor:
    """Δ_j E[max_{t∈B} a[·,t]]: what player j adds to the expected maximum of a random coalition.

    With the players sorted in descending order and q = 1 - p, the one at rank r changes the maximum
    only if nobody above it is in the coalition, with probability q^r. It then replaces the expected
    maximum of those below it, Σ_{s>r} p q^(s-r-1) a_(s), where the empty coalition counts as 0. So
    it adds q^r a_(r) - p/q Σ_{s>r} q^s a_(s).

    Args:
        similarity: [..., N], 0 in masked cells.
        mask: bool, broadcastable to similarity.
        probability: p.

    Returns:
        [..., N], 0 in masked cells.
    """
    # Padding is sorted to the end, where its zeros add nothing to the sums.
    order = similarity.masked_fill(~mask, -torch.inf).argsort(dim=-1, descending=True)
    ranked = similarity.gather(-1, order)
    count, absence = similarity.shape[-1], 1.0 - probability
    rank = torch.arange(count, device=similarity.device, dtype=similarity.dtype)
    ranked = ranked * torch.exp2(rank * math.log2(absence))
    below = ranked @ torch.tril(ranked.new_ones(count, count), diagonal=-1)
    gain = ranked - probability / absence * below
    return torch.zeros_like(gain).scatter(-1, order, gain)


def _fixed_weight_gain(logits: Tensor, mask: Tensor, probability: float) -> Tensor:
    """Δ_i P_v with fixed weights: only a token's own entry brings its weight. [..., N, N]"""
    return torch.diag_embed(masked_softmax(logits, mask))


def _renormalised_weight_gain(logits: Tensor, mask: Tensor, probability: float) -> Tensor:
    """Δ_i P_v = Δ_i E[ω_v(A)] with ω_v(A) = w_v / Σ_{u∈A} w_u. [..., N, N], rows v.

    As in `explainers.multilinear`, with g_u = 1 - p + p e^(-w_u τ),

        Δ_i P_i = ∫ w_i e^(-w_i τ) Π_{u≠i} g_u dτ
        Δ_i P_v = p ∫ w_v e^(-w_v τ) (e^(-w_i τ) - 1) Π_{u≠v,i} g_u dτ      (v ≠ i)
    """
    rate = rates(logits, mask)  # w τ, 0 for padding
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


_WEIGHT_GAIN = {"fixed": _fixed_weight_gain, "renormalised": _renormalised_weight_gain}
