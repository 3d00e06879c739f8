"""Montages: clips shown one after another, captioned by one caption of each.

Of photographs, for which words belong to which of them is known: so links can be measured, and
learnt, without a video. Which clips are put together is drawn in three ways, for measuring, for
validation and for training; how they are joined is the same.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from hbi_core.data.clips import Clip, Corpus
from hbi_core.data.files import is_photograph
from hbi_core.errors import DataError
from hbi_core.inputs.text import Caption

LARGEST_MONTAGE = 4  # clips, where the number is drawn
_BETWEEN = ". "


@dataclass(frozen=True)
class Montage(Clip):
    """Clips one after another, each of its captions made of one caption of each.

    Attributes:
        spans: for each of `captions`, start and end of the part that each clip has in it.
    """

    spans: tuple[tuple[tuple[int, int], ...], ...] = ()


def join(clips: Sequence[Clip], texts: Sequence[Sequence[str]], id: str) -> Montage:
    """The clips as one montage.

    Args:
        clips: in the order in which they are shown.
        texts: for each caption of the montage, one caption of each clip.
        id: of the montage.
    """
    files = tuple(file for clip in clips for file in clip.files)
    captions = tuple(map(join_captions, texts))
    return Montage(id, files, captions, spans=tuple(map(_spans, texts)))


def join_captions(captions: Sequence[str]) -> str:
    """The caption of a montage; one alone stays as it is."""
    if len(captions) == 1:
        return captions[0]
    return _BETWEEN.join(map(_without_end, captions)) + "."


def montages(
    corpus: Corpus,
    count: int,
    seed: int,
    parts: tuple[int, ...] = tuple(range(1, LARGEST_MONTAGE + 1)),
) -> tuple[Montage, ...]:
    """Montages of photographs and captions drawn at random, none twice in the same montage.

    Args:
        corpus: of photographs, such as flickr8k.
        count: montages wanted. The first ones do not depend on it.
        seed: the same montages for the same seed.
        parts: how many photographs a montage may have, each number equally likely.

    Returns:
        Montages with one caption each.

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
    made = []
    for number in range(count):
        clips = chosen.sample(photographs, chosen.choice(parts))
        texts = [chosen.choice(clip.captions) for clip in clips]
        made.append(join(clips, [texts], f"montage-{seed}-{number}"))
    return tuple(made)


def groups_of(count: int, parts: int, seed: int) -> list[list[int]]:
    """The numbers below `count` in random groups of `parts`, none twice; a rest is left out."""
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed)).tolist()
    return [order[n : n + parts] for n in range(0, count - parts + 1, parts)]


def groups_of_pairs(
    pairs: Sequence[tuple[int, int]], most: int, chosen: random.Random
) -> Iterator[dict[int, int]]:
    """Every pair of a clip and a caption in one group of one to `most`, no clip twice in the same.

    Args:
        pairs: numbers of a clip and of a caption of it, in the order in which they are taken.
        most: pairs of a group at most; each number up to it is equally likely.
        chosen: draws the size of a group when that is asked for.

    Yields:
        Clip -> caption, in order.
    """
    waiting = deque(pairs)
    while waiting:
        parts = chosen.randint(1, most)
        taken: dict[int, int] = {}
        twins: list[tuple[int, int]] = []
        while waiting and len(taken) < parts and len(twins) < parts:
            clip, caption = waiting.popleft()
            if clip in taken:
                twins.append((clip, caption))
            else:
                taken[clip] = caption
        waiting.extendleft(twins)
        yield taken


def photograph_of_words(caption: Caption, montage: Montage) -> tuple[int, ...]:
    """For each word of the caption, the number of its photograph in `montage.files`.

    Args:
        caption: parsed, one of `montage.captions`.
        montage: of photographs.

    Raises:
        ValueError: it is the caption of something else.
    """
    if caption.text not in montage.captions:
        raise ValueError(f"{caption.text!r} is not the caption of {montage.id}.")
    ends = [end for _, end in montage.spans[montage.captions.index(caption.text)]]
    return tuple(sum(end <= word.start for end in ends) for word in caption.words)


def _spans(texts: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Start and end of each text in what `join_captions` makes of them."""
    spans, start = [], 0
    for text in texts:
        end = start + len(_without_end(text))
        spans.append((start, end))
        start = end + len(_BETWEEN)
    return tuple(spans)


def _without_end(text: str) -> str:
    return text.rstrip(" .")
