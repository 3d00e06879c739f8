"""The three levels: one module, used three times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from explainers import SimilarityGame
from explainers.all_pairs import grand_values
from explainers.prediction_head import CellNetwork
from explainers.tensors import exact_precision
from hbi_core.errors import NotFiniteError
from hbi_core.model.reconstruction import Pairs, Reconstruction
from hbi_core.model.tokens import Tokens

Side = Literal["video", "text"]


class Players(NamedTuple):
    """The tokens of one modality at one level, and their weights before the softmax, [B, N]."""

    tokens: Tokens
    logits: Tensor

    def map(self, change: Callable[[Tensor], Tensor]) -> Players:
        """The same change of all tensors: a slice, another device."""
        return Players(self.tokens.map(change), change(self.logits))

    def chosen(self, rows: Tensor) -> Players:
        """Those of these rows, int64 [P], of which one may be named several times."""
        return Players(self.tokens.chosen(rows), self.logits.index_select(0, rows))


@dataclass(frozen=True, eq=False)
class LevelTokens:
    """One level of a batch of videos and texts.

    Attributes:
        name: "entity", "action" or "event".
        video, text: their players.
    """

    name: str
    video: Players
    text: Players

    def chosen(self, rows: Tensor) -> LevelTokens:
        """The pairs of these rows, int64 [P], of which one may be named several times."""
        return replace(self, video=self.video.chosen(rows), text=self.text.chosen(rows))

    def game(self, weighting: str = "renormalised", all_pairs: bool = False) -> SimilarityGame:
        """The game of each video with its own text [B], or with every text [B, B].

        With all_pairs, there may be more or fewer texts than videos.

        Raises:
            NotFiniteError: a token that is no padding has features or a logit that are not finite.
        """
        self.check_finite()
        with exact_precision(self.video.logits):
            video, video_mask, video_logits = _directions(self.video)
            text, text_mask, text_logits = _directions(self.text)
            if all_pairs:
                # One matrix product: a broadcast one would copy the videos for every text.
                similarity = torch.einsum("avd,btd->abvt", video, text)
                video_logits, video_mask = video_logits.unsqueeze(1), video_mask.unsqueeze(1)
            else:
                similarity = video @ text.mT
            return SimilarityGame(
                similarity, video_logits, text_logits, video_mask, text_mask, weighting=weighting
            )

    def scores(self) -> Tensor:
        """Eq. 1 of every video with every text, float [A, B], as the games of all pairs give it.

        Faster, for training and retrieval, which need no more of those games.

        Raises:
            NotFiniteError: a token that is no padding has features or a logit that are not finite.
        """
        self.check_finite()
        with exact_precision(self.video.logits):
            video, video_mask, video_logits = _directions(self.video)
            text, text_mask, text_logits = _directions(self.text)
            return grand_values(video, text, video_logits, text_logits, video_mask, text_mask)

    def check_finite(self) -> None:
        """Raises NotFiniteError: a token that is no padding has features or a logit that are not
        finite.
        """
        for side, (tokens, logits) in (("video", self.video), ("text", self.text)):
            if not (tokens.features.isfinite().all(-1) & logits.isfinite() | ~tokens.mask).all():
                raise NotFiniteError(
                    f"The model's {side} tokens of the {self.name} level are not finite."
                )


class Level(nn.Module):
    """One level (HBI, Sec. 3.2): its tokens, their weights, and its prediction head.

    First each side alone (`players`), which can be kept, then both together (`pair`).

    Args:
        name: name of the level.
        video, text: Tokens of the level below -> Tokens of this level. At the entity level,
            the encoder's features -> tokens.
        video_logits, text_logits: MLP_v, MLP_t of Eq. 1: [B, N, D] -> [B, N, 1].
        head: similarities [B, V, T] and masks -> R of Eq. 5, [B, V, T]. Only training needs it.
        reconstruction: rebuilds the tokens of a pair; None leaves them as each side has them.
    """

    def __init__(
        self,
        name: str,
        video: nn.Module,
        text: nn.Module,
        video_logits: nn.Module,
        text_logits: nn.Module,
        head: CellNetwork,
        reconstruction: Reconstruction | None = None,
    ) -> None:
        super().__init__()
        self.name = name
        self.video, self.text = video, text
        self.video_logits, self.text_logits = video_logits, text_logits
        self.head = head
        self.reconstruction = reconstruction

    def players(self, side: Side, below: Tokens) -> Players:
        """One side alone: the tokens of the level below -> the players here.

        The level above is made of these too, so that the clips of a video and the phrases of a text
        are the same whatever they are paired with.
        """
        tokens = getattr(self, side)(below)
        return Players(tokens, getattr(self, f"{side}_logits")(tokens.features).squeeze(-1))

    def alone(self, videos: Players, texts: Players) -> LevelTokens:
        """Both sides beside each other, any number of each, with the tokens that they have alone.

        Scores of all pairs cost one matrix product then: these rank, and `pair` is for the few.
        """
        return LevelTokens(self.name, videos, texts)

    def pair(self, videos: Players, texts: Players, pairs: Pairs | None = None) -> LevelTokens:
        """Each video with its own text: with a reconstruction, of rebuilt tokens.

        Their weights stay those that each side has alone. A word that the video does not show keeps
        its weight and counts against the pair; with weights read from rebuilt tokens, the pair
        could hide it.

        Args:
            videos, texts: A and B.
            pairs: which of them are paired; None takes them in their order, and without a
                reconstruction any number of each.
        """
        video, text = videos, texts
        if pairs is not None:
            video, text = videos.chosen(pairs[0]), texts.chosen(pairs[1])
        if self.reconstruction is not None:
            rebuilt = self.reconstruction(videos.tokens, texts.tokens, pairs)
            video, text = Players(rebuilt[0], video.logits), Players(rebuilt[1], text.logits)
        return self.alone(video, text)


class Hierarchy(nn.Module):
    """Frames and words -> entity, action and event level."""

    levels: Sequence[Level]

    def __init__(self, levels: list[Level]) -> None:
        super().__init__()
        self.levels = cast("Sequence[Level]", nn.ModuleList(levels))  # torch's is not generic

    @property
    def reconstructs(self) -> bool:
        """Whether `pair` gives other tokens than each side has alone."""
        return any(level.reconstruction is not None for level in self.levels)

    def players(self, side: Side, tokens: Tokens) -> list[Players]:
        """One side alone, to be kept for any number of others: its players level by level.

        Args:
            side: "video" or "text".
            tokens: features of the frames [B, F, Dv] or of the words [B, W, Dt].
        """
        players: list[Players] = []
        for level in self.levels:
            players.append(level.players(side, tokens))
            tokens = players[-1].tokens
        return players

    def alone(self, videos: Sequence[Players], texts: Sequence[Players]) -> list[LevelTokens]:
        """Both sides, as `players` gives them, beside each other: one LevelTokens a level."""
        return [
            level.alone(video, text)
            for level, video, text in zip(self.levels, videos, texts, strict=True)
        ]

    def pair(
        self, videos: Sequence[Players], texts: Sequence[Players], pairs: Pairs | None = None
    ) -> list[LevelTokens]:
        """Both sides, as `players` gives them, together: one LevelTokens a level.

        Args:
            pairs: see `Level.pair`.
        """
        return [
            level.pair(video, text, pairs)
            for level, video, text in zip(self.levels, videos, texts, strict=True)
        ]

    def forward(self, video: Tokens, text: Tokens) -> list[LevelTokens]:
        """Frame features [B, F, Dv] and word features [B, W, Dt] -> one LevelTokens a level."""
        return self.pair(self.players("video", video), self.players("text", text))


def _directions(players: Players) -> tuple[Tensor, Tensor, Tensor]:
    """Unit features, mask and logits, at least in float32."""
    tokens, logits = players
    exact = torch.promote_types(logits.dtype, torch.float32)
    return functional.normalize(tokens.features.to(exact), dim=-1), tokens.mask, logits.to(exact)
