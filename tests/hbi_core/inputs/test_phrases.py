"""Which words of a caption make a player: by hand."""

from __future__ import annotations

import doctest

import pytest

from hbi_core.inputs import function_words as list_of_words
from hbi_core.inputs import phrases as of_captions
from hbi_core.inputs.function_words import (
    COMPOUNDS,
    FUNCTION_WORDS,
    OTHER_LANGUAGES,
    function_words,
    looks_english,
)
from hbi_core.inputs.phrases import phrases
from hbi_core.inputs.text import parse_caption

# Of each phrase, the head is in capitals.
PHRASES = [
    (
        "a woman flips a pancake in a pan in a kitchen",
        ["a WOMAN", "FLIPS", "a PANCAKE", "in a PAN", "in a KITCHEN"],
        [1, 0.5, 1, 1, 1],
    ),
    (
        "Two men are talking after one puts out a fire.",
        ["Two MEN", "are TALKING", "after one PUTS", "out a FIRE"],
        [1, 1, 1, 1],
    ),
    (
        "A man in a black jacket, with a red bow tie",
        ["A MAN", "in a BLACK", "JACKET", "with a RED", "BOW", "TIE"],
        [1, 1, 0.5, 2, 0.5, 0.5],
    ),
    (
        "The dog's owner isn't in front of it. It's a cat!",
        ["The DOG'S", "OWNER isn't in front of it", "It's a CAT"],
        [1, 0.5, 2],
    ),
    ("Here they are: a pug, and you.", ["Here they ARE", "a PUG", "and YOU"], [1, 2, 2]),
    ("snow", ["SNOW"], [1]),
    ("dogs – cats", ["DOGS", "CATS"], [1, 2]),
    ("is it", ["is IT"], [1]),
    ("What is the man doing?", ["WHAT", "is the MAN", "DOING"], [1, 1, 0.5]),
    ("how many people are there", ["HOW", "many PEOPLE are there"], [1, 1]),
    ("Where is it?", ["WHERE is it"], [1]),
    ("A man who is doing it, what a trick", ["A MAN who is doing it", "what a TRICK"], [1, 2]),
    (
        "A lot of people next to a front door",
        ["A lot of PEOPLE", "next to a FRONT", "DOOR"],
        [1, 1, 0.5],
    ),
]


@pytest.mark.parametrize(("caption", "expected", "steps"), PHRASES)
def test_phrases_by_hand(caption, expected, steps):
    words = parse_caption(caption).words
    found = phrases(words)
    shown = [
        " ".join(words[n].text.upper() if n == phrase.head else words[n].text for n in phrase.words)
        for phrase in found
    ]
    assert shown == expected
    assert [phrase.step for phrase in found] == steps
    assert [n for phrase in found for n in phrase.words] == list(range(len(words)))


@pytest.mark.parametrize(
    ("words", "known"),
    [
        ("they're don't can't won't ain't who's", [True] * 6),
        ("they’re DON’T", [True, True]),
        ("dog's o'clock don'ts", [False] * 3),
        ("in front of the front", [True, True, True, True, False]),
        ("in front", [True, False]),
    ],
)
def test_forms_of_function_words(words, known):
    assert function_words(words.split()) == known


def test_lists_are_those_of_the_words_that_captions_have():
    """In lower case, one word each, and no word in two languages."""
    for word in FUNCTION_WORDS | OTHER_LANGUAGES:
        assert [own.text for own in parse_caption(word).words] == [word.lower()]
    assert not FUNCTION_WORDS & OTHER_LANGUAGES
    assert len(set(COMPOUNDS)) == len(COMPOUNDS)


@pytest.mark.parametrize(
    "caption",
    [
        "A dog on a beach",
        "dogs in snow",
        "Flowers die in the van",
        "He didn't",
        "A man plays the guitar at the plaza de Armas",
    ],
)
def test_english(caption):
    assert looks_english([word.text for word in parse_caption(caption).words])


@pytest.mark.parametrize(
    "caption",
    [
        "Ein Hund in der Sonne",
        "Eine Frau war in dem Haus",
        "una mujer camina a la playa",
        "un chien court dans la neige",
        "een man in de sneeuw",
        "uma mulher com um gato",
        "собака бежит по снегу",
        "dog, snow",
        "🐶",
    ],
)
def test_not_known_to_be_english(caption):
    assert not looks_english([word.text for word in parse_caption(caption).words])


def test_the_examples_are_true():
    for module in (list_of_words, of_captions):
        result = doctest.testmod(module)
        assert result.attempted
        assert not result.failed
