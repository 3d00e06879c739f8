"""Phrases of a caption: a content word with the function words that lead to it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from hbi_core.inputs.function_words import QUESTION_WORDS, function_words
from hbi_core.inputs.text import Word


class Phrase(NamedTuple):
    """A text player.

    Attributes:
        words: those that it stands for, one after another, as indices into the words.
        head: the one that it is read from, the content word.
        step: factor on its distance from the phrase before: 1/2 where no function word leads to it,
            so that it goes with what stands before (in a black | jacket); 2 at the start of a
            clause, but the first; else 1.
    """

    words: tuple[int, ...]
    head: int
    step: float


def phrases(words: Sequence[Word]) -> tuple[Phrase, ...]:
    """The phrases of words of English; every word is in one of them, and none crosses a clause.

    Function words behind the last content word of a clause join the last phrase of it. A clause
    of function words alone is one phrase, read from its last word. Where the first word asks, it is
    a content word, and so is what it asks for: "what | is the man | doing".

    Example:
        >>> from hbi_core.inputs.text import parse_caption
        >>> words = parse_caption("A man in a black jacket, and a dog to play with").words
        >>> for phrase in phrases(words):
        ...     print(" ".join(words[n].text for n in phrase.words), phrase.step)
        A man 1.0
        in a black 1.0
        jacket 0.5
        and a dog 2.0
        to play with 1.0
    """
    found: list[Phrase] = []
    for _, numbers in groupby(range(len(words)), lambda n: words[n].clause):
        clause = list(numbers)
        spoken = [words[n].text.lower() for n in clause]
        heads = [n for n, function in enumerate(function_words(spoken)) if not function]
        if not found and spoken[0] in QUESTION_WORDS:
            heads = sorted({0, *heads, *(n for n, word in enumerate(spoken) if word == "doing")})
        for members, head in _spans(heads or [len(clause) - 1], len(clause)):
            begins = found and words[found[-1].head].clause != words[clause[head]].clause
            step = 2.0 if begins else 0.5 if found and members[0] == head else 1.0
            found.append(Phrase(tuple(clause[n] for n in members), clause[head], step))
    return tuple(found)


def _spans(heads: list[int], length: int) -> list[tuple[range, int]]:
    """The members of each phrase of a clause, and its head."""
    ends = [*(head + 1 for head in heads[:-1]), length]
    starts = [0, *ends[:-1]]
    return [(range(*own), n) for *own, n in zip(starts, ends, heads, strict=True)]
