"""Frozen features: encoded once, and read from the cache."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from hbi_core import evaluate
from hbi_core.command_line import parsed
from hbi_core.data import Clip, Corpus
from hbi_core.data.encoding import encode_corpus
from hbi_core.data.features import join_clips
from hbi_core.data.frames import read_frames
from hbi_core.data.views import random_views
from hbi_core.encoders.tokens import word_tokens
from hbi_core.encoders.weights import weights_digest
from hbi_core.errors import SettingsError, VideoError
from hbi_core.inputs.text import parse_caption
from hbi_core.tensor_file import read_tensors
from hbi_core.training.loop import train
from support.small_runs import settings
from support.toy import Counted, ToyEncoder


@pytest.fixture
def photographs(tmp_path):
    """Three drawn photographs of their own."""
    clips = []
    for number in range(3):
        file = tmp_path / f"{number}.png"
        pixels = np.random.default_rng(number).integers(0, 256, (24, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(file)
        clips.append(Clip(f"photo-{number}", (file,), ("a dog", f"{number} cats run")))
    return Corpus("photographs", "train", tuple(clips))


def test_features_are_read_from_the_cache(photographs, tmp_path):
    encoder, cache = Counted(), tmp_path / "new" / "cache"
    first = encode_corpus(encoder, photographs, 2, views=3, cache=cache)
    assert encoder.calls > 0
    assert len(list(cache.glob("*.safetensors"))) == 6  # two for each clip
    encoder.calls = 0
    second = encode_corpus(encoder, photographs, 2, views=3, cache=cache)
    assert encoder.calls == 0
    for name in ("frames", "frame_mask", "words", "starts", "owners"):
        assert torch.equal(getattr(first, name), getattr(second, name))
    assert first.frames.shape == (3, 5, 48)
    assert (first.plain, first.frames.dtype) == (2, torch.float16)
    assert first.owners.tolist() == [0, 0, 1, 1, 2, 2]
    assert first.starts.tolist() == [0, 2, 5, 7, 10, 12, 15]
    assert first.videos(slice(0, 2)).features.shape == (2, 2, 48)


def test_the_cache_is_for_the_same_only(photographs, tmp_path):
    cache, encoder = tmp_path / "cache", Counted()

    def encoded(corpus, frames=2, **options):
        """Of how many clips frames, and texts, were encoded, not read."""
        before = {file.name for file in cache.glob("*.safetensors")}
        encode_corpus(encoder, corpus, frames, cache=cache, **options)
        new = [file for file in cache.glob("*.safetensors") if file.name not in before]
        of_frames = sum("frames" in read_tensors(file)[0] for file in new)
        return of_frames, len(new) - of_frames

    first, *others = photographs.clips
    assert encoded(photographs) == (3, 3)
    assert encoded(photographs) == (0, 0)
    other = replace(first, captions=("a dog", "0 cats ran"))
    assert encoded(replace(photographs, clips=(other, *others))) == (0, 1)
    assert encoded(photographs, 3) == (3, 0)
    assert encoded(photographs, views=2) == (3, 0)
    assert encoded(photographs, views=2, degraded=0.5) == (3, 0)
    assert encoded(photographs, views=2) == (0, 0)
    assert encoded(photographs, seed=1) == (3, 0)
    assert encoded(photographs, players="tokens") == (0, 3)
    assert encoded(photographs, words=2) == (0, 3)
    encoder.name = "another"
    assert encoded(photographs) == (3, 3)
    encoder.name = "toy"
    assert encoded(photographs) == (0, 0)
    with torch.no_grad():
        encoder.pixels.weight[0, 0] += 1e-6
    assert encoded(photographs) == (3, 3)
    encoder.register_buffer("mean", torch.zeros(2, 2), persistent=False)
    assert encoded(photographs) == (3, 3)
    encoder.mean[1, 0] = 1
    assert encoded(photographs) == (3, 3)
    encoder = Counted()
    assert encoded(photographs) == (0, 0)
    file = first.files[0]
    os.utime(file, ns=(0, 1))
    assert encoded(photographs) == (0, 0)
    elsewhere = file.rename(tmp_path / "elsewhere.png")
    moved = replace(first, files=(elsewhere,))
    assert encoded(replace(photographs, clips=(moved, *others))) == (0, 0)
    Image.new("RGB", (32, 24)).save(file)
    assert encoded(photographs) == (1, 0)


def test_other_texts_of_the_same_clips_find_their_frames(photographs, tmp_path):
    """By one process or several: questions about photographs that were encoded with captions."""
    cache = tmp_path / "cache"
    before = encode_corpus(ToyEncoder(), photographs, 2, views=2, cache=cache)
    clips = tuple(replace(clip, captions=("what is it",)) for clip in photographs.clips)
    for options in ({}, {"processes": 2, "meeting": tmp_path / "meeting"}):
        if options:
            options["meeting"].mkdir()
            told = {"unreadable": {}, "weights": weights_digest(ToyEncoder())}
            (options["meeting"] / "1.json").write_text(json.dumps(told))
        encoder = Counted()
        known = encode_corpus(
            encoder, replace(photographs, clips=clips), 2, views=2, cache=cache, **options
        )
        assert encoder.calls == 0
        assert torch.equal(known.frames, before.frames)
        assert known.owners.tolist() == [0, 1, 2]
        text = encoder.text_features([parse_caption("what is it")])[0].features
        for number in range(3):
            assert torch.allclose(known.caption(number), text, atol=2e-3)


@pytest.mark.parametrize("folder", ["/proc/features", "file", "file/below"])
def test_a_cache_that_cannot_be_written_is_told_first(small, tmp_path, folder):
    (tmp_path / "file").touch()
    cache = tmp_path / folder  # "/proc/features" stays as it is
    config = settings(tmp_path / "run", small, data={"cache": cache, "root": tmp_path / "none"})
    arguments = ["retrieval", "--dataset", "msvd", "--root", "none"]
    arguments += ["--json", str(tmp_path / "none.json")]
    told = f"{cache} cannot be written .*: choose another folder, "
    with pytest.raises(SettingsError, match=told + "data.cache=FOLDER"):
        train(config, ToyEncoder())
    with pytest.raises(SettingsError, match=told + "--cache FOLDER"):
        parsed(evaluate.Command, "evaluate", [*arguments, "--cache", str(cache)]).run()


def test_features_are_those_of_the_encoder(photographs):
    encoder = ToyEncoder()
    known = encode_corpus(encoder, photographs, 2, views=2, seed=5)
    for number, clip in enumerate(photographs.clips):
        pixels = np.concatenate(
            [
                read_frames(clip, 2).pixels,
                random_views(clip.files[0], 2, np.random.default_rng([5, *clip.id.encode()])),
            ]
        )
        expected = encoder.frame_features(encoder.prepare_frames(pixels))
        assert torch.allclose(known.frames[number].float(), expected, atol=2e-2)
    texts = encoder.text_features([parse_caption("2 cats run")])[0].features
    assert torch.allclose(known.caption(5), texts, atol=2e-3)
    cut = known.texts(slice(4, 6), 2)
    assert cut.mask.tolist() == [[True, True], [True, True]]
    assert torch.allclose(cut.features[1], texts[:2], atol=2e-3)


@pytest.mark.parametrize("cached", [False, True])
def test_phrases_are_kept_with_all_that_they_are(photographs, tmp_path, cached):
    """Read from a cache or not: groups, context and steps; captions that are not English too."""
    spoken = ("the dog and a cat, in the snow", "ein Hund mit Katze"), ("two men",), ("snow",)
    clips = tuple(
        replace(clip, captions=own) for clip, own in zip(photographs.clips, spoken, strict=True)
    )
    corpus, encoder = replace(photographs, clips=clips), ToyEncoder()
    options = {"players": "phrases", "cache": tmp_path / "cache" if cached else None}
    for _ in range(1 + cached):
        known = encode_corpus(encoder, corpus, 2, **options)
    captions = [parse_caption(caption) for own in spoken for caption in own]
    expected = word_tokens(encoder.text_features(captions, "phrases"), 9)
    tokens = known.texts(slice(None), 9)
    assert torch.equal(tokens.mask, expected.mask)
    assert torch.equal(tokens.groups, expected.groups)
    assert torch.equal(tokens.steps, expected.steps)
    assert torch.allclose(tokens.features, expected.features, atol=2e-3)
    assert torch.allclose(tokens.context, expected.context, atol=2e-3)
    assert tokens.groups.any(1).sum(-1).tolist() == [8, 4, 2, 1]  # every word is in a group
    assert tokens.mask.sum(-1).tolist() == [3, 4, 1, 1]


def test_montages_of_phrases(photographs):
    """Their players one after another, a clause begins with each caption."""
    spoken = ("the dog and a cat",), ("two men run",), ("a fox in the snow",)
    clips = tuple(
        replace(clip, captions=own) for clip, own in zip(photographs.clips, spoken, strict=True)
    )
    known = encode_corpus(ToyEncoder(), replace(photographs, clips=clips), 2, players="phrases")
    montage = join_clips(known, 3, seed=0)
    order = [int(id.split("-")[1]) for id in montage.clips[0].id.split("+")]
    parts = [known.players(n) for n in order]
    tokens = montage.texts([0], 20)
    assert torch.equal(tokens.features[0, :6], torch.cat([part.features for part in parts]))
    assert torch.equal(tokens.context[0, :6], torch.cat([part.context for part in parts]))
    groups = [group.nonzero().flatten().tolist() for group in tokens.groups[0, :6]]
    words = [len(caption.split()) for n in order for caption in spoken[n]]
    assert [word for group in groups for word in group] == list(range(sum(words)))
    assert tokens.steps[0, [2, 4]].tolist() == [2.0, 2.0]
    assert tokens.steps[0, 0] == 1.0


def test_random_views_follow_from_the_seed(photographs):
    file = photographs.clips[0].files[0]
    one, same, other = (random_views(file, 3, np.random.default_rng(s)) for s in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert len({view.tobytes() for view in one}) == 3
    assert (one.dtype, one.shape[0], one.shape[-1]) == (np.uint8, 3, 3)


def test_degraded_views_are_the_last_ones(tmp_path):
    """The others are as without them; in most draws, fine detail is lost."""
    file, drawn = tmp_path / "fine.png", np.random.default_rng(0)
    coarse = drawn.integers(60, 196, (8, 8, 3)).repeat(60, 0).repeat(60, 1)
    fine = coarse + drawn.integers(-50, 50, coarse.shape)
    Image.fromarray(fine.clip(0, 255).astype(np.uint8)).save(file)

    def views(seed, share):
        return random_views(file, 4, np.random.default_rng(seed), share)

    assert np.array_equal(views(1, 0.5), views(1, 0.5))
    assert np.array_equal(views(1, 0.5)[:2], views(1, 0.0)[:2])

    def detail(views):
        return np.abs(np.diff(views.astype(float), axis=2)).mean((1, 2, 3))

    good, degraded = (
        np.stack([detail(views(n, share)[2:]) for n in range(12)]) for share in (0, 1)
    )
    assert (degraded < 0.6 * good.mean()).all(1).sum() > 5
    assert (good > 0.6 * good.mean()).all()


def test_the_camera_of_a_shot_moves_evenly(tmp_path):
    """The photograph's brightness says the place; the mean of a view is that of its middle."""
    place = np.linspace(64, 190, 256).astype(np.uint8)[None, :, None].repeat(256, 0).repeat(3, 2)
    Image.fromarray(place).save(tmp_path / "place.png")
    moved = []
    for seed in range(6):
        shot = random_views(tmp_path / "place.png", 5, np.random.default_rng(seed), 1.0)
        steps = np.diff(shot.mean((1, 2, 3)))
        assert np.abs(steps - steps.mean()).max() < 1
        moved.append(abs(steps.mean()))
    assert max(moved) > 2


def test_a_broken_photograph_is_named(photographs, tmp_path):
    file = photographs.clips[1].files[0]
    file.write_bytes(file.read_bytes()[:60])
    for views in (0, 2):
        with pytest.raises(VideoError, match=r"1\.png"):
            encode_corpus(ToyEncoder(), photographs, 2, views=views, cache=tmp_path / "cache")
    with pytest.raises(VideoError, match=r"1\.png"):
        random_views(file, 1, np.random.default_rng(0))
    file.unlink()
    with pytest.raises(VideoError, match=r"1\.png"):
        encode_corpus(ToyEncoder(), photographs, 2, cache=tmp_path / "cache")
    # The texts; the photograph before, with its views.
    assert len(list(tmp_path.glob("cache/*.safetensors"))) == 3 + 2
    known = encode_corpus(ToyEncoder(), photographs, 2, missing="skip")
    assert [clip.id for clip in known.clips] == ["photo-0", "photo-2"]
    assert known.owners.tolist() == [0, 0, 1, 1]
