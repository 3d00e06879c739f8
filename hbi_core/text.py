"""A caption as its reader sees it: words, with their places in the text."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from hbi_core.errors import CaptionError

MAX_WORDS = 64  # the paper's longest text (ActivityNet, DiDeMo)

_BOUNDARIES = frozenset(".,;:!?…—–()[]{}|\n。，；：！？、．｡､「」『』（）・")
_JOINERS = frozenset("'’-‐‑_@&.")
_RANGES = {  # kinds of characters that Unicode's categories do not tell apart
    "i": "\u3041-\u3096\u309d-\u309f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f",
    "k": "\u30a1-\u30fa\u30fd-\u30ff",
    "m": "\u30fc\U0001f3fb-\U0001f3ff",
    "f": "\U0001f1e6-\U0001f1ff",
    "z": "\u200d",
    "-": "\u200b",
}
_KINDS = {kind: re.compile(f"[{characters}]") for kind, characters in _RANGES.items()}
# A word, over the kinds of its characters (see `_kind`): a character of a script without spaces
# between words; a run of katakana; an emoji, of several if they are joined; a flag; or letters and
# digits, with a joiner between them (it's, black-and-white, e.g), a separator between digits
# (10,000 and 10:30), and signs ($5, C++).
_WORD = re.compile(
    r"im*|k[km]*|em*(?:zem*)*|ff?|"
    r"x*[ad][admxz]*(?:j[ad][admxz]*|(?<=d)s(?=d)[ad][admxz]*)*"
)


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

    def first(self, words: int) -> Caption:
        """The same caption with this many words at most."""
        beyond = tuple(word.text for word in self.words[words:])
        return Caption(self.text, self.words[:words], beyond + self.left_out)


def parse_caption(caption: str, max_words: int = MAX_WORDS) -> Caption:
    """Split a caption into words, without their punctuation.

    Clauses end at punctuation or at a line break. Chinese characters and hiragana are words of
    their own, and so are emoji. Other scripts without spaces (Thai, Lao, Khmer) give one word for
    each run of letters.

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
    return Caption(caption, tuple(words)).first(max_words)


def _kind(character: str) -> str:
    """What a character is to `_WORD`.

    i: of a script without spaces between words, k: katakana, a: letter, d: digit, e: emoji or
    other picture, f: half of a flag, x: sign, m: mark on the one before, z: joiner of emoji,
    j: joiner of letters, s: separator in numbers, -: anything else.
    """
    for kind, characters in _KINDS.items():
        if characters.match(character):
            return kind
    if character.isdigit():
        return "d"
    if character in _JOINERS:
        return "j"
    if character in ",:":
        return "s"
    if character in _BOUNDARIES:
        return "-"
    category = unicodedata.category(character)
    return {"L": "a", "N": "d", "M": "m"}.get(
        category[0], {"So": "e", "Sc": "x", "Sm": "x", "Sk": "x", "Cf": "m"}.get(category, "-")
    )
