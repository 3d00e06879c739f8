"""Frozen features: encoded once, and read from the cache."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest
import torch

from hbi_core import evaluate
from hbi_core.command_line import parsed
from hbi_core.data import Clip, Corpus
from hbi_core.data.encoding import encode_corpus
from hbi_core.data.frames import read_frames
from hbi_core.data.views import random_views
from hbi_core.errors import SettingsError, VideoError
from hbi_core.inputs.text import parse_caption
from hbi_core.training.loop import train
from support.small_runs import settings
from support.toy import Counted, ToyEncoder


@pytest.fixture
def photographs(tmp_path):
    """Three drawn photographs of their own."""
    from PIL import Image

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
    assert len(list(cache.iterdir())) == 3  # one for each clip
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
        """How many clips were encoded, not read."""
        before = {file.name for file in cache.glob("*")}
        encode_corpus(encoder, corpus, frames, cache=cache, **options)
        return len({file.name for file in cache.glob("*")} - before)

    first, *others = photographs.clips
    assert encoded(photographs) == 3
    assert encoded(photographs) == 0
    other = replace(first, captions=("a dog", "0 cats ran"))
    assert encoded(replace(photographs, clips=(other, *others))) == 1
    assert encoded(photographs, 3) == 3
    assert encoded(photographs, views=2) == 3
    assert encoded(photographs, seed=1) == 3
    assert encoded(photographs, players="tokens") == 3
    encoder.name = "another"
    assert encoded(photographs) == 3
    encoder.name = "toy"
    assert encoded(photographs) == 0
    with torch.no_grad():
        encoder.pixels.weight[0, 0] += 1e-6
    assert encoded(photographs) == 3
    encoder.register_buffer("mean", torch.zeros(2, 2), persistent=False)
    assert encoded(photographs) == 3
    encoder.mean[1, 0] = 1
    assert encoded(photographs) == 3
    encoder = Counted()
    assert encoded(photographs) == 0
    time_of = first.files[0].stat().st_mtime_ns
    os.utime(first.files[0], ns=(time_of, time_of + 1))
    assert encoded(photographs) == 1


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


def test_random_views_follow_from_the_seed(photographs):
    file = photographs.clips[0].files[0]
    one, same, other = (random_views(file, 3, np.random.default_rng(s)) for s in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert len({view.tobytes() for view in one}) == 3
    assert (one.dtype, one.shape[0], one.shape[-1]) == (np.uint8, 3, 3)


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
    assert len(list(tmp_path.glob("cache/*"))) == 2  # of the photograph before it
    known = encode_corpus(ToyEncoder(), photographs, 2, missing="skip")
    assert [clip.id for clip in known.clips] == ["photo-0", "photo-2"]
    assert known.owners.tolist() == [0, 0, 1, 1]
