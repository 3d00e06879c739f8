"""Small video files, good and broken, written for the tests.

Frame i of a clip is uniformly grey with the value `LEVEL * i`, so that a decoded frame tells
which one it is.
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from hbi_core.data import Clip

LEVEL = 4
RATE = 25  # pictures a second, where nothing else is said


@contextlib.contextmanager
def ordinary_scheduling() -> Iterator[None]:
    """Whoever runs as root is given real-time scheduling by the AV1 encoder: with it, a thread or a
    child that is busy would let no other run."""
    if not hasattr(os, "sched_setscheduler"):
        yield
        return
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, *before)


def write_clip(
    path: Path,
    count: int = 50,
    *,
    codec: str = "libx264",
    rate: int = RATE,
    size=(96, 64),
    stamps=None,
    faststart: bool = True,
    pixel_format: str = "yuv420p",
    marked: bool = False,
    codec_options=None,
    first: int = 0,
    pixel_aspect: Fraction | None = None,
    metadata=None,
    sound: int = 0,
    noise: int = 0,
    container_options=None,
) -> Path:
    """A clip of `count` frames; `stamps` (in 1/1000 s) make its frame rate variable.

    `marked` puts a white corner at the top left, to tell which way up a frame is. The first
    frame's number is `first`. With `sound`, that many seconds of silence go along. `noise` fills
    the lower half with grey that differs from 128 by less than that.
    """
    width, height = size
    random = np.random.default_rng(0)
    options = {"movflags": "+faststart"} if faststart and path.suffix == ".mp4" else {}
    with (
        ordinary_scheduling(),
        av.open(path, "w", options=container_options or options) as container,
    ):
        stream = container.add_stream(codec, rate=rate, options=codec_options or {})
        stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
        container.metadata.update(metadata or {})
        if pixel_aspect is not None:
            stream.codec_context.sample_aspect_ratio = pixel_aspect
        if sound:
            silence = container.add_stream("mp2", rate=44100, layout="mono")
        if stamps is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
            stream.time_base = Fraction(1, 1000)
        for index in range(count):
            pixels = np.full((height, width, 3), LEVEL * (first + index), np.uint8)
            if noise:
                shape = (height - height // 2, width, 3)
                drawn = random.integers(128 - noise, 128 + noise, shape)
                pixels[height // 2 :] = drawn
            if marked:
                pixels[: height // 4, : width // 4] = 255
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            if stamps is not None:
                frame.pts, frame.time_base = stamps[index], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if sound:
            samples = av.AudioFrame.from_ndarray(
                np.zeros((1, 44100 * sound), np.int16), "s16", "mono"
            )
            samples.sample_rate = 44100
            container.mux(silence.encode(samples))
            container.mux(silence.encode())
    return path


def broken(clip: Clip) -> Clip:
    """The same clip, in whose first file nothing can be read any more."""
    clip.files[0].write_bytes(b"nothing that can be read")
    return clip


def write_sound(path: Path) -> Path:
    """A file with a second of sound and no pictures."""
    with av.open(path, "w") as container:
        stream = container.add_stream("aac", rate=44100, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 44100), np.float32), "fltp", "mono")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def rotate(source: Path, target: Path, matrix=(0, 1, -1, 0)) -> Path:
    """Give an MP4 the display matrix a, b, c, d; the default turns by 90 degrees clockwise."""
    data = bytearray(source.read_bytes())
    start = data.index(b"tkhd") + 4 + 40  # version 0: flags, times, layer, volume before it
    a, b, c, d = (number << 16 for number in matrix)
    data[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    target.write_bytes(data)
    return target


def join(target: Path, *sources: Path) -> Path:
    """Write one file after another, as `cat` does."""
    target.write_bytes(b"".join(source.read_bytes() for source in sources))
    return target


def trim(source: Path, target: Path, skipped: int = 0, hidden: int = 0, rate: int = 25) -> Path:
    """Hide the first and last frames of an MP4 by its edit list, as cutting without coding does."""
    data = bytearray(source.read_bytes())
    entry = data.index(b"elst") + 4 + 8  # after version, flags and the number of entries
    duration, start = struct.unpack(">Ii", data[entry : entry + 8])
    movie_scale = struct.unpack(">I", data[(m := data.index(b"mvhd") + 4 + 12) : m + 4])[0]
    media_scale = struct.unpack(">I", data[(m := data.index(b"mdhd") + 4 + 12) : m + 4])[0]
    duration -= (skipped + hidden) * movie_scale // rate
    start += skipped * media_scale // rate
    data[entry : entry + 8] = struct.pack(">Ii", duration, start)
    target.write_bytes(data)
    return target


def levels(video):
    """Which frame of `write_clip` each frame is."""
    return video.frames.mean((1, 2, 3)) / LEVEL


def same(one, other):
    return (one.frames == other.frames).all() and one.times == other.times


def x264(parameters):
    return "libx264", {"x264-params": parameters}


def x265(parameters):
    return "libx265", {"x265-params": f"log-level=none:{parameters}"}


def damaged(single, target, lost):
    """The clip with nothing but zeros for some of its pictures."""
    source, places = single
    data = bytearray(source.read_bytes())
    for number in lost:
        at, size = places[number]
        data[at : at + size] = bytes(size)
    target.write_bytes(data)
    return target
