"""What training reads at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from hbi_core.inputs.text import Caption


@dataclass(frozen=True)
class Sample:
    """A text and what it describes: one clip and one of its captions, or several of a montage.

    Attributes:
        clips: their numbers in the order of the corpus.
        captions: of each clip one, counted through all captions of all clips.
        seed: of what is drawn for this sample.
    """

    clips: tuple[int, ...]
    captions: tuple[int, ...]
    seed: int


@dataclass(frozen=True, eq=False)
class Batch:
    """Pairs of videos and texts.

    Attributes:
        frames: frozen features [B, F, Dv], or pixels [B, F, 3, S, S] of the encoder's dtype.
        frame_mask: bool [B, F].
        words: frozen features [B, W, Dt], or the captions themselves.
        word_mask: bool [B, W], or None with captions.
        ids: int64 [B]; the same number where the video is the same.
        samples: what each pair is made of.
        frame_parts: int64 [B, F]: the place in the sample's `clips` of the clip that a frame is of;
            -1 for padding. None where that is not known.
        word_parts: int64 [B, W]: of the caption that a text player is of, likewise.
        word_groups, word_steps, word_context: `groups`, `steps` and `context` of the Tokens of the
            texts; None with captions.
    """

    frames: Tensor
    frame_mask: Tensor
    words: Tensor | tuple[Caption, ...]
    word_mask: Tensor | None
    ids: Tensor
    samples: tuple[Sample, ...] = ()
    frame_parts: Tensor | None = None
    word_parts: Tensor | None = None
    word_groups: Tensor | None = None
    word_steps: Tensor | None = None
    word_context: Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        moved: dict[str, Any] = {
            name: value.to(device, non_blocking=True)
            for name, value in vars(self).items()
            if isinstance(value, Tensor)
        }
        return replace(self, **moved)
