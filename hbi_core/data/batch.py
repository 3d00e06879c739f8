"""What training reads at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from hbi_core.inputs.text import Caption
from hbi_core.model import Tokens


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
class Foils:
    """Frozen features of the foils of some samples of a batch.

    Attributes:
        rows: int64 [K], the place of each sample in the batch.
        nouns, replaced: int64 [K], the place of the noun in the groups of the foil, and of the one
            that it replaced in those of the true text.
        texts: K of them.
    """

    rows: Tensor
    nouns: Tensor
    replaced: Tensor
    texts: Tokens

    def to(self, device: torch.device) -> Foils:
        def moved(tensor: Tensor) -> Tensor:
            return tensor.to(device, non_blocking=True)

        rows, nouns, replaced = map(moved, (self.rows, self.nouns, self.replaced))
        return Foils(rows, nouns, replaced, self.texts.map(moved))


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
        foils: of the samples that have one; None where none has.
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
    foils: Foils | None = None

    def to(self, device: torch.device) -> Batch:
        moved: dict[str, Any] = {
            name: value.to(device, non_blocking=True)
            for name, value in vars(self).items()
            if isinstance(value, Tensor)
        }
        return replace(self, **moved, foils=self.foils and self.foils.to(device))
