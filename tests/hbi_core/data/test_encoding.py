"""A corpus is encoded by several processes as by one."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace

import pytest
import torch

from hbi_core.data import Corpus, reading
from hbi_core.data.encoding import encode_captions, encode_corpus
from hbi_core.data.frames import read_frames
from hbi_core.data.reading import ClipReader
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
from hbi_core.tensor_file import read_tensors
from support.clips import broken
from support.toy import Counted, ToyEncoder


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
                    encoder,
                    corpus_of(clips),
                    2,
                    cache=cache,
                    reader=reader,
                    rank=rank,
                    processes=processes,
                    meeting=meeting,
                    **options,
                )
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
        Counted(),
        corpus_of(photographs),
        2,
        cache=cache,
        processes=2,
        meeting=cache / "meeting-0",
    )
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
    kept = [read_tensors(file)[0].keys() for file in tmp_path.glob("cache/*.safetensors")]
    assert kept == [{"words", "lengths"}] * (4 if cached else 0)  # and no frames


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


@pytest.mark.parametrize("kept", [False, True])
def test_captions_alone_are_those_of_the_corpus(photographs, tmp_path, kept):
    """No file is read for them, and what is in the cache serves both."""
    cache = tmp_path / "cache" if kept else None
    full = encode_corpus(ToyEncoder(), corpus_of(photographs), 2, cache=cache)
    before = sorted(cache.iterdir()) if cache else []
    gone = [replace(clip, files=(tmp_path / "gone.jpg",)) for clip in photographs]
    alone = encode_captions(ToyEncoder(), corpus_of(tuple(gone)), cache=cache)
    assert alone.frames.shape[:2] == (len(photographs), 0)
    for name in ("words", "starts", "owners"):
        assert torch.equal(getattr(alone, name), getattr(full, name))
    assert (sorted(cache.iterdir()) if cache else []) == before
