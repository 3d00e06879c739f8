"""Montages know which photograph each word belongs to."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
import torch

from hbi_core.data import Clip, Corpus, montages, photograph_of_words, read_corpus
from hbi_core.data.encoding import encode_corpus
from hbi_core.data.features import join_clips
from hbi_core.data.montage import groups_of, groups_of_pairs, join
from hbi_core.errors import DataError
from hbi_core.inputs.text import parse_caption
from support.toy import ToyEncoder


def test_montages_know_the_photograph_of_every_word(flickr8k):
    corpus = read_corpus("flickr8k", flickr8k, "all")
    made = montages(corpus, 60, seed=3)
    by_file = {clip.files[0]: clip for clip in corpus.clips}
    for montage in made:
        assert len(set(montage.files)) == len(montage.files)
        (text,) = montage.captions
        # Every caption of the fixture tells its photograph: "photo3 has text3, kind1 ."
        sentences = [part.rstrip() for part in text.removesuffix(".").split(". ")]
        for sentence, file in zip(sentences, montage.files, strict=True):
            assert f"{sentence} ." in by_file[file].captions
        assert [text[start:end] for start, end in montage.spans[0]] == sentences
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


DOG = Clip("dog", (Path("dog.png"),), ("a dog .", "two dogs"))
CAT = Clip("cat", (Path("cat.png"),), ("a cat", "no cat."))


def test_every_caption_of_a_montage_knows_its_photographs():
    montage = join([DOG, CAT], [DOG.captions[:1] + CAT.captions[1:], ("two dogs", "a cat")], "both")
    assert montage.files == (Path("dog.png"), Path("cat.png"))
    assert montage.captions == ("a dog. no cat.", "two dogs. a cat.")
    for text in montage.captions:
        assert photograph_of_words(parse_caption(text), montage) == (0, 0, 1, 1)


def test_a_montage_of_one_is_the_clip():
    alone = join([DOG], [[text] for text in DOG.captions], "dog")
    assert (alone.id, alone.files, alone.captions) == (DOG.id, DOG.files, DOG.captions)
    assert alone.spans == (((0, 5),), ((0, 8),))


def test_groups_share_nothing_and_follow_from_the_seed():
    groups = groups_of(11, 3, seed=4)
    assert [len(group) for group in groups] == [3, 3, 3]
    assert len({number for group in groups for number in group}) == 9
    assert groups_of(11, 3, seed=4) == groups
    assert groups_of(11, 3, seed=5) != groups


def test_groups_of_pairs_keep_every_pair_and_no_clip_twice():
    pairs = [(clip, 10 * clip + caption) for clip in range(3) for caption in range(4)]
    groups = list(groups_of_pairs(pairs, 3, random.Random(0)))
    assert sorted(pair for group in groups for pair in group.items()) == pairs
    assert max(map(len, groups)) > 1


def test_features_of_a_montage_are_those_of_its_clips(photographs):
    """In the order of its files and of its caption."""
    known = encode_corpus(ToyEncoder(), Corpus("photographs", "train", photographs), 2)
    joined = join_clips(known, 2, seed=0)
    assert len(joined.clips) == 2
    by_id = {clip.id: number for number, clip in enumerate(photographs)}
    for number, montage in enumerate(joined.clips):
        own = [by_id[id] for id in montage.id.split("+")]
        assert montage.files == tuple(photographs[n].files[0] for n in own)
        frames = torch.cat([known.frames[n] for n in own])
        assert torch.equal(joined.frames[number], frames)
        assert joined.frame_mask[number].all()
        assert len(montage.captions) == 1 + min(own)  # clip n has n + 1 captions
        first = joined.owners.tolist().index(number)
        for caption in range(len(montage.captions)):
            starts = [known.owners.tolist().index(n) for n in own]
            words = torch.cat([known.caption(start + caption) for start in starts])
            assert torch.equal(joined.caption(first + caption), words)
            ends = [photographs[n].captions[caption] for n in own]
            assert montage.captions[caption] == f"{ends[0]}. {ends[1]}."
