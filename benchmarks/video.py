"""Whether the pictures that are read are those of their times, and what reading costs.

    python -m benchmarks.video

Clips of a sliding picture in the common codings and containers. Every read picture is looked for
among all, decoded one after another from the start of the file; it is right where it is found at
its time. decord is measured beside it where it is installed (pip install decord==0.6.0), for the
containers that it does not hang on. Core seconds are those of a clip in a decoder that is already
running.
"""

from __future__ import annotations

import gc
import importlib.util
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import tyro
from PIL import Image

from benchmarks.report import report
from hbi_core.inputs import decoding
from hbi_core.inputs.timeline import choose_frames
from hbi_core.inputs.video import VideoLimits

RATE, FRAMES = 25, 12
CODINGS = {
    "H.264, closed": ("libx264", {}),
    "H.264, open": ("libx264", {"x264-params": "open-gop=1:scenecut=0:keyint=50"}),
    "H.264, intra refresh": ("libx264", {"x264-params": "intra-refresh=1:keyint=50"}),
    "HEVC, open": ("libx265", {"x265-params": "log-level=none"}),
    "HEVC, closed": ("libx265", {"x265-params": "log-level=none:open-gop=0"}),
    "VP8": ("libvpx", {"auto-alt-ref": "1", "lag-in-frames": "16", "b": "1000000"}),
    "VP9": ("libvpx-vp9", {"auto-alt-ref": "1", "lag-in-frames": "16", "cpu-used": "8"}),
    "AV1": ("libsvtav1", {"preset": "12"}),
    "MPEG-2": ("mpeg2video", {"bf": "2", "b": "4000000"}),
    "MPEG-4": ("mpeg4", {"bf": "2", "b": "4000000"}),
}
CONTAINERS = {
    "H.264, closed": ("mp4", "mkv", "ts", "avi", "flv"),
    "H.264, open": ("mp4", "mkv", "ts"),
    "H.264, intra refresh": ("mp4", "mkv", "ts"),
    "HEVC, open": ("mp4", "mkv", "ts"),
    "HEVC, closed": ("mp4", "mkv"),
    "VP8": ("webm",),
    "VP9": ("webm", "mp4"),
    "AV1": ("mp4", "mkv"),
    "MPEG-2": ("mpg", "ts"),
    "MPEG-4": ("avi", "mp4"),
}

DECORD_READS = ("mp4", "mkv", "webm")


@dataclass(frozen=True)
class Settings:
    """What is written and read."""

    seconds: tuple[float, ...] = (12.0, 12.56)  # the other length moves the last key frame
    width: int = 320
    height: int = 240
    large: bool = True  # also 60 s of 1280 x 720


def write_clip(path: Path, coding: str, seconds: float, width: int, height: int) -> None:
    codec, options = CODINGS[coding]
    noise = np.random.default_rng(0).integers(0, 256, (height // 8, width // 4, 3), dtype=np.uint8)
    picture = np.asarray(Image.fromarray(noise).resize((2 * width, height), Image.BICUBIC))
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(round(seconds * RATE)):
            pixels = np.ascontiguousarray(np.roll(picture, number, 1)[:, :width])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())


def all_pictures(path: Path) -> list[np.ndarray]:
    """Small versions of all, one after another from the start."""
    with av.open(path) as container:
        frames = container.decode(container.streams.best("video"))
        return [small(frame.to_ndarray(format="rgb24")) for frame in frames]


def small(pixels: np.ndarray) -> np.ndarray:
    return pixels[::4, ::4].astype(np.int16)


def rights(pictures: list[np.ndarray], times: list[float], frames: np.ndarray) -> int:
    """How many pictures are those of their times."""
    found = [int(np.argmin([np.abs(each - small(x)).mean() for each in pictures])) for x in frames]
    return sum(
        abs(number - second * RATE) < 0.5 for number, second in zip(found, times, strict=True)
    )


def read_here(path: Path) -> tuple[list[float], np.ndarray]:
    _, told, pixels = decoding.answer(str(path), FRAMES, VideoLimits(short_side=10_000))
    return told["times"], np.frombuffer(pixels, np.uint8).reshape(told["shape"])


def read_decord(path: Path) -> tuple[list[float], np.ndarray]:
    import decord

    reader = decord.VideoReader(str(path), ctx=decord.cpu(0), num_threads=1)
    starts = reader.get_frame_timestamp(range(len(reader)))[:, 0].astype(float)
    chosen = choose_frames(starts - starts[0], len(starts) / RATE, FRAMES)
    frames = np.stack([reader[int(number)].asnumpy() for number in chosen])
    return (starts[chosen] - starts[0]).tolist(), frames


def measured(read, paths: list[Path], pictures: list[list[np.ndarray]]) -> list[str]:
    """Right pictures of all that were asked for, and core seconds a clip."""
    right, started = 0, time.process_time()
    results = []
    for path in paths:
        try:
            results.append(read(path))
        except Exception:  # decord's errors have no common class
            return ["refused", "-"]
    seconds = (time.process_time() - started) / len(paths)
    for (times, frames), all_of_it in zip(results, pictures, strict=True):
        right += rights(all_of_it, times, frames)
    return [f"{right} of {FRAMES * len(paths)}", f"{seconds:.3f}"]


def main(settings: Settings) -> None:
    has_decord = importlib.util.find_spec("decord") is not None
    columns = ["coding", "container", "size", "seconds", "right", "core s"]
    columns += ["decord: right", "decord: core s"]
    jobs = [
        (coding, suffix, settings.seconds, settings.width, settings.height)
        for coding, suffixes in CONTAINERS.items()
        for suffix in suffixes
    ]
    if settings.large:
        jobs += [(coding, "mp4", (60.0,), 1280, 720) for coding in ("H.264, closed", "HEVC, open")]
    rows = []
    gc.freeze()  # as the decoder does
    with tempfile.TemporaryDirectory() as folder:
        for coding, suffix, lengths, width, height in jobs:
            paths = [Path(folder, f"{width}-{seconds}.{suffix}") for seconds in lengths]
            for path, seconds in zip(paths, lengths, strict=True):
                write_clip(path, coding, seconds, width, height)
            pictures = [all_pictures(path) for path in paths]
            row = [coding, suffix, f"{width}x{height}", ", ".join(f"{s:g}" for s in lengths)]
            row += measured(read_here, paths, pictures)
            tried = has_decord and suffix in DECORD_READS
            row += measured(read_decord, paths, pictures) if tried else ["not tried", "-"]
            rows.append(row)
            print(*row, sep=" | ", flush=True)
    report("video", "Pictures read at their times, and the cost of a clip", columns, rows)


if __name__ == "__main__":
    main(tyro.cli(Settings))
