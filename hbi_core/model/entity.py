"""Encoder features -> the joint space: projection, context, and time for frames."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from hbi_core.errors import SettingsError
from hbi_core.model.tokens import Tokens

# How the names of a transformer block's tensors begin: here -> in CLIP.
CLIP_BLOCK = {
    "self_attn.": "attn.",
    "linear1.": "mlp.c_fc.",
    "linear2.": "mlp.c_proj.",
    "norm1.": "ln_1.",
    "norm2.": "ln_2.",
}
_LEAST_SCALE = 0.01  # of the median


class Projection(nn.Module):
    """Features, each centred and scaled, into the joint space by a linear map. Tokens -> Tokens.

    Starts as the identity on the first features, so that an encoder which already shares a space
    there is understood before any training. `fit` sets centre and scale.

    Args:
        inputs: features of the encoder.
        width: D.
        noise: standard deviation of Gaussian noise on the scaled features, in training.
        dropout: share of the scaled features set to zero, in training.
    """

    centre: Tensor
    scale: Tensor

    def __init__(self, inputs: int, width: int, noise: float = 0.0, dropout: float = 0.0) -> None:
        super().__init__()
        self.register_buffer("centre", torch.zeros(inputs))
        self.register_buffer("scale", torch.ones(inputs))
        self.noise = noise
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(inputs, width)
        nn.init.eye_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    @torch.no_grad()
    def fit(self, features: Tensor) -> None:
        """Take centre and scale of each feature from features [N, inputs].

        One that hardly varies here is not blown up where it does: no scale is below a hundredth of
        the median.
        """
        deviation, mean = torch.std_mean(features, 0, correction=0)
        self.centre.copy_(mean)
        self.scale.copy_(deviation.clamp(min=_LEAST_SCALE * deviation.median()))
        self.scale[self.scale == 0] = 1.0

    def forward(self, tokens: Tokens) -> Tokens:
        features = (tokens.features - self.centre) / self.scale
        if self.training and self.noise:
            features = features + self.noise * torch.randn_like(features)
        return replace(tokens, features=self.linear(self.dropout(features)))


class AddedContext(nn.Module):
    """A projection of the context of tokens, added to their features. Tokens -> Tokens.

    It stands before the first merge: a phrase is read from all its words, while the tokens of the
    entity level below are read from their own.

    Args:
        inputs: features of the context, Dc.
        width: D.
        noise, dropout: of the projection.
    """

    def __init__(self, inputs: int, width: int, noise: float = 0.0, dropout: float = 0.0) -> None:
        super().__init__()
        self.projection = Projection(inputs, width, noise, dropout)

    def forward(self, tokens: Tokens) -> Tokens:
        """Tokens with context -> Tokens with the sum as features.

        Raises:
            SettingsError: they have none.
        """
        if tokens.context is None:
            raise SettingsError(
                "The model reads the context of text players, but these have none: use the encoder "
                "and model.text_players that it was trained with, or model.text_context=0."
            )
        added = self.projection(replace(tokens, features=tokens.context)).features
        return replace(tokens, features=tokens.features + added)


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
            width,
            heads,
            4 * width,
            dropout=0.0,
            activation=quick_gelu,
            batch_first=True,
            norm_first=True,
        )
        self.blocks = nn.TransformerEncoder(block, layers, enable_nested_tensor=False)
        for layer in self.blocks.layers:
            for last in (layer.self_attn.out_proj, layer.linear2):
                nn.init.zeros_(last.weight)
                nn.init.zeros_(last.bias)

    def forward(self, tokens: Tokens) -> Tokens:
        """Tokens [B, F, D] -> [B, F, D].

        Raises:
            SettingsError: there are more frames than positions.
        """
        frames = tokens.features.shape[1]
        if frames > len(self.positions):
            raise SettingsError(
                f"{frames} frames, but the model has positions for {len(self.positions)}: use "
                "fewer frames."
            )
        features = self.read(tokens)
        seen = self.blocks(features + self.positions[:frames], src_key_padding_mask=~tokens.mask)
        return replace(tokens, features=features + seen)

    def read(self, tokens: Tokens) -> Tensor:
        """The features [B, F, D] that are read."""
        return tokens.without_padding()


def quick_gelu(x: Tensor) -> Tensor:
    """The activation of OpenAI's CLIP."""
    return x * torch.sigmoid(1.702 * x)
