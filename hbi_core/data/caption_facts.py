"""What a caption says, found by closed lists of words: who, how many, what colour, where.

Each function reads the words of one caption, in lower case, and finds only what it is sure of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from hbi_core.data import question_words as known

_FAR = 6  # words between a preposition or a verb and its noun, at most
_BETWEEN = known.DESCRIBING | set(known.COLOURS) | {"and"}


class Mention(NamedTuple):
    """Somebody in a caption, one or several; how many, or None where that is not said."""

    name: str
    plural: bool
    number: str | None


def mentions(
    words: Sequence[str], singular: Mapping[str, str], plural: Mapping[str, str]
) -> list[Mention]:
    """People or animals, in the order of the caption."""
    found = []
    for place, word in enumerate(words):
        before = words[place - 1] if place else ""
        after = words[place + 1] if place + 1 < len(words) else ""
        if before in known.NOT_BEHIND or after in known.NOT_BEFORE:
            continue
        if word in singular:
            found.append(Mention(singular[word], False, "one"))
        elif word in plural:
            found.append(Mention(plural[word], True, _number_before(words, place)))
    return found


def number_of(found: Sequence[Mention], words: Sequence[str]) -> str | None:
    """How many all of these are together; None where the caption does not say it."""
    if not found or known.GROUPS & set(words) or any(m.number is None for m in found):
        return None
    total = sum(known.COUNTED.index(m.number) + 1 for m in found if m.number is not None)
    if len(found) > 1 and any(m.plural for m in found):  # they may be named again
        return None
    return known.COUNTED[total - 1] if total <= len(known.COUNTED) else None


def colours(words: Sequence[str]) -> dict[str, set[str]]:
    """The colours of garments, dogs and things, by their name."""
    found: dict[str, set[str]] = {}
    for place, word in enumerate(words):
        name = _coloured(word)
        if name is None or (place + 1 < len(words) and _coloured(words[place + 1]) is not None):
            continue
        start = place
        while start and words[start - 1] in _BETWEEN:
            start -= 1
        own = sorted({known.COLOURS[w] for w in words[start:place] if w in known.COLOURS})
        if own:
            found.setdefault(name, set()).add(" and ".join(own))
    return found


def places(words: Sequence[str]) -> set[str]:
    """Where it is: places behind a preposition."""
    found = set()
    for place, word in enumerate(words):
        if word in known.PLACE_PREPOSITIONS:
            noun = noun_after(words, place + 1, known.PLACES)
            found |= {noun} if noun else set()
    return found


def done(words: Sequence[str]) -> set[str]:
    """What somebody does, as gerunds."""
    found = set()
    for place, word in enumerate(words):
        before = words[place - 1] if place else ""
        after = words[place + 1] if place + 1 < len(words) else ""
        if word not in known.DOING or after in known.AFTER_GERUND or before in _NO_VERB_AFTER:
            continue
        plural = before in known.PEOPLE_PLURAL or before in known.ANIMALS_PLURAL
        if word not in known.BASES or plural:
            found.add(known.DOING[word])
    return found


def worn(words: Sequence[str]) -> set[str]:
    """Garments behind "wearing" and "in"."""
    found = set()
    for place, word in enumerate(words):
        if word in ("wearing", "wears", "in"):
            noun = noun_after(words, place + 1, known.GARMENTS)
            found |= {noun} if noun else set()
    return found


def objects(words: Sequence[str]) -> dict[str, set[str]]:
    """What things are done to: "riding" -> {"bike"}."""
    found: dict[str, set[str]] = {}
    for place, word in enumerate(words[:-1]):
        if (verb := known.OBJECT_FORMS.get(word)) is None:
            continue
        after = words[place + 1]
        if (verb, after) in known.WITH_PARTICLE:
            name, start = known.WITH_PARTICLE[verb, after], place + 2
        elif verb in known.ON_OBJECTS:
            name = known.OBJECT_NAMES[verb]
            start = place + 1 + (after in known.ON_OBJECTS[verb])
        else:
            continue
        if noun := noun_after(words, start, known.THINGS):
            found.setdefault(name, set()).add(noun)
    return found


def in_mouth(words: Sequence[str]) -> set[str]:
    """What an animal has in its mouth."""
    if "mouth" not in words:
        return set()
    place = words.index("mouth")
    if place < 3 or words[place - 2] != "in":
        return set()
    noun = known.THINGS.get(words[place - 3])
    return {noun} if noun else set()


def sports(words: Sequence[str]) -> set[str]:
    """Sports, by themselves or by who does them and with what."""
    followed = zip(words, [*words[1:], ""], strict=True)
    return {
        known.SPORTS[word]
        for word, after in followed
        if word in known.SPORTS and after not in known.NO_SPORT_BEFORE
    }


def noun_after(words: Sequence[str], start: int, nouns: Mapping[str, str]) -> str | None:
    """The noun that the phrase from this word on is about, by its name; None for another one.

    "the tall green grass" -> "grass", "a tennis ball" -> "ball", "a tree house" -> None.
    """
    for place in range(start, min(start + _FAR, len(words))):
        word = words[place]
        after = words[place + 1] if place + 1 < len(words) else ""
        if word in nouns and after not in known.THINGS and after not in known.NOT_BEFORE:
            return nouns[word]
        if word not in _BETWEEN and word not in known.ARTICLES and word not in nouns:
            return None
    return None


def _coloured(word: str) -> str | None:
    if word in ("dog", "puppy", "horse", "bird", "cat"):
        return known.ANIMALS[word]
    return known.GARMENTS.get(word) or (word if known.THINGS.get(word) == word else None)


def _number_before(words: Sequence[str], place: int) -> str | None:
    for word in reversed(words[max(0, place - _FAR) : place]):
        if word in known.NUMBERS:
            return known.NUMBERS[word]
        if word not in _BETWEEN:
            return None
    return None


_NO_VERB_AFTER = known.ARTICLES | {"of"}
