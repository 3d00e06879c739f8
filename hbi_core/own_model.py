"""A model of one's own: what it says of frames and words becomes an explanation like ours.

A model answers with the features of its tokens, with their similarities, or with the values of
coalitions. The first two make the game of Eq. 1, which is played exactly; the last is any game.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from explainers import SimilarityGame, enumerate_coalitions, sample_coalitions
from explainers.coalition_function import CoalitionFunction, values_of
from explainers.explained_variance import explained_by
from hbi_core.errors import InputError
from hbi_core.explanation import Explanation
from hbi_core.inputs.video import Video
from hbi_core.level import Level, TextToken, VideoToken
from hbi_core.what_ran import OWN_HEADS
from hbi_core.worth import FUNCTION, SIMILARITY, Worth

_SCORE = Worth(FUNCTION, "S", "score of the model")
OWN = "own:"  # before module:factory, as the name of an encoder
MOST_ENUMERATED = 16  # players


class OwnModelError(InputError):
    """A model of one's own cannot be loaded, or what it answers is not what was asked for."""


@dataclass(frozen=True, eq=False, kw_only=True)
class TokenFeatures:
    """Features of frames and words in one space; their cosines are the similarities.

    Attributes:
        video, text: float [V, D], [T, D], of any length but 0.
        video_logits, text_logits: float [V], [T], token weights before the softmax; None weighs all
            tokens alike.
        labels: T texts, where the model's text tokens are not the words that it was given.
    """

    video: Tensor | np.ndarray
    text: Tensor | np.ndarray
    video_logits: Tensor | np.ndarray | None = None
    text_logits: Tensor | np.ndarray | None = None
    labels: Sequence[str] | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class TokenSimilarities:
    """Similarities of frames and words, however the model has them.

    Attributes:
        similarity: float [V, T].
        video_logits, text_logits, labels: see `TokenFeatures`.
    """

    similarity: Tensor | np.ndarray
    video_logits: Tensor | np.ndarray | None = None
    text_logits: Tensor | np.ndarray | None = None
    labels: Sequence[str] | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class CoalitionValues:
    """What any set of frames and words is worth, such as the score of the masked input.

    Up to 16 players, all coalitions are evaluated; of more, a sample.

    Attributes:
        value: a function of coalitions, bool [K, V + T] -> float [K], video tokens first.
        coalitions: evaluated of a sample, at least 128.
        seed: of its random numbers.
        labels: see `TokenFeatures`.
    """

    value: CoalitionFunction
    coalitions: int = 4096
    seed: int = 0
    labels: Sequence[str] | None = None


Answer = TokenFeatures | TokenSimilarities | CoalitionValues


class OwnModel(Protocol):
    """What a model of one's own has to offer. Its tokens are the frames and the words.

    Attributes:
        name: what the page and explanation.json call it.
    """

    name: str

    def encode(self, frames: np.ndarray) -> Any:
        """The costly half, once for each video: uint8 [F, H, W, 3], RGB -> whatever it needs."""

    def answer(self, encoded: Any, words: tuple[str, ...]) -> Answer:
        """The cheap half, for each caption: what `encode` returned, and T words."""


def load_own_model(place: str, checkpoint: str | Path | None = None) -> OwnModel:
    """The model that a function makes.

    Args:
        place: "module:factory": a module that Python finds, and a function in it that is called
            without arguments.
        checkpoint: None; it has weights of its own.

    Raises:
        OwnModelError: there is no such module or function, it makes something else, or there is a
            checkpoint.
    """
    if checkpoint is not None:
        raise OwnModelError(f"The model {place} loads its own weights: leave the checkpoint out.")
    module, _, factory = place.partition(":")
    try:
        make = getattr(importlib.import_module(module), factory)
    except (ImportError, AttributeError, ValueError) as error:
        raise OwnModelError(
            f"The model {place!r} cannot be loaded: {error}. Name a module that Python finds from "
            "here and a function in it, as in examples.own_model:tiny_clip."
        ) from error
    model = make()
    if not all(hasattr(model, name) for name in ("name", "encode", "answer")):
        raise OwnModelError(
            f"{place} makes {type(model).__name__}, which lacks name, encode or answer: see "
            "hbi_core.own_model.OwnModel."
        )
    return model


def explain_answer(
    answer: Answer,
    video: Video,
    words: Sequence[str],
    model: str,
    caption: str | None = None,
    weighting: str = "renormalised",
) -> Explanation:
    """The explanation of what a model answered, with one level; it needs no model any more.

    Args:
        answer: of the model.
        video: the frames that are its video tokens; `Video(thumbnails, times, duration, name)` of
            uint8 [V, H, W, 3] where there is no file.
        words: that are its text tokens, unless the answer has labels.
        model: its name.
        caption: as it was typed; None joins the words.
        weighting: of the game, "renormalised" or "fixed"; of no effect on values of coalitions.

    Returns:
        It can be drawn, saved and opened again like any other.

    Raises:
        OwnModelError: the answer does not fit the frames and words, or is not finite.

    Example:
        >>> video = Video(np.zeros((2, 8, 8, 3), np.uint8), (0.0, 1.0), 2.0, "two frames")
        >>> answer = TokenSimilarities(similarity=np.array([[0.9, 0.1], [0.2, 0.6]]))
        >>> explanation = explain_answer(answer, video, ["red", "blue"], "by hand")
        >>> explanation.levels[0].interactions.values.tolist()
        [[0.6, -0.125], [-0.1, 0.375]]
    """
    labels = tuple(words if answer.labels is None else answer.labels)
    video_tokens = tuple(VideoToken((frame,)) for frame in range(len(video.frames)))
    text_tokens = tuple(TextToken((word,), label) for word, label in enumerate(labels))
    try:
        if isinstance(answer, CoalitionValues):
            level = _level_of_function(answer, video_tokens, text_tokens)
        else:
            game = _game(answer, len(video_tokens), len(text_tokens), weighting)
            level = Level.played("entity", video_tokens, text_tokens, game)
    except (TypeError, ValueError) as error:
        raise OwnModelError(f"What {model} answered cannot be explained: {error}.") from error
    return Explanation(
        caption=" ".join(words) if caption is None else caption,
        words=labels,
        video=video,
        encoder=model,
        checkpoint=OWN_HEADS,
        weighting=FUNCTION if level.kind == FUNCTION else weighting,
        levels=(level,),
        worth=_SCORE if level.kind == FUNCTION else SIMILARITY,
    )


def _game(
    answer: TokenFeatures | TokenSimilarities, videos: int, texts: int, weighting: str
) -> SimilarityGame:
    if isinstance(answer, TokenFeatures):
        video, text = (normalize(_double(side), dim=-1) for side in (answer.video, answer.text))
        if video.dim() != 2 or text.dim() != 2 or video.shape[-1] != text.shape[-1]:
            raise ValueError(
                f"features of frames {list(video.shape)} and of words {list(text.shape)}; they "
                "must be [V, D] and [T, D]"
            )
        similarity = video @ text.mT
    else:
        similarity = _double(answer.similarity)
    if similarity.shape != (videos, texts):
        raise ValueError(
            f"similarities {list(similarity.shape)} for {videos} frames and {texts} words"
        )
    video_logits, text_logits = (
        torch.zeros(count, dtype=torch.float64) if given is None else _double(given)
        for given, count in ((answer.video_logits, videos), (answer.text_logits, texts))
    )
    return SimilarityGame(similarity, video_logits, text_logits, weighting=weighting)


def _double(values: Tensor | np.ndarray) -> Tensor:
    return torch.as_tensor(values).detach().to("cpu", torch.float64)


def _level_of_function(
    answer: CoalitionValues,
    video_tokens: tuple[VideoToken, ...],
    text_tokens: tuple[TextToken, ...],
) -> Level:
    """The level of any game. The similarity of two players is what they are worth by themselves."""
    videos, texts = len(video_tokens), len(text_tokens)
    players = videos + texts
    both = torch.eye(videos, dtype=torch.bool).repeat_interleave(texts, 0)
    both = torch.cat([both, torch.eye(texts, dtype=torch.bool).repeat(videos, 1)], -1)
    everybody = torch.ones(1, players, dtype=torch.bool)
    worth = values_of(answer.value, torch.cat([both, everybody]))
    if players <= MOST_ENUMERATED:
        counted = _Counted(answer.value)
        played = enumerate_coalitions(counted, players=players, limit_seconds=math.inf)
        assert played.player_values is not None, "a function has all pairs and players"
        explained = explained_by(played.player_values, played.values, counted.variance(), videos)
    else:
        generator = torch.Generator().manual_seed(answer.seed)
        played = sample_coalitions(answer.value, answer.coalitions, generator, players=players)
        assert played.player_values is not None, "a function has all pairs and players"
        explained = None
    return Level.of_function(
        "entity",
        video_tokens,
        text_tokens,
        float(worth[-1]),
        worth[:-1].reshape(videos, texts),
        played,
        explained,
    )


class _Counted:
    """A function of coalitions, and the variance of what it has been asked for."""

    def __init__(self, value: CoalitionFunction) -> None:
        self._value = value
        self._values: list[Tensor] = []

    def __call__(self, members: Tensor) -> Tensor:
        self._values.append(values_of(self._value, members))
        return self._values[-1]

    def variance(self) -> Tensor:
        return torch.cat(self._values).var(correction=0)
