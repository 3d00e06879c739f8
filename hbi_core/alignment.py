"""Which frames and words of two explanations are the same."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

import numpy as np

from hbi_core.inputs.video import Video


@dataclass(frozen=True)
class Shared:
    """A frame or a word of A, of B, or of both.

    Attributes:
        a, b: its index in A and in B; None where it is not there.

    Example:
        >>> Shared(a=3, b=None).both
        False
    """

    a: int | None
    b: int | None

    @property
    def both(self) -> bool:
        """Whether A and B have it.

        Example:
            >>> Shared(0, 0).both
            True
        """
        return self.a is not None and self.b is not None


def align_words(a: Sequence[str], b: Sequence[str]) -> tuple[Shared, ...]:
    """The words of two captions in one row, each once where both have it.

    Words are equal whatever their case. Runs of equal words are aligned first (Ratcliff and
    Obershelp), then single ones that stand in another order.

    Args:
        a, b: the words of each caption.

    Returns:
        The words of A in their order; those of B alone before the next word that both have.

    Raises:
        Nothing.

    Example:
        >>> align_words(["A", "cat", "sleeps"], ["a", "dog", "sleeps"])
        (Shared(a=0, b=0), Shared(a=1, b=None), Shared(a=None, b=1), Shared(a=2, b=2))
    """
    left, right = [[word.casefold() for word in words] for words in (a, b)]
    matcher = SequenceMatcher(None, left, right, autojunk=False)
    partner = {
        run.b + place: run.a + place
        for run in matcher.get_matching_blocks()
        for place in range(run.size)
    }
    free = [number for number in range(len(left)) if number not in set(partner.values())]
    for number, word in enumerate(right):
        if number not in partner:
            other = next((one for one in free if left[one] == word), None)
            if other is not None:
                partner[number] = other
                free.remove(other)
    return _in_one_row(len(left), len(right), partner)


def align_frames(a: Video, b: Video) -> tuple[Shared, ...]:
    """The frames of two videos in one row, each once where both have it.

    Args:
        a, b: frames with their times.

    Returns:
        Frames are the same if time and picture are, as files keep it. Where none is, those of A
        come first.

    Raises:
        Nothing.

    Example:
        >>> one = Video(np.zeros((2, 4, 4, 3), np.uint8), (0.5, 1.5), 2.0, "a.mp4")
        >>> align_frames(one, one)
        (Shared(a=0, b=0), Shared(a=1, b=1))
    """
    known: dict[Hashable, int] = {}
    for number, frame in enumerate(_frames(a)):
        known.setdefault(frame, number)
    partner: dict[int, int] = {}
    for number, frame in enumerate(_frames(b)):
        if frame in known:
            partner[number] = known.pop(frame)
    return _in_one_row(len(a.times), len(b.times), partner)


def _frames(video: Video) -> Iterator[Hashable]:
    for seconds, picture in zip(video.times, video.pictures, strict=True):
        yield seconds, picture.shape, np.ascontiguousarray(picture).tobytes()


def _in_one_row(left: int, right: int, partner: dict[int, int]) -> tuple[Shared, ...]:
    """Those of A with their partners; those of B alone before the next one that has a partner."""
    with_partner = {one: other for other, one in partner.items()}
    row = [((one, -1), Shared(one, with_partner.get(one))) for one in range(left)]

    def end_of_gap(place: int) -> int:
        """The last one of A before the next that has a partner."""
        return next((one - 1 for one in range(place + 1, left) if one in with_partner), left)

    place = end_of_gap(-1)
    for other in range(right):
        if other in partner:
            place = end_of_gap(partner[other])
        else:
            row.append(((place, other), Shared(None, other)))
    return tuple(shared for _, shared in sorted(row, key=lambda one: one[0]))
