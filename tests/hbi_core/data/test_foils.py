from __future__ import annotations

import random

import pytest

from hbi_core.data import Clip
from hbi_core.data.foils import (
    FREQUENT,
    KINDS,
    foils_of_captions,
    frequent_nouns,
    groups_of_kinds,
    label_of,
    make_foil,
)
from hbi_core.inputs.text import parse_caption

ALL = frozenset(groups_of_kinds())


def foils(text, others=(), frequent=ALL, count=200):
    """All foils that some draws give: (the noun put in, its place) -> text."""
    drawn = random.Random(0)
    made = [make_foil(parse_caption(text), others, frequent, drawn) for _ in range(count)]
    return {(f.caption.words[f.word].text, f.word): f.caption.text for f in made if f is not None}


def test_every_noun_has_one_kind():
    nouns = [noun for groups in KINDS.values() for noun in groups.replace("|", " ").split()]
    assert len(nouns) == len(set(nouns))


def test_one_noun_becomes_another_of_its_kind():
    made = foils("A dog runs.")
    assert {"cat", "horse"} <= {noun for noun, _ in made}
    assert {place for _, place in made} == {1}
    assert all(groups_of_kinds()[noun][0] == "animal" for noun, _ in made)
    assert made["horse", 1] == "A horse runs."


def test_words_that_mean_the_same_do_not_replace_each_other():
    assert not {"dog", "puppy"} & {noun for noun, _ in foils("A dog runs.")}


def test_what_other_captions_say_does_not_replace():
    assert {noun for noun, _ in foils("A dog.", others={"kitten", "horse"})}.isdisjoint(
        {"cat", "kitten", "horse"}
    )


def test_who_may_be_meant_does_not_replace():
    made = {noun for noun, _ in foils("A girl sits.", others={"person"})}
    assert made == {"boy", "baby", "toddler", "infant"}
    assert not {"boy", "baby"} & {noun for noun, _ in foils("A woman sits.", others={"child"})}


def test_rare_nouns_are_not_put_in():
    captions = ["A cat.", "The CAT and a horse.", "cats"]
    assert frequent_nouns(captions, 2) == {"cat"}
    assert set(foils("A dog.", frequent={"cat"})) == {("cat", 1)}


def test_parts_of_the_body_stay_but_are_nouns():
    made = make_foil(parse_caption("A dog with its tongue out"), set(), ALL, random.Random(0))
    assert (made.word, made.nouns) == (1, (1, 4))
    assert make_foil(parse_caption("Long hair"), set(), ALL, random.Random(0)) is None


def test_the_article_and_the_capital_go_with_the_noun():
    assert set(foils("An elephant eats.", frequent={"dog"}).values()) == {"A dog eats."}
    assert set(foils("A dog eats.", frequent={"elephant"}).values()) == {"An elephant eats."}
    assert set(foils("Dogs eat.", frequent={"horses"}).values()) == {"Horses eat."}
    assert set(foils("The red dog", frequent={"cat"}).values()) == {"The red cat"}


def test_the_same_foils_for_the_same_draws():
    caption = parse_caption("A man with a dog on a beach")
    one, other = (make_foil(caption, set(), ALL, random.Random(3)) for _ in range(2))
    assert one == other
    places = {make_foil(caption, set(), ALL, random.Random(n)).word for n in range(30)}
    assert places == {1, 4, 7}


def clip_of(id, *captions):
    return Clip(id, (), captions)


def test_foils_of_captions():
    """One of each caption at most, with frequent nouns alone, by the seed; true of no caption."""
    spoken = ("A dog on the grass", "A cat", "They run.", "A horse in the snow")
    clips = [clip_of(str(n), *spoken[n % 2 :: 2]) for n in range(2 * FREQUENT)]
    foils = foils_of_captions(clips, 0)
    assert list(foils) == [clip.id for clip in clips]
    for clip, own in zip(clips, foils.values(), strict=True):
        assert len(own) == 2
        said = {word for text in clip.captions for word in text.lower().split()}
        for text, foil in zip(clip.captions, own, strict=True):
            assert (foil is None) == (text == "They run.")
            if foil is not None:
                noun = foil.caption.words[foil.word].text
                assert noun in {"dog", "cat", "horse", "grass", "snow"} - said
    texts = {foil.caption.text for own in foils.values() for foil in own if foil is not None}
    assert len(texts) > 4
    assert foils_of_captions(clips, 0) == foils
    assert foils_of_captions(clips, 1) != foils
    assert foils_of_captions(clips[::-1], 0) == foils  # whatever stands beside a clip
    rare = foils_of_captions(clips[: 2 * FREQUENT - 2], 0)
    assert all(foil is None for own in rare.values() for foil in own)


@pytest.mark.parametrize(
    ("text", "word", "labels", "place"),
    [
        ("A Dog runs", 1, ("A", "Dog", "runs"), 1),
        ("a dog and a dog", 4, ("a", "dog", "and", "a", "dog"), 4),
        ("a dog and a dog", 1, ("[BOS]", "a", "dog", "and", "a", "dog", "[EOS]"), 2),
        ("😀 a dog", 2, ("a", "dog"), 1),  # what cannot be read is no player
        ("A T-shirt", 1, ("[BOS]", "a", "t", "-", "shirt", "[EOS]"), 2),
        ("two skateboarders", 1, ("[CLS]", "two", "skate", "##board", "##ers", "[SEP]"), 2),
        ("a dog's dog", 2, ("a", "dog", "'s", "dog"), None),  # two of them, of one word
        ("a cat and a dog", 4, ("a", "cat"), None),  # beyond a limit
        ("a dog and a dog", 1, ("a", "dog", "and"), None),
    ],
)
def test_label_of_a_word(text, word, labels, place):
    assert label_of(parse_caption(text), word, labels) == place
