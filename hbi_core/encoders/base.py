"""What every encoder offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from hbi_core.errors import CaptionError
from hbi_core.text import Caption


@dataclass(frozen=True, eq=False)
class TextFeatures:
    """The text players of one caption.

    Attributes:
        features: float [T, D], of unit length.
        labels: T strings, as a figure shows them: words, and [BOS] and [EOS] of a CLIP.
        left_out: words of the caption that are no players, because they are beyond a limit.
    """

    features: Tensor
    labels: tuple[str, ...]
    left_out: tuple[str, ...]


class Encoder(Protocol):
    """A pair of frozen networks whose outputs share a space of cosine similarity."""

    name: str
    """What the page and explanation.json call it."""

    def encode_frames(self, frames: np.ndarray) -> Tensor:
        """uint8 [F, H, W, 3] RGB -> float [F, D], of unit length."""

    def encode_text(self, caption: Caption) -> TextFeatures:
        """Words -> features. Raises CaptionError if no word can be encoded."""


def pool_words(
    states: Tensor, pieces: list[list[int]], words: list[str], left_out: tuple[str, ...]
) -> TextFeatures:
    """Token states [N, D] -> the mean state of each word, of unit length.

    Args:
        states: the encoder's token states in the joint space.
        pieces: for each word, the indices of its tokens; words without any are left out.
        words: as many labels.
        left_out: words that were left out before.

    Raises:
        CaptionError: no word has a token.
    """
    known = [index for index, tokens in enumerate(pieces) if tokens]
    if not known:
        raise CaptionError(
            "The encoder has no token for any word of the caption. Type it in plain words."
        )
    features = torch.stack([states[pieces[index]].mean(0) for index in known])
    unknown = tuple(word for index, word in enumerate(words) if index not in set(known))
    return TextFeatures(
        torch.nn.functional.normalize(features, dim=-1),
        tuple(words[index] for index in known),
        unknown + left_out,
    )
