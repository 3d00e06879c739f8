from __future__ import annotations

import random

from benchmarks.foils import KINDS, frequent_nouns, groups_of_kinds, make_foil
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
