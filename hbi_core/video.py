"""A video file as a few frames with their times. The only place that decodes video.

Decoders are C libraries that can hang or crash on a damaged file, so they run in a child process
(this module run as a program) that is killed on a time limit. decord reads first; PyAV reads what
decord cannot (AV1, GIF, truncated files) or gets wrong (edit lists).
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from hbi_core.errors import VideoError

READERS = ("decord", "pyav")
_ROUNDING = 1e-3  # seconds; decord's times are float32


@dataclass(frozen=True)
class VideoLimits:
    """What is refused, so that one file cannot occupy the machine.

    Attributes:
        bytes: largest file.
        seconds: longest video.
        reading_seconds: time limit for one reader.
        short_side: larger frames are scaled down to this many pixels.
    """

    bytes: int = 500_000_000
    seconds: float = 3600.0
    reading_seconds: float = 30.0
    short_side: int = 360


@dataclass(frozen=True, eq=False)
class Video:
    """Frames chosen from a video.

    Attributes:
        frames: uint8 [F, H, W, 3], RGB in [0, 255], upright.
        times: seconds from the first frame of the video to each frame, increasing.
        duration: seconds.
        name: file name, without its folder.
        reader: "decord" or "pyav".
    """

    frames: np.ndarray
    times: tuple[float, ...]
    duration: float
    name: str
    reader: str


def read_video(path: str | Path, frames: int = 12, limits: VideoLimits | None = None) -> Video:
    """Read frames at the mid-points of equal segments of a video.

    Args:
        path: any file that FFmpeg can read.
        frames: frames wanted, at least 1. A video with fewer gives all that it has.
        limits: see VideoLimits.

    Raises:
        VideoError: the file is missing, too large, no video, without a video stream, damaged
            beyond use, too long, or takes too long to read. The message says which.
    """
    limits = limits or VideoLimits()
    path = Path(path)
    if frames < 1:
        raise VideoError(f"{frames} frames were asked for; at least 1 is needed.")
    if not path.is_file():
        raise VideoError(f"There is no video file {path}.")
    size = path.stat().st_size
    if size == 0:
        raise VideoError(f"{path.name} is empty (0 bytes). Was it fully uploaded?")
    if size > limits.bytes:
        raise VideoError(
            f"{path.name} is too large: {size / 1e6:,.0f} MB, the limit is "
            f"{limits.bytes / 1e6:,.0f} MB. Cut a shorter clip or lower its resolution."
        )
    for reader in READERS:
        if reader == "decord" and importlib.util.find_spec("decord") is None:
            continue  # there are no decord wheels for ARM
        try:
            return _read_in_child(reader, path, frames, limits)
        except VideoError as error:
            problem = error
    raise problem


def _read_in_child(reader: str, path: Path, frames: int, limits: VideoLimits) -> Video:
    package_root = str(Path(__file__).resolve().parents[1])
    search_path = os.pathsep.join(filter(None, [package_root, os.environ.get("PYTHONPATH")]))
    try:
        child = subprocess.run(
            [sys.executable, "-m", __name__, reader, str(path.resolve()), str(frames),
             json.dumps(asdict(limits))],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=limits.reading_seconds,
            env={**os.environ, "PYTHONPATH": search_path}, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise VideoError(
            f"Reading {path.name} took longer than {limits.reading_seconds:g} s and was stopped. "
            "The file may be damaged; convert it to MP4 (H.264), or cut a shorter clip."
        ) from error
    line, _, pixels = child.stdout.partition(b"\n")
    if child.returncode != 0 or not line:
        raise VideoError(
            f"{path.name} cannot be read: the decoder crashed. The file is probably damaged; "
            "convert it to MP4 (H.264)."
        )
    header = json.loads(line)
    if "error" in header:
        raise VideoError(header["error"])
    return Video(
        np.frombuffer(pixels, np.uint8).reshape(header["shape"]),
        tuple(header["times"]),
        header["duration"],
        path.name,
        reader,
    )


# From here on, what runs in the child process.


def choose_frames(starts: np.ndarray, duration: float, count: int) -> np.ndarray:
    """Indices of the frames on show at the mid-points of `count` equal segments.

    Args:
        starts: times at which the frames are first shown, seconds from the first, increasing.
        duration: of the whole video, seconds.
        count: frames wanted.

    Returns:
        int [min(count, len(starts))], strictly increasing: where frames are shown so long that
        several mid-points fall on one, its neighbours fill up.
    """
    count = min(count, len(starts))
    order = np.arange(count)
    middles = (order + 0.5) * duration / count
    chosen = np.searchsorted(starts, middles + _ROUNDING, side="right") - 1
    chosen = np.maximum.accumulate(np.maximum(chosen, 0) - order) + order
    return np.minimum(chosen, len(starts) - count + order)


def _scaled(pixels: np.ndarray, short_side: int) -> np.ndarray:
    from PIL import Image

    height, width = pixels.shape[:2]
    scale = short_side / min(height, width)
    if scale >= 1:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR))


def _check_duration(duration: float, name: str, limits: VideoLimits) -> None:
    if duration > limits.seconds:
        raise VideoError(
            f"{name} is too long: {duration / 60:,.0f} minutes, the limit is "
            f"{limits.seconds / 60:,.0f}. Cut the part that the caption describes."
        )


def _read_decord(path: str, count: int, limits: VideoLimits) -> tuple[list, list, float]:
    import decord

    try:
        reader = decord.VideoReader(path, ctx=decord.cpu(0), num_threads=1)
        spans = np.asarray(reader.get_frame_timestamp(range(len(reader))), dtype=np.float64)
    except (decord.DECORDError, RuntimeError, IndexError) as error:
        raise VideoError(f"decord cannot read {Path(path).name}: {error}") from error
    starts = spans[:, 0]
    # decord ignores edit lists: it counts and shows the frames that are cut away. Their times
    # are below zero or out of order.
    if starts[0] < 0 or (np.diff(starts) <= 0).any():
        raise VideoError(f"decord misreads the times of {Path(path).name}.")
    duration = float(spans[-1, 1] - starts[0])
    _check_duration(duration, Path(path).name, limits)
    starts = starts - starts[0]
    chosen = choose_frames(starts, duration, count)
    try:
        frames = [_scaled(reader[int(index)].asnumpy(), limits.short_side) for index in chosen]
    except (decord.DECORDError, RuntimeError) as error:
        raise VideoError(f"decord cannot decode {Path(path).name}: {error}") from error
    return frames, starts[chosen].tolist(), duration


def _read_pyav(path: str, count: int, limits: VideoLimits) -> tuple[list, list, float]:
    import av

    name = Path(path).name
    try:
        container = av.open(path)
    except av.FFmpegError as error:
        raise _unreadable(path) from error
    with container:
        streams = [
            stream
            for stream in container.streams.video
            if not stream.disposition & av.stream.Disposition.attached_pic
        ]
        if not streams and container.streams:
            raise VideoError(f"{name} has no pictures, only sound or text. Choose a video.")
        if not streams or streams[0].codec_context is None:
            raise _unreadable(path)
        stream = streams[0]
        base = float(stream.time_base)
        # One pass over the packets tells all times and key frames without decoding anything.
        packets = [
            (packet.pts, packet.duration or 0, packet.is_keyframe)
            for packet in _demuxed(container, stream)
            if packet.pts is not None and not packet.is_discard
        ]
        if not packets:
            raise VideoError(f"{name} has a video stream without a frame. It is empty or damaged.")
        packets.sort()
        stamps = np.array([pts for pts, _, _ in packets])
        keys = np.array([pts for pts, _, is_key in packets if is_key])
        starts = (stamps - stamps[0]) * base
        typical = float(np.median(np.diff(starts))) if len(starts) > 1 else 0.0
        duration = float(starts[-1]) + (packets[-1][1] * base or typical)
        _check_duration(duration, name, limits)
        chosen = choose_frames(starts, duration, count)
        found = _frames_at(container, stream, stamps[chosen], keys)
        times, frames = [], []
        for frame in found:
            upright = np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))
            frames.append(_scaled(np.ascontiguousarray(upright), limits.short_side))
            times.append((frame.pts - int(stamps[0])) * base)
    if not frames:
        raise VideoError(f"No frame of {name} can be decoded. It is damaged beyond use.")
    return frames, times, max(duration, times[-1])


def _unreadable(path: str) -> VideoError:
    """Why FFmpeg found nothing in a file, by its first bytes."""
    name = Path(path).name
    with open(path, "rb") as file:
        is_mp4 = file.read(12)[4:8] in (b"ftyp", b"moov", b"mdat")
    if is_mp4:
        return VideoError(
            f"{name} is truncated or damaged: its index is incomplete, so no frame can be found. "
            "Download or record it again."
        )
    return VideoError(
        f"{name} is not a video (no known format). Use MP4, WebM, MOV, AVI, MKV or GIF."
    )


def _demuxed(container, stream) -> Iterator:
    """Packets of a stream; where the file breaks off, those before."""
    import av

    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.FFmpegError):
            return
        yield packet


def _frames_at(container, stream, targets: np.ndarray, keys: np.ndarray) -> Iterator:
    """Decoded frames with the given time stamps, seeking only past key frames.

    A frame that cannot be decoded gives way to the next that can, at most once.
    """
    position = None  # time stamp of the last decoded frame; None before the first
    frames = iter(())
    pending = None
    for target in targets.tolist():
        key = keys[keys <= target].max(initial=-(2**62))
        if position is None or key > position:
            container.seek(int(max(key, 0) if key > -(2**62) else 0), stream=stream, backward=True)
            frames, pending = _decoded(container, stream), None
        while pending is None or pending.pts < target:
            pending = next(frames, None)
            if pending is None:
                return
        if position is None or pending.pts > position:
            position = pending.pts
            yield pending


def _decoded(container, stream) -> Iterator:
    import av

    for packet in _demuxed(container, stream):
        try:
            decoded = packet.decode()
        except av.FFmpegError:  # damaged: go on with the next
            continue
        yield from (frame for frame in decoded if frame.pts is not None)


def _main(reader: str, path: str, count: str, limits: str) -> None:
    read = {"decord": _read_decord, "pyav": _read_pyav}[reader]
    try:
        frames, times, duration = read(path, int(count), VideoLimits(**json.loads(limits)))
    except VideoError as error:
        print(json.dumps({"error": str(error)}), flush=True)
        return
    # A stream can change its frame size; the frames of the first size are kept.
    kept = [index for index, frame in enumerate(frames) if frame.shape == frames[0].shape]
    pixels = np.stack([frames[index] for index in kept])
    header = {
        "shape": pixels.shape,
        "times": [times[index] for index in kept],
        "duration": duration,
    }
    sys.stdout.buffer.write(json.dumps(header).encode() + b"\n" + pixels.tobytes())
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    _main(*sys.argv[1:])
