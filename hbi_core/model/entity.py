"""Encoder features -> tokens of the entity level: projection, and time for frames."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from hbi_core.model.tokens import Tokens


class Projection(nn.Linear):
    """A linear map into the joint space. Tokens -> Tokens.

    Starts as the identity on the first features, so that an encoder which already shares a space
    there is understood before any training.
    """

    def reset_parameters(self) -> None:
        nn.init.eye_(self.weight)
        nn.init.zeros_(self.bias)

    def forward(self, tokens: Tokens) -> Tokens:
        return replace(tokens, features=super().forward(tokens.features))


class TemporalTransformer(nn.Module):
    """Frames see each other: pre-norm transformer over time, added to its input (HBI, Sec. 4.1).

    Starts as the identity up to scale; `hbi_core.training.initialise` copies the text encoder of
    a CLIP into it.

    Args:
        width: D.
        layers: blocks.
        heads: attention heads.
        positions: largest number of frames.
    """

    def __init__(self, width: int, layers: int, heads: int, positions: int) -> None:
        super().__init__()
        self.positions = nn.Parameter(torch.zeros(positions, width))
        block = nn.TransformerEncoderLayer(
            width, heads, 4 * width, dropout=0.0, activation=quick_gelu,
            batch_first=True, norm_first=True,
        )  # fmt: skip
        self.blocks = nn.TransformerEncoder(block, layers, enable_nested_tensor=False)
        for layer in self.blocks.layers:
            for last in (layer.self_attn.out_proj, layer.linear2):
                nn.init.zeros_(last.weight)
                nn.init.zeros_(last.bias)

    def forward(self, tokens: Tokens) -> Tokens:
        """Tokens [B, F, D] -> [B, F, D].

        Raises:
            ValueError: there are more frames than positions.
        """
        frames = tokens.features.shape[1]
        if frames > len(self.positions):
            raise ValueError(
                f"{frames} frames, but the model has positions for {len(self.positions)}"
            )
        features = tokens.features.masked_fill(~tokens.mask.unsqueeze(-1), 0.0)
        seen = self.blocks(features + self.positions[:frames], src_key_padding_mask=~tokens.mask)
        return replace(tokens, features=features + seen)


def quick_gelu(x: Tensor) -> Tensor:
    """The activation of OpenAI's CLIP."""
    return x * torch.sigmoid(1.702 * x)
