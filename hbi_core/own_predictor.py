"""OwnPredictor: what `Predictor` is for our models, for a model of one's own; and what both are."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from explainers.timing import Progress, or_silence
from hbi_core.explanation import Explanation
from hbi_core.inputs.text import Caption, parse_caption
from hbi_core.inputs.video import Video, VideoLimits, read_video
from hbi_core.own_model import OwnModel, explain_answer
from hbi_core.predictor import USUAL_FRAMES, checked_frames


class AnyPredictor(Protocol):
    """What explains any number of captions of a video: our models, and models of one's own.

    Attributes:
        video: the frames that are looked at, or None before `set_video`.
    """

    video: Video | None

    def frames_of(self, frames: int | None) -> int:
        """See `Predictor.frames_of`."""

    def set_video(
        self,
        video: str | Path | Video,
        frames: int | None = None,
        limits: VideoLimits | None = None,
        progress: Progress | None = None,
    ) -> None:
        """See `Predictor.set_video`."""

    def explain(
        self,
        caption: str | Caption,
        weighting: str = "renormalised",
        progress: Progress | None = None,
        with_video: bool = False,
    ) -> Explanation:
        """See `Predictor.explain`."""


class OwnPredictor:
    """Explains any number of captions of a video that the model encodes once.

    Args:
        model: whose answers are explained.

    Attributes:
        name: of the model.
        video: the frames that are looked at, or None before `set_video`.
        video_seconds: wall-clock time of each step of `set_video`, read only.
    """

    def __init__(self, model: OwnModel) -> None:
        self._model = model
        self._encoded: Any = None
        self.name = model.name
        self.video: Video | None = None
        self.video_seconds: Mapping[str, float] = MappingProxyType({})

    def frames_of(self, frames: int | None) -> int:
        """As `Predictor.frames_of`: 12 where nothing was asked for."""
        return checked_frames(frames) or USUAL_FRAMES

    def set_video(
        self,
        video: str | Path | Video,
        frames: int | None = None,
        limits: VideoLimits | None = None,
        progress: Progress | None = None,
    ) -> None:
        """As `Predictor.set_video`."""
        tell, started = or_silence(progress), time.perf_counter()
        if not isinstance(video, Video):
            video = read_video(
                video, self.frames_of(frames), limits, lambda: tell(0.3, "Reading the video")
            )
        read = time.perf_counter()
        tell(0.5, f"Encoding the frames with {self.name}")
        self._encoded = self._model.encode(video.frames.copy())  # a model may write to it
        self.video = video
        self.video_seconds = MappingProxyType(
            {"decoding": read - started, "encoding": time.perf_counter() - read}
        )

    def explain(
        self,
        caption: str | Caption,
        weighting: str = "renormalised",
        progress: Progress | None = None,
        with_video: bool = False,
    ) -> Explanation:
        """As `Predictor.explain`; the explanation has one level.

        Raises:
            CaptionError: the caption has no word.
            OwnModelError: the model's answer cannot be explained.
            RuntimeError: no video was set.
        """
        if self.video is None:
            raise RuntimeError("set_video comes before explain")
        if isinstance(caption, str):
            caption = parse_caption(caption)
        started = time.perf_counter()
        or_silence(progress)(0.8, f"Asking {self.name}, and playing the game")
        words = tuple(word.text for word in caption.words)
        answer = self._model.answer(self._encoded, words)
        answered = time.perf_counter()
        explanation = explain_answer(answer, self.video, words, self.name, caption.text, weighting)
        seconds = dict(self.video_seconds) if with_video else {}
        seconds["answering"] = answered - started
        seconds["game"] = time.perf_counter() - answered
        return replace(explanation, words_left_out=caption.left_out, seconds=seconds)
