"""Real clips one after another in one file, so that it is known what each frame shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count, islice, repeat
from pathlib import Path

import av
import numpy as np

WIDTH, HEIGHT, RATE = 320, 240, 24
FORMAT = "yuv420p"  # of pixels, as nearly every clip has them: colours are not converted
_ROUNDING = 1e-6  # seconds, of times as floats


def join_clips(clips: Sequence[Path], target: Path, seconds: float) -> None:
    """Write the beginnings of clips as one MP4, all in one size.

    Args:
        clips: video files that play upright.
        target: the file.
        seconds: of each clip; one that is shorter stays at its last picture.
    """
    with av.open(str(target), "w") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, FORMAT
        for clip in clips:
            for picture in islice(_pictures(clip), round(seconds * RATE)):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, FORMAT)))
        container.mux(stream.encode())


def _pictures(clip: Path) -> Iterator[np.ndarray]:
    """What a clip shows every 1 / RATE of a second, in `FORMAT`; its last picture forever."""
    ticks = count()
    with av.open(str(clip)) as container:
        frames = container.decode(video=0)
        first = next(frames)
        shown, tick = _scaled(first), next(ticks)
        for frame in frames:
            while tick / RATE < frame.time - first.time - _ROUNDING:
                yield shown
                tick = next(ticks)
            shown = _scaled(frame)
    yield from repeat(shown)


def _scaled(frame: av.VideoFrame) -> np.ndarray:
    return frame.reformat(WIDTH, HEIGHT, FORMAT).to_ndarray()
