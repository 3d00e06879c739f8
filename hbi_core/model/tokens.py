"""What travels between the modules of the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Tokens:
    """A batch of token sequences of one modality at one level.

    Attributes:
        features: float [B, N, D].
        mask: bool [B, N], True for real tokens.
        groups: bool [B, N, O]: which of the O original frames (or words) a token stands for.
            All False in the rows of padding tokens.
    """

    features: Tensor
    mask: Tensor
    groups: Tensor

    @classmethod
    def original(cls, features: Tensor, mask: Tensor | None = None) -> Tokens:
        """Tokens that stand for themselves: features [B, N, D], mask bool [B, N] or None."""
        if mask is None:
            mask = torch.ones(features.shape[:2], dtype=torch.bool, device=features.device)
        return cls(features, mask, torch.diag_embed(mask))

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
