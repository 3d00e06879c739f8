"""What travels between the modules of the model."""

from __future__ import annotations

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
