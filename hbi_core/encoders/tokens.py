"""Features that an encoder has made -> tokens of the model, for inference and for training."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from hbi_core.encoders.base import Encoder, TextFeatures
from hbi_core.model.tokens import Tokens, pad


def frame_tokens(
    encoder: Encoder, videos: Sequence[Tensor], length: int, padded: bool = False
) -> Tokens:
    """Features of the frames of each video, [at most `length`, Dv] -> Tokens [B, length, Dv].

    Args:
        encoder: whose features they are.
        videos: the features.
        length: tokens of each video, with its padding.
        padded: whether a missing frame has the features that the encoder gives it, which released
            checkpoints read, instead of zeros.
    """
    missing = [encoder.frame_padding()] * len(videos) if padded else None
    return pad(videos, length, missing)


def word_tokens(texts: Sequence[TextFeatures], length: int) -> Tokens:
    """Texts -> Tokens [B, length, Dt]; their padding is read if they were encoded with it."""
    padding = [text.padding for text in texts if text.padding is not None]
    return pad([text.features for text in texts], length, padding or None)
