"""Decoding, in a process of its own: python -m hbi_core.decoding.

The file is read twice. The first pass lists the packets: which pictures there are, when they are
shown and where decoding can start. The second decodes what the wanted pictures need. Nothing seeks,
and a picture is known by the number of its packet, which the decoder carries through, so its time
is its own whatever the container says of the order. Passing over packets costs next to nothing.

A request is a line of JSON. The answer is one line that tells the size of the video, then one with
the times, then the pixels of the frames; or one line with an error.
"""

from __future__ import annotations

import gc
import json
import os
import queue
import sys
import threading
from collections import deque
from collections.abc import Iterator

import av
import numpy as np

from hbi_core.errors import VideoError
from hbi_core.packets import Pictures, list_pictures, open_video, packets_of
from hbi_core.picture import as_one_size, picture
from hbi_core.timeline import choose_frames
from hbi_core.video import VideoLimits, file_name

_COLOURS = ("color_trc", "color_primaries", "colorspace")
_UNSPECIFIED = 2  # of each of them, ITU-T H.273
_FEW_PIXELS = 640 * 480  # up to here one thread is as good as several


class _DisagreementError(Exception):
    """The decoder shows that the file's packets tell something else; `pictures` is what is left."""

    def __init__(self, pictures: Pictures) -> None:
        super().__init__()
        self.pictures = pictures


def _decode(
    path: str, pictures: Pictures, wanted: list[int], short_side: int
) -> dict[int, np.ndarray]:
    """Pictures by their rank. One that cannot be decoded gives way to the next that can, which is
    given once."""
    container, stream = open_video(path)
    found, owed = {}, deque(wanted)
    with container:
        context = stream.codec_context
        context.thread_type = "AUTO"
        context.thread_count = 1 if context.width * context.height <= _FEW_PIXELS else 0
        of_container = stream.sample_aspect_ratio
        if of_container == context.sample_aspect_ratio:
            of_container = None  # the stream itself says it, and may change it
        colours = {name: getattr(context, name) for name in _COLOURS}
        begin = count = None
        for number, frame in _frames(container, stream, pictures, owed):
            if number != begin:
                begin, count, latest = number, 0, -1
                is_checked = begin == 0 or pictures.ranks[begin] < 0
            if pictures.counted:
                rank = min(pictures.ranks[begin] + count, len(pictures.starts) - 1)
                count += 1
            else:
                if pictures.moments[frame.pts] < pictures.moments[begin]:
                    continue  # shown before the picture where decoding started: not whole
                rank = pictures.ranks[frame.pts]
            if not is_checked and (frame.pts != begin or not frame.key_frame):
                raise _DisagreementError(pictures.without_entries())
            is_checked = True
            if rank < latest and not pictures.stamped:
                raise _DisagreementError(pictures.as_decoded())
            latest = rank
            if rank >= owed[0]:
                for name, of_file in colours.items():
                    if getattr(frame, name) == _UNSPECIFIED:  # what only the container says
                        setattr(frame, name, of_file)
                aspect = float(of_container or context.sample_aspect_ratio or 1)
                found[int(rank)] = picture(frame, aspect, short_side)
                while owed and owed[0] <= rank:
                    owed.popleft()
                if not owed:
                    break
    return found


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
        pictures = list_pictures(path)
        if pictures.duration > limits.seconds:
            raise VideoError(
                f"{file_name(path)} is too long: {pictures.duration / 60:,.0f} minutes, the limit "
                f"is {limits.seconds / 60:,.0f}. Cut the part that the caption describes."
            )
        yield {"size": pictures.size, "pictures": len(pictures.starts)}
        wanted = choose_frames(pictures.starts, pictures.duration, count).tolist()
        found = None
        while found is None:
            try:
                found = _decode(path, pictures, wanted, limits.short_side)
            except _DisagreementError as error:
                pictures = error.pictures
        gc.collect()  # streams and containers refer to each other, and hold memory
        if not found:
            raise VideoError(
                f"No frame of {file_name(path)} can be decoded. It is damaged beyond use."
            )
    except VideoError as error:
        yield {"error": str(error)}
        return
    pixels = as_one_size(list(found.values()))
    times = [round(float(pictures.starts[rank]), 6) for rank in found]
    yield {"shape": pixels.shape, "times": times, "duration": round(pictures.duration, 6)}
    yield pixels.tobytes()


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
