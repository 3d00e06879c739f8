"""Captions as their readers see them."""

from __future__ import annotations

import string

import pytest

from hbi_core.errors import CaptionError
from hbi_core.text import MAX_WORDS, parse_caption


@pytest.mark.parametrize(
    ("caption", "words"),
    [
        ("Two men talking, after one puts out a fire.",
         ["Two", "men", "talking", "after", "one", "puts", "out", "a", "fire"]),
        ("it's a black-and-white cat", ["it's", "a", "black-and-white", "cat"]),
        ("10,000 people at 3.5 km, 10:30", ["10,000", "people", "at", "3.5", "km", "10:30"]),
        ("cats,dogs and 'birds'...fly", ["cats", "dogs", "and", "birds", "fly"]),
        ("  spaces \t and\nlines  ", ["spaces", "and", "lines"]),
        ("ein Mädchen läuft", ["ein", "Mädchen", "läuft"]),
        ("कुत्ता दौड़ता है", ["कुत्ता", "दौड़ता", "है"]),
        ("رجل يركض", ["رجل", "يركض"]),
        ("一只猫坐着。", ["一", "只", "猫", "坐", "着"]),
        ("a dog 🐶 runs 👩‍🚀", ["a", "dog", "🐶", "runs", "👩‍🚀"]),
        ("😀", ["😀"]),
        ("dog🐶 🐶🐱 👍🏽 🇩🇪🇫🇷", ["dog", "🐶", "🐶", "🐱", "👍🏽", "🇩🇪", "🇫🇷"]),
        ("コーヒーを飲む", ["コーヒー", "を", "飲", "む"]),
        ("$5 and C++ | 3% = x", ["$5", "and", "C++", "3", "x"]),
    ],
)  # fmt: skip
def test_words(caption, words):
    parsed = parse_caption(caption)
    assert [word.text for word in parsed.words] == words
    assert all(caption[word.start : word.end] == word.text for word in parsed.words)


def test_clauses():
    parsed = parse_caption("A cat sits. A dog, that barks at 3.5 m; a man's hat")
    assert [word.clause for word in parsed.words] == [0, 0, 0, 1, 1, 2, 2, 2, 2, 2, 3, 3, 3]


@pytest.mark.parametrize(
    "caption", ["", "   \n", "...", "?!, -- '", "\u200b", string.punctuation, "~~~ $$$ `", "・・・"]
)
def test_nothing_to_explain(caption):
    with pytest.raises(CaptionError, match="Type a sentence"):
        parse_caption(caption)


def test_too_long():
    parsed = parse_caption(" ".join(f"word{i}" for i in range(MAX_WORDS + 10)))
    assert len(parsed.words) == MAX_WORDS
    assert parsed.left_out == tuple(f"word{i}" for i in range(MAX_WORDS, MAX_WORDS + 10))
