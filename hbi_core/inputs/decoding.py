"""Decoding, in a process of its own: python -m hbi_core.inputs.decoding.

The file is read twice. The first pass lists the packets: which pictures there are, when they are
shown and where decoding can start. The second decodes what the wanted pictures need. Nothing seeks,
and a picture is known by the number of its packet, which the decoder carries through, so its time
is its own whatever the container says of the order. Passing over packets costs next to nothing.

A request is a line of JSON. The answer is one line that tells the size of the video, then one with
the times, then the pixels of the frames; or one line with an error.
"""

from __future__ import annotations

import contextlib
import gc
import json
import math
import os
import queue
import sys
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

import av
import numpy as np

from hbi_core.errors import VideoError
from hbi_core.inputs.joined import parts_of
from hbi_core.inputs.packets import Pictures, list_pictures, open_video, packets_of
from hbi_core.inputs.picture import as_one_size, picture
from hbi_core.inputs.timeline import choose_frames
from hbi_core.inputs.video import VideoLimits, file_name

_COLOURS = ("color_trc", "color_primaries", "colorspace")
_UNSPECIFIED = 2  # of each of them, ITU-T H.273
_FEW_PIXELS = 640 * 480  # up to here one thread is as good as several
_FAR = 0.25  # of the duration: what stands in for a lost picture is nearer


class _DisagreementError(Exception):
    """The decoder shows that the file's packets tell something else; `pictures` is what is left."""

    def __init__(self, pictures: Pictures) -> None:
        super().__init__()
        self.pictures = pictures


def _decode(
    path: str, pictures: Pictures, wanted: list[int], short_side: int
) -> dict[int, np.ndarray]:
    """Pictures by their rank, increasing, one for each that is wanted.

    One that cannot be decoded gives way to the nearest after it that can and is not given yet;
    where there is none, to the nearest before.

    Raises:
        VideoError: what would stand in is too far away.
    """
    owed, found, last = deque(wanted), {}, -1
    for last, frame in _shown(path, pictures, owed):
        if last >= owed[0]:
            _check_distance(path, pictures, owed.popleft(), last)
            found[last] = frame.picture(short_side)
            if not owed:
                return found
    left = [rank for rank in range(last + 1) if rank not in found][-len(owed) :]
    whole = replace(pictures, skips=False)
    near = {rank for rank, _ in _shown(path, whole, deque([left[0] if left else 0]))}
    others = sorted(near - set(found))[-len(owed) :]
    if near:
        _check_distance(path, pictures, owed[-1], max(near))
    if others:
        exact = deque(others)
        for rank, frame in _shown(path, pictures, exact):
            if rank == exact[0]:
                found[rank] = frame.picture(short_side)
                exact.popleft()
                if not exact:
                    break
    return dict(sorted(found.items()))


def _check_distance(path: str, pictures: Pictures, wanted: int, given: int) -> None:
    """A picture may stand in for another that is not far away."""
    begin, end = sorted(float(pictures.starts[rank]) for rank in (wanted, given))
    if end - begin > _FAR * pictures.duration:
        if given < wanted:
            end = pictures.duration
        raise VideoError(
            f"{file_name(path)} cannot be decoded from {begin:.1f} s to {end:.1f} s of "
            f"{pictures.duration:.1f} s: it is damaged there, or in another coding than the rest. "
            "Cut that part off, or download or record it again."
        )


@dataclass(frozen=True)
class _Frame:
    """What the decoder gave, and what only the container says of it."""

    frame: av.VideoFrame
    pixel_aspect: float
    colours: dict[str, int]

    def picture(self, short_side: int) -> np.ndarray:
        for name, of_file in self.colours.items():
            if getattr(self.frame, name) == _UNSPECIFIED:
                setattr(self.frame, name, of_file)
        return picture(self.frame, self.pixel_aspect, short_side)


def _shown(path: str, pictures: Pictures, owed: deque) -> Iterator[tuple[int, _Frame]]:
    """The pictures that lead to those owed, and all after the last, each with its rank."""
    container, stream = open_video(path)
    with container:
        context = stream.codec_context
        context.thread_type = "AUTO"
        context.thread_count = 1 if context.width * context.height <= _FEW_PIXELS else 0
        of_container = stream.sample_aspect_ratio
        if of_container == context.sample_aspect_ratio:
            of_container = None  # the stream itself says it, and may change it
        colours = {name: getattr(context, name) for name in _COLOURS}
        begin, count, latest, is_checked = None, 0, -1, False
        for number, frame in _frames(container, stream, pictures, owed):
            if number != begin:
                begin, count, latest = number, 0, -1
                is_checked = begin == 0 or pictures.ranks[begin] < 0
            if pictures.counted:
                rank = min(int(pictures.ranks[begin]) + count, len(pictures.starts) - 1)
                count += 1
            else:
                if pictures.moments[frame.pts] < pictures.moments[begin]:
                    continue  # shown before the picture where decoding started: not whole
                rank = int(pictures.ranks[frame.pts])
            if not is_checked and (frame.pts != begin or not frame.key_frame):
                raise _DisagreementError(pictures.without_entries())
            is_checked = True
            if rank < latest and not pictures.stamped:
                raise _DisagreementError(pictures.as_decoded())
            latest = rank
            if rank >= 0:
                aspect = float(of_container or context.sample_aspect_ratio or 1)
                yield rank, _Frame(frame, aspect, colours)


def _frames(container, stream, pictures: Pictures, owed: deque) -> Iterator[tuple]:
    """Decoded frames that lead to those owed, each with the packet where their decoding began.

    The stamp of a frame is the number of its packet.
    """
    context = stream.codec_context
    exact = {int(pictures.numbers[rank]) for rank in owed}
    begin = target = None
    for number, packet in enumerate(packets_of(container, stream)):
        if target != owed[0]:
            target = owed[0]
            needed = pictures.begin(target)
        if needed > number:
            begin = None
            continue
        if begin is None:
            begin = number
            if context.is_open:
                context.flush_buffers()
        packet.pts = packet.dts = number
        skips = pictures.skips and number not in exact
        context.skip_frame = "NONREF" if skips else "DEFAULT"
        yield from ((begin, frame) for frame in _decoded(context, packet))
    if begin is not None:
        yield from ((begin, frame) for frame in _decoded(context, None))


def _decoded(context, packet) -> list:
    """What a packet, or the end, brings out of a decoder; nothing if it is damaged."""
    try:
        return [frame for frame in context.decode(packet) if frame.pts is not None]
    except av.FFmpegError:
        return []


def answer(path: str, count: int, limits: VideoLimits) -> Iterator[dict | bytes]:
    """The answer to one request, part by part."""
    try:
        files, parts = parts_of(path), []
        for number, part in enumerate(files):
            with _named(number, len(files)):
                parts.append((part, list_pictures(part)))
        begins = np.cumsum([0.0, *(pictures.duration for _, pictures in parts)])
        *begins, duration = begins.tolist()
        if duration > limits.seconds:
            raise VideoError(
                f"{file_name(path)} is too long: {duration / 60:,.0f} minutes, the limit "
                f"is {limits.seconds / 60:,.0f}. Cut the part that the caption describes."
            )
        size = max((pictures.size for _, pictures in parts), key=math.prod)
        starts = [
            begin + pictures.starts for begin, (_, pictures) in zip(begins, parts, strict=True)
        ]
        yield {"size": size, "pictures": sum(map(len, starts))}
        wanted = choose_frames(np.concatenate(starts), duration, count)
        found, first = {}, 0
        for number, (part, pictures) in enumerate(parts):
            here = wanted[(wanted >= first) & (wanted < first + len(pictures.starts))] - first
            first += len(pictures.starts)
            if len(here):
                with _named(number, len(parts)):
                    decoded = _of_part(part, pictures, here.tolist(), limits.short_side)
                for rank, pixels in decoded.items():
                    found[begins[number] + float(pictures.starts[rank])] = pixels
        gc.collect()  # streams and containers refer to each other, and hold memory
    except VideoError as error:
        yield {"error": str(error)}
        return
    pixels = as_one_size(list(found.values()))
    times = [round(time, 6) for time in found]
    yield {"shape": pixels.shape, "times": times, "duration": round(duration, 6)}
    yield pixels.tobytes()


@contextlib.contextmanager
def _named(number: int, count: int) -> Iterator[None]:
    """What is wrong with a part is said of that part."""
    try:
        yield
    except VideoError as error:
        if count == 1:
            raise
        raise VideoError(f"Recording {number + 1} of {count} that are joined: {error}") from error


def _of_part(
    path: str, pictures: Pictures, wanted: list[int], short_side: int
) -> dict[int, np.ndarray]:
    """As `_decode`, with what is told of the pictures put right where the decoder shows it."""
    while True:
        try:
            found = _decode(path, pictures, wanted, short_side)
        except _DisagreementError as error:
            pictures = error.pictures
            continue
        if not found:
            raise VideoError(
                f"No frame of {file_name(path)} can be decoded. It is damaged beyond use."
            )
        return found


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
    gc.freeze()  # what stays need not be looked through after every video
    while True:
        path, count, limits = json.loads(requests.get())
        for part in answer(os.fsdecode(bytes.fromhex(path)), count, VideoLimits(**limits)):
            answers.write(json.dumps(part).encode() + b"\n" if isinstance(part, dict) else part)
            answers.flush()


if __name__ == "__main__":
    _main()
