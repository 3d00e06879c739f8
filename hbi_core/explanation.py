"""What explain() returns: the players, games and interactions of three levels."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from explainers import Interactions, SimilarityGame
from hbi_core.inputs.video import Video


@dataclass(frozen=True)
class VideoToken:
    """A video player: the frames it stands for, as indices into the chosen frames."""

    frames: tuple[int, ...]


@dataclass(frozen=True)
class TextToken:
    """A text player: the words it stands for, as indices into the entity level's text players."""

    words: tuple[int, ...]
    text: str


@dataclass(frozen=True, eq=False)
class Level:
    """One level of an explanation. Rows are video tokens, columns text tokens.

    Attributes:
        name: "entity", "action" or "event".
        score: S of Eq. 1 at this level. A released checkpoint counts padding too, which is no
            player here.
        similarity: float64 [V, T], cosine similarities.
        video_logits, text_logits: float64 [V], [T], token weights before the softmax.
        interactions: Interactions with values [V, T].
    """

    name: str
    score: float
    video_tokens: tuple[VideoToken, ...]
    text_tokens: tuple[TextToken, ...]
    similarity: Tensor
    video_logits: Tensor
    text_logits: Tensor
    interactions: Interactions

    def game(self, weighting: str) -> SimilarityGame:
        """The game that the tokens of this level play, float64 on the CPU.

        Args:
            weighting: "renormalised" or "fixed"; `Explanation.weighting` is the one of the
                interactions.
        """
        return SimilarityGame(
            self.similarity, self.video_logits, self.text_logits, weighting=weighting
        )

    def to_dict(self) -> dict:
        return {
            "name": self.name,
            "score": self.score,
            "video_tokens": [{"frames": list(token.frames)} for token in self.video_tokens],
            "text_tokens": [{"words": list(t.words), "text": t.text} for t in self.text_tokens],
            "similarity": self.similarity.tolist(),
            "video_logits": self.video_logits.tolist(),
            "text_logits": self.text_logits.tolist(),
            "interactions": self.interactions.values.tolist(),
            "method": self.interactions.method,
        }


@dataclass(frozen=True, eq=False)
class Explanation:
    """How a video and a caption fit together, at three levels.

    Attributes:
        caption: as it was given.
        video: the frames that were looked at.
        encoder, checkpoint, weighting: what ran; checkpoint is "untrained" without heads.
        levels: entity, action, event.
        words_left_out: words of the caption, and parts of words, that were not read: those that
            the encoder cannot read, then those beyond a limit.
        words_unreadable: the first of these.
        seconds: wall-clock time of each step: decoding, encoding, merging, game.
    """

    caption: str
    video: Video
    encoder: str
    checkpoint: str
    weighting: str
    levels: tuple[Level, ...]
    words_left_out: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    words_unreadable: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """What its files are named after: the video, without its suffix."""
        return Path(self.video.name).stem

    @property
    def left_out_why(self) -> dict[str, tuple[str, ...]]:
        """The words that were left out, by a phrase that says why."""
        beyond = self.words_left_out[len(self.words_unreadable) :]
        reasons = {
            f"Words that the encoder {self.encoder} cannot read": self.words_unreadable,
            "Words beyond the limit": beyond,
        }
        return {reason: words for reason, words in reasons.items() if words}

    def to_dict(self) -> dict:
        """The contents of explanation.json; schema in the README."""
        return {
            "schema": "hbi-explanation/1",
            "caption": self.caption,
            "words_left_out": list(self.words_left_out),
            "words_unreadable": list(self.words_unreadable),
            "video": {
                "name": self.video.name,
                "duration_seconds": self.video.duration,
                "frame_times": list(self.video.times),
            },
            "model": {
                "encoder": self.encoder,
                "checkpoint": self.checkpoint,
                "weighting": self.weighting,
            },
            "levels": [level.to_dict() for level in self.levels],
        }

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=1, allow_nan=False)

    def save(self, directory: str | Path, width: str = "text") -> list[Path]:
        """Write explanation.json, figure.pdf, .svg, .png, interactions.csv and graph.graphml.

        Args:
            directory: made if it is not there.
            width: of the figure, "text" (6.875 in) or "column" (3.25 in).

        Returns:
            The files.
        """
        from hbi_core.export import save_explanation  # matplotlib takes its time

        return save_explanation(self, directory, width)
