"""Montages: photographs shown one after another, captioned by one caption of each.

Which words belong to which photograph is known, so links can be measured, and learnt, without a
video.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from hbi_core.data.clips import Clip, Corpus
from hbi_core.data.files import is_photograph
from hbi_core.errors import DataError
from hbi_core.inputs.text import Caption

_BETWEEN = ". "


@dataclass(frozen=True)
class Montage(Clip):
    """Photographs one after another, with one caption for all.

    Attributes:
        spans: for each photograph, start and end of its caption in `captions[0]`.
    """

    spans: tuple[tuple[int, int], ...]


def montages(
    corpus: Corpus, count: int, seed: int, parts: tuple[int, ...] = (1, 2, 3, 4)
) -> tuple[Montage, ...]:
    """Montages of photographs and captions drawn at random, none twice in the same montage.

    Args:
        corpus: of photographs, such as flickr8k.
        count: montages wanted. The first ones do not depend on it.
        seed: the same montages for the same seed.
        parts: how many photographs a montage may have, each number equally likely.

    Raises:
        DataError: the corpus is not of photographs, or has too few for a montage.
    """
    photographs = corpus.clips
    if not all(len(clip.files) == 1 and is_photograph(clip.files[0]) for clip in photographs):
        raise DataError(
            f"Montages are made of photographs; {corpus.name} has videos. Choose flickr8k."
        )
    if not parts or min(parts) < 1 or max(parts) > len(photographs):
        raise DataError(
            f"A montage of {parts} photographs cannot be made of {len(photographs)}. Choose "
            f"numbers from 1 to {len(photographs)}."
        )
    chosen = random.Random(seed)
    return tuple(
        _join(f"montage-{seed}-{number}", chosen.sample(photographs, chosen.choice(parts)), chosen)
        for number in range(count)
    )


def join_captions(captions: Sequence[str]) -> str:
    """The caption of a montage."""
    return _BETWEEN.join(text.rstrip(" .") for text in captions) + "."


def photograph_of_words(caption: Caption, montage: Montage) -> tuple[int, ...]:
    """For each word of the caption, the number of its photograph in `montage.files`.

    Args:
        caption: `parse_caption(montage.captions[0])`.

    Raises:
        ValueError: it is the caption of something else.
    """
    if caption.text != montage.captions[0]:
        raise ValueError(f"{caption.text!r} is not the caption of {montage.id}.")
    ends = [end for _, end in montage.spans]
    return tuple(sum(end <= word.start for end in ends) for word in caption.words)


def _join(id: str, clips: list[Clip], chosen: random.Random) -> Montage:
    texts = [chosen.choice(clip.captions) for clip in clips]
    spans, start = [], 0
    for text in texts:
        end = start + len(text.rstrip(" ."))
        spans.append((start, end))
        start = end + len(_BETWEEN)
    files = tuple(clip.files[0] for clip in clips)
    return Montage(id, files, (join_captions(texts),), tuple(spans))
