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

In a `BilinearGame` the matches are means, M_v = Σ_t Q_t a[v,t] and N_t = Σ_v P_v a[v,t], so that
both halves are the same: I(i, j) = Σ_v Σ_t Δ_i P_v · a[v,t] · Δ_j Q_t.
"""

from __future__ import annotations

from functools import reduce

import torch
from torch import Tensor

from explainers.indices import joining_probabilities
from explainers.interactions import Interactions
from explainers.matches import MATCHES
from explainers.settings import check_game, checked_pairs
from explainers.tensors import applied, exact_precision
from explainers.timing import timed
from explainers.token_game import TokenGame
from explainers.weights import mean_weight, pair_weight_gain, weight_gain


def closed_form(
    game: TokenGame,
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
        differentiable in its cells and logits; with pairs="all", values [..., N, N] and player
        values [..., N], video tokens first, not differentiable. In float64 the absolute error is
        below 1e-10 for cells in [-1, 1] and logits that differ by up to 20; in float32 it is
        below 1e-4 of the largest value.

    Raises:
        TypeError: the game is no TokenGame.
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
    points = joining_probabilities(index, probability, sum(game.cells.shape[-2:]))
    differences = interaction_values if pairs == "cross" else all_differences

    def compute() -> Tensor:
        return reduce(torch.add, (weight * differences(game, p) for p, weight in points))

    device = game.cells.device
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


def interaction_values(game: TokenGame, probability: float = 0.5) -> Tensor:
    """Interactions of video and text tokens where players join with one probability in (0, 1).

    Returns:
        float [..., V, T], differentiable. At ½ these are the values of `closed_form`.
    """
    match, cells = MATCHES[game.match], game.cells
    with exact_precision(cells):
        video_weight_gain = weight_gain(game.video, probability)
        text_weight_gain = weight_gain(game.text, probability)
        text_match_gain = match.gain(cells, game.text, probability)
        video_match_gain = match.gain(cells.mT, game.video, probability)
        return 0.5 * (
            video_weight_gain.mT @ text_match_gain + video_match_gain.mT @ text_weight_gain
        )


def all_differences(game: TokenGame, probability: float) -> Tensor:
    """First and second differences of φ̄ where every player joins with one probability in (0, 1).

    Returns:
        float [..., N, N], video tokens first, zero for padding: on the diagonal what each player
        adds to φ̄; off it, symmetric, what each pair adds beyond its two players. Detached.
    """
    match, rows, columns = MATCHES[game.match], game.cells, game.cells.mT
    with torch.no_grad(), exact_precision(rows):
        video_gain, text_gain = (weight_gain(side, probability) for side in (game.video, game.text))
        text_match = match.mean(rows, game.text, probability)
        video_match = match.mean(columns, game.video, probability)
        text_match_gain = match.gain(rows, game.text, probability)
        video_match_gain = match.gain(columns, game.video, probability)
        video_weight = mean_weight(video_gain, probability)
        text_weight = mean_weight(text_gain, probability)

        videos = applied(video_gain.mT, text_match) + applied(video_match_gain.mT, text_weight)
        texts = applied(text_gain.mT, video_match) + applied(text_match_gain.mT, video_weight)
        cross = video_gain.mT @ text_match_gain + video_match_gain.mT @ text_gain
        video_pairs = pair_weight_gain(game.video, text_match, probability)
        video_pairs = video_pairs + match.pair_gain(columns, game.video, text_weight, probability)
        text_pairs = pair_weight_gain(game.text, video_match, probability)
        text_pairs = text_pairs + match.pair_gain(rows, game.text, video_weight, probability)
        pairs = torch.cat(
            [torch.cat([video_pairs, cross], -1), torch.cat([cross.mT, text_pairs], -1)], -2
        )
        pairs = 0.5 * (pairs + pairs.mT)  # rounding, within the sides
        diagonal = torch.eye(pairs.shape[-1], dtype=torch.bool, device=pairs.device)
        return 0.5 * torch.where(diagonal, torch.cat([videos, texts], -1).unsqueeze(-1), pairs)
