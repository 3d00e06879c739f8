"""Decoding, in a process of its own: python -m hbi_core.decoding.

The packets of the file, listed by PyAV, say which frames there are and when they are shown. decord
decodes them where it is known to agree with that list, PyAV everywhere else (AV1, GIF, transport
streams, edit lists, damaged files). A request is a line of JSON; the answer is a line of JSON, then
the pixels of the frames.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hbi_core.errors import VideoError
from hbi_core.video import VideoLimits, file_name

_ROUNDING = 1e-3  # seconds; decord's times are float32
# FFmpeg would also open texts, pictures and lists of other files.
_CONTAINERS = (
    "mov", "mp4", "m4a", "3gp", "3g2", "mj2", "matroska", "webm", "avi", "gif", "mpegts", "mpeg",
    "flv", "asf", "ogg", "mxf", "ivf", "yuv4mpegpipe", "apng",
)  # fmt: skip


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


@dataclass(frozen=True)
class _Index:
    """The frames that a file says it has, in the order in which they are shown.

    Times are in seconds from the first frame; stamps and decoding stamps are the file's own.
    """

    starts: np.ndarray
    duration: float
    stamps: np.ndarray
    keys: tuple[tuple[int, int], ...]  # stamp and decoding stamp of the key frames, by stamp
    container: str
    codec: str


def _open(path: str):
    import av

    try:
        container = av.open(path, options={"format_whitelist": ",".join(_CONTAINERS)})
    except (av.FFmpegError, ValueError) as error:
        raise _unreadable(path) from error
    streams = [
        stream
        for stream in container.streams.video
        if not stream.disposition & av.stream.Disposition.attached_pic
    ]
    if not streams and container.streams:
        raise VideoError(f"{file_name(path)} has no pictures, only sound or text. Choose a video.")
    if not streams or streams[0].codec_context is None:
        raise _unreadable(path)
    return container, streams[0]


def _unreadable(path: str) -> VideoError:
    """Why FFmpeg found nothing in a file, by its first bytes."""
    with open(path, "rb") as file:
        is_mp4 = file.read(12)[4:8] in (b"ftyp", b"moov", b"mdat")
    if is_mp4:
        return VideoError(
            f"{file_name(path)} is truncated or damaged: its index is incomplete. "
            "Download or record it again."
        )
    return VideoError(
        f"{file_name(path)} is not a video (no known format). Use MP4, WebM, MOV, AVI, MKV or GIF."
    )


def _list_frames(path: str, limits: VideoLimits) -> _Index:
    """One pass over the packets tells all times and key frames without decoding anything."""
    container, stream = _open(path)
    with container:
        packets = sorted(
            (packet.pts, packet.dts if packet.dts is not None else packet.pts,
             packet.duration or 0, packet.is_keyframe)
            for packet in _demuxed(container, stream)
            if packet.pts is not None and not packet.is_discard
        )  # fmt: skip
        if not packets:
            raise VideoError(
                f"{file_name(path)} has a video stream without a frame. It is empty or damaged."
            )
        stamps = np.array([pts for pts, *_ in packets])
        starts = (stamps - stamps[0]) * float(stream.time_base)
        typical = float(np.median(np.diff(starts))) if len(starts) > 1 else 0.0
        last = packets[-1][2] * float(stream.time_base) or typical
        duration = float(starts[-1]) + last
        if duration > limits.seconds:
            raise VideoError(
                f"{file_name(path)} is too long: {duration / 60:,.0f} minutes, the limit is "
                f"{limits.seconds / 60:,.0f}. Cut the part that the caption describes."
            )
        keys = tuple((pts, dts) for pts, dts, _, is_key in packets if is_key)
        codec = stream.codec_context.name
        return _Index(starts, duration, stamps, keys, container.format.name, codec)


def _read_decord(
    path: str, index: _Index, chosen: np.ndarray
) -> Iterator[tuple[float, np.ndarray]]:
    if not any(name in index.container for name in ("mp4", "matroska")) or not any(
        name in index.codec for name in ("h264", "hevc", "vp8", "vp9")
    ):
        raise VideoError(f"decord is not known to read {index.codec} in {index.container} rightly.")
    import decord

    try:
        reader = decord.VideoReader(path, ctx=decord.cpu(0), num_threads=1)
        starts = np.asarray(reader.get_frame_timestamp(range(len(reader))), dtype=np.float64)[:, 0]
        # decord ignores edit lists: it counts and shows the frames that are cut away.
        if len(starts) != len(index.starts) or np.abs(starts - index.starts).max() > _ROUNDING:
            raise VideoError(f"decord does not find the frames that {file_name(path)} lists.")
        for number in chosen.tolist():
            pixels = reader[number].asnumpy()
            if pixels.shape[-1] != 3:  # it mistakes the rows of very narrow frames
                raise VideoError(f"decord misreads the width of {file_name(path)}.")
            yield float(index.starts[number]), pixels
    except (decord.DECORDError, RuntimeError, IndexError) as error:
        raise VideoError(f"decord cannot decode {file_name(path)}: {error}") from error


def _read_pyav(path: str, index: _Index, chosen: np.ndarray) -> Iterator[tuple[float, np.ndarray]]:
    """A frame that cannot be decoded gives way to the next that can, at most once."""
    container, stream = _open(path)
    base, first = float(stream.time_base), int(index.stamps[0])
    position = None  # stamp of the last frame that was given; None before the first
    frames: Iterator = iter(())
    frame = None
    with container:
        for target in index.stamps[chosen].tolist():
            before = [key for key in index.keys if key[0] <= target]
            if position is None or (before and before[-1][0] > position):  # seek past key frames
                frames = _decoded_from(container, stream, before[-1] if before else None)
                frame = next(frames, None)
                if frame is None or frame.pts > target:  # it landed too late: from the start
                    frames = _decoded_from(container, stream, None)
                    frame = next(frames, None)
            while frame is not None and frame.pts < target:
                frame = next(frames, None)
            if frame is None:
                return
            if position is None or frame.pts > position:
                position = frame.pts
                upright = np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))
                yield (frame.pts - first) * base, np.ascontiguousarray(upright)


def _decoded_from(container, stream, key: tuple[int, int] | None) -> Iterator:
    """Frames from a key frame on, or from the start of the file."""
    import av

    stamp = (stream.start_time or 0) if key is None else key[1]
    with contextlib.suppress(av.FFmpegError):  # what cannot seek is read on from where it stands
        container.seek(stamp, stream=stream, backward=True)
    stream.codec_context.flush_buffers()
    for packet in _demuxed(container, stream):
        try:
            decoded = packet.decode()
        except av.FFmpegError:  # damaged: go on with the next
            continue
        yield from (frame for frame in decoded if frame.pts is not None)


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


def _read(reader: str, path: str, count: int, bounds: VideoLimits) -> tuple[dict, bytes]:
    """The answer to one request: a header, and pixels if all is well."""
    read = {"decord": _read_decord, "pyav": _read_pyav}[reader]
    times, frames = [], []
    try:
        index = _list_frames(path, bounds)
        chosen = choose_frames(index.starts, index.duration, count)
        for seconds, pixels in read(path, index, chosen):
            scaled = _scaled(pixels, bounds.short_side)
            if not frames or scaled.shape == frames[0].shape:  # a stream can change its size
                times.append(round(seconds, 6))
                frames.append(scaled)
        if not frames:
            raise VideoError(
                f"No frame of {file_name(path)} can be decoded. It is damaged beyond use."
            )
    except VideoError as error:
        return {"error": str(error)}, b""
    pixels = np.stack(frames)
    header = {"shape": pixels.shape, "times": times, "duration": round(index.duration, 6)}
    return header, pixels.tobytes()


def _requests() -> queue.SimpleQueue:
    """Lines from the parent. When it is gone, so is this process, whatever it is doing."""
    lines: queue.SimpleQueue = queue.SimpleQueue()

    def listen() -> None:
        for line in sys.stdin.buffer:
            lines.put(line)
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    return lines


def _main() -> None:
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no answer
    requests = _requests()
    while True:
        reader, path, count, limits = json.loads(requests.get())
        path = os.fsdecode(bytes.fromhex(path))
        header, pixels = _read(reader, path, count, VideoLimits(**limits))
        answers.write(json.dumps(header).encode() + b"\n" + pixels)
        answers.flush()


if __name__ == "__main__":
    _main()
