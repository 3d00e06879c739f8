"""What only the checkpoints do that the paper's authors released.

They read padding. In the research code every video has 12 frames and every text 24 tokens. A frame
that a video lacks is an encoding of zeros instead of pixels; a token that a text lacks has the
state that the text encoder gives it. The convolution of the first token merge reads both, and
padding may become the centre of a cluster, so that the action and event levels depend on them.

Tensors have the names of those of the paper's modules.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from explainers import SimilarityGame
from hbi_core.model.entity import TemporalTransformer
from hbi_core.model.hierarchy import Level, LevelTokens, Players
from hbi_core.model.token_merge import (
    TokenMerge,
    distance_to_denser,
    join_nearest,
    local_density,
)
from hbi_core.model.tokens import Tokens

_NO_WEIGHT = -1e4  # a logit whose weight is zero beside any other


class PublishedTemporalTransformer(TemporalTransformer):
    """What stands in padding frames stays, though no frame sees it."""

    def read(self, tokens: Tokens) -> Tensor:
        return tokens.features


class PublishedTokenMerge(TokenMerge):
    """Merging reads padding, and the mask does not go on: what it gives is all real."""

    def forward(self, tokens: Tokens) -> Tokens:
        merged = super().forward(tokens)
        return replace(merged, mask=torch.ones_like(merged.mask))

    def read(self, tokens: Tokens) -> Tensor:
        return tokens.features

    def cluster(self, distance: Tensor, mask: Tensor) -> Tensor:
        return published_dpc_knn(distance, mask, self.most(mask.shape[-1]), self.neighbours)

    def weights(self, score: Tensor, members: Tensor) -> Tensor:
        """The sum that the weights are divided by is larger by 1e-6."""
        total = (members * score.exp().unsqueeze(-2)).sum(-1, keepdim=True)
        return super().weights(score, members) * (total / (total + 1e-6))


class PublishedLevelTokens(LevelTokens):
    """Padding tokens are players too, of similarity 0 and weight 0."""

    def game(self, weighting: str = "renormalised", all_pairs: bool = False) -> SimilarityGame:
        game = super().game(weighting, all_pairs)
        return SimilarityGame(
            game.similarity,  # 0 where padding stands
            game.video_logits.masked_fill(~game.video_mask, _NO_WEIGHT),
            game.text_logits.masked_fill(~game.text_mask, _NO_WEIGHT),
            weighting=weighting,
        )

    def scores(self) -> Tensor:
        return self.game(all_pairs=True).grand_value()


class PublishedLevel(Level):
    """A level where padding plays."""

    def alone(self, videos: Players, texts: Players) -> LevelTokens:
        return PublishedLevelTokens(self.name, videos, texts)


def published_dpc_knn(between: Tensor, mask: Tensor, clusters: int, neighbours: int) -> Tensor:
    """Clusters as `token_merge.dpc_knn` gives them, but for four things.

    δ is the distance, not its square; for the densest point it is the largest of the whole
    sequence; padding tokens lie beyond all others, so that they do count where real ones are fewer
    than the neighbours; clusters come in the order of ρ·δ.

    Args:
        between: float [B, N, N], distances of the points.
        mask: bool [B, N].
        clusters: clusters wanted.
        neighbours: K of Eq. 6.

    Returns:
        bool [B, N, C], C = min(clusters, N): membership.
    """
    distance = torch.where(mask.unsqueeze(-2), between, between.max() + 1.0)
    density = local_density(distance, neighbours)
    nearest_denser = distance_to_denser(distance, density, mask)
    farthest = distance.amax((-2, -1)).unsqueeze(-1)
    delta = torch.where(nearest_denser.isfinite(), nearest_denser, farthest)
    centres = (density * delta * mask).topk(min(clusters, mask.shape[-1])).indices
    return join_nearest(between, centres, mask)
