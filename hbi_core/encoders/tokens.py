"""Features that an encoder has made -> tokens of the model, for inference and for training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from hbi_core.encoders.base import Encoder, TextFeatures
from hbi_core.model.tokens import Tokens, pad


@dataclass(frozen=True, eq=False)
class TextPlayers:
    """The players of a text, without their words.

    Attributes:
        features: float [T, Dt].
        counts: int64 [T], how many words each stands for, one after another; None for one each.
        context: float [T, Dc] or None, see `TextFeatures`.
        steps: float [T] or None, see `TextFeatures`.
    """

    features: Tensor
    counts: Tensor | None = None
    context: Tensor | None = None
    steps: Tensor | None = None

    @classmethod
    def of(cls, text: TextFeatures) -> TextPlayers:
        """What an encoder has made, on its device.

        Where players have context, each is counted, so that texts whose players are words go into
        a batch with those whose players are phrases.
        """
        counts = None
        if text.words is not None or text.context is not None:
            lengths = [1] * len(text.labels) if text.words is None else map(len, text.words)
            counts = torch.tensor(list(lengths), device=text.features.device)
        return cls(text.features, counts, text.context, text.steps)

    @classmethod
    def listed(cls, texts: Sequence[TextPlayers]) -> TextPlayers:
        """The players of several texts one after another; all have the same optional tensors."""
        known = {
            name: torch.cat([getattr(text, name) for text in texts])
            for name, value in vars(texts[0]).items()
            if value is not None
        }
        return cls(**known)

    @classmethod
    def joined(cls, texts: Sequence[TextPlayers]) -> TextPlayers:
        """Several texts as one: each begins a clause, so that its first step is 2."""
        text = cls.listed(texts)
        if text.steps is not None:
            text.steps[torch.tensor([0, *map(len, texts[:-1])]).cumsum(0)[1:]] = 2.0
        return text

    def __len__(self) -> int:
        """T"""
        return len(self.features)

    @property
    def words(self) -> int:
        """How many words all of them stand for."""
        return len(self) if self.counts is None else int(self.counts.sum())

    def within(self, words: int) -> TextPlayers:
        """The players all of whose words are among the first so many."""
        whole = words if self.counts is None else int((self.counts.cumsum(0) <= words).sum())
        known = {name: value[:whole] for name, value in vars(self).items() if value is not None}
        return TextPlayers(**known)


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


def word_tokens(texts: Sequence[TextFeatures], words: int, length: int | None = None) -> Tokens:
    """As `player_tokens`; padding is read if the texts were encoded with it."""
    padding = [text.padding for text in texts if text.padding is not None]
    return player_tokens([TextPlayers.of(text) for text in texts], words, padding or None, length)


def player_tokens(
    texts: Sequence[TextPlayers],
    words: int,
    padding: Sequence[Tensor] | None = None,
    length: int | None = None,
) -> Tokens:
    """Texts -> Tokens; what is beyond the limit on words is cut.

    Args:
        texts: all with the same optional tensors.
        words: O of the groups.
        padding: of each text, see `pad`.
        length: tokens of each text, with its padding; None for as many as words.

    Returns:
        Tokens [B, length, Dt] with groups [B, length, words].
    """
    texts, length = [text.within(words) for text in texts], length or words
    tokens = pad([text.features for text in texts], length, padding)
    counts = [text.counts for text in texts if text.counts is not None]
    if counts:
        groups = tokens.mask.new_zeros(*tokens.mask.shape, words)
        for row, own in zip(groups, counts, strict=True):
            last = own.cumsum(0)
            word = torch.arange(words, device=own.device)
            row[: len(own)] = (word < last.unsqueeze(-1)) & (word >= (last - own).unsqueeze(-1))
        tokens = replace(tokens, groups=groups)
    context = [text.context for text in texts if text.context is not None]
    steps = [text.steps.unsqueeze(-1) for text in texts if text.steps is not None]
    return replace(
        tokens,
        context=pad(context, length).features if context else None,
        steps=pad(steps, length).features.squeeze(-1) if steps else None,
    )
