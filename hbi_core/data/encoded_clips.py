"""Videos as an encoder sees them, kept on disk by their content: a file for each."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from hbi_core.data.cache import content_name
from hbi_core.data.digests import Digests
from hbi_core.encoders import Encoder, encode_frames
from hbi_core.errors import CheckpointError, SettingsError, VideoError
from hbi_core.inputs.thumbnails import thumbnails_of
from hbi_core.inputs.video import Decoder, VideoLimits, checked_file, file_name, read_video
from hbi_core.tensor_file import read_tensors, write_tensors
from hbi_core.written import check_folder

CACHE_VARIABLE = "HBI_CACHE"  # of the environment
_THUMBNAIL = "thumbnail."
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class EncodedClip:
    """What is known of a video before any heads read it.

    Attributes:
        frames: float32 [F, Dv], features as the encoder gives them, on the CPU.
        times: seconds from the first frame of the video to each.
        duration: seconds.
        cached: the file in which it lies, with thumbnails.
    """

    frames: Tensor
    times: tuple[float, ...]
    duration: float
    cached: Path

    def thumbnail(self, frame: int) -> str:
        """The picture of a frame, a `data:` address.

        Raises:
            CheckpointError: the file is gone.
        """
        tensors, _ = read_tensors(self.cached, prefix=f"{_THUMBNAIL}{frame:02d}")
        return bytes(tensors[""].tolist()).decode("ascii")


class EncodedClips:
    """A folder with the features of videos; what is not there yet is encoded.

    A file depends on the content of its video, on the encoder with its weights and on the number of
    frames, and on nothing else: videos may be moved or renamed, and other heads trained. It is
    written at once, so that encoding can end at any time and go on later.

    Args:
        folder: made if it is not there; None takes `default_cache`.
        encoder: on its device, in evaluation mode.
        weights: its `weights_digest`.
        frames: of each video.
        limits: on a video, see VideoLimits.

    Raises:
        SettingsError: the folder cannot be written.
    """

    def __init__(
        self,
        folder: Path | None,
        encoder: Encoder,
        weights: str,
        frames: int,
        limits: VideoLimits | None = None,
    ) -> None:
        self.folder = default_cache() if folder is None else folder
        self.encoder, self.weights = encoder, weights
        self.frames, self.limits = frames, limits or VideoLimits()
        check_folder(self.folder, "cache=FOLDER")
        self.folder.mkdir(parents=True, exist_ok=True)

    def read(
        self,
        files: Mapping[str, Path],
        trusted: bool = False,
        waiting: Callable[[], object] | None = None,
    ) -> Iterator[tuple[str, EncodedClip | VideoError]]:
        """The videos one after another, and why one cannot be read.

        Args:
            files: video files by their names.
            trusted: whether one process may decode all of them; otherwise each has its own.
            waiting: called several times a second while a video is read; see `read_video`.

        Raises:
            SettingsError: the folder cannot be written any more.
        """
        digests = Digests(self.folder)
        try:
            with Decoder() if trusted else nullcontext() as decoder:
                for name, file in files.items():
                    try:
                        yield name, self._read(file, digests, decoder, waiting)
                    except VideoError as error:
                        yield name, error
        finally:
            digests.save()

    def _read(
        self,
        file: Path,
        digests: Digests,
        decoder: Decoder | None,
        waiting: Callable[[], object] | None,
    ) -> EncodedClip:
        content = digests.of(checked_file(file, self.limits))
        name = content_name(self.encoder, self.weights, content, self.frames, self.limits)
        cached = self.folder / name
        if cached.is_file():
            try:
                tensors, _ = read_tensors(cached, without=_THUMBNAIL)
                return _clip(tensors, cached)
            except (CheckpointError, KeyError):
                _LOG.warning("%s is damaged: %s is encoded again.", cached, file_name(file))
        read = decoder.read if decoder else read_video
        video = read(file, self.frames, self.limits, waiting)
        tensors = {
            "frames": encode_frames(self.encoder, video.frames).float().cpu(),
            "times": torch.tensor(video.times, dtype=torch.float64),
            "duration": torch.tensor(video.duration, dtype=torch.float64),
        }
        pictures = {
            f"{_THUMBNAIL}{number:02d}": torch.tensor(list(picture.encode()), dtype=torch.uint8)
            for number, picture in enumerate(thumbnails_of(video.frames))
        }
        try:
            write_tensors(cached, tensors | pictures, {})
        except OSError as error:
            raise SettingsError(
                f"{self.folder} cannot be written ({error.strerror}): make room, or choose another "
                "folder, cache=FOLDER."
            ) from error
        return _clip(tensors, cached)


def default_cache() -> Path:
    """Where features are kept if nobody says where: the folder that the environment's HBI_CACHE
    names, or hbi in the user's folder for caches."""
    if folder := os.environ.get(CACHE_VARIABLE):
        return Path(folder)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hbi"


def _clip(tensors: Mapping[str, Tensor], cached: Path) -> EncodedClip:
    times, duration = tuple(tensors["times"].tolist()), float(tensors["duration"])
    return EncodedClip(tensors["frames"], times, duration, cached)
