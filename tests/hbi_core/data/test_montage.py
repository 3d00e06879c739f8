"""Montages know which photograph each word belongs to."""

from __future__ import annotations

import re

import pytest

from hbi_core.data import montages, photograph_of_words, read_corpus
from hbi_core.errors import DataError
from hbi_core.inputs.text import parse_caption


def test_montages_know_the_photograph_of_every_word(flickr8k):
    corpus = read_corpus("flickr8k", flickr8k, "all")
    made = montages(corpus, 60, seed=3)
    by_file = {clip.files[0]: clip for clip in corpus.clips}
    for montage in made:
        assert len(set(montage.files)) == len(montage.files)
        (text,) = montage.captions
        # Every caption of the fixture tells its photograph: "photo3 has text3, kind1 ."
        sentences = text.removesuffix(".").split(". ")
        for sentence, file in zip(sentences, montage.files, strict=True):
            assert f"{sentence} ." in by_file[file].captions
        assert [text[start:end] for start, end in montage.spans] == sentences
        caption = parse_caption(text)
        photographs = photograph_of_words(caption, montage)
        expected = [n for n, sentence in enumerate(sentences) for _ in sentence.split()]
        assert list(photographs) == expected
        for word, photograph in zip(caption.words, photographs, strict=True):
            number = re.sub(r"photo|text", "", word.text)
            if number.isdigit():
                assert montage.files[photograph].name == f"{number}_ab.jpg"
    assert {len(montage.files) for montage in made} == {1, 2, 3, 4}
    assert len({montage.id for montage in made}) == 60
    kinds = {re.search(r"kind(\d)", montage.captions[0])[1] for montage in made}
    assert kinds == set("01234")


def test_montages_are_the_same_for_a_seed(flickr8k):
    corpus = read_corpus("flickr8k", flickr8k, "all")
    made = montages(corpus, 10, seed=1)
    assert montages(corpus, 10, seed=1) == made
    assert montages(corpus, 4, seed=1) == made[:4]
    assert [m.files for m in montages(corpus, 10, seed=2)] != [m.files for m in made]
    assert {len(m.files) for m in montages(corpus, 20, seed=1, parts=(3,))} == {3}


def test_a_word_that_the_caption_left_out_has_no_photograph(flickr8k):
    montage = montages(read_corpus("flickr8k", flickr8k, "all"), 1, seed=0, parts=(4,))[0]
    caption = parse_caption(montage.captions[0], max_words=5)
    assert photograph_of_words(caption, montage) == (0, 0, 0, 0, 1)
    with pytest.raises(ValueError, match="not the caption of montage-0-0"):
        photograph_of_words(parse_caption("another caption"), montage)


def test_montages_that_cannot_be_made(flickr8k, msvd):
    corpus = read_corpus("flickr8k", flickr8k, "all")
    for parts in ((61,), (0, 1), ()):
        with pytest.raises(DataError, match="from 1 to 60"):
            montages(corpus, 1, seed=0, parts=parts)
    with pytest.raises(DataError, match="msvd has videos"):
        montages(read_corpus("msvd", msvd, "train"), 1, seed=0, parts=(1,))
