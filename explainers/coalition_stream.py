"""All coalitions of a game, in tiles of values that are reduced and forgotten.

With d_p = 1/s for the members of a coalition S and -1/(1-s) for the rest, a first difference in
player p is a mean over all coalitions, and so is a mixed difference in two, if every player joins
with probability s (Banzhaf: s = ½, d = ±2):

    B(i) = E_S[ d_i φ(S) ]        I(i, j) = E_S[ d_i d_j φ(S) ]

so one stream of values serves every player and every pair.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from explainers.coalition_function import CoalitionFunction, values_of

Points = list[tuple[float, float]]  # joining probabilities with their weights
_FIRST_CALL = 2  # coalitions; a slow function is known before it has many


class TokenStream:
    """One game of tokens without padding: a row per A ⊆ V, a column per B ⊆ T, or transposed.

    The smaller side becomes the rows. The values of a tile are two matrix products in one,

        Φ = ½ (ω_V Mᵀ + N ω_Tᵀ)      ω_V[A,v] = ω_v(A),  M[B,v] = max_{t∈B} a[v,t],
                                     ω_T[B,t] = ω_t(B),  N[A,t] = max_{v∈A} a[v,t]

    (with the match "mean", M[B,v] = Σ_{t∈B} ω_t(B) a[v,t] and N likewise),

    and so is their reduction, D_Vᵀ Φ D_T. Every φ(A, B) is computed; nothing of the closed form is
    used. A tile takes 2·(V + T + min(V, T) + 2) floating-point operations a coalition and 8 bytes.

    Args:
        cells: [V, T].
        video_logits, text_logits: [V], [T].
        weighting, match: as a `TokenGame` has them.
        chunk: coalitions of a tile.
    """

    def __init__(
        self,
        cells: Tensor,
        video_logits: Tensor,
        text_logits: Tensor,
        weighting: str,
        match: str,
        chunk: int,
    ) -> None:
        self.videos, self.texts = cells.shape
        self.players = self.videos + self.texts
        self.rows = _Side(cells, video_logits, weighting, match)
        self.columns = _Side(cells.mT, text_logits, weighting, match)
        self.transposed = self.videos > self.texts
        if self.transposed:
            self.rows, self.columns = self.columns, self.rows
        bits = chunk.bit_length() - 1
        self.row_bits = min(self.rows.players, bits * 3 // 5)
        self.column_bits = min(self.columns.players, bits - self.row_bits)

    def reduce(self, points: Points, report: Callable[[int], object]) -> tuple[Tensor, Tensor]:
        """Interactions [N, N] and player values [N], video tokens first.

        `report` is told the coalitions of every tile. The diagonal means nothing.
        """
        rows = self.rows.players
        values = self.rows.logits.new_zeros(self.players, self.players)
        singles = self.rows.logits.new_zeros(self.players)
        for row in self.rows.blocks(self.row_bits):
            right = 0.5 * torch.cat([row.weights, row.matches], dim=-1)
            row_sums = [right.new_zeros(len(right)) for _ in points]
            row_signs = [row.signs(point) for point, _ in points]
            for column in self.columns.blocks(self.column_bits):
                tile = right @ torch.cat([column.matches, column.weights], dim=-1).mT  # Φ, [A, B]
                for number, (point, weight) in enumerate(points):
                    shares, signs = column.signs(point)
                    column_shares = weight * shares
                    weighted = column_shares.unsqueeze(-1) * signs
                    sums = _with_ones(*row_signs[number]).mT @ tile  # [1 + rows, B]
                    values[:rows, rows:] += sums[1:] @ weighted
                    values[rows:, rows:] += signs.mT @ (sums[0].unsqueeze(-1) * weighted)
                    singles[rows:] += sums[0] @ weighted
                    row_sums[number] += tile @ column_shares
                report(tile.numel())
            for (shares, signs), sums in zip(row_signs, row_sums, strict=True):
                weighted = (shares * sums).unsqueeze(-1) * signs
                values[:rows, :rows] += signs.mT @ weighted
                singles[:rows] += weighted.sum(0)
        values[rows:, :rows] = values[:rows, rows:].mT
        if self.transposed:
            order = torch.arange(self.players, device=values.device).roll(-rows)
            return values[order][:, order], singles[order]
        return values, singles


class _Block:
    """Some subsets of one side: members [K, N], weights ω [K, N], matches [K, M]."""

    def __init__(self, members: Tensor, weights: Tensor, matches: Tensor) -> None:
        self.members, self.weights, self.matches = members, weights, matches

    def signs(self, point: float) -> tuple[Tensor, Tensor]:
        return signs(self.members, point, self.matches.dtype)


class _Side:
    """The subsets of one modality's players, in blocks of consecutive numbers.

    Bit p of a subset's number says whether player p is a member. Within a block only the low bits
    vary; their table is made once and completed for each block by its fixed high bits.
    """

    def __init__(self, cells: Tensor, logits: Tensor, weighting: str, match: str) -> None:
        self.cells = cells  # [N, M]: this side's players by the other side's
        self.match = match
        self.logits = logits  # [N]
        self.players = len(logits)
        self.fixed_weights = logits.softmax(0) if weighting == "fixed" else None

    def blocks(self, low_bits: int) -> Iterator[_Block]:
        """All subsets, 2^low_bits at a time."""
        low_members = binary_digits(0, 2**low_bits, low_bits, self.logits.device)
        low_best, low_log_weight = self._tables(low_bits)
        high_players = torch.arange(low_bits, self.players, device=self.logits.device)
        for number in range(2 ** (self.players - low_bits)):
            high = [number >> bit & 1 == 1 for bit in range(self.players - low_bits)]
            joined = high_players[torch.tensor(high, dtype=torch.bool, device=low_best.device)]
            high_members = low_members.new_tensor(high).expand(len(low_members), -1)
            members = torch.cat([low_members, high_members], dim=-1)
            best, log_weight = low_best, low_log_weight
            if any(high):
                best = torch.maximum(best, self.cells[joined].amax(0))
                log_weight = torch.logaddexp(log_weight, self.logits[joined].logsumexp(0))
            else:
                best = torch.where(members.any(-1, keepdim=True), best, 0.0)
            weights = self._weights(members, log_weight)
            yield _Block(members, weights, best if self.match == "best" else weights @ self.cells)

    def _tables(self, low_bits: int) -> tuple[Tensor, Tensor]:
        """Best match [K, M] and log of the summed weights [K] of each subset, by doubling."""
        best = self.cells.new_full((1, self.cells.shape[1]), -torch.inf)
        log_weight = self.logits.new_full((1,), -torch.inf)
        low = slice(0, low_bits)
        for row, logit in zip(self.cells[low], self.logits[low], strict=True):
            best = torch.cat([best, torch.maximum(best, row)])
            log_weight = torch.cat([log_weight, torch.logaddexp(log_weight, logit)])
        return best, log_weight

    def _weights(self, members: Tensor, log_weight: Tensor) -> Tensor:
        if self.fixed_weights is not None:
            return self.fixed_weights * members
        share = self.logits - log_weight.unsqueeze(-1)
        return share.masked_fill(~members, -torch.inf).exp()


class FunctionStream:
    """The game of any model, coalition by coalition; also the witness of `TokenStream`.

    Args:
        function: bool [K, n] -> float [K].
        players: n.
        chunk: coalitions of a call at most.
        dtype, device: of the sums, and of the coalitions that the function is given.
    """

    def __init__(
        self,
        function: CoalitionFunction,
        players: int,
        chunk: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.function, self.players, self.chunk = function, players, chunk
        self.dtype, self.device = dtype, device

    def reduce(self, points: Points, report: Callable[[int], float]) -> tuple[Tensor, Tensor]:
        """As `TokenStream.reduce`; `report` answers how many coalitions there is time for."""
        values = torch.zeros(self.players, self.players, dtype=self.dtype, device=self.device)
        singles = values.new_zeros(self.players)
        start, call = 0, min(_FIRST_CALL, self.chunk)
        while start < 2**self.players:
            stop = min(start + call, 2**self.players)
            members = binary_digits(start, stop, self.players, self.device)
            value = values_of(self.function, members).to(values)
            for point, weight in points:
                shares, sign = signs(members, point, self.dtype)
                weighted = (weight * shares * value).unsqueeze(-1) * sign
                values += sign.mT @ weighted
                singles += weighted.sum(0)
            room = report(stop - start)
            start, call = stop, max(1, int(min(2 * call, self.chunk, room)))
        return values, singles


def signs(members: Tensor, point: float, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Probability [K] of each coalition [K, N], and d [K, N], if players join with this one."""
    joined = members.to(dtype)
    size = joined.sum(-1)
    share = point**size * (1 - point) ** (members.shape[-1] - size)
    return share, joined / point - (1 - joined) / (1 - point)


def binary_digits(start: int, stop: int, bits: int, device: torch.device) -> Tensor:
    """Binary digits of start..stop-1, bool [K, bits], lowest bit first."""
    numbers = torch.arange(start, stop, device=device).unsqueeze(-1)
    return (numbers >> torch.arange(bits, device=device)) & 1 == 1


def _with_ones(shares: Tensor, sign: Tensor) -> Tensor:
    """Features of the rows: their share, and their share times d. [K, 1 + N]"""
    shares = shares.unsqueeze(-1)
    return shares * torch.cat([torch.ones_like(shares), sign], dim=-1)
