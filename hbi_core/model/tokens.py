"""What travels between the modules of the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Tokens:
    """A batch of token sequences of one modality at one level.

    Attributes:
        features: float [B, N, D].
        mask: bool [B, N], True for real tokens.
        groups: bool [B, N, O]: which of the O original frames (or words) a token stands for.
            All False in the rows of padding tokens. O ≥ N: a word without a token of its own, an
            article say, is in the group of the token that it leads to.
        steps: float [B, N], how far it is from the token before to this one, as a factor on the
            distance of their features; None for 1 everywhere. `token_merge.path_distances` reads
            it.
        context: float [B, N, Dc], further features, of all the words that a token stands for;
            None for none. Only the levels above the entity level read it.
    """

    features: Tensor
    mask: Tensor
    groups: Tensor
    steps: Tensor | None = None
    context: Tensor | None = None

    @classmethod
    def original(cls, features: Tensor, mask: Tensor | None = None) -> Tokens:
        """Tokens that stand for themselves: features [B, N, D], mask bool [B, N] or None."""
        if mask is None:
            mask = torch.ones(features.shape[:2], dtype=torch.bool, device=features.device)
        return cls(features, mask, torch.diag_embed(mask))

    @classmethod
    def joined(cls, batches: Sequence[Tokens]) -> Tokens:
        """Batches of equal lengths, one after another; all with the same optional fields."""
        known: dict[str, Any] = {
            name: torch.cat([getattr(tokens, name) for tokens in batches])
            for name, value in vars(batches[0]).items()
            if value is not None
        }
        return cls(**known)

    def map(self, change: Callable[[Tensor], Tensor]) -> Tokens:
        """The same change of all tensors: a slice, another device."""
        known = {name: change(value) for name, value in vars(self).items() if value is not None}
        return Tokens(**known)

    def chosen(self, rows: Tensor) -> Tokens:
        """The sequences of these rows, int64 [P], of which one may be named several times."""
        return self.map(lambda x: x.index_select(0, rows))

    def without_padding(self) -> Tensor:
        """The features [B, N, D], 0 where padding stands."""
        return self.features.masked_fill(~self.mask.unsqueeze(-1), 0.0)


def pad(
    sequences: Sequence[Tensor], length: int, padding: Sequence[Tensor] | None = None
) -> Tokens:
    """Sequences [n, D] -> Tokens [B, length, D], at least in float32; what is longer is cut.

    Args:
        sequences: of each sample.
        length: tokens of each sample, with its padding.
        padding: features of the padding of each sample, [length - n, D] or [1, D]; zeros where
            None. Only released checkpoints read it.
    """
    dtype = torch.promote_types(sequences[0].dtype, torch.float32)
    features = sequences[0].new_zeros(len(sequences), length, sequences[0].shape[-1], dtype=dtype)
    mask = torch.zeros(features.shape[:2], dtype=torch.bool, device=features.device)
    for row, own in enumerate(sequences):
        own = own[:length]
        features[row, : len(own)], mask[row, : len(own)] = own, True
        if padding is not None:
            features[row, len(own) :] = padding[row]
    return Tokens.original(features, mask)
