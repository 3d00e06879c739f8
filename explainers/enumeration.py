"""Exact Banzhaf interactions by evaluating every one of the 2^n coalitions.

With s_p = +1 for the members of a coalition and -1 for the rest,

    I(i, j) = 4 · mean_S[ s_i s_j φ(S) ]

so one stream over the coalitions serves every pair, and nothing needs to be stored. One row per
A ⊆ V and one column per B ⊆ T make the stream two matrix products per block: the values

    Φ = ½ (ω_V Mᵀ + N ω_Tᵀ)      ω_V[A,v] = ω_v(A),  M[B,v] = max_{t∈B} a[v,t],
                                 ω_T[B,t] = ω_t(B),  N[A,t] = max_{v∈A} a[v,t]

and their signed sum S_Vᵀ Φ S_T. Every φ(A, B) is computed; nothing of the closed form is used.
"""

from __future__ import annotations

import torch
from torch import Tensor

from explainers.game import SimilarityGame, exact_precision
from explainers.interactions import Interactions, timed


def enumerate_coalitions(
    game: SimilarityGame,
    *,
    chunk_coalitions: int = 2**18,
    max_players: int = 32,
    dtype: torch.dtype = torch.float64,
) -> Interactions:
    """Banzhaf interactions (HBI, Eq. 3) by brute force: all 2^n coalitions, streamed.

    Args:
        game: any batch of games, any device; padding tokens do not count as players.
        chunk_coalitions: coalitions held in memory at a time (8 bytes each in float64). The
            result does not depend on it beyond rounding.
        max_players: refuse larger games. Every further player doubles the time.
        dtype: precision of the computation; the values come back in the game's own dtype.

    Returns:
        Interactions with values [..., V, T]. Not differentiable: use `closed_form` for that.

    Raises:
        ValueError: a game has more than `max_players` players.
    """
    if game.players > max_players:
        raise ValueError(
            f"this game has {game.players} players, that is {2**game.players:,} coalitions; "
            f"the limit is {max_players} players. closed_form gives the same values at once; "
            "to enumerate all the same, raise max_players"
        )
    device = game.similarity.device
    videos, texts = game.similarity.shape[-2:]
    singles = zip(
        game.similarity.detach().reshape(-1, videos, texts).to(dtype),
        game.video_logits.detach().reshape(-1, videos).to(dtype),
        game.text_logits.detach().reshape(-1, texts).to(dtype),
        game.video_mask.reshape(-1, videos),
        game.text_mask.reshape(-1, texts),
        strict=True,
    )

    def compute() -> Tensor:
        values = torch.zeros(game.similarity[..., 0, 0].numel(), videos, texts, dtype=dtype,
                             device=device)  # fmt: skip
        for value, (similarity, video_logits, text_logits, video_mask, text_mask) in zip(
            values, singles, strict=True
        ):
            real = similarity[video_mask][:, text_mask]
            pair = video_mask.unsqueeze(-1) & text_mask
            value[pair] = _enumerate_one(
                _Side(real, video_logits[video_mask], game.weighting),
                _Side(real.mT, text_logits[text_mask], game.weighting),
                chunk_coalitions,
            ).flatten()
        return values.reshape(game.similarity.shape).to(game.similarity.dtype)

    with exact_precision(game.similarity):
        values, seconds = timed(compute, device)
    counts = game.video_mask.sum(-1) + game.text_mask.sum(-1)
    evaluated = sum(2**n for n in counts.flatten().tolist())
    return Interactions(values, None, "enumeration", evaluated, seconds, str(device))


class _Side:
    """The subsets of one modality's players, in blocks of consecutive numbers.

    Bit p of a subset's number says whether player p is a member. Within a block only the low
    bits vary; their table is made once and completed for each block by its fixed high bits.
    """

    def __init__(self, similarity: Tensor, logits: Tensor, weighting: str) -> None:
        self.similarity = similarity  # [N, M]: this side's players by the other side's
        self.logits = logits  # [N]
        self.players = len(logits)
        self.fixed_weights = logits.softmax(0) if weighting == "fixed" else None

    def split(self, low_bits: int) -> int:
        """Choose blocks of 2^low_bits subsets; returns the number of blocks."""
        self.low_bits = low_bits
        self.low_members = _members(2**low_bits, low_bits, self.logits.device)
        self.low_best, self.low_log_weight = self._tables(self.low_members, slice(0, low_bits))
        high_bits = self.players - low_bits
        self.high_members = _members(2**high_bits, high_bits, self.logits.device)
        self.high_best, self.high_log_weight = self._tables(
            self.high_members, slice(low_bits, self.players)
        )
        return 2**high_bits

    def _tables(self, members: Tensor, players: slice) -> tuple[Tensor, Tensor]:
        """Best similarity [K, M] and log of the summed weights [K] of each subset, by doubling."""
        best = self.similarity.new_full((1, self.similarity.shape[1]), -torch.inf)
        log_weight = self.logits.new_full((1,), -torch.inf)
        for row, logit in zip(self.similarity[players], self.logits[players], strict=True):
            best = torch.cat([best, torch.maximum(best, row)])
            log_weight = torch.cat([log_weight, torch.logaddexp(log_weight, logit)])
        return best, log_weight

    def block(self, number: int) -> tuple[Tensor, Tensor, Tensor]:
        """Signs [K, N], weights ω [K, N] and best similarity [K, M] of the subsets of a block."""
        high = self.high_members[number].expand(len(self.low_members), -1)
        members = torch.cat([self.low_members, high], dim=-1)
        best = torch.maximum(self.low_best, self.high_best[number])
        best = torch.where(members.any(-1, keepdim=True), best, 0.0)
        if self.fixed_weights is not None:
            weights = self.fixed_weights * members
        else:
            log_weight = torch.logaddexp(self.low_log_weight, self.high_log_weight[number])
            share = self.logits - log_weight.unsqueeze(-1)
            weights = share.masked_fill(~members, -torch.inf).exp()
        signs = 2.0 * members.to(best.dtype) - 1.0
        return signs, weights, best


def _enumerate_one(video: _Side, text: _Side, chunk_coalitions: int) -> Tensor:
    """All interactions [V, T] of one game without padding."""
    if video.players > text.players:  # the smaller side becomes the rows
        return _enumerate_one(text, video, chunk_coalitions).mT
    bits = max(chunk_coalitions, 1).bit_length() - 1
    row_bits = min(video.players, bits // 2)
    row_blocks = video.split(row_bits)
    column_blocks = text.split(min(text.players, bits - row_bits))
    total = torch.zeros_like(video.similarity)
    for column_block in range(column_blocks):
        text_signs, text_weights, best_video = text.block(column_block)
        columns = 0.5 * torch.cat([best_video, text_weights], dim=-1)
        for row_block in range(row_blocks):
            video_signs, video_weights, best_text = video.block(row_block)
            value = torch.cat([video_weights, best_text], dim=-1) @ columns.mT  # Φ, [A, B]
            total += video_signs.mT @ (value @ text_signs)
    return 4.0 * total / 2.0 ** (video.players + text.players)


def _members(count: int, bits: int, device: torch.device) -> Tensor:
    """Binary digits of 0..count-1, bool [count, bits], lowest bit first."""
    numbers = torch.arange(count, device=device).unsqueeze(-1)
    return (numbers >> torch.arange(bits, device=device)) & 1 == 1
