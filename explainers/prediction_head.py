"""The network on the cells of a similarity matrix (HBI, App. C.2 and Fig. A).

It is the prediction head R of Eq. 5, and inside the tiny estimator.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

STRUCTURES = ("mlp", "cnn", "mlp+sa", "cnn+sa")


class CellNetwork(nn.Module):
    """Encode every cell of a [V, T] matrix, let the cells attend to each other, decode.

    Args:
        structure: "mlp" (each cell by itself), "cnn" (3 x 3 neighbourhoods), and either of them
            with self-attention over all cells, "mlp+sa", "cnn+sa" (HBI, Fig. A).
        channels: hidden channels.
    """

    def __init__(self, structure: str = "cnn+sa", channels: int = 64) -> None:
        super().__init__()
        if structure not in STRUCTURES:
            raise ValueError(f"structure is {structure!r}; it must be one of {STRUCTURES}")
        size = 3 if structure.startswith("cnn") else 1
        self.encode = nn.Conv2d(1, channels, size, padding="same")
        self.attention = CellAttention(channels) if structure.endswith("+sa") else None
        self.decode = nn.Conv2d(channels, 1, size, padding="same")

    def forward(self, similarity: Tensor, video_mask: Tensor, text_mask: Tensor) -> Tensor:
        """Padding has no influence.

        Args:
            similarity: float [B, V, T].
            video_mask, text_mask: bool [B, V], [B, T], True for real tokens.

        Returns:
            float [B, V, T]; zero in the cells of padding tokens.
        """
        real = (video_mask.unsqueeze(-1) & text_mask.unsqueeze(-2)).unsqueeze(1)  # [B, 1, V, T]
        cells = self.encode(similarity.unsqueeze(1) * real).relu()
        if self.attention is not None:
            cells = cells + self.attention(cells, real)
        return (self.decode(cells * real) * real).squeeze(1)


class CellAttention(nn.Module):
    """Single-head self-attention over all cells, without scaling. [B, C, V, T] -> [B, C, V, T]"""

    query: Tensor
    key: Tensor
    value: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        for name in ("query", "key", "value"):
            weight = torch.empty(channels, channels)
            nn.init.xavier_uniform_(weight, gain=channels**-0.25)  # logits of about unit size
            self.register_parameter(name, nn.Parameter(weight))

    def forward(self, cells: Tensor, real: Tensor) -> Tensor:
        flat = cells.flatten(2).mT.unsqueeze(1)  # [B, 1, V·T, C]; fused kernels want the heads
        keys = real.flatten(2).unsqueeze(1)  # [B, 1, 1, V·T]
        keys = keys | ~keys.any(-1, keepdim=True)  # no softmax over nothing, which may be NaN
        attended = nn.functional.scaled_dot_product_attention(
            flat @ self.query,
            flat @ self.key,
            flat @ self.value,
            attn_mask=keys,
            scale=1.0,
        )
        return attended.squeeze(1).mT.view_as(cells)
