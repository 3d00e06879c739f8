"""How much of a game its single players and its pairs explain, exactly, in polynomial time.

Let every player join independently with probability p, so that the value φ(S) is a random variable.
Its best least-squares approximation by single players and pairs has the weighted Banzhaf
interactions as the coefficients of its pairs (Hammer & Holzman 1992; Marichal & Mathonet 2011), and
its variance falls apart into those of its terms: with π = p(1 - p), the values B of single players
and the interactions I of pairs,

    Var(φ) = π Σ_i B_i²  +  π² Σ_{i<j} I_ij²  +  the rest, of order three and more

The variance itself is E[φ²] - E[φ]². It is polynomial as well, because the members A on the video
side and B on the text side are independent: with the best match m_v of a frame in B, n_t of a word
in A, and ω of `SimilarityGame`,

    E[φ²] = ¼ [ Σ_{v,v'} E[ω_v ω_v'] E[m_v m_v'] + Σ_{t,t'} E[ω_t ω_t'] E[n_t n_t']
                + 2 Σ_{v,t} E[ω_v n_t] E[ω_t m_v] ]

A best match is the highest similarity less the drops d_r to the next ones: m = a_(0) - Σ_r d_r over
those r whose first r + 1 players are all absent; after the last one it drops to 0. So all that is
needed are the probabilities that such sets of players are absent, and the mean weights where they
are. In a `BilinearGame` it takes the moments of the weights alone:

    E[φ²] = Σ_{v,v'} Σ_{t,t'} E[ω_v ω_v'] E[ω_t ω_t'] a[v,t] a[v',t']
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from explainers.closed_forms import all_differences
from explainers.indices import joining_probabilities
from explainers.multilinear import STEP
from explainers.settings import check_game
from explainers.tensors import applied, exact_precision
from explainers.token_game import Side, TokenGame
from explainers.weights import joining_rates, weight_moments


@dataclass(frozen=True, eq=False, kw_only=True)
class ExplainedVariance:
    """Shares of the variance of a game over random coalitions.

    The shares are at least 0 and sum to 1. Where all coalitions are worth the same there is nothing
    to explain: the variance is 0, and so is every share.

    Attributes:
        video_singles, text_singles: float [...], explained by the values of single video tokens and
            of single text tokens.
        cross_pairs: by the interactions of video with text tokens, which a coalition graph draws.
        video_pairs, text_pairs: by those of two tokens of one side.
        rest: by nothing of these: it takes three players or more.
        variance: of the value of a random coalition, in the squared unit of the game.

    Example:
        >>> import torch
        >>> from explainers import SimilarityGame, explained_variance
        >>> similarity = torch.tensor([[0.9, 0.1], [0.2, 0.6]])
        >>> game = SimilarityGame(similarity, torch.zeros(2), torch.zeros(2))
        >>> explained = explained_variance(game)
        >>> explained.cross_pairs, explained.r_squared
        (tensor(0.3020), tensor(0.9685))
    """

    video_singles: Tensor
    text_singles: Tensor
    cross_pairs: Tensor
    video_pairs: Tensor
    text_pairs: Tensor
    rest: Tensor
    variance: Tensor

    @property
    def r_squared(self) -> Tensor:
        """float [...]: R² of single players and pairs together, 1 - rest.

        Example:
            >>> import torch
            >>> from explainers import SimilarityGame, explained_variance
            >>> game = SimilarityGame(torch.ones(1, 1), torch.zeros(1), torch.zeros(1))
            >>> explained_variance(game).r_squared
            tensor(1.)
        """
        return 1.0 - self.rest

    def shares(self) -> dict[str, Tensor]:
        """The six shares by name, in the order of the attributes.

        Example:
            >>> import torch
            >>> from explainers import SimilarityGame, explained_variance
            >>> game = SimilarityGame(torch.ones(1, 1), torch.zeros(1), torch.zeros(1))
            >>> list(explained_variance(game).shares())[:3]
            ['video_singles', 'text_singles', 'cross_pairs']
        """
        return {name: getattr(self, name) for name in SHARES}


SHARES = ("video_singles", "text_singles", "cross_pairs", "video_pairs", "text_pairs", "rest")


def explained_variance(game: TokenGame, probability: float = 0.5) -> ExplainedVariance:
    """How much of a game single tokens and pairs of tokens explain.

    Cost of time: O(V²·T²·(V + T)), and with "renormalised" weighting O(V·T·(V + T)·K) beside that
    for K quadrature nodes (see `closed_form`). Of memory: O(V·T·max(V, T)), and that of all pairs.

    Args:
        game: any batch of games, any device. Padding tokens do not count.
        probability: with which each player joins, in (0, 1); with ½ all coalitions count alike.

    Returns:
        Shares [...] in the dtype of the game, computed in float64; not differentiable.

    Raises:
        TypeError: the game is no TokenGame.
        ValueError: the probability is out of range.

    Example:
        >>> import torch
        >>> from explainers import SimilarityGame, explained_variance
        >>> similarity = torch.tensor([[0.9, 0.1], [0.2, 0.6]])
        >>> game = SimilarityGame(similarity, torch.zeros(2), torch.zeros(2))
        >>> explained = explained_variance(game)
        >>> {name: f"{float(share):.1%}" for name, share in explained.shares().items()}
        {'video_singles': '28.4%', 'text_singles': '30.3%', 'cross_pairs': '30.2%', \
'video_pairs': '4.0%', 'text_pairs': '4.0%', 'rest': '3.1%'}
    """
    check_game(game, "explained_variance")
    ((probability, _),) = joining_probabilities("weighted_banzhaf", probability, 1)
    with torch.no_grad(), exact_precision(game.cells):
        double = game.to(dtype=torch.float64)
        differences = all_differences(double, probability)
        players = differences.diagonal(dim1=-2, dim2=-1)
        variance = _VARIANCES[game.match](double, probability).clamp(min=0.0)  # rounding
        videos = game.cells.shape[-2]
        explained = explained_by(players, differences, variance, videos, probability)
    dtype = game.cells.dtype
    return ExplainedVariance(
        **{one.name: getattr(explained, one.name).to(dtype) for one in fields(explained)}
    )


def explained_by(
    players: Tensor, pairs: Tensor, variance: Tensor, videos: int, probability: float = 0.5
) -> ExplainedVariance:
    """The shares of the values of single players and of the interactions of pairs, of any game.

    Args:
        players: float [..., N], the exact values of players, those of the video's side first.
        pairs: float [..., N, N], the exact interactions; the diagonal is not looked at.
        variance: float [...], of the value of a random coalition.
        videos: players of the video's side.
        probability: with which each player joins, of all three.
    """
    each = probability * (1.0 - probability)
    players, pairs = each * players.square(), each**2 * pairs.square().triu(diagonal=1)
    scale = torch.where(variance > 0, variance, torch.inf)
    shares = {
        "video_singles": players[..., :videos].sum(-1) / scale,
        "text_singles": players[..., videos:].sum(-1) / scale,
        "cross_pairs": pairs[..., :videos, videos:].sum((-2, -1)) / scale,
        "video_pairs": pairs[..., :videos, :videos].sum((-2, -1)) / scale,
        "text_pairs": pairs[..., videos:, videos:].sum((-2, -1)) / scale,
    }
    rest = variance / scale - sum(shares.values())
    return ExplainedVariance(**shares, rest=rest.clamp(min=0.0), variance=variance)  # rounding


def _variance_of_best(game: TokenGame, probability: float) -> Tensor:
    """Var(φ), [...], of a SimilarityGame."""
    rows = _BestMatches(game.cells, game.text_mask, probability)
    columns = _BestMatches(game.cells.mT, game.video_mask, probability)
    video_mean, video_second = weight_moments(game.video, probability)
    text_mean, text_second = weight_moments(game.text, probability)
    mean = (video_mean * rows.mean).sum(-1) + (text_mean * columns.mean).sum(-1)
    within = (video_second * rows.second()).sum((-2, -1))
    within = within + (text_second * columns.second()).sum((-2, -1))
    video_missed = _missed_weights(game.video, columns, probability)
    text_missed = _missed_weights(game.text, rows, probability)
    across = columns.with_weights(video_mean, video_missed).mT  # E[ω_v n_t]
    across = across * rows.with_weights(text_mean, text_missed)  # E[ω_t m_v]
    return 0.25 * (within + 2.0 * across.sum((-2, -1)) - mean.square())


def _variance_of_mean(game: TokenGame, probability: float) -> Tensor:
    """Var(φ), [...], of a BilinearGame."""
    video_mean, video_second = weight_moments(game.video, probability)
    text_mean, text_second = weight_moments(game.text, probability)
    second = (video_second * (game.cells @ text_second @ game.cells.mT)).sum((-2, -1))
    return second - (video_mean * applied(game.cells, text_mean)).sum(-1).square()


_VARIANCES = {"best": _variance_of_best, "mean": _variance_of_mean}


class _BestMatches:
    """The best match max_{t∈B} a[v,t] of every row of a matrix in a random coalition of columns.

    Attributes:
        order: int [..., M, N], the columns of each row by descending similarity.
        drop: float [..., M, N], d_r: from the similarity at rank r to the next, or to 0.
        others: float [..., M, N, N], 1 where a real player, last, is below rank r.
        none: float [..., M, N], the probability that the first r + 1 players are all absent.
        highest, mean: float [..., M], the similarity at rank 0, and the expected best match.
    """

    def __init__(self, similarity: Tensor, mask: Tensor, probability: float) -> None:
        ranked, self.order = similarity.sort(dim=-1, descending=True)
        self.drop = ranked - torch.cat([ranked[..., 1:], torch.zeros_like(ranked[..., :1])], -1)
        count = ranked.shape[-1]
        place = torch.nn.functional.one_hot(self.order, count)
        below = 1 - place.cumsum(-2)
        self.others = (below * mask.unsqueeze(-2).unsqueeze(-2)).to(ranked.dtype)
        self._log_absence = math.log2(1.0 - probability)
        self._players = mask.sum(-1)
        self.none = self._absent(self._players[..., None, None] - self.others.sum(-1))
        self.highest = ranked[..., 0]
        self.mean = self.highest - (self.drop * self.none).sum(-1)

    def _absent(self, players: Tensor) -> Tensor:
        """The probability that so many players are all absent."""
        return torch.exp2(players * self._log_absence)

    def second(self) -> Tensor:
        """E[m_v m_v'], [..., M, M]. Of two sets, those are absent that are not below both."""
        lost = self.highest - self.mean
        both = []
        others = self.others.flatten(-3, -2).mT  # [..., N, M·N]
        for row in range(self.drop.shape[-2]):  # one at a time: M·N² numbers instead of M²·N²
            union = self._players[..., None, None] - self.others[..., row, :, :] @ others
            absent = self.drop[..., row, None, :] @ self._absent(union)  # [..., 1, M·N]
            both.append(
                (absent.squeeze(-2).unflatten(-1, self.drop.shape[-2:]) * self.drop).sum(-1)
            )
        high = self.highest.unsqueeze(-1)
        return (
            high * high.mT
            - high * lost.unsqueeze(-2)
            - lost.unsqueeze(-1) * high.mT
            + (torch.stack(both, -2))
        )

    def with_weights(self, mean: Tensor, missed: Tensor) -> Tensor:
        """E[ω_u m_v], [..., M, N], of the mean weights and those where players are absent."""
        return self.highest.unsqueeze(-1) * mean.unsqueeze(-2) - (
            self.drop.unsqueeze(-1) * missed
        ).sum(-2)


def _missed_weights(side: Side, matches: _BestMatches, probability: float) -> Tensor:
    """Mean weights where the first r + 1 players of each row are absent, [..., M, N, N]: row, r,
    whose weight.

    As `weight_moments`; of a set U of players, with g_u = 1 - p + p e^(-w_u τ),

        E[ω_u; U is absent] (u∉U)  = p (1 - p)^|U| ∫ w_u e^(-w_u τ) Π_{t≠u, t∉U} g_t dτ
    """
    none = matches.none.unsqueeze(-1) * matches.others
    if side.weighting == "fixed":
        mean, _ = weight_moments(side, probability)
        return none * mean[..., None, None, :]
    _, joins, log_factor = joining_rates(side, probability)
    remaining = (matches.others.flatten(-3, -2) @ log_factor).exp() * STEP  # [..., M·N, K]
    return (remaining @ joins.mT).unflatten(-2, matches.none.shape[-2:]) * none
