"""What sentences call the model that an explanation was made with."""

from __future__ import annotations

OWN_HEADS = "own"  # in place of the name of trained heads: of a model of one's own


def model_in_words(encoder: str, checkpoint: str) -> str:
    """A phrase without a capital or a stop.

    Args:
        encoder: its name, or that of a model of one's own.
        checkpoint: the trained heads, as `Explanation.checkpoint` has them.

    Example:
        >>> model_in_words("lite", "lite_heads.safetensors")
        'encoder lite, heads lite_heads.safetensors'
        >>> model_in_words("tiny CLIP", OWN_HEADS)
        'model tiny CLIP'
    """
    if checkpoint == OWN_HEADS:
        return f"model {encoder}"
    return f"encoder {encoder}, heads {checkpoint}"
