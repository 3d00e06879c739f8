"""One level of an explanation: its players, their game and their interactions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from explainers import Interactions, SimilarityGame
from hbi_core.json_reading import Json

_MOST_PAIRS = 4096  # of a level, as of 64 frames and 64 words; more could not be drawn


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

    @classmethod
    def from_json(cls, json: Json, frames: int, words: int) -> Level:
        """What `to_dict` wrote.

        Args:
            json: an entry of "levels" in explanation.json.
            frames: that there are, whose indices video tokens have.
            words: likewise.

        Returns:
            The same level. What its interactions cost is not in the file: it counts as nothing.

        Raises:
            JsonError: something is missing, not of its type, its size or its range.

        Example:
            >>> from hbi_core.json_reading import Json
            >>> event = explanation.levels[2]
            >>> again = Level.from_json(Json(event.to_dict(), "levels[2]"), 12, 16)
            >>> again.to_dict() == event.to_dict()
            True
        """
        videos, texts = json["video_tokens"].each(1), json["text_tokens"].each(1)
        if len(videos) * len(texts) > _MOST_PAIRS:
            json.fail(
                f"has {len(videos) * len(texts):,} pairs of tokens, more than {_MOST_PAIRS:,}"
            )

        def matrix(name: str) -> Tensor:
            rows = json[name].each(len(videos), len(videos))
            return _tensor([row.numbers(len(texts)) for row in rows])

        return cls(
            name=json["name"].label(),
            score=json["score"].number(),
            video_tokens=tuple(VideoToken(one["frames"].indices(frames)) for one in videos),
            text_tokens=tuple(
                TextToken(one["words"].indices(words), one["text"].label()) for one in texts
            ),
            similarity=matrix("similarity"),
            video_logits=_tensor(json["video_logits"].numbers(len(videos))),
            text_logits=_tensor(json["text_logits"].numbers(len(texts))),
            interactions=Interactions(
                values=matrix("interactions"),
                standard_error=None,
                method=json["method"].label(),
                coalitions_evaluated=0,
                seconds=0.0,
                device="cpu",
            ),
        )


def _tensor(values: list) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)
