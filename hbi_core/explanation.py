"""What explain() returns: the players, games and interactions of three levels."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from explainers import Interactions, SimilarityGame
from hbi_core.inputs.video import Video


@dataclass(frozen=True)
class VideoToken:
    """A video player.

    Attributes:
        frames: those that it stands for, increasing, as indices into the chosen frames; one at the
            entity level.

    Example:
        >>> VideoToken(frames=(0, 1, 2)).frames
        (0, 1, 2)
    """

    frames: tuple[int, ...]


@dataclass(frozen=True)
class TextToken:
    """A text player.

    Attributes:
        words: those that it stands for, increasing, as indices into `Explanation.words`; at the
            entity level one, or those of a phrase.
        text: these words, joined by spaces.

    Example:
        >>> TextToken(words=(1, 2), text="tabby cat").text
        'tabby cat'
    """

    words: tuple[int, ...]
    text: str


@dataclass(frozen=True, eq=False)
class Level:
    """One level of an explanation. Rows are video tokens, columns text tokens.

    Attributes:
        name: "entity", "action" or "event".
        score: S of Eq. 1 at this level. A released checkpoint counts padding too, which is no
            player here.
        video_tokens, text_tokens: the V and T players, in the order of their first frame or word.
        similarity: float64 [V, T], cosine similarities.
        video_logits, text_logits: float64 [V], [T], token weights before the softmax.
        interactions: Interactions with values float64 [V, T], Eq. 3.

    Example:
        >>> action = explanation.levels[1]  # of what `explain` returned
        >>> action.name, len(action.video_tokens), len(action.text_tokens)
        ('action', 3, 6)
        >>> tuple(action.interactions.values.shape)
        (3, 6)
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

        Returns:
            A game without leading dimensions, whose value of all players is `score`, but where
            that counts padding.

        Raises:
            ValueError: there is no such weighting.

        Example:
            >>> event = explanation.levels[2]
            >>> game = event.game(explanation.weighting)
            >>> abs(float(game.grand_value()) - event.score) < 1e-12
            True
        """
        return SimilarityGame(
            self.similarity, self.video_logits, self.text_logits, weighting=weighting
        )

    def to_dict(self) -> dict[str, Any]:
        """One entry of "levels" in explanation.json.

        Returns:
            Lists, strings and numbers; rows of matrices are video tokens.

        Example:
            >>> sorted(explanation.levels[0].to_dict())[:3]
            ['interactions', 'method', 'name']
        """
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
        words: those of the caption that were read, in order, which text players stand for.
        video: the frames that were looked at.
        encoder, checkpoint, weighting: what ran; checkpoint is "untrained" without heads.
        levels: entity, action, event.
        words_left_out: words of the caption, and parts of words, that were not read: those that
            the encoder cannot read, then those beyond a limit.
        words_unreadable: the first of these.
        notes: sentences on how the caption was read.
        seconds: wall-clock time of each step that was taken for it: decoding, encoding, merging,
            game. A video that was known before is not decoded again.

    Example:
        >>> explanation.encoder, explanation.checkpoint, explanation.weighting
        ('lite', 'lite_heads.safetensors', 'renormalised')
        >>> [level.name for level in explanation.levels]
        ['entity', 'action', 'event']
        >>> len(explanation.video.times)
        12
        >>> explanation.words[:3]
        ('A', 'tabby', 'cat')
    """

    caption: str
    words: tuple[str, ...]
    video: Video
    encoder: str
    checkpoint: str
    weighting: str
    levels: tuple[Level, ...]
    words_left_out: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    words_unreadable: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """What its files are named after: the video, without its suffix.

        Example:
            >>> explanation.video.name, explanation.title
            ('cafe.mp4', 'cafe')
        """
        return Path(self.video.name).stem

    @property
    def left_out_why(self) -> dict[str, tuple[str, ...]]:
        """The words that were left out, by a phrase that says why.

        Returns:
            Only phrases that have words.

        Example:
            >>> explanation.left_out_why
            {}
        """
        beyond = self.words_left_out[len(self.words_unreadable) :]
        reasons = {
            f"Words that the encoder {self.encoder} cannot read": self.words_unreadable,
            "Words beyond the limit": beyond,
        }
        return {reason: words for reason, words in reasons.items() if words}

    def to_dict(self) -> dict[str, Any]:
        """The contents of explanation.json; docs/formats.md has the schema.

        Returns:
            Dictionaries, lists, strings and numbers.

        Example:
            >>> explanation.to_dict()["schema"]
            'hbi-explanation/1'
        """
        phrases = len(self.levels[0].text_tokens) < len(self.words)
        return {
            "schema": "hbi-explanation/1",
            "caption": self.caption,
            **({"words": list(self.words)} if phrases else {}),
            **({"notes": list(self.notes)} if self.notes else {}),
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
        """The contents of explanation.json as text.

        Returns:
            JSON with one space of indentation; letters beyond ASCII stand as they are.

        Raises:
            ValueError: a number is not finite, which JSON cannot say.

        Example:
            >>> explanation.to_json().splitlines()[1]
            ' "schema": "hbi-explanation/1",'
        """
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=1, allow_nan=False)

    def save(self, directory: str | Path, width: str = "text") -> list[Path]:
        """Write explanation.json, figure.pdf, .svg, .png, interactions.csv and graph.graphml.

        All of them, or none where the folder cannot be written.

        Args:
            directory: made if it is not there.
            width: of the figure, "text" (6.875 in) or "column" (3.25 in).

        Returns:
            The files.

        Raises:
            InputError: there is no such width, or the directory cannot be written.

        Example:
            >>> import tempfile
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     sorted(file.name for file in explanation.save(folder, "column"))[:2]
            ['explanation.json', 'figure.pdf']
        """
        from hbi_core.export import save_explanation  # matplotlib takes its time

        return save_explanation(self, directory, width)
