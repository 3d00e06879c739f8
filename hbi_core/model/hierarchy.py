"""The three levels: one module, used three times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from explainers import SimilarityGame
from explainers.game import exact_precision
from explainers.prediction_head import CellNetwork
from hbi_core.errors import NotFiniteError
from hbi_core.model.config import ModelConfig
from hbi_core.model.entity import Projection, TemporalTransformer
from hbi_core.model.token_merge import TokenMerge
from hbi_core.model.tokens import Tokens

_NO_WEIGHT = -1e4  # a logit whose weight is zero beside any other


class Players(NamedTuple):
    """The tokens of one modality at one level, and their weights before the softmax, [B, N]."""

    tokens: Tokens
    logits: Tensor

    def map(self, change: Callable[[Tensor], Tensor]) -> Players:
        """The same change of all tensors: a slice, another device."""
        tokens = self.tokens
        changed = Tokens(change(tokens.features), change(tokens.mask), change(tokens.groups))
        return Players(changed, change(self.logits))


@dataclass(frozen=True, eq=False)
class LevelTokens:
    """One level of a batch of videos and texts.

    Attributes:
        name: "entity", "action" or "event".
        video, text: their players.
        padding_plays: padding tokens are players too, of similarity 0 and weight 0, as in the
            published checkpoints.
    """

    name: str
    video: Players
    text: Players
    padding_plays: bool = False

    def game(self, weighting: str = "renormalised", all_pairs: bool = False) -> SimilarityGame:
        """The game of each video with its own text [B], or with every text [B, B].

        With all_pairs, there may be more or fewer texts than videos.

        Raises:
            NotFiniteError: a token that is no padding has features or a logit that are not finite.
        """
        for side in ("video", "text"):
            tokens, logits = getattr(self, side)
            if not (tokens.features.isfinite().all(-1) & logits.isfinite() | ~tokens.mask).all():
                raise NotFiniteError(
                    f"The model's {side} tokens of the {self.name} level are not finite."
                )
        with exact_precision(self.video.logits):
            return self._game(weighting, all_pairs)

    def _game(self, weighting: str, all_pairs: bool) -> SimilarityGame:
        video, video_mask, video_logits = _directions(self.video)
        text, text_mask, text_logits = _directions(self.text)
        if all_pairs:
            # One matrix product: a broadcast one would copy the videos for every text.
            similarity = torch.einsum("avd,btd->abvt", video, text)
            video_logits, video_mask = video_logits.unsqueeze(1), video_mask.unsqueeze(1)
        else:
            similarity = video @ text.mT
        if self.padding_plays:
            similarity = similarity * video_mask.unsqueeze(-1) * text_mask.unsqueeze(-2)
            video_logits = video_logits.masked_fill(~video_mask, _NO_WEIGHT)
            text_logits = text_logits.masked_fill(~text_mask, _NO_WEIGHT)
            video_mask = text_mask = None
        return SimilarityGame(
            similarity, video_logits, text_logits, video_mask, text_mask, weighting=weighting
        )


class Level(nn.Module):
    """One level (HBI, Sec. 3.2): its tokens, their weights, and its prediction head.

    Args:
        name: name of the level.
        video, text: Tokens of the level below -> Tokens of this level. At the entity level,
            the encoder's features -> tokens.
        video_logits, text_logits: MLP_v, MLP_t of Eq. 1: [B, N, D] -> [B, N, 1].
        head: similarities [B, V, T] and masks -> R of Eq. 5, [B, V, T]. Only training needs it.
        padding_plays: see `LevelTokens`.
    """

    def __init__(
        self,
        name: str,
        video: nn.Module,
        text: nn.Module,
        video_logits: nn.Module,
        text_logits: nn.Module,
        head: CellNetwork,
        padding_plays: bool = False,
    ) -> None:
        super().__init__()
        self.name = name
        self.video, self.text = video, text
        self.video_logits, self.text_logits = video_logits, text_logits
        self.head = head
        self.padding_plays = padding_plays

    def players(self, side: str, below: Tokens) -> Players:
        """One side alone, "video" or "text": the tokens of the level below -> the players here."""
        tokens = getattr(self, side)(below)
        return Players(tokens, getattr(self, f"{side}_logits")(tokens.features).squeeze(-1))

    def forward(self, video: Tokens, text: Tokens) -> LevelTokens:
        return LevelTokens(
            self.name,
            self.players("video", video),
            self.players("text", text),
            self.padding_plays,
        )


class Hierarchy(nn.Module):
    """Frames and words -> entity, action and event level."""

    def __init__(self, levels: list[Level]) -> None:
        super().__init__()
        self.levels = nn.ModuleList(levels)

    def forward(self, video: Tokens, text: Tokens) -> list[LevelTokens]:
        """Frame features [B, F, Dv] and word features [B, W, Dt] -> one LevelTokens a level."""
        outputs = []
        for level in self.levels:
            outputs.append(level(video, text))
            video, text = outputs[-1].video.tokens, outputs[-1].text.tokens
        return outputs


def _directions(players: Players) -> tuple[Tensor, Tensor, Tensor]:
    """Unit features, mask and logits, at least in float32."""
    tokens, logits = players
    exact = torch.promote_types(logits.dtype, torch.float32)
    return functional.normalize(tokens.features.to(exact), dim=-1), tokens.mask, logits.to(exact)


def build_hierarchy(config: ModelConfig) -> Hierarchy:
    """The model before training: equal token weights, and merged tokens are plain means."""
    published = config.compatibility == "published"

    def merge(clusters: int | float) -> TokenMerge:
        return TokenMerge(
            config.width, clusters, config.neighbours, config.attention_heads, published
        )

    steps = [_entity_steps(config)]
    for clusters in zip(config.video_clusters, config.text_clusters, strict=True):
        steps.append(tuple(map(merge, clusters)))
    return Hierarchy(
        [
            Level(
                name,
                video,
                text,
                _weight_network(config),
                _weight_network(config),
                CellNetwork(config.head, config.head_channels),
                padding_plays=published,
            )
            for name, (video, text) in zip(config.levels, steps, strict=True)
        ]
    )


def _entity_steps(config: ModelConfig) -> tuple[nn.Module, nn.Module]:
    video, text = nn.Sequential(), nn.Sequential()
    if config.projection:
        video.append(Projection(config.video_width, config.width, config.noise, config.dropout))
        text.append(Projection(config.text_width, config.width, config.noise, config.dropout))
    if config.temporal_layers:
        video.append(
            TemporalTransformer(
                config.width,
                config.temporal_layers,
                config.attention_heads,
                config.positions,
                published=config.compatibility == "published",
            )
        )
    return video, text


def _weight_network(config: ModelConfig) -> nn.Sequential:
    """The MLP of Eq. 1; it starts with equal weights."""
    hidden = config.weight_hidden or 2 * config.width
    last = nn.Linear(hidden, 1)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    network = nn.Sequential(nn.Linear(config.width, hidden), nn.ReLU(), last)
    if config.logit_bound:
        network.append(Bound(config.logit_bound))
    return network


class Bound(nn.Module):
    """x -> b tanh(x / b), so that no token's weight can be more than e^(2 b) of another's."""

    def __init__(self, bound: float) -> None:
        super().__init__()
        self.bound = bound

    def forward(self, x: Tensor) -> Tensor:
        return self.bound * torch.tanh(x / self.bound)
