"""The videos that were asked about last, ready for the next caption."""

from __future__ import annotations

import copy
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from threading import Lock

from explainers.timing import Clock, Progress
from hbi_core.chosen_model import choose_model, in_full
from hbi_core.encoders.loading import file_identity, weights_file
from hbi_core.inputs.video import VideoLimits
from hbi_core.predictor import Predictor


class RecentVideos:
    """Predictors of the last videos, for a program that answers one request after another.

    A second caption on one of them costs the cheap half only. Files that were written anew are read
    anew. Safe for several threads.

    Args:
        videos: whose frames and players are held at most.
        models: whose heads are held at most.
        most_bytes: of the frames of all these videos together; the latest is held whatever it has.
            12 frames of 640 × 360 pixels have 8 MB, 64 of them 44 MB.
        unused_seconds: after which a video is dropped, when another one is asked about.
        clock: tells seconds.

    Example:
        >>> from hbi_core.pipeline import explain
        >>> recent = RecentVideos()
        >>> first = explain("assets/clips/cafe.mp4", "a cat", frames=2, recent=recent)
        >>> second = explain("assets/clips/cafe.mp4", "a cup", frames=2, recent=recent)
        >>> second.video is first.video
        True
    """

    def __init__(
        self,
        videos: int = 4,
        models: int = 2,
        most_bytes: int = 100_000_000,
        unused_seconds: float = math.inf,
        clock: Clock = time.monotonic,
    ) -> None:
        self._unused_seconds = unused_seconds
        self._videos = _Recent(videos, clock, most_bytes)
        self._models = _Recent(models, clock)

    def predictor(
        self,
        video: Path,
        frames: int | None = None,
        limits: VideoLimits | None = None,
        checkpoint: str | Path | None = None,
        encoder: str = "auto",
        device: str = "cpu",
        progress: Progress | None = None,
    ) -> tuple[Predictor, bool]:
        """A predictor that has this video. It is shared: for another video, copy it first.

        Args:
            video: a video file.
            frames, limits: see `Predictor.set_video`.
            checkpoint, encoder, device: see `choose_model`.
            progress: called with a fraction in [0, 1] and what is being done.

        Returns:
            The one that was returned for the same arguments before, unless a file has changed; and
            whether it is new, its video read by this call.

        Raises:
            InputError: as `Predictor.set_video` and `choose_model`.

        Example:
            >>> recent = RecentVideos()
            >>> clip = Path("assets/clips/cafe.mp4")
            >>> predictor, new = recent.predictor(clip, frames=2)
            >>> again, new_again = recent.predictor(clip, frames=2)
            >>> again is predictor, new, new_again
            (True, True, False)
        """
        self.forget(self._unused_seconds)
        model = checkpoint, encoder, device
        limits = limits or VideoLimits()

        def ready() -> Predictor:
            predictor = copy.copy(self.model(*model, progress))
            predictor.set_video(video, frames, limits, progress)
            return predictor

        if frames is None:  # only the model knows how many; a video that is held needs none loaded
            frames = self.model(*model, progress).frames_of(frames)
        key = (*_model_key(*model), video, file_identity(video), frames, limits)
        return self._videos.get(key, ready)

    def model(
        self,
        checkpoint: str | Path | None = None,
        encoder: str = "auto",
        device: str = "cpu",
        progress: Progress | None = None,
    ) -> Predictor:
        """A predictor without a video. It is shared: to set one, copy it first.

        Args:
            checkpoint, encoder, device: see `choose_model`.
            progress: called with a fraction in [0, 1] and what is being done.

        Returns:
            The one that was returned for the same arguments before, unless a file has changed.

        Raises:
            InputError: as `choose_model`.

        Example:
            >>> recent = RecentVideos()
            >>> recent.model() is recent.model(encoder="lite")
            True
        """

        def loaded() -> Predictor:
            return Predictor(*choose_model(checkpoint, encoder, device, progress))

        return self._models.get(_model_key(checkpoint, encoder, device), loaded)[0]

    def forget(self, unused_seconds: float) -> None:
        """Drop the videos that nobody asked about for as long.

        Args:
            unused_seconds: at least 0; 0 drops all.

        Example:
            >>> from hbi_core.pipeline import explain
            >>> recent = RecentVideos()
            >>> first = explain("assets/clips/cafe.mp4", "a cat", frames=2, recent=recent)
            >>> recent.forget(0)
            >>> second = explain("assets/clips/cafe.mp4", "a cat", frames=2, recent=recent)
            >>> second.video is first.video
            False
        """
        self._videos.drop(unused_seconds)


def _model_key(checkpoint: str | Path | None, encoder: str, device: str) -> tuple[Hashable, ...]:
    """The same asked for in other words is the same; a file that was written anew is not."""
    checkpoint, encoder = in_full(checkpoint, encoder)
    heads = None if checkpoint is None else Path(checkpoint)
    files = (heads, weights_file(encoder))
    return (*files, *map(file_identity, files), encoder, device)


class _Recent:
    """The last predictors and when each was used, by what they were made of; the latest last."""

    def __init__(self, most: int, clock: Clock, most_bytes: float = math.inf) -> None:
        self._kept: OrderedDict[Hashable, tuple[Predictor, float]] = OrderedDict()
        self._most, self._most_bytes = most, most_bytes
        self._clock, self._lock = clock, Lock()

    def get(self, key: Hashable, make: Callable[[], Predictor]) -> tuple[Predictor, bool]:
        """A predictor, and whether it was made now."""
        with self._lock:
            known, _ = self._kept.get(key, (None, 0.0))
        predictor = known or make()  # two threads may make the same: none waits for another
        with self._lock:
            self._kept[key] = predictor, self._clock()
            self._kept.move_to_end(key)
            while len(self._kept) > self._most or (len(self._kept) > 1 and self._too_large()):
                self._kept.popitem(last=False)
        return predictor, known is None

    def _too_large(self) -> bool:
        videos = (predictor.video for predictor, _ in self._kept.values())
        return sum(video.frames.nbytes for video in videos if video) > self._most_bytes

    def drop(self, unused_seconds: float) -> None:
        latest = self._clock() - unused_seconds
        with self._lock:
            for key in [key for key, (_, used) in self._kept.items() if used <= latest]:
                del self._kept[key]
