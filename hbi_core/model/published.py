"""What only the checkpoints do that the paper's authors released: they read padding.

In the research code every video has 12 frames and every text 24 tokens. A frame that a video lacks
is an encoding of zeros instead of pixels; a token that a text lacks has the state that the text
encoder gives it. The convolution of the first token merge reads both, and padding may become the
centre of a cluster, so that the action and event levels depend on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from hbi_core.model.tokens import Tokens, pad

if TYPE_CHECKING:
    from hbi_core.encoders import Encoder, TextFeatures


def padded_tokens(
    encoder: Encoder,
    videos: Sequence[Tensor],
    texts: Sequence[TextFeatures],
    frames: int,
    words: int,
) -> tuple[Tokens, Tokens]:
    """Features of videos and texts -> their tokens, as many as released checkpoints have.

    Args:
        encoder: of both.
        videos: features of their frames, [at most `frames`, Dv].
        texts: encoded with their padding, up to `words`.
        frames, words: tokens of each video and text; 12 and 24 in the research code.
    """
    missing = encoder.frame_padding()
    return (
        pad(videos, frames, [missing] * len(videos)),
        pad([text.features for text in texts], words, [text.padding for text in texts]),
    )
