"""A caption as its reader sees it: words, with their places in the text."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from hbi_core.errors import CaptionError

MAX_WORDS = 64  # the paper's longest text (ActivityNet, DiDeMo)

_BOUNDARIES = frozenset(".,;:!?…—–()[]{}|\n。，；：！？、．｡､「」『』（）")
_ZERO_WIDTH_SPACE = "\u200b"
_JOINERS = frozenset("'’-‐‑_@&.")
# Written without spaces between words: each character becomes a word of its own.
_IDEOGRAPHS = re.compile(
    "[\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f]"
)
# Over the kinds of characters that `_kind` tells apart: an ideograph; or letters and digits with
# their marks, a joiner between them (it's, black-and-white, e.g) and a separator between digits
# (10,000 and 10:30).
_WORD = re.compile(r"im*|[ad][adm]*(?:j[ad][adm]*|(?<=d)s(?=d)[ad][adm]*)*")


@dataclass(frozen=True)
class Word:
    """A word: `caption[start:end]`, in the clause of this number."""

    text: str
    start: int
    end: int
    clause: int


@dataclass(frozen=True)
class Caption:
    """A caption and its words.

    Attributes:
        text: the caption as it was given.
        words: the words that are explained, in reading order, at least one.
        left_out: words beyond the limit, in reading order.
    """

    text: str
    words: tuple[Word, ...]
    left_out: tuple[str, ...] = ()


def parse_caption(caption: str, max_words: int = MAX_WORDS) -> Caption:
    """Split a caption into words, without their punctuation.

    Clauses end at punctuation or at a line break. Chinese and Japanese characters are words of
    their own; emoji are words.

    Raises:
        CaptionError: the caption is empty or has no word in it.
    """
    caption = caption.encode("utf-8", "replace").decode("utf-8")  # no half surrogate pairs
    kinds = "".join(map(_kind, caption))
    words: list[Word] = []
    clause, end = 0, 0
    for match in _WORD.finditer(kinds):
        if words and not _BOUNDARIES.isdisjoint(caption[end : match.start()]):
            clause += 1
        end = match.end()
        words.append(Word(caption[match.start() : end], match.start(), end, clause))
    if not words:
        what = "has no words, only punctuation" if caption.strip() else "is empty"
        raise CaptionError(f"The caption {what}. Type a sentence that describes the video.")
    left_out = tuple(word.text for word in words[max_words:])
    return Caption(caption, tuple(words[:max_words]), left_out)


def _kind(character: str) -> str:
    """i: ideograph, a: letter or symbol, d: digit, m: mark, j: joiner, s: separator, -: other."""
    if _IDEOGRAPHS.match(character):
        return "i"
    if character.isdigit():
        return "d"
    if character in _JOINERS:
        return "j"
    if character in ",:":
        return "s"
    if character == _ZERO_WIDTH_SPACE:
        return "-"
    category = unicodedata.category(character)
    if category[0] == "M" or category == "Cf":  # vowel signs; what joins emoji
        return "m"
    return "a" if category[0] in "LNS" else "-"
