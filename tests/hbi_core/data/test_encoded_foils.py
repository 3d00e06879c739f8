"""Foils of the captions that are trained on: encoded beside them, and kept."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from PIL import Image

from hbi_core.data import Clip, Corpus
from hbi_core.data.encoding import encode_corpus
from hbi_core.data.foils import FREQUENT, foils_of_captions
from hbi_core.encoders import load_encoder
from hbi_core.encoders.tokens import TextPlayers
from hbi_core.inputs.text import parse_caption
from support.open_clip_models import write_model
from support.toy import ToyEncoder

SPOKEN = {
    "dog": ("A dog in the snow", "They run.", "An elephant and a dog, on the grass"),
    "cat": ("A cat on the grass", "A man with a cat", "Two of them"),
    "still": ("Nothing moves.", "Nobody is here.", "It is blue."),
}


class CountedTexts(ToyEncoder):
    """Knows what it read."""

    def __init__(self):
        super().__init__()
        self.read: list[str] = []

    def text_features(self, captions, *options, **more):
        self.read += [caption.text for caption in captions]
        return super().text_features(captions, *options, **more)


@pytest.fixture
def corpus(tmp_path):
    """Photographs of as many of each kind as make its nouns frequent."""
    file = tmp_path / "0.png"
    Image.fromarray(np.zeros((24, 32, 3), dtype=np.uint8)).save(file)
    clips = [
        Clip(f"{kind}-{n}", (file,), captions)
        for n in range(FREQUENT)
        for kind, captions in SPOKEN.items()
    ]
    return Corpus("photographs", "train", tuple(clips))


def expected_foils(corpus, seed=0):
    """The number of each caption that has one -> its foil."""
    own = foils_of_captions(corpus.clips, seed)
    all_of_them = [foil for clip in corpus.clips for foil in own[clip.id]]
    return {number: foil for number, foil in enumerate(all_of_them) if foil is not None}


@pytest.mark.parametrize("players", ["words", "phrases"])
def test_foils_are_those_of_the_captions(corpus, players):
    """Their features as the encoder gives them, and the word that was replaced in both texts."""
    encoder = ToyEncoder()
    known = encode_corpus(encoder, corpus, 1, players=players, foils=True)
    expected = expected_foils(corpus)
    assert len(expected) == 4 * FREQUENT
    assert known.foils.keys() == expected.keys()
    captions = [parse_caption(text) for clip in corpus.clips for text in clip.captions]
    for number, foil in expected.items():
        found, noun, replaced = known.foils[number]
        text = TextPlayers.of(encoder.text_features([foil.caption], players)[0])
        for name, value in vars(text).items():
            own = getattr(found, name)
            assert (own is None) == (value is None)
            if value is not None:
                assert torch.equal(own, value.half() if value.is_floating_point() else value), name
        assert noun == replaced == foil.word
        assert captions[number].words[noun].text != foil.caption.words[noun].text
        assert found.words == known.players(number).words


def test_without_foils_features_are_the_same(corpus):
    known = encode_corpus(ToyEncoder(), corpus, 1)
    foiled = encode_corpus(ToyEncoder(), corpus, 1, foils=True)
    assert known.foils == {}
    for name in ("frames", "frame_mask", "words", "starts", "owners"):
        assert torch.equal(getattr(known, name), getattr(foiled, name))


@pytest.mark.parametrize(("family", "first"), [("mobileclip", 1), ("bert", 1), ("siglip", 0)])
@pytest.mark.parametrize("players", ["words", "tokens"])
def test_foils_of_other_encoders(corpus, tmp_path, family, first, players):
    """Special tokens, and words of several: the first piece stands for a word, in both texts."""
    name, file = write_model(family, tmp_path)
    encoder = load_encoder(f"open_clip:{name}:{file}").eval()
    known = encode_corpus(encoder, corpus, 1, players=players, foils=True)
    expected = expected_foils(corpus)
    assert known.foils.keys() == expected.keys()
    texts = [text for clip in corpus.clips for text in clip.captions]
    for number, foil in expected.items():
        _, noun, replaced = known.foils[number]
        for text, place in ((parse_caption(texts[number]), replaced), (foil.caption, noun)):
            (read,) = encoder.text_features([text], players)
            wanted = text.words[foil.word].text.lower()
            spelt = "".join(x.lower().removeprefix("##") for x in read.labels[place:])
            assert spelt.startswith(wanted)
            assert place >= foil.word + (first if players == "tokens" else 0)


def test_foils_are_kept(corpus, tmp_path):
    """Beside captions, which are not encoded again for them; and for these players alone."""
    encoder, cache = CountedTexts(), tmp_path / "cache"
    encode_corpus(encoder, corpus, 1, cache=cache)
    files, captions = len(list(cache.glob("*.safetensors"))), len(encoder.read)
    known = encode_corpus(encoder, corpus, 1, foils=True, cache=cache)
    foils = [foil.caption.text for foil in expected_foils(corpus).values()]
    assert set(encoder.read[captions:]) == set(foils)
    assert len(list(cache.glob("*.safetensors"))) > files
    encoder.read.clear()
    again = encode_corpus(encoder, corpus, 1, foils=True, cache=cache)
    assert encoder.read == []
    assert again.foils.keys() == known.foils.keys()
    for number, foil in known.foils.items():
        assert torch.equal(again.foils[number].players.features, foil.players.features)
        assert again.foils[number][1:] == foil[1:]
    encode_corpus(encoder, corpus, 1, foils=True, cache=cache, players="phrases")
    assert set(foils) < set(encoder.read)


def test_processes_have_the_same_foils(corpus, tmp_path):
    expected = encode_corpus(ToyEncoder(), corpus, 1, foils=True).foils
    found = {}

    def run(rank):
        found[rank] = encode_corpus(
            CountedTexts(),
            corpus,
            1,
            foils=True,
            cache=tmp_path / "cache",
            rank=rank,
            processes=2,
            meeting=tmp_path / "cache" / "meeting",
        ).foils

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for rank in range(2):
        assert found[rank].keys() == expected.keys()
        for number, foil in expected.items():
            assert torch.equal(found[rank][number].players.features, foil.players.features)
            assert found[rank][number][1:] == foil[1:]
