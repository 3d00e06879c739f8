"""The videos that were asked about last, ready for the next question, and what was told of them."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from explainers.timing import Clock, Progress
from hbi_core.checkpoints.checkpoint import Checkpoint
from hbi_core.chosen_model import choose_model, in_full
from hbi_core.encoders import Encoder
from hbi_core.encoders.loading import file_identity, weights_file
from hbi_core.errors import InputError, VideoError
from hbi_core.inputs.video import VideoLimits
from hbi_core.latest import Latest, content_of
from hbi_core.own_model import OWN, load_own_model
from hbi_core.own_predictor import AnyPredictor, OwnPredictor
from hbi_core.predictor import Predictor

_RESULTS = 16  # that are held, of each video
Result = TypeVar("Result")
ChooseModel = Callable[
    [str | Path | None, str, str, Progress | None], tuple[Encoder, Checkpoint]
]  # checkpoint, encoder, device, progress


class RecentVideos:
    """Predictors of the last videos, for a program that answers one request after another.

    A second caption on one of them costs the cheap half only, and what was asked before costs
    nothing. Videos are told apart by their content and name, models by the files they lie
    in. Safe for several threads.

    Args:
        videos: whose frames and players are held at most.
        models: whose heads are held at most.
        most_bytes: of the frames of all these videos together; the latest is held whatever it has.
            12 frames of 640 × 360 pixels have 8 MB, 64 of them 44 MB.
        unused_seconds: after which a video is dropped, when another one is asked about.
        clock: tells seconds.
        choose: loads the model that is asked for, as `choose_model`.

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
        choose: ChooseModel = choose_model,
    ) -> None:
        self._unused_seconds, self._choose = unused_seconds, choose
        self._videos = Latest[_Known](videos, clock, lambda kept: _pixel_bytes(kept) > most_bytes)
        self._models = Latest[AnyPredictor](models, clock)

    def result(
        self,
        key: Hashable,
        make: Callable[[AnyPredictor, bool], Result],
        video: Path,
        frames: int | None = None,
        limits: VideoLimits | None = None,
        checkpoint: str | Path | None = None,
        encoder: str = "auto",
        device: str = "cpu",
        progress: Progress | None = None,
    ) -> tuple[Result, bool]:
        """What is told of a video; what was told before, where the same was asked.

        Args:
            key: what is asked of the video, with all settings of it that are not among these
                arguments.
            make: tells it, by a predictor that has the video, and whether that was read for it by
                this call. The predictor is shared: for another video, copy it first.
            video: a video file.
            frames, limits: see `Predictor.set_video`.
            checkpoint, encoder, device: see `choose_model`; or the encoder is "own:module:factory",
                a model of one's own (`hbi_core.own_model`), which takes no checkpoint.
            progress: called with a fraction in [0, 1] and what is being done.

        Returns:
            What `make` returned, now or for the same key and arguments before, unless a file has
            changed since; and whether it was now.

        Raises:
            InputError: as `Predictor.set_video`, `choose_model` and `make`.

        Example:
            >>> recent, clip = RecentVideos(), Path("assets/clips/cafe.mp4")
            >>> def seconds(predictor, read):
            ...     return predictor.video.duration
            >>> recent.result("seconds", seconds, clip, frames=2)
            (8.0, True)
            >>> recent.result("seconds", seconds, clip, frames=2)
            (8.0, False)
        """
        known, read = self._known(video, frames, limits, checkpoint, encoder, device, progress)
        return known.results.get(key, lambda: make(known.predictor, read))

    def _known(
        self,
        video: Path,
        frames: int | None,
        limits: VideoLimits | None,
        checkpoint: str | Path | None,
        encoder: str,
        device: str,
        progress: Progress | None,
    ) -> tuple[_Known, bool]:
        self.forget(self._unused_seconds)
        model = checkpoint, encoder, device
        limits = limits or VideoLimits()

        def ready() -> _Known:
            predictor = copy.copy(self._loaded(*model, progress))
            predictor.set_video(video, frames, limits, progress)
            return _Known(predictor, Latest(_RESULTS))

        if frames is None:  # only the model knows how many; a video that is held needs none loaded
            frames = self._loaded(*model, progress).frames_of(frames)
        try:
            content = content_of(video)
        except OSError as error:
            raise VideoError(f"{video.name} cannot be read: {error.strerror}.") from error
        key = (*_model_key(*model), video.name, content, frames, limits)
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
            InputError: as `choose_model`; or it is a model of one's own, which has no players.

        Example:
            >>> recent = RecentVideos()
            >>> recent.model() is recent.model(encoder="lite")
            True
        """
        predictor = self._loaded(checkpoint, encoder, device, progress)
        if isinstance(predictor, Predictor):
            return predictor
        raise InputError(
            f"The model {encoder.removeprefix(OWN)} answers for one video and one caption, and no "
            "more: use an encoder of this program here."
        )

    def _loaded(
        self, checkpoint: str | Path | None, encoder: str, device: str, progress: Progress | None
    ) -> AnyPredictor:
        def loaded() -> AnyPredictor:
            if str(encoder).startswith(OWN):
                return OwnPredictor(load_own_model(encoder.removeprefix(OWN), checkpoint))
            return Predictor(*self._choose(checkpoint, encoder, device, progress))

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


@dataclass(frozen=True, eq=False)
class _Known:
    """A video that is ready, and what was told of it."""

    predictor: AnyPredictor
    results: Latest[Any]


def _pixel_bytes(kept: Collection[_Known]) -> int:
    videos = [known.predictor.video for known in kept]
    return sum(video.frames.nbytes for video in videos if video)
