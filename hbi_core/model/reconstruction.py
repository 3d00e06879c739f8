"""Representation reconstruction, of HBI's second version (Jin et al., TPAMI 2024).

Its abstract: "to mitigate the bias in calculations within Banzhaf Interaction, we propose
reconstructing the representation through a fusion of single-modal and cross-modal components". What
the components and their fusion are is said below and is ours.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from hbi_core.model.tokens import Tokens

Pairs = tuple[Tensor, Tensor]  # int64 [P] each: numbers of videos, and of the texts they are with
_GATE = -1.0  # logit of the gates before training: 27 % open


class Reconstruction(nn.Module):
    """Both sides of a level, each rebuilt with the other.

    Args:
        width: D.
        heads: of the attention.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.video, self.text = RebuiltSide(width, heads), RebuiltSide(width, heads)

    def forward(
        self, videos: Tokens, texts: Tokens, pairs: Pairs | None = None
    ) -> tuple[Tokens, Tokens]:
        """Tokens [A, V, D], [B, T, D] -> those of each pair, [P, V, D] and [P, T, D].

        Args:
            videos, texts: each with a real token.
            pairs: which belong together; None pairs them in their order, A = B = P.
        """
        turned = None if pairs is None else pairs[::-1]
        return self.video(videos, texts, pairs), self.text(texts, videos, turned)


class RebuiltSide(nn.Module):
    """Tokens of one side rebuilt: r = (1 - g) s + g c.

    The single-modal part s is a token's own encoding. The cross-modal part c is what the other side
    says about it: attention over the other side's tokens, with s as the query. The gate g, in
    (0, 1), is one number a token: the sigmoid of a linear function of both parts.

    Before training c is 0 and all gates are equal, a quarter open. So every token has its own
    direction, and all similarities are those of version 1.

    Args:
        width: D.
        heads: of the attention.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.project = nn.Linear(width, width)
        self.single_gate = nn.Linear(width, 1)
        self.cross_gate = nn.Linear(width, 1, bias=False)
        nn.init.zeros_(self.project.weight)
        nn.init.zeros_(self.project.bias)
        nn.init.zeros_(self.single_gate.weight)
        nn.init.constant_(self.single_gate.bias, _GATE)

    def forward(self, own: Tokens, other: Tokens, pairs: Pairs | None = None) -> Tokens:
        """Tokens [A, N, D] and those of the other side, [B, M, D] -> [P, N, D].

        What is computed of one side alone is computed once, however many pairs it is in.

        Args:
            own, other: the padding of the other side is not seen.
            pairs: numbers of own and of other, int64 [P] each; None pairs them in their order.
        """
        normed = self.norm(own.features)
        query, gate = self._split(self.query(normed)), self.single_gate(normed)
        key, value = map(
            self._split, self.key_value(self.norm(other.without_padding())).chunk(2, -1)
        )
        seen = other.mask
        if pairs is not None:
            own = own.chosen(pairs[0])
            query, gate = (x.index_select(0, pairs[0]) for x in (query, gate))
            key, value, seen = (x.index_select(0, pairs[1]) for x in (key, value, seen))
        attended = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=seen[:, None, None, :]
        )
        cross = self.project(attended.transpose(1, 2).flatten(2))
        opened = torch.sigmoid(gate + self.cross_gate(cross))
        single = own.features
        return replace(own, features=single + opened * (cross - single))

    def _split(self, features: Tensor) -> Tensor:
        """[B, N, D] -> [B, heads, N, D / heads]"""
        return features.unflatten(-1, (self.heads, -1)).transpose(1, 2)
