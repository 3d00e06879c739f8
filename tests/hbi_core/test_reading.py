"""Clips are read by workers that live on, and encoded by several processes as by one."""

from __future__ import annotations

import gc
import json
import multiprocessing
import os
import shutil
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from hbi_core.data import Clip, Corpus, reading
from hbi_core.data.encoding import encode_corpus
from hbi_core.data.frames import read_frames
from hbi_core.data.reading import ClipReader
from hbi_core.data.views import random_views
from hbi_core.encoders.weights import weights_digest
from hbi_core.errors import (
    CaptionError,
    DataError,
    InputError,
    NotFiniteError,
    VideoError,
    VideoTimeoutError,
    WeightsError,
)
from hbi_core.inputs import video
from hbi_core.training.batches import PixelBatches, Sample
from hbi_core.training.config import DataConfig
from support.clips import write_clip
from support.toy import Counted, ToyEncoder


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


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Four small videos, two of them with fewer frames than are asked for; four photographs."""
    root = tmp_path_factory.mktemp("clips")
    for number, count in enumerate((12, 3, 9, 2)):
        write_clip(root / f"video{number}.mp4", count, size=(32, 32))
        pixels = np.random.default_rng(number).integers(0, 256, (20, 24, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / f"photo{number}.png")
    return root


@pytest.fixture(scope="module")
def decoder():
    with video.Decoder() as decoder:
        yield decoder


@pytest.fixture
def videos(folder, tmp_path):
    return copied(folder, tmp_path, "video", ".mp4")


@pytest.fixture
def photographs(folder, tmp_path):
    return copied(folder, tmp_path, "photo", ".png")


def copied(folder, target, name, suffix):
    """Four clips, each with a number of captions of its own."""
    files = [target / f"{name}{number}{suffix}" for number in range(4)]
    for file in files:
        shutil.copy(folder / file.name, file)
    return tuple(
        Clip(file.stem, (file,), tuple(f"{c} cats see {file.stem}" for c in range(number + 1)))
        for number, file in enumerate(files)
    )


def broken(clip):
    clip.files[0].write_bytes(b"nothing that can be read")
    return clip


# --- Readers ----------------------------------------------------------------------------------


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
            deadline = time.monotonic() + 300
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


# --- Batches of pixels ------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [0, 2])
def test_in_place_of_what_cannot_be_read_another_sample_comes_again(photographs, workers, caplog):
    """The same for any number of workers, in every epoch."""
    broken(photographs[1])
    config = DataConfig("flickr8k", photographs[0].files[0].parent, frames=2)
    samples = [Sample((0,), (0,), 1), Sample((1,), (1,), 2), Sample((2, 1), (3, 2), 3),
               Sample((3, 0), (6, 0), 4)]  # fmt: skip
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


# --- Shares of several processes --------------------------------------------------------------


def corpus_of(clips):
    return Corpus("photographs", "train", clips)


def encoded_by(processes, clips, cache, first=0, kind=Counted, **options):
    """Features, encoder and reader of each process; the process `first` begins alone."""
    results: dict[int, tuple] = {}
    meeting = cache / f"meeting-{len(list(cache.glob('meeting-*')))}"

    def run(rank):
        encoder = kind()
        with ClipReader(encoder) as reader:
            try:
                known = encode_corpus(
                    encoder, corpus_of(clips), 2, cache=cache, reader=reader,
                    rank=rank, processes=processes, meeting=meeting, **options,
                )  # fmt: skip
            except InputError as error:
                known = error
            results[rank] = known, encoder, reader

    threads = [
        threading.Thread(target=run, args=(rank,), name=f"rank {rank}") for rank in range(processes)
    ]
    threads[first].start()
    if processes > 1:
        while threads[first].is_alive() and not list(meeting.glob("*.json")):
            time.sleep(0.01)  # until it has done its share, and waits for the others
    for rank, thread in enumerate(threads):
        if rank != first:
            thread.start()
    for thread in threads:
        thread.join()
    return [results[rank] for rank in range(processes)]


def same_features(one, other):
    assert one.clips == other.clips
    assert one.plain == other.plain
    for name in ("frames", "frame_mask", "words", "starts", "owners"):
        assert torch.equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize(("processes", "first"), [(2, 0), (2, 1), (3, 2), (6, 5)])
def test_shares_together_are_the_whole(photographs, tmp_path, processes, first):
    expected = encode_corpus(ToyEncoder(), corpus_of(photographs), 2, views=1, seed=3)
    found = encoded_by(processes, photographs, tmp_path / "cache", first, views=1, seed=3)
    for rank, (known, encoder, _) in enumerate(found):
        same_features(known, expected)
        assert encoder.calls == 2 * len(photographs[rank::processes])  # its frames, its view
    for known, encoder, _ in encoded_by(
        processes, photographs, tmp_path / "cache", views=1, seed=3
    ):
        same_features(known, expected)
        assert encoder.calls == 0


def test_what_one_process_cannot_read_all_leave_out(photographs, tmp_path):
    broken(photographs[1])
    found = encoded_by(2, photographs, tmp_path / "cache", missing="skip")
    for known, _, reader in found:
        assert [clip.id for clip in known.clips] == ["photo0", "photo2", "photo3"]
        assert known.owners.tolist() == [0, 1, 1, 1, 2, 2, 2, 2]
        assert list(reader.unreadable) == ["photo1"]


@pytest.mark.parametrize("first", [0, 1])
def test_a_process_that_stops_tells_the_others(photographs, tmp_path, first):
    broken(photographs[1])
    found = encoded_by(2, photographs, tmp_path / "cache", first)
    for error, _, _ in found:
        assert isinstance(error, InputError)
        assert "photo1.png cannot be read" in str(error)
    known, _, _ = encoded_by(2, photographs, tmp_path / "cache", first, missing="skip")[0]
    assert len(known.clips) == 3  # with another rule it does not hold any more


@pytest.mark.parametrize("missing", ["skip", "stop"])
def test_all_follow_the_one_who_read(photographs, tmp_path, monkeypatch, missing):
    """Though another could have read it, on another machine say: or their clips would differ."""

    def unlucky(clip, *arguments, **options):
        if clip.id == "photo1" and threading.current_thread().name == "rank 1":
            raise VideoError("photo1.png: the disk is gone.")
        return read_frames(clip, *arguments, **options)

    monkeypatch.setattr(reading, "read_frames", unlucky)
    for known, _, reader in encoded_by(2, photographs, tmp_path / "cache", missing=missing):
        if missing == "stop":
            assert str(known) == "photo1.png: the disk is gone."
        else:
            assert [clip.id for clip in known.clips] == ["photo0", "photo2", "photo3"]
            assert reader.unreadable == {"photo1": "photo1.png: the disk is gone."}


def test_a_time_out_stops_all_and_is_forgotten(photographs, tmp_path, monkeypatch):
    def late(*arguments, **options):
        raise VideoTimeoutError("late")

    cache = tmp_path / "cache"
    with monkeypatch.context() as patch:
        patch.setattr(reading, "read_frames", late)
        for error, _, _ in encoded_by(2, photographs, cache, missing="skip"):
            assert isinstance(error, InputError)
            assert "late" in str(error)
    for known, _, _ in encoded_by(2, photographs, cache, missing="skip"):
        assert known.clips == photographs


def test_features_that_were_lost_are_encoded_again(photographs, tmp_path):
    """Though the other process told that they are there."""
    cache = tmp_path / "cache"
    expected, _, _ = encoded_by(2, photographs, cache)[0]
    for file in cache.glob("*.safetensors"):
        file.unlink()
    again = encode_corpus(
        Counted(), corpus_of(photographs), 2, cache=cache, processes=2,
        meeting=cache / "meeting-0",
    )  # fmt: skip
    same_features(again, expected)


@pytest.mark.parametrize("missing", ["skip", "stop"])
@pytest.mark.parametrize("first", [0, 1])
def test_what_an_earlier_run_could_not_read_is_read_again(
    photographs, tmp_path, monkeypatch, missing, first
):
    """Its files are the same: a limit was raised, or a disk came back."""

    def refused(clip, *arguments, **options):
        if clip.id == "photo1":
            raise VideoError("photo1.png: too large.")
        return read_frames(clip, *arguments, **options)

    cache = tmp_path / "cache"
    with monkeypatch.context() as patch:
        patch.setattr(reading, "read_frames", refused)
        encoded_by(2, photographs, cache, first, missing=missing)
    expected = encode_corpus(ToyEncoder(), corpus_of(photographs), 2)
    for known, _, reader in encoded_by(2, photographs, cache, first, missing=missing):
        same_features(known, expected)
        assert not reader.unreadable


def test_a_clip_that_came_into_the_cache_late_is_left_out_by_all(photographs, tmp_path):
    """Since the process whose share it is has told that it is left out."""
    cache, meeting = tmp_path / "cache", tmp_path / "cache" / "meeting"
    expected = encode_corpus(ToyEncoder(), corpus_of(photographs), 2, cache=cache)  # another run
    assert len(expected.clips) == 4
    meeting.mkdir()
    told = {"unreadable": {"photo1": "gone"}, "weights": weights_digest(ToyEncoder())}
    (meeting / "1.json").write_text(json.dumps(told))
    known = encode_corpus(
        ToyEncoder(), corpus_of(photographs), 2, cache=cache, processes=2, meeting=meeting
    )
    assert [clip.id for clip in known.clips] == ["photo0", "photo2", "photo3"]


def test_processes_with_other_weights_are_told(photographs, tmp_path):
    drawn = iter((1.0, 1.5))

    def other():
        encoder = Counted()
        encoder.pixels.weight.data *= next(drawn)
        return encoder

    for error, _, _ in encoded_by(2, photographs, tmp_path / "cache", kind=other):
        assert isinstance(error, WeightsError)
        assert "toy with other weights" in str(error)


@pytest.mark.parametrize("missing", ["skip", "stop"])
def test_a_report_does_not_hold_for_a_file_that_was_mended(photographs, tmp_path, missing):
    whole = photographs[1].files[0].read_bytes()
    broken(photographs[1])
    encoded_by(2, photographs, tmp_path / "cache", missing=missing)
    photographs[1].files[0].write_bytes(whole)
    for known, _, _ in encoded_by(2, photographs, tmp_path / "cache", missing=missing):
        same_features(known, encode_corpus(ToyEncoder(), corpus_of(photographs), 2))


def test_a_caption_that_the_encoder_cannot_read_is_named(photographs):

    class English(ToyEncoder):
        def _words(self, words):
            if any(word.text == "猫" for word in words):
                raise CaptionError("The encoder knows no word of it.")
            return super()._words(words)

    clip = replace(photographs[2], captions=("a dog", "猫", "two dogs"))
    clips = (*photographs[:2], clip, photographs[3])
    with pytest.raises(
        DataError, match=r"photo2: toy cannot read the caption '猫': .*no word of it"
    ):
        encode_corpus(English(), corpus_of(clips), 2, missing="skip")


def test_views_are_of_photographs(videos):
    with pytest.raises(DataError, match=r"photographs has videos\. Set data\.views=0"):
        encode_corpus(ToyEncoder(), corpus_of(videos), 2, views=1)


def test_several_processes_need_a_cache(photographs, tmp_path):
    for folders in ({}, {"cache": tmp_path / "cache"}):
        with pytest.raises(ValueError, match="need a cache, and a folder"):
            encode_corpus(ToyEncoder(), corpus_of(photographs), 2, processes=2, **folders)


# --- What an encoder gives --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("factor", "reason"),
    [(torch.nan, "not finite"), (torch.inf, "not fin"), (1e6, "too large for half precision")],
)
@pytest.mark.parametrize("cached", [False, True])
def test_features_that_are_not_finite_are_named(photographs, tmp_path, factor, reason, cached):
    cache = tmp_path / "cache" if cached else None
    broken_parts = {"pixels": "frames", "table": "words"}
    for part, of in broken_parts.items():
        encoder = ToyEncoder()
        getattr(encoder, part).weight.data *= factor
        with pytest.raises(
            NotFiniteError, match=rf"the {of} of photo0 that toy gives are {reason}"
        ):
            encode_corpus(encoder, corpus_of(photographs), 2, cache=cache, missing="skip")
    assert not list(tmp_path.glob("cache/*"))


def test_views_and_padding_that_are_not_finite_are_named(photographs):

    class Broken(ToyEncoder):
        calls = 0

        def frame_features(self, pixels):
            self.calls += 1
            return super().frame_features(pixels) * (torch.inf if self.calls == 2 else 1)

        def frame_padding(self):
            return super().frame_padding() * torch.nan

    with pytest.raises(NotFiniteError, match="the views of photo0"):
        encode_corpus(Broken(), corpus_of(photographs), 2, views=2)
    with pytest.raises(NotFiniteError, match="of missing frames that toy gives"):
        encode_corpus(Broken(), corpus_of(photographs[:1]), 2, padded=True, words=5)
