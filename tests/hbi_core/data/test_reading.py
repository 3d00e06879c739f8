"""Clips are read by workers that live on."""

from __future__ import annotations

import gc
import multiprocessing
import os
import time

import numpy as np
import pytest
import torch

from hbi_core.data import Clip, reading
from hbi_core.data.batch import Sample
from hbi_core.data.config import DataConfig
from hbi_core.data.frames import read_frames
from hbi_core.data.reading import ClipReader
from hbi_core.data.views import random_views
from hbi_core.errors import (
    DataError,
    VideoError,
    VideoTimeoutError,
)
from hbi_core.inputs import video
from hbi_core.training.batches import PixelBatches
from support.clips import broken
from support.patience import PATIENCE
from support.toy import ToyEncoder


class Bytes(ToyEncoder):
    """Prepares bytes, as a CLIP does."""

    def prepare_frames(self, frames):
        return (255 * super().prepare_frames(frames)).to(torch.uint8)

    def frame_features(self, pixels):
        return super().frame_features(pixels / 255)


class Process(ToyEncoder):
    """Tells in which process frames are prepared."""

    def prepare_frames(self, frames):
        return torch.full((1, 3, 1, 1), os.getpid())


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_the_number_of_workers_changes_nothing(videos, photographs, workers, decoder):
    encoder = ToyEncoder()
    with ClipReader(encoder, workers=workers) as reader:
        read = list(reader([*videos, *photographs, videos[0]], 5))
        drawn = list(reader(photographs[1:3], 2, views=3, seed=7))
    for own, clip in zip(read, [*videos, *photographs, videos[0]], strict=True):
        expected = read_frames(clip, 5, decoder=decoder).pixels
        assert torch.equal(own.frames, encoder.prepare_frames(expected))
        assert own.views is None
    assert [len(own.frames) for own in read] == [5, 3, 5, 2, 5, 5, 5, 5, 5]
    for own, clip in zip(drawn, photographs[1:3], strict=True):
        chosen = np.random.default_rng([7, *clip.id.encode()])
        views = random_views(clip.files[0], 3, chosen)
        assert torch.equal(own.views, encoder.prepare_frames(views))
        assert len(own.frames) == 2


def test_workers_and_their_decoders_live_on(videos, tmp_path, monkeypatch):
    """From call to call, whatever is asked for; each worker starts one decoder."""
    started, start = tmp_path / "started", video.subprocess.Popen

    def counted(*arguments, **options):
        with started.open("a") as file:
            file.write(f"{os.getpid()}\n")
        return start(*arguments, **options)

    monkeypatch.setattr(video.subprocess, "Popen", counted)
    with ClipReader(Process(), workers=2) as reader:
        pids = [
            {int(own.frames.flatten()[0]) for own in reader(clips, frames)}
            for clips, frames in ((videos, 2), (videos[::-1], 3), (videos * 2, 1))
        ]
    assert len(pids[0]) == 2
    assert os.getpid() not in pids[0]
    assert pids[0] == pids[1] == pids[2]
    assert sorted(started.read_text().split()) == sorted(map(str, pids[0]))


def test_workers_end_with_their_reader(photographs):
    """Closed or forgotten, without the collector: an ablation makes one reader after another."""
    gc.disable()
    try:
        for forgotten in (False, True):
            reader = ClipReader(Process(), workers=2)
            pids = {int(own.frames.flatten()[0]) for own in reader(photographs, 2)}
            assert pids <= {child.pid for child in multiprocessing.active_children()}
            if not forgotten:
                reader.close()
            del reader
            deadline = time.monotonic() + PATIENCE
            while pids & {child.pid for child in multiprocessing.active_children()}:
                assert time.monotonic() < deadline
                time.sleep(0.01)
    finally:
        gc.enable()


@pytest.mark.parametrize("workers", [0, 2])
def test_a_call_that_was_not_finished_leaves_nothing_behind(photographs, workers):
    with ClipReader(ToyEncoder(), workers=workers) as reader:
        next(reader(photographs, 2))
        read = list(reader(photographs[::-1], 3))
        expected = list(ClipReader(ToyEncoder())(photographs[::-1], 3))
    for own, other in zip(read, expected, strict=True):
        assert torch.equal(own.frames, other.frames)


@pytest.mark.parametrize("workers", [0, 1])
def test_what_cannot_be_read_is_told_once(videos, workers, caplog, tmp_path):
    gone = Clip("gone", (videos[0].files[0].with_name("gone.mp4"),), ("x",))
    clips = (videos[0], broken(videos[1]), videos[2], gone)
    listed = tmp_path / "run" / "unreadable.txt"
    with ClipReader(ToyEncoder(), workers=workers, listed=listed) as reader:
        for _ in range(2):
            read = list(reader(clips * 2, 2, missing="skip"))
            assert [own is None for own in read] == [False, True, False, True] * 2
        assert list(reader.unreadable) == ["video1", "gone"]
        assert "not a video" in reader.unreadable["video1"]
        assert [record.message.split()[0] for record in caplog.records] == ["video1", "gone"]
        with pytest.raises(VideoError) as caught:
            list(reader(clips, 2))
    assert str(caught.value) == reader.unreadable["video1"]
    before = listed.read_text()
    told = [line.split("\t") for line in before.splitlines()]
    assert told == [list(entry) for entry in reader.unreadable.items()]
    with ClipReader(ToyEncoder(), listed=listed) as reader:  # of a run that goes on
        list(reader(clips, 2, missing="skip"))
    assert listed.read_text() == before


@pytest.mark.parametrize("missing", ["skip", "stop"])
def test_a_time_out_stops_whatever_the_rule(photographs, missing, monkeypatch):
    """It may be the machine's fault; what is left out must not depend on that."""

    def late(clip, *arguments, **options):
        if clip.id == "photo2":
            raise VideoTimeoutError("Reading photo2.png took longer than 300 s.")
        return read_frames(clip, *arguments, **options)

    monkeypatch.setattr(reading, "read_frames", late)
    with ClipReader(ToyEncoder(), workers=1) as reader:
        read = reader(photographs, 2, missing=missing)
        assert next(read) is not None
        assert next(read) is not None
        with pytest.raises(VideoTimeoutError, match=r"photo2: .*video_limits\.reading_seconds"):
            next(read)


def test_limits_reach_the_decoder(videos):
    limits = video.VideoLimits(bytes=10)
    with ClipReader(ToyEncoder(), limits=limits) as reader:
        assert list(reader(videos, 2, missing="skip")) == [None] * 4
    assert "too large" in reader.unreadable["video0"]


@pytest.mark.parametrize("workers", [0, 2])
def test_in_place_of_what_cannot_be_read_another_sample_comes_again(photographs, workers, caplog):
    """The same for any number of workers, in every epoch."""
    broken(photographs[1])
    config = DataConfig("flickr8k", photographs[0].files[0].parent, frames=2)
    samples = [
        Sample((0,), (0,), 1),
        Sample((1,), (1,), 2),
        Sample((2, 1), (3, 2), 3),
        Sample((3, 0), (6, 0), 4),
    ]
    encoder = Bytes()
    with ClipReader(encoder, workers=workers) as reader:
        source = PixelBatches(photographs, config, reader)
        batches = [*source([samples, samples[:2]]), *source([samples])]
    assert [record.message.split()[0] for record in caplog.records] == ["photo1"]
    first, second, again = batches
    assert first.frames.dtype == torch.uint8
    assert first.frames.shape == (4, 4, 3, 8, 8)
    assert first.frame_mask.sum(-1).tolist() == [2, 4, 2, 4]
    own = [encoder.prepare_frames(read_frames(photographs[n], 2).pixels) for n in (3, 0)]
    assert torch.equal(first.frames[3], torch.cat(own))
    # The readable ones are the first and the last; in place of sample n comes n modulo 2.
    assert torch.equal(first.frames[1], first.frames[3])
    assert torch.equal(first.frames[2], first.frames[0])
    assert first.ids[1] == first.ids[3] != first.ids[0] == first.ids[2]
    assert first.words[1] == first.words[3]
    assert torch.equal(second.frames[0], second.frames[1])
    assert torch.equal(first.frames, again.frames)


def test_a_batch_of_which_nothing_can_be_read(photographs):
    broken(photographs[1])
    config = DataConfig("flickr8k", photographs[0].files[0].parent, frames=2)
    with ClipReader(ToyEncoder()) as reader, pytest.raises(DataError, match="No video of a batch"):
        list(PixelBatches(photographs, config, reader)([[Sample((1,), (1,), 2)]]))
