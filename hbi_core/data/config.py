"""The settings of the data of a training run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hbi_core.data.files import MISSING_RULES
from hbi_core.data.reading import LIMITS
from hbi_core.errors import SettingsError
from hbi_core.inputs.video import VideoLimits
from hbi_core.settings import COUNT, OWN_PATH, SHARE, TEXT, check, one_of, optional, whole


@dataclass(frozen=True)
class DataConfig:
    """What is trained on.

    Attributes:
        dataset: "msrvtt", "activitynet", "didemo", "msvd", "flickr8k" or "synthetic".
        root: its folder.
        train: split to train on; "train+validation", with validation null, for the final run.
        validation: split that chooses the best checkpoint, never one with clips of the test split;
            None for none, so that the last weights are kept.
        clips: of each split at most, chosen by a hash of their ids; 0 takes all.
        frames: of each clip; a montage has as many of each photograph.
        words: text players at most; longer captions are cut.
        missing: what to do about clips without a file, "skip" or "stop".
        montages: share of the training batches whose samples are one to four photographs one after
            another, with their captions joined. Only for photographs.
        validation_parts: photographs of each montage that is validated on; 1 for single ones.
        views: random views of each photograph to choose the training frames from.
        captions_per_clip: captions of each clip in an epoch, drawn anew; 0 takes them all.
        cache: folder for frozen features; where several processes share the work and none is
            given, features/ in the folder of the run.
        workers: processes that read clips, for training, validation and the cache; 0 reads them in
            the training process.
        video_limits: what is refused; a video that takes longer to read stops the run.
    """

    dataset: str
    root: Path
    train: str = "train"
    validation: str | None = "validation"
    clips: int = 0
    frames: int = 12
    words: int = 24
    missing: str = "skip"
    montages: float = 0.0
    validation_parts: int = 1
    views: int = 0
    captions_per_clip: int = 0
    cache: Path | None = None
    workers: int = 2
    video_limits: VideoLimits = LIMITS

    def __post_init__(self) -> None:
        check(
            self,
            "data.",
            **dict.fromkeys(("dataset", "train"), TEXT),
            validation=optional(TEXT),
            cache=optional(OWN_PATH),
            **dict.fromkeys(("frames", "words", "validation_parts"), COUNT),
            **dict.fromkeys(("clips", "views", "captions_per_clip", "workers"), whole(0)),
            missing=one_of(MISSING_RULES),
            montages=SHARE,
        )
        if self.validation and self.validation.endswith("test"):
            raise SettingsError(
                f"data.validation is {self.validation!r}: the best checkpoint must not be chosen "
                "on a test split. Use another one, or null for none."
            )
