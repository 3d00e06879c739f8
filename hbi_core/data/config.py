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
        dataset: The data set is "msrvtt", "activitynet", "didemo", "msvd", "flickr8k", "folder"
            (one's own clips) or "synthetic"; of questions "msrvtt_qa",
            "flickr8k_questions" (made of its captions) or "synthetic_questions".
        root: The data set lies in this folder.
        train: This split is trained on; "train+validation", with validation null, is for the final
            run.
        validation: This split chooses the best checkpoint, never one with clips of the test split;
            with null, the last weights are kept.
        clips: Each split has so many clips at most, chosen by a hash of their ids; 0 takes all.
        frames: So many frames of each clip are read; a montage has as many of each photograph.
        words: A caption has so many text players at most; longer ones are cut.
        missing: Clips without a file are left out ("skip") or end the run ("stop").
        montages: This share of the training batches has samples of one to four photographs one
            after another, with their captions joined. It is only for photographs.
        validation_parts: Each montage that is validated on has so many photographs; with 1, there
            are single ones.
        views: The training frames are chosen from so many random views of each photograph.
        degraded: This share of the views are as frames of a video: one shot whose camera moves over
            the photograph, of low resolution, blurred and compressed.
        dissolves: In a montage of random views, the last view of a photograph is mixed with one of
            the next photograph in this share of the cuts. Frozen features are mixed, not pixels,
            which is near enough: the two pictures of a dissolve are seen one in the other.
        captions_per_clip: So many captions of each clip are drawn anew for each epoch; 0 takes them
            all.
        cache: Frozen features are kept in this folder; where several processes share the work and
            none is given, it is features/ in the folder of the run.
        workers: So many processes read clips, for training, validation and the cache; with 0, the
            training process reads them.
        video_limits: Videos beyond these limits are refused; one that takes longer to read ends the
            run.
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
    degraded: float = 0.0
    dissolves: float = 0.0
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
            **dict.fromkeys(("montages", "degraded", "dissolves"), SHARE),
        )
        for name, needed, value in (
            ("degraded", "views", self.views),
            ("dissolves", "views", self.views),
            ("dissolves", "montages", self.montages),
        ):
            if getattr(self, name) and not value:
                raise SettingsError(
                    f"data.{name} is {getattr(self, name)!r}, but there are no {needed}: set "
                    f"data.{needed} above 0, or data.{name}=0."
                )
        if self.validation and self.validation.endswith("test"):
            raise SettingsError(
                f"data.validation is {self.validation!r}: the best checkpoint must not be chosen "
                "on a test split. Use another one, or null for none."
            )
