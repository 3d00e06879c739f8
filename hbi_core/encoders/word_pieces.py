"""What MiniLM's tokenizer makes of the words of a caption."""

from __future__ import annotations

import math
from typing import NamedTuple

import regex

from hbi_core.inputs.text import Caption

MAX_TOKENS = 256  # of a clause; what MiniLM was trained with
_LETTERS_AND_DIGITS = regex.compile(r"[\p{L}\p{N}][\p{L}\p{N}\p{M}\p{Cf}]*")


class Token(NamedTuple):
    """A piece of a text, `text[start:end]`, and whether MiniLM knows it; of [CLS], none."""

    start: int
    end: int
    known: bool

    def overlaps(self, start: int, end: int) -> bool:
        return self.start < self.end and self.start < end and start < self.end


class Reading(NamedTuple):
    """What MiniLM makes of a word.

    Attributes:
        pieces: indices of its known tokens in the flattened batch; none if it is no player.
        unreadable: the parts that it cannot read, or the word.
        beyond: the parts that are behind the limit of tokens, or the word.
    """

    pieces: list[int]
    unreadable: tuple[str, ...]
    beyond: tuple[str, ...]


def look_up(word: str, start: int, tokens: list[Token], first: int) -> Reading:
    """Read a word that begins at this character of a clause.

    Args:
        word: its parts are runs of letters and digits; a symbol is its own only part. Joiners and
            signs alone (the hyphen of a word in Thai) say nothing about it.
        start: place of its first character.
        tokens: of the clause.
        first: index of the first of them in the flattened batch.
    """
    own = {n: t for n, t in enumerate(tokens, first) if t.overlaps(start, start + len(word))}
    limit = _characters_read(tokens) - start
    parts = [match.span() for match in _LETTERS_AND_DIGITS.finditer(word)] or [(0, len(word))]
    unreadable, beyond = [], []
    for begin, end in parts:
        pieces = [t.known for t in own.values() if t.overlaps(start + begin, start + end)]
        if begin >= limit:
            beyond.append(word[begin:end])
        elif not pieces or not all(pieces):
            unreadable.append(word[begin:end])
    if len(unreadable) + len(beyond) < len(parts):
        return Reading([n for n, t in own.items() if t.known], tuple(unreadable), tuple(beyond))
    return Reading([], (word,), ()) if unreadable else Reading([], (), (word,))


def load_tokenizer(folder: str):
    """MiniLM's, which reads letters in other forms (full-width ＡＢＣ, 𝐛𝐨𝐥𝐝) as those letters."""
    from tokenizers import normalizers, pre_tokenizers
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    parts = tokenizer.backend_tokenizer
    parts.normalizer = normalizers.Sequence([normalizers.NFKC(), parts.normalizer])
    longest = parts.model.max_input_chars_per_word  # WordPiece knows no word of more characters
    parts.pre_tokenizer = pre_tokenizers.Sequence(
        [parts.pre_tokenizer, pre_tokenizers.FixedLength(longest)]
    )
    return tokenizer


def _characters_read(tokens: list[Token]) -> float:
    """How far the tokens of a clause reach: to its end, unless the limit cut them off."""
    return tokens[-2].end if len(tokens) == MAX_TOKENS and tokens[-2].end else math.inf


def clauses_of(caption: Caption) -> list[list[int]]:
    """The words of each clause, as indices."""
    clauses: dict[int, list[int]] = {}
    for index, word in enumerate(caption.words):
        clauses.setdefault(word.clause, []).append(index)
    return list(clauses.values())


def set_apart(caption: Caption, words: list[int]) -> tuple[str, list[int]]:
    """A clause whose words are set apart by spaces, and the place of each.

    Words may touch, but MiniLM's tokenizer would take "cat😀" for one that it does not know.
    """
    text, starts, end = "", [], caption.words[words[0]].start
    for index in words:
        word = caption.words[index]
        text += f" {caption.text[end : word.start]} "
        starts.append(len(text))
        text += word.text
        end = word.end
    return text, starts
