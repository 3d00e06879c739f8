"""Questions made of captions: what is asked, what is not, and that no answer is too frequent."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from itertools import product

import pytest

from hbi_core.data import read_corpus
from hbi_core.data.caption_facts import colours, done, mentions, noun_after, places
from hbi_core.data.made_questions import (
    LARGEST_SHARE,
    WORDINGS,
    Made,
    balanced,
    make_questions,
    questions_about,
)
from hbi_core.data.question_words import PEOPLE, PEOPLE_PLURAL, THINGS
from support.demo import ROOT
from support.releases import touch, write_csv, write_lines

DOG = (
    "A brown dog runs through the snow .",
    "A brown dog is running in the deep snow with a stick in its mouth .",
    "A dog carrying a stick in snow .",
    "The brown dog runs .",
    "Dog in the snow",
)


def made(*captions):
    return {(one.kind, one.about): one.answer for one in make_questions(captions)}


def test_what_is_asked_about_a_dog():
    assert made(*DOG) == {
        ("animal", ""): "dog",
        ("count", "dogs"): "one",
        ("colour", "dog"): "brown",
        ("where", "dog"): "snow",
        ("who", "running"): "dog",
        ("doing", "dog"): "running",
        ("object", "dog carrying"): "stick",
    }


def test_what_is_asked_about_people():
    found = made(
        "Two boys in helmets play soccer on a field .",
        "Two boys are playing soccer on the green field .",
        "Two young boys play soccer .",
        "Two children play on the grass .",
    )
    assert found == {
        ("count", "people"): "two",
        ("sport", ""): "soccer",
        ("where", "boys"): "field",
        ("who", "playing"): "boys",
        ("doing", "boys"): "playing",
    }
    found = made(
        "A man wearing a black hat rides a bike .", "A guy in a hat is riding his red bicycle"
    )
    assert found[("wearing", "man")] == "hat"
    assert found[("object", "man riding")] == "bike"
    assert ("colour", "bike") not in found  # one caption alone says it


@pytest.mark.parametrize(
    ("caption", "lost"),
    [
        ("A black dog runs in the snow .", ("colour", "dog")),
        ("Two dogs run .", ("count", "dogs")),
        ("A cat in the snow .", ("animal", "")),
        ("A brown dog on the street .", ("where", "dog")),
        ("A dog carrying a ball in the snow .", ("object", "dog carrying")),
        ("A man runs through the snow .", ("who", "running")),
        ("Dogs in the snow .", ("doing", "dog")),
    ],
)
def test_a_caption_that_contradicts_takes_a_question_away(caption, lost):
    before, after = made(*DOG), made(*DOG, caption)
    assert lost in before
    assert lost not in after


def test_what_is_compatible_is_no_contradiction():
    assert ("where", "dog") in made(*DOG, "A dog on a snowy mountain near the mountain .")
    assert made("Snow on a street", "Snow falls on a street")[("place", "")] == "street"
    child = ("A child is jumping", "The boy jumps", "A boy is jumping", "A person jumping")
    assert made(*child)[("who", "jumping")] == "boy"
    assert ("who", "jumping") not in made(*child, "A man jumps")


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("a black and white dog", {"dog": {"black and white"}}),
        ("a white and black spotted dog in a red collar", {}),
        ("a man in a light blue shirt and a red hat", {"shirt": {"blue"}, "hat": {"red"}}),
        ("a boy in a red striped shirt and a girl in a blue shirt", {"shirt": {"red", "blue"}}),
        ("red shirts", {}),
        ("a dog and a red car wash", {"car": {"red"}}),
    ],
)
def test_colours(caption, expected):
    assert colours(caption.split()) == expected


def test_nouns_and_verbs_that_are_something_else():
    def people(caption):
        return [m.name for m in mentions(caption.split(), PEOPLE, PEOPLE_PLURAL)]

    def read(function, caption, *others):
        return function(caption.split(), *others)

    assert people("a man and two women watch a toy man") == ["man", "woman"]
    assert read(done, "a man sits beside a swimming pool in running shoes") == {"sitting"}
    assert read(done, "the dogs run on a walk") == {"running"}
    assert read(places, "a man in the tall green grass by the lake") == {"grass", "lake"}
    assert read(noun_after, "a tennis ball", 0, THINGS) == "ball"
    assert read(noun_after, "a tree swing", 0, THINGS) == "swing"
    assert read(noun_after, "a friend of the bike", 0, THINGS) is None


def test_no_answer_is_too_frequent():
    """As many questions as can be are kept: one more of any answer would be too many."""
    drawn = random.Random(0)
    for _ in range(40):
        counts = [drawn.randint(1, 30) for _ in range(drawn.randint(1, 7))]
        given = {
            f"{answer}-{n}": [Made("who", "running", str(answer)), Made("where", "", "x")]
            for answer, count in enumerate(counts)
            for n in range(count)
        }
        kept = balanced(given)
        assert list(kept) == list(given)
        left = Counter(one.answer for own in kept.values() for one in own if one.kind == "who")
        assert not any(one.kind == "where" for own in kept.values() for one in own)
        total = sum(left.values())
        assert all(count <= LARGEST_SHARE * total for count in left.values())
        most = max(left.values(), default=0)
        assert all(left[str(n)] == min(most, count) for n, count in enumerate(counts))
        for larger in range(most + 1, max(counts) + 1):
            assert larger > LARGEST_SHARE * sum(min(larger, count) for count in counts)


def test_every_kind_is_worded():
    for kind, about in product(WORDINGS, ("", "dog", "dogs carrying")):
        text, answer, own = Made(kind, about, "x").worded("a.jpg")
        assert text.endswith("?")
        assert (answer, own) == ("x", kind)
    texts = {Made("doing", "dogs", "x").worded(str(n)).text for n in range(20)}
    assert texts == {"what are the dogs doing?", "what do the dogs do?"}
    assert Made("object", "man riding", "x").worded("a").text == "what is the man riding?"
    wordings = {Made("sport", "", "x").worded(str(n)).text for n in range(20)}
    assert wordings == set(WORDINGS["sport"])


def photographs():
    """Dogs in three places and colours, and one of which nothing can be asked."""
    return {
        f"{place}-{colour}.jpg": [f"A {colour} dog runs in the {place} ."] * 3
        for place in ("snow", "grass", "water")
        for colour in ("brown", "black", "white")
    } | {"dull.jpg": ["Something ."]}


def test_questions_of_a_data_set(tmp_path):
    rows = [[id, caption] for id, captions in photographs().items() for caption in captions]
    write_csv(tmp_path / "captions.txt", ["image", "caption"], *rows)
    touch(tmp_path / "Images", *photographs())
    write_lines(tmp_path / "Flickr_8k.devImages.txt", *photographs())
    corpus = read_corpus("flickr8k_questions", tmp_path, "validation")
    assert [clip.id for clip in corpus.clips] == list(photographs())[:-1]
    assert corpus.missing == corpus.without_text == ()
    for clip in corpus.clips:
        place, colour = clip.id.removesuffix(".jpg").split("-")
        assert clip.answers == (colour, place)  # all run, and all are one dog
        assert clip.kinds == ("colour", "where")
        assert "dog" in clip.captions[0]


def test_they_are_the_same_in_every_process():
    """Sets of words have another order in each."""
    code = (
        "from hbi_core.data.made_questions import make_questions as m;"
        f"print([tuple(q) for q in m({DOG!r})])"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PATH": "/usr/bin"},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in "12"
    }
    assert told == {f"{[tuple(one) for one in make_questions(DOG)]}\n"}
    assert questions_about(photographs()) == questions_about(photographs())
