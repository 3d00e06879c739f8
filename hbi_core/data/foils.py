"""Foils: a true caption with one noun replaced by another of its kind, which makes it false.

The test of FOIL (Shekhar et al. 2017, "FOIL it! Find one mismatch between image and language
caption") with nouns of our own: lists of what can stand for each other in a sentence.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from hbi_core.data.clips import Clip
from hbi_core.inputs.text import Caption, Word, parse_caption

# The frequent nouns of photograph captions by kind. Within a kind, "|" stands between words of
# which one may be said for the other, a space between those that exclude each other.
KINDS = {
    "person": "man|guy|gentleman woman|lady boy girl baby|toddler|infant",
    "persons": "men|guys women|ladies boys girls babies|toddlers",
    "sportsman": "skateboarder surfer skier snowboarder biker|cyclist|bicyclist climber|hiker "
    "swimmer motorcyclist wrestler dancer",
    "animal": "dog|puppy cat|kitten horse cow|bull bird|seagull|duck|goose lamb monkey "
    "elephant fish rabbit",
    "animals": "dogs|puppies cats|kittens horses cows|bulls birds|seagulls|ducks|geese sheep "
    "monkeys elephants",
    "vehicle": "bike|bicycle|motorcycle|motorbike car|jeep|truck boat|canoe|kayak|raft bus "
    "train tractor airplane|plane|helicopter sled",
    "board": "skateboard surfboard snowboard skis",
    "sport": "soccer|football|rugby basketball tennis baseball|softball hockey volleyball "
    "cricket golf",
    "place": "beach street|road|sidewalk park|playground|field|yard pool forest|woods "
    "mountain|mountains|cliff|hill kitchen city desert lake|river|ocean|pond restaurant|bar gym "
    "stadium store|shop|market bedroom",
    "ground": "snow|ice grass|lawn sand water mud|dirt pavement|concrete|cement|asphalt",
    "clothing": "shirt|t-shirt|jersey|top jacket|coat|sweater|sweatshirt dress|skirt hat|cap "
    "helmet suit|uniform swimsuit|bikini|wetsuit vest scarf backpack",
    "clothes": "pants|jeans|trousers|shorts|trunks sunglasses|glasses|goggles boots|shoes gloves",
    "thing": "ball frisbee stick|branch rope guitar|violin camera umbrella book|newspaper "
    "balloon|balloons phone|cellphone flag|flags bottle|cup|drink cigarette kite sword gun",
    "furniture": "bench|couch|chair fence|railing tree|log bridge slide swing trampoline ramp "
    "stairs|steps table fountain door|window tent",
    "body": "hair face|head mouth|tongue|teeth hand|hands|fingers|arm|arms leg|legs|foot|feet "
    "ears|ear nose eyes tail",
}
FREQUENT = 20  # times that a noun is said in the captions trained on, to be put in
_KEPT = {"body"}  # counted as nouns, but never replaced: every face has a nose
_SOMEONE = "person people someone couple family player players adult adults crowd group team"
_CHILD = "child children kid kids toddler toddlers youth teen teenager"
# Of whom it is not said what they are, they may be any of these.
_MAY_BE = [
    ("person", _SOMEONE, "man woman"),
    ("persons", _SOMEONE, "men women"),
    ("person", _CHILD, "boy girl baby"),
    ("persons", _CHILD, "boys girls babies"),
]


@dataclass(frozen=True)
class Foil:
    """A false caption.

    Attributes:
        caption: with the other noun; as many words as the true one.
        word: the one that was replaced.
        nouns: all words of the caption that stand in `KINDS`, `word` among them.
    """

    caption: Caption
    word: int
    nouns: tuple[int, ...]


@cache
def groups_of_kinds() -> Mapping[str, tuple[str, int]]:
    """Noun -> its kind, and the number of its group in it."""
    return MappingProxyType(
        {
            noun: (kind, number)
            for kind, groups in KINDS.items()
            for number, group in enumerate(groups.split())
            for noun in group.split("|")
        }
    )


def frequent_nouns(captions: Iterable[str], at_least: int) -> frozenset[str]:
    """The nouns of `KINDS` that are said this often: those that may replace another.

    Args:
        captions: those trained on, so that every noun of a foil is one that the model has met.
        at_least: times.
    """
    said = Counter(word.text.lower() for text in captions for word in parse_caption(text).words)
    return frozenset(noun for noun in groups_of_kinds() if said[noun] >= at_least)


def foils_of_captions(clips: Iterable[Clip], seed: int) -> dict[str, tuple[Foil | None, ...]]:
    """For training: of each caption one foil, where one can be made.

    Those of a clip do not depend on the others but for which nouns are frequent.

    Args:
        clips: those trained on.
        seed: the same foils for the same seed.

    Returns:
        By the id of each clip, as many as it has captions.
    """
    clips = tuple(clips)
    frequent = frequent_nouns((text for clip in clips for text in clip.captions), FREQUENT)
    foils = {}
    for clip in clips:
        captions = [parse_caption(text) for text in clip.captions]
        said = {word.text.lower() for caption in captions for word in caption.words}
        drawn = random.Random(f"{seed} {clip.id}")
        foils[clip.id] = tuple(make_foil(c, said, frequent, drawn) for c in captions)
    return foils


def make_foil(
    caption: Caption,
    others: Collection[str],
    frequent: Collection[str],
    drawn: random.Random,
) -> Foil | None:
    """Replace one noun of a caption; None if it has none that can be replaced.

    Args:
        caption: a true one.
        others: what is said of the same picture, words in lower case: none of them, and nothing
            of the same group or that might be meant by them, replaces a noun.
        frequent: nouns that may be put in.
        drawn: draws the noun and what replaces it.
    """
    known = groups_of_kinds()
    words = [word.text.lower() for word in caption.words]
    nouns = tuple(number for number, word in enumerate(words) if word in known)
    for number in drawn.sample(nouns, len(nouns)):
        kind, _ = known[words[number]]
        said = _said(kind, {*others, *words}, known)
        free = [
            noun
            for noun in known
            if noun in frequent and known[noun][0] == kind and known[noun][1] not in said
        ]
        if kind not in _KEPT and free:
            text = _replaced(caption.text, caption.words, number, drawn.choice(free))
            changed = parse_caption(text)
            assert len(changed.words) == len(words)  # a noun is a single word
            return Foil(changed, number, nouns)
    return None


def label_of(caption: Caption, word: int, labels: Sequence[str]) -> int | None:
    """Which label of an encoder stands for a word of a caption: of several pieces, the first.

    Args:
        labels: of the players, see `TextFeatures`: words, or pieces of words; special ones, and
            words that cannot be read or are beyond a limit, do not matter.

    Returns:
        Its place among them; None where the labels do not tell it.
    """
    wanted = caption.words[word].text.lower()
    pieces = [label.lower().removeprefix("##") for label in labels]
    starts = [place for place in range(len(pieces)) if _spells(pieces[place:], wanted)]
    same = [n for n, other in enumerate(caption.words) if other.text.lower() == wanted]
    return starts[same.index(word)] if len(starts) == len(same) else None


def _spells(pieces: Iterable[str], word: str) -> bool:
    """Whether the first of the pieces make up a word."""
    spelt = ""
    for piece in pieces:
        spelt += piece
        if spelt == word or not word.startswith(spelt):
            break
    return spelt == word


def _said(kind: str, words: Collection[str], known: Mapping[str, tuple[str, int]]) -> set[int]:
    """The groups of a kind of which one is said, or may be meant."""
    meant = [*words]
    for own, vague, nouns in _MAY_BE:
        if own == kind and not set(vague.split()).isdisjoint(words):
            meant += nouns.split()
    return {known[word][1] for word in meant if word in known and known[word][0] == kind}


def _replaced(text: str, words: Sequence[Word], number: int, noun: str) -> str:
    """The text with another noun, and the article before it that goes with it."""
    word, before = words[number], words[number - 1] if number else None
    text = text[: word.start] + _as(word.text, noun) + text[word.end :]
    if before and before.text.lower() in ("a", "an"):
        article = _as(before.text, "an" if noun[0] in "aeiou" and noun != "uniform" else "a")
        text = text[: before.start] + article + text[before.end :]
    return text


def _as(written: str, word: str) -> str:
    """The word with a capital where the other one has one."""
    return word.capitalize() if written[0].isupper() else word
