"""The players of a level and how strongly they are tied, from an explanation or from features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from explainers import SimilarityGame, closed_form
from hbi_core.encoders import TextFeatures
from hbi_core.encoders.tokens import frame_tokens, word_tokens
from hbi_core.explanation import Level
from hbi_core.inputs.text import Caption
from hbi_core.model import LevelTokens, Tokens
from hbi_core.predictor import Predictor

Members = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, eq=False)
class Links:
    """One level of a video and a caption.

    Attributes:
        level: its name.
        frames: of each of the V video players, increasing.
        words: of each of the T text players, increasing, as indices into the words of the caption.
            A player may stand for several at every level, also the lowest; each word has one.
        game: that they play, without leading dimensions.
        exact: float [V, T], their exact Banzhaf interactions.
    """

    level: str
    frames: Members
    words: Members
    game: SimilarityGame
    exact: Tensor

    @property
    def strengths(self) -> dict[str, Tensor]:
        """Two kinds of links [V, T], by their names."""
        return {"exact interaction": self.exact, "cosine similarity": self.game.similarity}


def links_of(level: Level) -> Links:
    """A level of an explanation."""
    return Links(
        level.name,
        tuple(token.frames for token in level.video_tokens),
        tuple(token.words for token in level.text_tokens),
        level.game("renormalised"),
        level.interactions.values,
    )


def links_of_tokens(level: LevelTokens, sample: int) -> Links:
    """A level of one sample of a batch. As in an explanation, padding is no player."""
    batch = level.game().to("cpu")
    (video, frames), (text, words) = (
        _players(side.tokens.groups[sample].cpu()) for side in (level.video, level.text)
    )
    game = SimilarityGame(
        batch.similarity[sample][video][:, text],
        batch.video_logits[sample][video],
        batch.text_logits[sample][text],
    )
    return Links(level.name, frames, words, game, closed_form(game).values)


@torch.inference_mode()
def play(
    predictor: Predictor, videos: Sequence[Tensor], texts: Sequence[TextFeatures]
) -> list[LevelTokens]:
    """Frames that were encoded before, each with its text: the levels of a batch, in float64.

    Args:
        predictor: has the model; its video stays as it is.
        videos: of each sample, the features of its frames [F, Dv].
        texts: of each sample, as the encoder reads it.
    """
    heads = predictor.heads
    padded = heads.config.reads_padding
    frames = max(len(video) for video in videos)
    words = max(len(text.labels) for text in texts)  # no fewer than players
    if padded:
        frames, words = max(frames, heads.retrieval.frames), heads.retrieval.words
    device = next(heads.hierarchy.parameters()).device
    own = [video.to(device, torch.float32) for video in videos]
    video = frame_tokens(predictor.encoder, own, frames, padded)
    return heads.hierarchy(_in_double(video), _in_double(word_tokens(texts, words)))


@torch.inference_mode()
def encode(predictor: Predictor, captions: Sequence[Caption]) -> list[TextFeatures | None]:
    """The captions as the model reads them; None for one of which it cannot read every word."""
    config, words = predictor.heads.config, predictor.heads.retrieval.words
    options = config.text_players, words, config.reads_padding
    read = predictor.encoder.text_features(captions, *options)
    return [
        text if len(text.labels) == len(caption.words) and not text.left_out else None
        for text, caption in zip(read, captions, strict=True)
    ]


def _players(groups: Tensor) -> tuple[Tensor, Members]:
    """bool [N, O] -> the indices of those that stand for something, and what each stands for."""
    known = groups.any(-1).nonzero().flatten()
    return known, tuple(tuple(row.nonzero().flatten().tolist()) for row in groups[known])


def _in_double(tokens: Tokens) -> Tokens:
    return tokens.map(lambda x: x.double() if x.is_floating_point() else x)
