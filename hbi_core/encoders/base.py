"""What every encoder offers, and how one is chosen."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from hbi_core.errors import CaptionError, InputError
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


_LOADING = Lock()


def load_encoder(name: str = "lite", device: str = "cpu") -> Encoder:
    """Load an encoder; the same arguments give the same object.

    Args:
        name: "lite"; or "open_clip", "open_clip:MODEL" or "open_clip:MODEL:WEIGHTS", where
            WEIGHTS is a pretrained tag of open_clip or a file.
        device: a torch device.

    Raises:
        WeightsError: weights are missing; the message says how to get them.
        InputError: no encoder has this name.
    """
    with _LOADING:  # a second request waits for the first instead of loading once more
        return _load_encoder(name, device)


@lru_cache(maxsize=2)
def _load_encoder(name: str, device: str) -> Encoder:
    family, *options = name.split(":", 2)
    if family == "lite" and not options:
        from hbi_core.encoders.lite import LiteEncoder

        return LiteEncoder(device)
    if family == "open_clip":
        from hbi_core.encoders.open_clip import load_open_clip

        return load_open_clip(*options, device=device)
    raise InputError(
        f"There is no encoder {name!r}. Use 'lite', 'open_clip' or 'open_clip:MODEL:WEIGHTS', "
        "for example 'open_clip:ViT-B-16-quickgelu:openai'."
    )


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
