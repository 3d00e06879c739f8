"""What every encoder offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from hbi_core.inputs.text import Caption


@dataclass(frozen=True, eq=False)
class TextFeatures:
    """The text players of one caption.

    Attributes:
        features: float [T, Dt].
        labels: W strings, as a figure shows them: words, and [BOS] and [EOS] of a CLIP; T of them
            where `words` is None.
        left_out: words of the caption, and parts of words, that were not read: those that the
            encoder cannot read, then those beyond a limit.
        padding: float [L - T, Dt], where it was asked for: what stands after the players of a text
            that is padded to L of them.
        unreadable: the first of `left_out`.
        words: for each player the labels that it stands for, as indices one after another, which
            together are all of them; None where each is a player of its own.
        context: float [T, Dc], features of all the words of a player together, which only the
            levels above the entity level read; None for none.
        steps: float [T], how far it is from the player before, as a factor on the distance of
            their features; None for 1 everywhere.
        notes: sentences for the user on how the text was read.
    """

    features: Tensor
    labels: tuple[str, ...]
    left_out: tuple[str, ...]
    padding: Tensor | None = None
    unreadable: tuple[str, ...] = ()
    words: tuple[tuple[int, ...], ...] | None = None
    context: Tensor | None = None
    steps: Tensor | None = None
    notes: tuple[str, ...] = ()


class Encoder(nn.Module, ABC):
    """A pair of networks for frames and words; a module, so that it can be trained.

    Attributes:
        name: what the page and explanation.json call it.
        architecture: the name that builds it for weights that lie in a checkpoint.
        widths: features of a frame and of a word (Dv, Dt).
    """

    name: str
    architecture: str
    widths: tuple[int, int]

    @abstractmethod
    def prepare_frames(self, frames: np.ndarray) -> Tensor:
        """uint8 [F, H, W, 3] RGB -> pixels [F, 3, S, S] on the CPU.

        uint8 where they are whole numbers anyway, a quarter of the bytes to move between processes
        and to a device; the rest is up to `frame_features`. Deterministic, and without a GPU.
        """

    @abstractmethod
    def frame_features(self, pixels: Tensor) -> Tensor:
        """pixels [F, 3, S, S] -> float [F, Dv]. Differentiable."""

    @abstractmethod
    def frame_padding(self) -> Tensor:
        """float [1, Dv]: the features of a missing frame; see `model.published`. Differentiable.

        Raises:
            InputError: the encoder has no padding.
        """

    @abstractmethod
    def text_features(
        self,
        captions: Sequence[Caption],
        players: str = "words",
        limit: int | None = None,
        padded: bool = False,
    ) -> list[TextFeatures]:
        """Captions -> the features of their words [T, Dt]. Differentiable.

        Args:
            captions: as they were typed.
            players: "words"; "phrases", each a content word with the function words that lead to
                it, of an encoder that knows them; or "tokens" of the encoder's tokenizer where it
                has them.
            limit: words (or tokens) at most. Of a longer caption, only what is within the limit is
                read.
            padded: give the features of padding too, up to the limit; see `model.published`.

        Raises:
            CaptionError: a caption has no word that can be encoded.
            InputError: the encoder has no such players, or no padding.
        """


@torch.inference_mode()
def encode_frames(encoder: Encoder, frames: np.ndarray) -> Tensor:
    """uint8 [F, H, W, 3] RGB -> float [F, Dv], without gradients."""
    return encoder.frame_features(encoder.prepare_frames(frames))


@torch.inference_mode()
def encode_text(
    encoder: Encoder,
    caption: Caption,
    players: str = "words",
    limit: int | None = None,
    padded: bool = False,
) -> TextFeatures:
    """One caption -> the features of its words, without gradients."""
    return encoder.text_features([caption], players, limit, padded)[0]
