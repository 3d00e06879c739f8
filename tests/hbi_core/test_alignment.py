"""Which words and frames of two explanations are the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hbi_core.alignment import Shared, align_frames, align_words
from support.contrasts import drawn_video


def in_words(a, b):
    """The row as text: words that both have, +those of A, -those of B."""
    a, b = a.split(), b.split()
    told = []
    for one in align_words(a, b):
        sign = "" if one.both else "-" if one.a is None else "+"
        told.append(sign + (b[one.b] if one.a is None else a[one.a]))
    return " ".join(told)


@pytest.mark.parametrize(
    ("a", "b", "row"),
    [
        ("a cat", "a cat", "a cat"),
        ("A Cat", "a cat", "A Cat"),
        ("a cat sleeps", "a dog sleeps", "a +cat -dog sleeps"),
        ("a man plays with a brown dog", "a man", "a man +plays +with +a +brown +dog"),
        (
            "with a brown dog in snow",
            "with a white cat on sofa",
            "with a +brown +dog +in +snow -white -cat -on -sofa",
        ),
        ("one", "two three", "+one -two -three"),
        ("end", "the end", "-the end"),
        ("the end", "end of it", "+the end -of -it"),
        ("cat and dog", "dog and cat", "cat and dog"),
        ("a a", "a", "a +a"),
    ],
)
def test_words_stand_once(a, b, row):
    assert in_words(a, b) == row


def test_every_word_has_one_place():
    words = ["a", "b", "a", "c", "d", "e", "a", "b"]
    others = ["b", "a", "a", "d", "x", "e", "y", "a"]
    row = align_words(words, others)
    assert sorted(one.a for one in row if one.a is not None) == list(range(len(words)))
    assert sorted(one.b for one in row if one.b is not None) == list(range(len(others)))
    assert [one.a for one in row if one.a is not None] == list(range(len(words)))
    for one in row:
        if one.both:
            assert words[one.a] == others[one.b]


def test_frames_are_the_same_if_time_and_picture_are():
    video = drawn_video(4)
    assert align_frames(video, replace(video, frames=video.frames.copy())) == tuple(
        Shared(number, number) for number in range(4)
    )
    some = replace(video, frames=video.frames[1:3], times=video.times[1:3])
    assert align_frames(video, some) == (
        Shared(0, None),
        Shared(1, 0),
        Shared(2, 1),
        Shared(3, None),
    )
    late = replace(video, times=tuple(time + 0.1 for time in video.times))
    other = replace(video, frames=np.zeros((4, 2, 2, 3), np.uint8))
    for different in (late, other):
        row = align_frames(video, different)
        assert row == (
            *(Shared(number, None) for number in range(4)),
            *(Shared(None, number) for number in range(4)),
        )


def test_equal_frames_of_one_time_are_told_apart():
    still = replace(drawn_video(2), frames=np.zeros((2, 2, 2, 3), np.uint8), times=(0.0, 0.0))
    row = align_frames(still, still)
    assert sorted(one.a for one in row if one.a is not None) == [0, 1]
    assert sorted(one.b for one in row if one.b is not None) == [0, 1]
