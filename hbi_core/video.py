"""A video file as a few frames with their times.

Decoders are C libraries that can hang or crash on a damaged file, so they run in a child process
(hbi_core.decoding) that is killed on a time limit.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from hbi_core.errors import VideoError

READERS = ("decord", "pyav")


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
        raise VideoError(f"There is no video file {os.fsencode(path).decode('utf-8', 'replace')}.")
    size = path.stat().st_size
    if size == 0:
        raise VideoError(f"{file_name(path)} is empty (0 bytes). Was it fully uploaded?")
    if size > limits.bytes:
        raise VideoError(
            f"{file_name(path)} is too large: {size / 1e6:,.0f} MB, the limit is "
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
            [sys.executable, "-m", "hbi_core.decoding", reader, str(path.resolve()), str(frames),
             json.dumps(asdict(limits))],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=limits.reading_seconds,
            env={**os.environ, "PYTHONPATH": search_path}, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise VideoError(
            f"Reading {file_name(path)} took longer than {limits.reading_seconds:g} s, so it was "
            "stopped. The file may be damaged; convert it to MP4 (H.264), or cut a shorter clip."
        ) from error
    line, _, pixels = child.stdout.partition(b"\n")
    if child.returncode != 0 or not line:
        raise VideoError(
            f"{file_name(path)} cannot be read: the decoder crashed. The file is probably damaged; "
            "convert it to MP4 (H.264)."
        )
    header = json.loads(line)
    if "error" in header:
        raise VideoError(header["error"])
    return Video(
        np.frombuffer(pixels, np.uint8).reshape(header["shape"]),
        tuple(header["times"]),
        header["duration"],
        file_name(path),
        reader,
    )


def file_name(path: str | Path) -> str:
    """The name of a file as text, whatever bytes it is made of."""
    return os.fsencode(Path(path).name).decode("utf-8", "replace")
