"""ModelConfig -> the model before training."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from explainers.prediction_head import CellNetwork
from hbi_core.model.config import ModelConfig
from hbi_core.model.entity import AddedContext, Projection, TemporalTransformer
from hbi_core.model.hierarchy import Hierarchy, Level
from hbi_core.model.published import (
    PublishedLevel,
    PublishedTemporalTransformer,
    PublishedTokenMerge,
)
from hbi_core.model.reconstruction import Reconstruction
from hbi_core.model.token_merge import TokenMerge


class Parts(NamedTuple):
    """What a hierarchy is made of."""

    temporal: type[TemporalTransformer]
    merge: type[TokenMerge]
    level: type[Level]


PARTS = {  # by `ModelConfig.compatibility`
    "paper": Parts(TemporalTransformer, TokenMerge, Level),
    "published": Parts(PublishedTemporalTransformer, PublishedTokenMerge, PublishedLevel),
}


def build_hierarchy(config: ModelConfig) -> Hierarchy:
    """The model before training: equal token weights, and merged tokens are plain means."""
    parts = PARTS[config.compatibility]

    def merge(clusters: int | float, path: float) -> TokenMerge:
        return parts.merge(config.width, clusters, config.neighbours, config.attention_heads, path)

    steps: list[tuple[nn.Module, nn.Module]] = [_entity_steps(config, parts.temporal)]
    for videos, texts in zip(config.video_clusters, config.text_clusters, strict=True):
        steps.append((merge(videos, config.video_path), merge(texts, config.text_path)))
    if config.text_context:
        video, text = steps[1]
        context = AddedContext(config.text_context, config.width, config.noise, config.dropout)
        steps[1] = video, nn.Sequential(context, text)
    return Hierarchy(
        [
            parts.level(
                name,
                video,
                text,
                _weight_network(config),
                _weight_network(config),
                CellNetwork(config.head, config.head_channels),
                Reconstruction(config.width, config.attention_heads)
                if config.reconstruction
                else None,
            )
            for name, (video, text) in zip(config.levels, steps, strict=True)
        ]
    )


def _entity_steps(
    config: ModelConfig, temporal: type[TemporalTransformer]
) -> tuple[nn.Module, nn.Module]:
    video, text = nn.Sequential(), nn.Sequential()
    if config.projection:
        video.append(Projection(config.video_width, config.width, config.noise, config.dropout))
        text.append(Projection(config.text_width, config.width, config.noise, config.dropout))
    if config.temporal_layers:
        shape = (config.temporal_layers, config.attention_heads, config.positions)
        video.append(temporal(config.width, *shape))
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
