"""One level of an explanation: its players, their game and their interactions."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from explainers import (
    ExplainedVariance,
    Interactions,
    TokenGame,
    closed_form,
    explained_variance,
)
from hbi_core.errors import InputError
from hbi_core.json_reading import Json
from hbi_core.worth import FUNCTION, GAMES

_MOST_PLAYERS = 256  # of a side; the time of all pairs grows with their square
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
        score: what all players are worth: S of Eq. 1 at this level, what it adds to the logit of an
            answer, or what all frames add to the log-probability of a caption. A released
            checkpoint counts padding too, which is no player here.
        video_tokens, text_tokens: the V and T players, in the order of their first frame or word.
        similarity: float64 [V, T], cosine similarities; in the game of an answer, and in one that
            is a function of coalitions, what two players are worth alone.
        video_logits, text_logits: float64 [V], [T], token weights before the softmax; 0 and without
            a meaning where the game is a function.
        interactions: Interactions with values float64 [V, T], Eq. 3.
        video_values, text_values: float64 [V], [T], the Banzhaf value of each player: what it adds
            to a random coalition on average.
        explained: how much of the game single players and pairs explain, float64; None where the
            interactions are estimates.
        kind: of the game, as `Worth.game`.

    Example:
        >>> action = explanation.levels[1]  # of what `explain` returned
        >>> action.name, action.interactions.method
        ('action', 'closed_form')
        >>> players = len(action.video_tokens), len(action.text_tokens)
        >>> tuple(action.interactions.values.shape) == players
        True
    """

    name: str
    score: float
    video_tokens: tuple[VideoToken, ...]
    text_tokens: tuple[TextToken, ...]
    similarity: Tensor
    video_logits: Tensor
    text_logits: Tensor
    interactions: Interactions
    video_values: Tensor
    text_values: Tensor
    explained: ExplainedVariance | None
    kind: str = "similarity"

    @classmethod
    def played(
        cls,
        name: str,
        video_tokens: tuple[VideoToken, ...],
        text_tokens: tuple[TextToken, ...],
        game: TokenGame,
        score: float | None = None,
    ) -> Level:
        """The level of a game, played: all that is told of it is exact.

        Args:
            name: of the level.
            video_tokens, text_tokens: its V and T players.
            game: float64, without leading dimensions and without padding.
            score: of the whole video and the whole text; None takes the value of all players.

        Returns:
            The level, with its tensors on the CPU.

        Raises:
            ValueError: there is not one token for each player.

        Example:
            >>> event = explanation.levels[2]
            >>> game = event.game(explanation.weighting)
            >>> again = Level.played("event", event.video_tokens, event.text_tokens, game)
            >>> again.to_dict()["values"] == event.to_dict()["values"]
            True
        """
        counts = [len(video_tokens), len(text_tokens)]
        if list(game.cells.shape) != counts:
            raise ValueError(f"{counts} tokens for the players {list(game.cells.shape)}")
        interactions = closed_form(game)
        video_values, text_values = _player_values(game)
        return cls(
            name=name,
            score=float(game.grand_value() if score is None else score),
            video_tokens=video_tokens,
            text_tokens=text_tokens,
            similarity=game.cells.cpu(),
            video_logits=game.video_logits.cpu(),
            text_logits=game.text_logits.cpu(),
            interactions=replace(interactions, values=interactions.values.cpu()),
            video_values=video_values,
            text_values=text_values,
            explained=explained_variance(game.to("cpu")),
            kind=next(name for name, kind in GAMES.items() if isinstance(game, kind)),
        )

    @classmethod
    def of_function(
        cls,
        name: str,
        video_tokens: tuple[VideoToken, ...],
        text_tokens: tuple[TextToken, ...],
        score: float,
        alone: Tensor,
        played: Interactions,
        explained: ExplainedVariance | None,
    ) -> Level:
        """The level of a game that is a function of coalitions, which was played.

        Args:
            name: of the level.
            video_tokens, text_tokens: its V and T players.
            score: what all of them are worth.
            alone: float64 [V, T], what two players are worth by themselves.
            played: of all pairs [V + T, V + T], video players first, with player_values.
            explained: see `Level`.

        Returns:
            The level; its token weights have no meaning.

        Raises:
            Nothing.

        Example:
            >>> from explainers import enumerate_coalitions
            >>> played = enumerate_coalitions(lambda members: members.all(-1).double(), players=2)
            >>> players = (VideoToken((0,)),), (TextToken((0,), "cat"),)
            >>> both = Level.of_function("entity", *players, 1.0, torch.ones(1, 1), played, None)
            >>> both.interactions.values
            tensor([[1.]], dtype=torch.float64)
        """
        assert played.player_values is not None, "all pairs come with the values of single players"
        videos, error = len(video_tokens), played.standard_error
        return cls(
            name=name,
            score=score,
            video_tokens=video_tokens,
            text_tokens=text_tokens,
            similarity=alone,
            video_logits=torch.zeros(videos, dtype=torch.float64),
            text_logits=torch.zeros(len(text_tokens), dtype=torch.float64),
            interactions=replace(
                played,
                values=played.values[:videos, videos:],
                standard_error=None if error is None else error[:videos, videos:],
                player_values=None,
                player_standard_error=None,
            ),
            video_values=played.player_values[:videos],
            text_values=played.player_values[videos:],
            explained=explained,
            kind=FUNCTION,
        )

    def game(self, weighting: str) -> TokenGame:
        """The game that the tokens of this level play, float64 on the CPU.

        Args:
            weighting: "renormalised" or "fixed"; `Explanation.weighting` is the one of the
                interactions.

        Returns:
            A game without leading dimensions, whose value of all players is `score`, but where
            that counts padding.

        Raises:
            InputError: the game is a function of coalitions, which only its model has.
            ValueError: there is no such weighting.

        Example:
            >>> event = explanation.levels[2]
            >>> game = event.game(explanation.weighting)
            >>> abs(float(game.grand_value()) - event.score) < 1e-12
            True
        """
        if weighting == FUNCTION:
            raise InputError(
                "The game of this explanation is a function of coalitions, which only its model "
                "can play. Explain with a model that has features or similarities of tokens."
            )
        return GAMES[self.kind](
            self.similarity, self.video_logits, self.text_logits, weighting=weighting
        )

    def to_dict(self) -> dict[str, Any]:
        """One entry of "levels" in explanation.json.

        Returns:
            Lists, strings and numbers; rows of matrices are video tokens.

        Example:
            >>> sorted(explanation.levels[0].to_dict())[:3]
            ['explained', 'interactions', 'method']
        """
        error = self.interactions.standard_error
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
            **({} if error is None else {"standard_error": error.tolist()}),
            "values": {"video": self.video_values.tolist(), "text": self.text_values.tolist()},
            **({"explained": _numbers(self.explained)} if self.explained else {}),
        }

    @classmethod
    def from_json(
        cls, json: Json, frames: int, words: int, weighting: str, kind: str = "similarity"
    ) -> Level:
        """What `to_dict` wrote.

        Args:
            json: an entry of "levels" in explanation.json.
            frames: that there are, whose indices video tokens have.
            words: likewise.
            weighting: of the game, which tells what older files lack; or "function".
            kind: of the game, as `Worth.game`.

        Returns:
            The same level. What its interactions cost is not in the file: it counts as nothing.

        Raises:
            JsonError: something is missing, not of its type, its size or its range.

        Example:
            >>> from hbi_core.json_reading import Json
            >>> event = explanation.levels[2]
            >>> again = Level.from_json(Json(event.to_dict(), "levels[2]"), 12, 16, "renormalised")
            >>> again.to_dict() == event.to_dict()
            True
        """
        videos, texts = (
            json[name].each(1, _MOST_PLAYERS) for name in ("video_tokens", "text_tokens")
        )
        if len(videos) * len(texts) > _MOST_PAIRS:
            json.fail(
                f"has {len(videos) * len(texts):,} pairs of tokens, more than {_MOST_PAIRS:,}"
            )

        size = len(videos), len(texts)
        similarity = _tensor(json["similarity"].matrix(*size))
        error = json.get("standard_error")
        video_logits = _tensor(json["video_logits"].numbers(len(videos)))
        text_logits = _tensor(json["text_logits"].numbers(len(texts)))
        game = None
        if weighting == FUNCTION:
            kind = FUNCTION
        else:
            game = GAMES[kind](similarity, video_logits, text_logits, weighting=weighting)
        return cls(
            name=json["name"].label(),
            score=json["score"].number(),
            video_tokens=tuple(VideoToken(one["frames"].indices(frames)) for one in videos),
            text_tokens=tuple(
                TextToken(one["words"].indices(words), one["text"].label()) for one in texts
            ),
            similarity=similarity,
            video_logits=video_logits,
            text_logits=text_logits,
            interactions=Interactions(
                values=_tensor(json["interactions"].matrix(*size)),
                standard_error=None if error is None else _tensor(error.matrix(*size, least=0)),
                method=json["method"].label(),
                coalitions_evaluated=0,
                seconds=0.0,
                device="cpu",
            ),
            **_read_values(json, game, len(videos), len(texts)),
            explained=_read_explained(json.get("explained"), game),
            kind=kind,
        )


_PARTS = fields(ExplainedVariance)


def _player_values(game: TokenGame) -> tuple[Tensor, Tensor]:
    """The Banzhaf values of video and text tokens, on the CPU."""
    values = closed_form(game, pairs="all").player_values
    assert values is not None, "with all pairs there are those of single players"
    video, text = values.cpu().split(list(game.cells.shape))
    return video, text


def _numbers(explained: ExplainedVariance) -> dict[str, float]:
    return {one.name: float(getattr(explained, one.name)) for one in _PARTS}


def _read_values(json: Json, game: TokenGame | None, videos: int, texts: int) -> dict[str, Tensor]:
    """Those in the file, or of the game, as for older files."""
    values = json["values"] if game is None else json.get("values")
    if values is None:
        assert game is not None, "a function has no values but those in the file"
        video, text = _player_values(game)
    else:
        video = _tensor(values["video"].numbers(videos))
        text = _tensor(values["text"].numbers(texts))
    return {"video_values": video, "text_values": text}


def _read_explained(json: Json | None, game: TokenGame | None) -> ExplainedVariance | None:
    """Likewise; of a function it may be unknown."""
    if json is not None:
        return ExplainedVariance(
            **{one.name: _tensor(json[one.name].number(0, math.inf)) for one in _PARTS}
        )
    return None if game is None else explained_variance(game)


def _tensor(values: float | list) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)
