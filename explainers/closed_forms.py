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
enumeration of all 2^n coalitions (`explainers.enumeration`) to rounding error. Single players have
one first difference in each term instead of two, and pairs of one side the second differences of
one factor: of two frames,

    I(i, j) = ½ [ Σ_v Δ_ij P_v · M_v  +  Σ_t Δ_ij N_t · Q_t ]
"""

from __future__ import annotations

import math
from functools import reduce

import torch
from torch import Tensor

from explainers.game import SimilarityGame, exact_precision, masked_softmax
from explainers.indices import joining_probabilities
from explainers.interactions import Interactions
from explainers.multilinear import STEP, rates
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
    O(V·T·(V² + T²) + N²·K) of time, O(V·T·N + N·K) of memory. "shapley" takes ⌈N / 2⌉ times as
    long.

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


def all_differences(game: SimilarityGame, probability: float) -> Tensor:
    """First and second differences of φ̄ where every player joins with one probability in (0, 1).

    Returns:
        float [..., N, N], video tokens first, zero for padding: on the diagonal what each player
        adds to φ̄; off it, symmetric, what each pair adds beyond its two players. Detached.
    """
    weight_gain, pair_gain = _WEIGHT_GAIN[game.weighting], _PAIR_WEIGHT_GAIN[game.weighting]
    with torch.no_grad(), exact_precision(game.similarity):
        rows, columns = game.similarity, game.similarity.mT
        video, text = (game.video_logits, game.video_mask), (game.text_logits, game.text_mask)
        seen, said = game.video_mask.unsqueeze(-2), game.text_mask.unsqueeze(-2)
        video_gain, text_gain = (weight_gain(*side, probability) for side in (video, text))
        best_text, best_video = (
            _expected_max(matches, probability) for matches in ((rows, said), (columns, seen))
        )
        best_text_gain = _max_gain(rows, said, probability)
        best_video_gain = _max_gain(columns, seen, probability)
        # A weight is 0 without its player, so that its mean is p times what the player adds.
        video_weight = probability * video_gain.diagonal(dim1=-2, dim2=-1)
        text_weight = probability * text_gain.diagonal(dim1=-2, dim2=-1)

        videos = _applied(video_gain.mT, best_text) + _applied(best_video_gain.mT, text_weight)
        texts = _applied(text_gain.mT, best_video) + _applied(best_text_gain.mT, video_weight)
        cross = video_gain.mT @ best_text_gain + best_video_gain.mT @ text_gain
        video_pairs = pair_gain(*video, best_text, probability)
        video_pairs = video_pairs + _pair_max_gain(columns, seen, text_weight, probability)
        text_pairs = pair_gain(*text, best_video, probability)
        text_pairs = text_pairs + _pair_max_gain(rows, said, video_weight, probability)
        pairs = torch.cat(
            [torch.cat([video_pairs, cross], -1), torch.cat([cross.mT, text_pairs], -1)], -2
        )
        pairs = 0.5 * (pairs + pairs.mT)  # rounding, within the sides
        diagonal = torch.eye(pairs.shape[-1], dtype=torch.bool, device=pairs.device)
        return 0.5 * torch.where(diagonal, torch.cat([videos, texts], -1).unsqueeze(-1), pairs)


def _applied(matrix: Tensor, vector: Tensor) -> Tensor:
    return (matrix @ vector.unsqueeze(-1)).squeeze(-1)


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
    ranked, order = _ranked(similarity, mask)
    absence = 1.0 - probability
    ranked = ranked * _absent(ranked, absence)
    count = ranked.shape[-1]
    below = ranked @ torch.tril(ranked.new_ones(count, count), diagonal=-1)
    gain = ranked - probability / absence * below
    return torch.zeros_like(gain).scatter(-1, order, gain)


def _expected_max(matches: tuple[Tensor, Tensor], probability: float) -> Tensor:
    """E[max_{t∈B} a[·,t]], [...], of similarities [..., N] and a mask: Σ_r p q^r a_(r)."""
    ranked, _ = _ranked(*matches)
    return probability * (ranked * _absent(ranked, 1.0 - probability)).sum(-1)


def _pair_max_gain(similarity: Tensor, mask: Tensor, weight: Tensor, probability: float) -> Tensor:
    """Σ_m weight_m Δ_ij E[max_{t∈B} a[m,t]], [..., N, N]; the diagonal has no meaning.

    The maximum is a_(0) less the drop d_r to the next similarity, or to 0, for every r whose first
    r + 1 players are all absent, with probability q^(r+1). So two of them that join save q^(r-1)
    d_r less together than apart.
    """
    ranked, order = _ranked(similarity, mask)
    drop = ranked - torch.cat([ranked[..., 1:], torch.zeros_like(ranked[..., :1])], -1)
    count, absence = ranked.shape[-1], 1.0 - probability
    first = torch.nn.functional.one_hot(order, count).cumsum(-2).to(ranked.dtype)
    first = first.flatten(-3, -2)  # [..., M·N, N]: who is among the first r + 1 of row m
    lost = (weight.unsqueeze(-1) * drop * _absent(ranked, absence) / absence).flatten(-2)
    return -(lost.unsqueeze(-1) * first).mT @ first


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


def _fixed_pair_weight_gain(
    logits: Tensor, mask: Tensor, best: Tensor, probability: float
) -> Tensor:
    """Σ_v best_v Δ_ij P_v with fixed weights, which are linear in each player. [..., N, N]"""
    return torch.zeros_like(torch.diag_embed(best))


def _renormalised_pair_weight_gain(
    logits: Tensor, mask: Tensor, best: Tensor, probability: float
) -> Tensor:
    """Σ_v best_v Δ_ij P_v with ω_v(A) = w_v / Σ_{u∈A} w_u, [..., N, N]; no meaning for i = j.

    As in `_renormalised_weight_gain`, and with h_u = e^(-w_u τ) - 1,

        Δ_ij P_v = p ∫ w_v e^(-w_v τ) h_i h_j Π_{u≠v,i,j} g_u dτ      (v ≠ i, j)
        Δ_ij P_i = ∫ w_i e^(-w_i τ) h_j Π_{u≠i,j} g_u dτ

    and the sum over v is taken over all of them, which g_i - p h_i = 1 makes up for.
    """
    rate = rates(logits, mask)
    decay, drop = (-rate).exp(), torch.expm1(-rate)
    factor = 1.0 + probability * drop
    product = factor.prod(dim=-2, keepdim=True) * STEP
    joins = best.unsqueeze(-1) * rate * decay / factor
    others = drop / factor
    all_joins = probability * joins.sum(-2, keepdim=True)
    one = (joins / factor * product) @ others.mT
    return (others * all_joins * product) @ others.mT + one + one.mT


_PAIR_WEIGHT_GAIN = {
    "fixed": _fixed_pair_weight_gain,
    "renormalised": _renormalised_pair_weight_gain,
}
