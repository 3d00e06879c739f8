"""Owen's multilinear extension (1972) of the games of tokens, in polynomial time.

Let every player p join independently with probability x_p. The expected value of the random
coalition factorises, because the members A on the video side and B on the text side are drawn
independently:

    φ̄(x) = E[φ(A, B)] = ½ [ Σ_v P_v(x_V) M_v(x_T)  +  Σ_t Q_t(x_T) N_t(x_V) ]

    M_v = E[max_{t∈B} a[v,t]]    N_t = E[max_{v∈A} a[v,t]]     (0 for an empty coalition)
    P_v = E[ω_v(A)]              Q_t = E[ω_t(B)]               (0 for those who are not in it)

and in a `BilinearGame` M_v = Σ_t Q_t a[v,t] and N_t = Σ_v P_v a[v,t].

φ̄ is linear in every x_p, so that its derivatives are its finite differences, and these are the
indices of the game (`explainers.indices`): the gradient gives the values of single players, the
mixed second derivatives the interactions of pairs. `explainers.closed_forms` has a faster way to
the pairs of a video and a text token.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from explainers.settings import check_game
from explainers.tensors import applied, exact_precision, masked_softmax
from explainers.token_game import Side, TokenGame, checked_members, sides_of

# The quadrature of `rates`. The trapezoidal rule in log τ converges like exp(-π²/step), 5e-15
# here; beyond these ends the integrand leaves less than 1e-13.
STEP = 0.3
_LOWEST_LOG_TAU = -32.0
_HIGHEST_LOG_TAU = 3.6
_LARGEST_GAP = 40.0  # between neighbouring logits, see `_without_gaps`
_LARGEST_EXPONENT = 7.0  # exp(-exp(7)) is 0 in float64; beyond it, gradients would be inf · 0


def multilinear_extension(
    game: TokenGame, video_probability: Tensor, text_probability: Tensor
) -> Tensor:
    """φ̄: the expected value of a coalition that every player joins independently.

    Where all probabilities are 0 or 1 this is `game.value`, to the accuracy of `closed_form`, and
    its cost at one point is that of `closed_form`.

    Args:
        game: any batch of games, any device.
        video_probability: float [..., V] in [0, 1]. Leading dimensions broadcast with the game's
            own: [K, V] gives K points of one game. Those of padding tokens have no effect.
        text_probability: float [..., T], likewise.

    Returns:
        float [...], in the dtype of the game. Differentiable in its cells and logits, and in
        the probabilities where they are above 0 and below 1.

    Raises:
        TypeError: probabilities are not floating point, or the game is no TokenGame.
        ValueError: shapes do not fit the game, or a probability of a real token is outside [0, 1].

    Example:
        >>> import torch
        >>> from explainers import SimilarityGame, multilinear_extension
        >>> similarity = torch.tensor([[0.9, 0.1], [0.2, 0.6]])
        >>> game = SimilarityGame(similarity, torch.zeros(2), torch.zeros(2))
        >>> half = torch.full((2,), 0.5)
        >>> multilinear_extension(game, half, half)  # the mean of all 16 coalitions
        tensor(0.3094)
    """
    check_game(game, "multilinear_extension")
    sides = sides_of(game, "probability", video_probability, text_probability)
    for side in sides:
        if not side.is_floating_point():
            raise TypeError(f"probabilities must be floating point, got {side.dtype}")
    probability = _all_players(game, *sides)
    possible = (probability >= 0.0) & (probability <= 1.0)
    if not (possible | ~_real_players(game)).all():
        raise ValueError("a probability is not in [0, 1]")
    return _extension(game, probability)


def coalition_interaction(game: TokenGame, video_members: Tensor, text_members: Tensor) -> Tensor:
    """The Banzhaf interaction I(C) of a whole coalition C, such as a phrase with a clip.

    It is what the coalition gains by acting together: the mean of φ(S∪C) - φ(S) over all coalitions
    S of the other players, less what every member would add to S alone (HBI, App. B.4). For two
    members it is their interaction in `closed_form`, for fewer it is 0.

    The cost is that of φ̄ at V + T + 2 points, all of them held at once.

    Args:
        game: any batch of games, any device.
        video_members: bool [..., V], True for the video tokens of C. Leading dimensions broadcast
            with the game's own: [K, V] gives K coalitions of one game. Padding is ignored.
        text_members: bool [..., T], likewise.

    Returns:
        float [...], in the unit and dtype of the game. Differentiable in its cells and logits.

    Raises:
        TypeError: members are not bool, or the game is no TokenGame.
        ValueError: shapes do not fit the game.

    Example:
        Both frames with the first word:

        >>> import torch
        >>> from explainers import SimilarityGame, coalition_interaction
        >>> similarity = torch.tensor([[0.9, 0.1], [0.2, 0.6]])
        >>> game = SimilarityGame(similarity, torch.zeros(2), torch.zeros(2))
        >>> coalition_interaction(game, torch.tensor([True, True]), torch.tensor([True, False]))
        tensor(0.3875)
    """
    check_game(game, "coalition_interaction")
    members = _all_players(game, *checked_members(game, video_members, text_members))
    nobody = torch.where(members, 0.0, game.cells.new_tensor(0.5))
    everybody = torch.where(members, 1.0, nobody)
    one = torch.where(members.diag_embed().movedim(-2, 0), 1.0, nobody)  # [N, ..., N]
    together, none, *alone = _extension(game, torch.stack([everybody, nobody, *one]))
    return together - none - sum(value - none for value in alone)


def _extension(game: TokenGame, probability: Tensor) -> Tensor:
    """φ̄ at x, [..., N] with video tokens first."""
    with exact_precision(game.cells):
        x = torch.where(_real_players(game), probability.to(game.cells.dtype), 0.0)
        video, text = x.split(game.cells.shape[-2:], -1)
        video_weight, text_weight = _mean_weight(game.video, video), _mean_weight(game.text, text)
        rows, columns = game.cells, game.cells.mT
        if game.match == "best":
            text_match, video_match = _expected_max(rows, text), _expected_max(columns, video)
        else:
            text_match, video_match = applied(rows, text_weight), applied(columns, video_weight)
        return 0.5 * ((video_weight * text_match).sum(-1) + (text_weight * video_match).sum(-1))


def _expected_max(similarity: Tensor, probability: Tensor) -> Tensor:
    """E[max_{t∈B} a[·,t]], 0 where nobody joins: [..., M, N] and [..., N] -> [..., M].

    With the players sorted in descending order, each is the maximum if it joins and nobody above
    it does. Padding never joins.
    """
    ranked, order = similarity.sort(dim=-1, descending=True)
    order, joins = torch.broadcast_tensors(order, probability.unsqueeze(-2))
    joins = joins.gather(-1, order)
    nobody = (1.0 - joins).cumprod(-1)
    nobody_above = torch.cat([torch.ones_like(nobody[..., :1]), nobody[..., :-1]], -1)
    return (ranked * joins * nobody_above).sum(-1)


def _mean_weight(side: Side, probability: Tensor) -> Tensor:
    """P_v = E[ω_v(A)], [..., N]; with "renormalised" weighting ω_v(A) = w_v / Σ_{u∈A} w_u.

    1/W = ∫ e^(-Wτ) dτ turns the ratio into a product over the players, whose expectation
    factorises: with g_u = 1 - x_u + x_u e^(-w_u τ),

        P_v = x_v ∫ w_v e^(-w_v τ) Π_{u≠v} g_u dτ
    """
    if side.weighting == "fixed":
        return probability * masked_softmax(side.logits, side.mask)
    rate = rates(side.logits, side.mask)
    x = probability.unsqueeze(-1)
    factor = 1.0 - x + x * (-rate).exp()  # g, 1 for padding, and 0 where x = 1 and e^-wτ underflows
    log_factor = factor.clamp(min=torch.finfo(factor.dtype).tiny).log()
    others = log_factor.sum(-2, keepdim=True) - log_factor
    return probability * (rate * (others - rate).exp()).sum(-1) * STEP


def rates(logits: Tensor, mask: Tensor) -> Tensor:
    """w_v τ on the nodes of a quadrature for 1/W = ∫ e^(-Wτ) dτ; [..., N, K], 0 for padding.

    The integral runs over log τ in steps of STEP, on nodes that cover the range of 1/w of all
    games at once: ∫ w_v f(τ) dτ = STEP · Σ_k (w_v τ_k) f(τ_k). The weights are relative to the
    largest, which makes no difference to their ratios.

    Raises:
        ValueError: logits differ by more than their dtype holds.
    """
    peak = logits.masked_fill(~mask, -torch.inf).amax(-1, keepdim=True).detach()
    logits = torch.where(mask, logits - peak, 0.0)
    spread = -float(logits.detach().min()) if logits.numel() else 0.0
    if not math.isfinite(spread):
        raise ValueError(f"token logits differ by more than {logits.dtype} holds; use nearer ones")
    if spread > _LARGEST_GAP:
        logits, spread = _without_gaps(logits)
    log_tau = torch.arange(
        _LOWEST_LOG_TAU,
        _HIGHEST_LOG_TAU + spread + STEP,
        STEP,
        device=logits.device,
        dtype=logits.dtype,
    )
    exponent = (logits.unsqueeze(-1) + log_tau).masked_fill(~mask.unsqueeze(-1), -torch.inf)
    return exponent.clamp(max=_LARGEST_EXPONENT).exp()


def _without_gaps(logits: Tensor) -> tuple[Tensor, float]:
    """Close gaps between neighbouring logits that are too wide to matter; also the new spread.

    Beyond a gap of 40, a weight is less than 1e-17 of the other: rounding, at any width.
    """
    ranked, order = logits.sort(-1, descending=True)
    gaps = (ranked[..., :-1] - ranked[..., 1:]).clamp(max=_LARGEST_GAP)
    closed = torch.cat([torch.zeros_like(ranked[..., :1]), -gaps.cumsum(-1)], -1)
    return torch.zeros_like(closed).scatter(-1, order, closed), -float(closed.detach().min())


def _real_players(game: TokenGame) -> Tensor:
    """bool [..., N]: False for padding."""
    return torch.cat([game.video_mask, game.text_mask], -1)


def _all_players(game: TokenGame, video: Tensor, text: Tensor) -> Tensor:
    """[..., V] and [..., T] side by side, [..., N], with the leading dimensions of the game."""
    *batch, videos, texts = game.cells.shape
    try:
        batch = torch.broadcast_shapes(batch, video.shape[:-1], text.shape[:-1])
    except RuntimeError as error:
        raise ValueError(f"leading dimensions do not broadcast: {error}") from error
    return torch.cat([video.expand(*batch, videos), text.expand(*batch, texts)], -1)
