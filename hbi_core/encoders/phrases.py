"""Features of the words of a caption -> features of its phrases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import torch
from torch.nn import functional

from hbi_core.encoders.base import TextFeatures
from hbi_core.inputs.function_words import looks_english
from hbi_core.inputs.phrases import phrases
from hbi_core.inputs.text import Word

NOT_ENGLISH = (
    "Each word is a player of its own: words are joined to phrases in English only, and this text "
    "has no more function words of English than of another language."
)


def phrase_players(text: TextFeatures, words: Sequence[Word]) -> TextFeatures:
    """Words as players -> the phrases of English words as players.

    A phrase has the features of its head, the content word: the last states of function words
    carry the sentence and mean nothing by themselves. Its context is the mean of all its words, of
    unit length. Words that do not look English stay players, each with itself as its context, and
    a note says so.

    Args:
        text: features [W, D] of the words, of unit length.
        words: these W words.
    """
    if not looks_english([word.text for word in words]):
        begins = [b.clause != a.clause for a, b in pairwise(words)]
        steps = text.features.new_tensor([1.0, *(1.0 + new for new in begins)])
        return replace(text, context=text.features, steps=steps, notes=(NOT_ENGLISH,))
    found = phrases(words)
    context = torch.stack([text.features[list(phrase.words)].mean(0) for phrase in found])
    return replace(
        text,
        features=text.features[[phrase.head for phrase in found]],
        words=tuple(phrase.words for phrase in found),
        context=functional.normalize(context, dim=-1),
        steps=text.features.new_tensor([phrase.step for phrase in found]),
    )
