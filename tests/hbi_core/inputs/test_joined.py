"""Recordings that were joined, and files whose coding changes within."""

from __future__ import annotations

import av
import numpy as np
import pytest

from hbi_core.errors import VideoError
from support.clips import LEVEL, RATE, damaged, join, levels, write_clip, x264, x265


def test_a_header_of_its_own_for_the_second_half(decoder, tmp_path):
    options = {"x264-params": "keyint=4:bframes=0"}
    first, second = (
        write_clip(
            tmp_path / f"{number}.flv",
            24,
            size=size,
            first=number,
            codec_options=options,
            stamps=[40 * (number + later) for later in range(24)],
        )
        for number, size in ((0, (64, 48)), (24, (96, 48)))
    )
    path = tmp_path / "both.flv"
    path.write_bytes(first.read_bytes() + second.read_bytes()[13:])
    video = decoder.read(path, 4)
    assert video.frames.shape == (4, 48, 96, 3)
    middle = video.frames[:, :, 40:56].mean((1, 2, 3)) / LEVEL
    assert middle == pytest.approx([6, 18, 30, 42], abs=0.8)


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_parameters_that_come_once(decoder, tmp_path, codec):
    """The second half has another shape, and only its first packet says so."""
    sets = {"libx264": {7, 8, 6}, "libx265": {32, 33, 34, 39}}[codec]
    suffix = {"libx264": "h264", "libx265": "hevc"}[codec]
    options = dict([x264("keyint=4:bframes=0"), x265("keyint=4:bframes=0:open-gop=0")])[codec]
    first, second = (
        write_clip(
            tmp_path / f"{number}.{suffix}",
            24,
            codec=codec,
            size=size,
            first=number,
            codec_options=options,
        )
        for number, size in ((0, (64, 48)), (24, (96, 48)))
    )
    units = second.read_bytes().replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")[1:]
    kinds = [(u[0] >> 1) & 63 if codec == "libx265" else u[0] & 31 for u in units]
    pictures = [number for number, kind in enumerate(kinds) if kind not in sets]
    kept = [unit for number, unit in enumerate(units) if number < pictures[1] or number in pictures]
    path = tmp_path / f"both.{suffix}"
    path.write_bytes(first.read_bytes() + b"".join(b"\0\0\0\1" + unit for unit in kept))
    video = decoder.read(path, 4)
    assert video.frames.shape == (4, 48, 96, 3)
    middle = video.frames[:, :, 40:56].mean((1, 2, 3)) / LEVEL
    assert middle == pytest.approx([6, 18, 30, 42], abs=0.8)


def test_parts_of_another_size(decoder, tmp_path):
    """All are shown in the shape of the largest, the others with black beside them."""
    small = write_clip(tmp_path / "1.ts", 25, size=(64, 64), first=10)
    large = write_clip(tmp_path / "2.ts", 25, size=(192, 96), first=35)
    video = decoder.read(join(tmp_path / "both.ts", small, large), 10)
    assert video.frames.shape == (10, 96, 192, 3)
    shown = video.frames[:, 8:-8, 60:-60].mean((1, 2, 3)) / LEVEL
    assert shown == pytest.approx([12, 17, 22, 27, 32, 37, 42, 47, 52, 57], abs=0.6)
    assert (video.frames[:5, :, :40] == 0).all()
    assert (video.frames[:5, :, -40:] == 0).all()


def later(source, target, seconds, sound=False):
    """The packets of a transport stream with later stamps."""
    with av.open(source) as old, av.open(target, "w") as new:
        streams = {stream: new.add_stream_from_template(stream) for stream in old.streams}
        for packet in old.demux():
            if packet.dts is not None:
                shift = round(seconds / packet.time_base)
                packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                packet.stream = streams[packet.stream]
                new.mux(packet)
    return target


@pytest.mark.parametrize("seconds", [0, 600, 7200])
@pytest.mark.parametrize("name", ["a.ts", "with sound.ts", "a.mpg"])
def test_joined_recordings(decoder, tmp_path, name, seconds):
    """Two files of a second each, with the same stamps or with a clock that jumps."""
    codec = "mpeg2video" if name == "a.mpg" else "libx264"
    sound = int("sound" in name)
    one, two = (
        write_clip(tmp_path / f"{first}{name}", 25, codec=codec, first=first, sound=sound)
        for first in (0, 25)
    )
    if seconds:
        two = later(two, tmp_path / f"later {name}", seconds)
    video = decoder.read(join(tmp_path / name, one, two), 5)
    assert video.duration == pytest.approx(2.0, abs=0.05)
    assert levels(video) == pytest.approx([5, 15, 25, 35, 45], abs=0.8)
    assert video.times == pytest.approx([0.2, 0.6, 1.0, 1.4, 1.8], abs=0.05)


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mkv", "libx264"),
        ("a.webm", "libvpx"),
        ("a.mp4", "libx264"),
        ("fragments.mp4", "libx264"),
        ("a.avi", "mpeg4"),
        ("a.flv", "flv"),
        ("a.ivf", "libvpx"),
        ("a.nut", "mpeg4"),
        ("a.wmv", "wmv2"),
        ("a.mxf", "mpeg2video"),
        ("a.rm", "rv20"),
        ("a.ogv", "libvpx"),
        ("a.y4m", "rawvideo"),
        ("a.apng", "apng"),
        ("a.gif", "gif"),
    ],
)
def test_joined_files_with_headers(decoder, tmp_path, name, codec):
    """Two of a size, then one of another: no header counts for the next file."""
    formats = {"apng": "rgb24", "gif": "rgb8"}
    fragments = {"movflags": "frag_keyframe+empty_moov"} if "fragments" in name else {}
    parts = [
        write_clip(
            tmp_path / f"{first}{name}",
            count,
            codec=codec,
            first=first,
            size=size,
            pixel_format=formats.get(codec, "yuv420p"),
            container_options=fragments,
        )
        for first, count, size in (
            (0, 25, (64, 64)),
            (25, 17, (64, 64)),
            (42, 8, (96, 64) if codec != "gif" else (64, 64)),
        )
    ]
    video = decoder.read(join(tmp_path / name, *parts), 10)
    assert video.duration == pytest.approx(2.0, abs=0.05)
    middle = video.frames[:, :, 28:36] if codec == "gif" else video.frames[:, :, 44:52]
    assert middle.mean((1, 2, 3)) / LEVEL == pytest.approx(np.arange(2, 50, 5), abs=1.6)
    assert video.times == pytest.approx(np.arange(2, 50, 5) / RATE, abs=0.05)


def test_a_joined_file_that_is_damaged(decoder, single, tmp_path):
    source, _ = single
    lost = damaged(single, tmp_path / "lost.mp4", range(50))
    for second, message in (
        (lost.read_bytes(), "No frame of a.mp4 can be decoded"),
        (source.read_bytes()[:40], "truncated or damaged"),
    ):
        path = tmp_path / "a.mp4"
        path.write_bytes(source.read_bytes() + second)
        with pytest.raises(VideoError, match=f"^Recording 2 of 2 that are joined: .*{message}"):
            decoder.read(path, 4)
