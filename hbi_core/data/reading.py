"""Clips as pixels for an encoder, read by worker processes that live on."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from hbi_core.data.clips import Clip
from hbi_core.data.frames import read_frames
from hbi_core.data.views import random_views
from hbi_core.encoders import Encoder
from hbi_core.errors import VideoError, VideoTimeoutError
from hbi_core.inputs.video import Decoder, VideoLimits

# The files of a data set are trusted; what is larger or takes longer is a mistake.
LIMITS = VideoLimits(bytes=10_000_000_000, seconds=6 * 3600.0, reading_seconds=300.0)
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pixels:
    """A clip as its encoder takes it.

    Attributes:
        frames: [F, 3, S, S] of the encoder's dtype.
        views: as many random views as were asked for, [V, 3, S, S]; None for none.
    """

    frames: Tensor
    views: Tensor | None = None


class ClipReader:
    """Reads clips and prepares them for an encoder.

    Its workers are started by the first call and serve all others, each with one long-lived
    decoder; pixels come back through shared memory. What is read, and in which order, does not
    depend on their number.

    Args:
        encoder: prepares the frames.
        workers: processes that read; 0 reads in this one.
        limits: of a video.
        ahead: clips that are read before they are asked for, such as those of a batch, so that
            workers go on during a step; two a worker if that is more. They take shared memory: 12
            frames of 224 x 224 bytes are 1.7 MiB.
        listed: file to which each clip that could not be read is added, a line of id and reason.

    Attributes:
        unreadable: id of each clip that could not be read -> why.
    """

    def __init__(
        self,
        encoder: Encoder,
        *,
        workers: int = 0,
        limits: VideoLimits = LIMITS,
        ahead: int = 0,
        listed: Path | None = None,
    ) -> None:
        self.unreadable: dict[str, str] = {}
        self._listed = listed
        self._requests = _Requests()
        self._source = _Source(encoder, limits)
        self._loader: DataLoader[Any] | None = DataLoader(
            self._source,
            batch_size=None,
            sampler=self._requests,
            collate_fn=_as_it_is,
            num_workers=workers,
            persistent_workers=workers > 0,
            prefetch_factor=max(2, ahead // workers) if workers else None,
            generator=torch.Generator(),  # torch's own is left as it is, for a run that goes on
        )

    def __call__(
        self,
        clips: Sequence[Clip],
        frames: int,
        *,
        views: int = 0,
        degraded: float = 0.0,
        seed: int = 0,
        missing: str = "stop",
    ) -> Iterator[Pixels | None]:
        """The pixels of each clip, in this order. A call ends the one before it.

        Args:
            clips: to be read; the same one may come again.
            frames: of each, as `read_frames` takes them.
            views: random views beside them, of photographs.
            degraded: share of the views that look like frames of a video, see `random_views`.
            seed: of the views.
            missing: what to do about a clip that cannot be read: "stop", or "skip": give None
                for it, and log it the first time.

        Raises:
            VideoTimeoutError: a clip takes too long, whatever `missing` says: whether it does
                may depend on the load of the machine, and what is left out must not.
            VideoError: a clip cannot be read and `missing` is "stop".
            ValueError: the reader is closed.
        """
        if not clips:
            return  # and start no workers
        if self._loader is None:
            raise ValueError("this reader is closed")
        self._requests.now = [_Request(clip, frames, views, degraded, seed) for clip in clips]
        for clip, read in zip(clips, self._loader, strict=True):
            if isinstance(read, VideoTimeoutError):
                raise VideoTimeoutError(
                    f"{clip.id}: {read} It is not left out, so that results do not depend on the "
                    "load of the machine: take the file away, or allow more seconds "
                    "(video_limits.reading_seconds)."
                )
            if isinstance(read, VideoError):
                if missing == "stop":
                    raise read
                if clip.id not in self.unreadable:
                    self.unreadable[clip.id] = str(read)
                    self._tell(clip.id, str(read))
                read = None
            yield read

    def _tell(self, id: str, reason: str) -> None:
        _LOG.warning("%s is left out: %s", id, reason)
        if self._listed is not None:
            line = f"{id}\t{reason}\n".encode("utf-8", "backslashreplace")
            known = self._listed.read_bytes() if self._listed.is_file() else b""
            if line not in known.splitlines(keepends=True):  # of an earlier run, another process
                self._listed.parent.mkdir(parents=True, exist_ok=True)
                with self._listed.open("ab") as file:
                    file.write(line)

    def close(self) -> None:
        """End the workers and the decoders."""
        self._loader = None
        self._source.decoder.close()

    def __enter__(self) -> ClipReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Request(NamedTuple):
    """A clip, and what is asked of it."""

    clip: Clip
    frames: int
    views: int
    degraded: float
    seed: int


class _Requests:
    """What a reader is asked for at the moment, anew for each pass of its loader."""

    def __init__(self) -> None:
        self.now: list[_Request] = []

    def __iter__(self) -> Iterator[_Request]:
        return iter(self.now)

    def __len__(self) -> int:
        return len(self.now)


class _Source(Dataset):
    """Request -> pixels, or why there are none; in each worker with a decoder of its own."""

    def __init__(self, encoder: Encoder, limits: VideoLimits) -> None:
        self.encoder, self.limits, self.decoder = encoder, limits, Decoder()

    def __getitem__(self, request: _Request) -> Pixels | VideoError:
        clip, frames, views, degraded, seed = request
        try:
            read = read_frames(clip, frames, limits=self.limits, decoder=self.decoder).pixels
            drawn = None
            if views:
                chosen = np.random.default_rng([seed, *clip.id.encode("utf-8", "surrogatepass")])
                drawn = random_views(clip.files[0], views, chosen, degraded)
        except VideoError as error:
            return error
        prepare = self.encoder.prepare_frames
        return Pixels(prepare(read), None if drawn is None else prepare(drawn))


def _as_it_is(read: Any) -> Any:
    return read
