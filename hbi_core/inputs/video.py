"""A video file as a few frames with their times.

Decoders are C libraries that can hang or crash on a damaged file, so they run in a child process
(hbi_core.inputs.decoding) that is killed on a time limit.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent import futures
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from hbi_core.errors import VideoError, VideoTimeoutError
from hbi_core.inputs.thumbnails import picture_of, thumbnails_of
from hbi_core.settings import COUNT, POSITIVE, check

_USUAL_PIXELS = 1920 * 1080  # of a picture; larger ones get more time
_LONG_NAME = 120  # letters; more of a name are not shown
_BETWEEN_CALLS = 0.2  # seconds
_MOST_PATIENCE = 4.0  # times the usual limit: 4K has four times the pixels


@dataclass(frozen=True)
class VideoLimits:
    """What is refused, so that one file cannot occupy the machine.

    Attributes:
        bytes: A file has so many bytes at most.
        seconds: A video is so long at most.
        reading_seconds: Reading takes so long at most; pictures larger than 1920 x 1080 have as
            many times more, up to four times.
        short_side: Larger frames are scaled down so that their short side has this many pixels.

    Raises:
        SettingsError: a limit is not above 0.
    """

    bytes: int = 500_000_000
    seconds: float = 3600.0
    reading_seconds: float = 30.0
    short_side: int = 360

    def __post_init__(self) -> None:
        check(self, bytes=COUNT, seconds=POSITIVE, reading_seconds=POSITIVE, short_side=COUNT)


@dataclass(frozen=True, eq=False)
class Video:
    """Frames chosen from a video.

    Attributes:
        frames: uint8 [F, H, W, 3], RGB in [0, 255], upright, with square pixels, HDR mapped to
            SDR. Where a video changes its size, all are in the largest shape, with black around.
        times: seconds from the first frame of the video to each frame, increasing.
        duration: seconds.
        name: file name, without its folder.
        kept_thumbnails: where the frames were read from an explanation.json, its thumbnails, from
            which they were made; empty if it had none, and frames are grey. None of a video.
    """

    frames: np.ndarray
    times: tuple[float, ...]
    duration: float
    name: str
    kept_thumbnails: tuple[str, ...] | None = None

    @cached_property
    def thumbnails(self) -> tuple[str, ...]:
        """The frames as small JPEG pictures in `data:` addresses; empty where none are known."""
        if self.kept_thumbnails is None:
            return thumbnails_of(self.frames)
        return self.kept_thumbnails

    @cached_property
    def pictures(self) -> np.ndarray:
        """uint8 [F, h, w, 3]: the thumbnails, which figures draw, so that they are the same ones
        where the video is not there any more."""
        if self.kept_thumbnails is not None:
            return self.frames
        return np.stack([picture_of(thumbnail) for thumbnail in self.thumbnails])


def read_video(
    path: str | bytes | os.PathLike,
    frames: int = 12,
    limits: VideoLimits | None = None,
    waiting: Callable[[], object] | None = None,
) -> Video:
    """Read frames at the mid-points of equal segments of a video, in a process of its own.

    Args:
        path: a file in a container of hbi_core.inputs.packets that FFmpeg can decode: MP4, MOV,
            MKV, WebM, AVI, MPEG-TS and -PS, FLV, ASF, Ogg, MXF, GIF, APNG, and more. No address,
            no list of files. Files written one after another into one count as one video.
        frames: frames wanted, at least 1. A video with fewer gives all that it has.
        limits: see VideoLimits.
        waiting: called at once and several times a second; what it raises ends the reading, and
            is passed on.

    Raises:
        VideoError: the file is missing, too large, no video, without a video stream, damaged
            beyond use or for more than a quarter at a stretch, too long, or takes too long to
            read. The message says which.
        InputError: `frames` is no whole number above 0.
    """
    with Decoder() as decoder:
        return decoder.read(path, frames, limits, waiting)


class Decoder:
    """A child process that decodes one video after another.

    It is started when first used, in the process that uses it, and started anew after a hang or a
    crash. It ends with its parent, and serves one thread. For files that are trusted: a hostile one
    might linger in the process, so `read_video` takes a new one for every file.
    """

    def __init__(self) -> None:
        self._child: subprocess.Popen | None = None
        self._parent = 0

    def read(
        self,
        path: str | bytes | os.PathLike,
        frames: int = 12,
        limits: VideoLimits | None = None,
        waiting: Callable[[], object] | None = None,
    ) -> Video:
        """As `read_video`."""
        from hbi_core.checks import whole_number  # brings torch, which the child needs not

        limits = limits or VideoLimits()
        frames = whole_number(frames, "{} frames were asked for", 1)
        return self._read(checked_file(path, limits), frames, limits, waiting or (lambda: None))

    def close(self) -> None:
        """End the child process."""
        child, self._child = self._child, None
        if child is not None and self._parent == os.getpid():  # not that of a forked process
            child.kill()
            child.communicate()

    def __enter__(self) -> Decoder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple:
        return Decoder, ()

    def _read(
        self, path: Path, frames: int, limits: VideoLimits, waiting: Callable[[], object]
    ) -> Video:
        child = self._started()
        request = json.dumps([os.fsencode(path.resolve()).hex(), frames, asdict(limits)])
        told: dict[str, Any] = {}
        with TimeLimit(child, limits.reading_seconds) as limit, ThreadPoolExecutor(1) as listener:
            answer = listener.submit(_answer, child, request, told, limit)
            try:
                waiting()
                while not futures.wait([answer], _BETWEEN_CALLS).done:
                    waiting()
            except BaseException:
                child.kill()
                futures.wait([answer])
                self.close()
                raise
        pixels = answer.result()
        if limit.is_over:
            self.close()
            raise VideoTimeoutError(too_slow(path, limit.seconds, told))
        if "error" in told:
            raise VideoError(told["error"])
        if "shape" not in told or len(pixels) < math.prod(told["shape"]):
            self.close()
            raise VideoError(
                f"{file_name(path)} cannot be read: the decoder crashed. The file is probably "
                "damaged; convert it to MP4 (H.264)."
            )
        return Video(
            np.frombuffer(pixels, np.uint8).reshape(told["shape"]),
            tuple(told["times"]),
            told["duration"],
            file_name(path),
        )

    def _started(self) -> subprocess.Popen:
        child = self._child
        if child is None or child.poll() is not None or self._parent != os.getpid():
            self.close()
            package_root = str(Path(__file__).resolve().parents[2])
            search_path = os.pathsep.join(
                filter(None, [package_root, os.environ.get("PYTHONPATH")])
            )
            child = self._child = subprocess.Popen(
                [sys.executable, "-m", "hbi_core.inputs.decoding"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": search_path},
            )
            self._parent = os.getpid()
        return child


def _answer(child: subprocess.Popen, request: str, told: dict, limit: TimeLimit) -> bytes:
    """The pixels that the child answers, as far as they come; `told` gets what it says of them."""
    assert child.stdin  # a pipe, as the next one is
    assert child.stdout
    pixels = b""
    with contextlib.suppress(OSError):
        child.stdin.write(request.encode() + b"\n")
        child.stdin.flush()
        while not {"shape", "error"} & set(told):
            line = child.stdout.readline()
            if not line.endswith(b"\n"):  # it is gone
                break
            part = json.loads(line)
            told |= part
            if "size" in part:
                limit.extend(part["size"])
        pixels = child.stdout.read(math.prod(told.get("shape", [0])))
    return pixels


class TimeLimit:
    """Kills a process when its time is over."""

    def __init__(self, child: subprocess.Popen, seconds: float) -> None:
        self.seconds, self.is_over = seconds, False
        self._child, self._started = child, time.monotonic()
        self._timer = self._running(seconds)

    def extend(self, size: tuple[int, int]) -> None:
        """More time for pictures of this width and height, if they are large."""
        self._timer.cancel()
        self.seconds *= min(max(math.prod(size) / _USUAL_PIXELS, 1.0), _MOST_PATIENCE)
        self._timer = self._running(self._started + self.seconds - time.monotonic())

    def _running(self, seconds: float) -> threading.Timer:
        timer = threading.Timer(seconds, self._end)
        timer.daemon = True
        timer.start()
        return timer

    def _end(self) -> None:
        self.is_over = True
        self._child.kill()

    def __enter__(self) -> TimeLimit:
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._timer.join()


def too_slow(path: Path, seconds: float, told: dict) -> str:
    """What is said then; `told` is what the child said of the video before."""
    begin = f"Reading {file_name(path)} took longer than {seconds:g} s, so it was stopped."
    if "size" not in told:
        return f"{begin} The file may be damaged; convert it to MP4 (H.264), or cut a shorter clip."
    width, height = told["size"]
    return (
        f"{begin} It has {told['pictures']:,} pictures of {width} x {height}: cut a shorter clip, "
        "or lower its resolution."
    )


def checked_file(given: str | bytes | os.PathLike, limits: VideoLimits) -> Path:
    """The path of a video file, which is not opened yet.

    Raises:
        VideoError: it is not there, may not be read, is empty or too large.
    """
    try:
        told = os.fsdecode(given)
    except TypeError as error:
        raise VideoError(
            f"A video is given by the path of its file; {given!r:.80} is none."
        ) from error
    path = Path(told)
    try:
        is_there, is_readable = path.is_file(), os.access(path, os.R_OK)
    except (OSError, ValueError):  # a name that is too long or has characters that no file has
        is_there = is_readable = False
    if not is_there:
        raise VideoError(_what_is_not_there(told, isinstance(given, os.PathLike)))
    if not is_readable:
        raise VideoError(f"{file_name(path)} may not be read. Change its permissions.")
    size = path.stat().st_size
    if size == 0:
        raise VideoError(f"{file_name(path)} is empty (0 bytes). Was it fully uploaded?")
    if size > limits.bytes:
        raise VideoError(
            f"{file_name(path)} is too large: {size / 1e6:,.0f} MB, the limit is "
            f"{limits.bytes / 1e6:,.0f} MB. Cut a shorter clip or lower its resolution."
        )
    return path


def _what_is_not_there(told: str, is_path: bool) -> str:
    """Why there is no file of that name; paths have lost one of two slashes."""
    told = told.encode("utf-8", "replace").decode("utf-8")
    if not told:
        return "The path of the video is empty. Choose a file."
    scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/|data:", told)
    if scheme and is_path:
        told = re.sub(r"(?<=:)/(?!/)", "//", told, count=1)
    if len(told) > _LONG_NAME:
        told = f"{told[:_LONG_NAME]}…"
    if scheme:
        return f"{told} is an address, not a file. Download the video first."
    return f"There is no video file {told}."


def file_name(path: str | Path) -> str:
    """The name of a file as text, whatever bytes it is made of."""
    return os.fsencode(Path(path).name).decode("utf-8", "replace")
