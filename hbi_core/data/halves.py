"""Features as they are kept: in half precision, on the CPU."""

from __future__ import annotations

from torch import Tensor

from hbi_core.data.clips import Clip
from hbi_core.encoders import Encoder
from hbi_core.errors import NotFiniteError


def halves(tensors: dict[str, Tensor], encoder: Encoder, clip: Clip) -> dict[str, Tensor]:
    """Features of a clip by name, as `half` gives them."""
    return {
        name: half(value, encoder, f"the {name} of {clip.id}") for name, value in tensors.items()
    }


def half(features: Tensor, encoder: Encoder, of: str) -> Tensor:
    """In half precision, on the CPU.

    Raises:
        NotFiniteError: they are not finite, or beyond what half precision can hold.
    """
    kept = features.half().cpu()
    if kept.isfinite().all():
        return kept
    reason = "too large for half precision" if features.isfinite().all() else "not finite"
    raise NotFiniteError(
        f"The features of {of} that {encoder.name} gives are {reason}: its weights are broken. "
        "Take another file of them, or another encoder."
    )
