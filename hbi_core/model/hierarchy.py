"""The three levels: one module, used three times."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from explainers import SimilarityGame
from hbi_core.model.token_merge import TokenMerge
from hbi_core.model.tokens import Tokens
from hbi_core.model.untrained import Uniform

LEVEL_NAMES = ("entity", "action", "event")


@dataclass(frozen=True)
class ModelConfig:
    """Shape of the hierarchy; saved inside every checkpoint.

    Attributes:
        video_clusters: tokens after each merge, {Nv_a, Nv_o} of the paper (Tab. 6).
        text_clusters: {Nt_a, Nt_o}.
        neighbours: K of DPC-KNN (Eq. 6).
    """

    video_clusters: tuple[int, ...] = (3, 2)
    text_clusters: tuple[int, ...] = (6, 3)
    neighbours: int = 3

    def __post_init__(self) -> None:
        if len(self.video_clusters) != len(self.text_clusters):
            raise ValueError("video_clusters and text_clusters must name as many merges each")
        if len(self.video_clusters) >= len(LEVEL_NAMES):
            raise ValueError(f"at most {len(LEVEL_NAMES) - 1} merges: the levels are {LEVEL_NAMES}")
        if min(*self.video_clusters, *self.text_clusters, self.neighbours, 1) < 1:
            raise ValueError("cluster counts and neighbours must be at least 1")


@dataclass(frozen=True, eq=False)
class LevelTokens:
    """One level of a batch of videos and texts.

    Attributes:
        name: "entity", "action" or "event".
        video, text: Tokens of the level.
        video_logits, text_logits: float [B, N], the token weights of Eq. 1 before the softmax.
    """

    name: str
    video: Tokens
    text: Tokens
    video_logits: Tensor
    text_logits: Tensor

    def game(self, weighting: str = "renormalised", all_pairs: bool = False) -> SimilarityGame:
        """The game of each video with its own text [B], or with every text [B, B]."""
        video = functional.normalize(self.video.features, dim=-1)
        text = functional.normalize(self.text.features, dim=-1)
        video_side = (self.video_logits, self.video.mask)
        text_side = (self.text_logits, self.text.mask)
        if all_pairs:
            video, video_side = video.unsqueeze(1), tuple(x.unsqueeze(1) for x in video_side)
        return SimilarityGame(
            video @ text.mT,
            video_side[0],
            text_side[0],
            video_side[1],
            text_side[1],
            weighting=weighting,
        )


class Level(nn.Module):
    """Merge the tokens of the level below and weigh them (HBI, Sec. 3.2).

    Args:
        name: name of the level.
        video_merge, text_merge: Tokens -> Tokens; nn.Identity at the entity level.
        video_logits, text_logits: MLP_v, MLP_t of Eq. 1: [B, N, D] -> [B, N].
    """

    def __init__(
        self,
        name: str,
        video_merge: nn.Module,
        text_merge: nn.Module,
        video_logits: nn.Module,
        text_logits: nn.Module,
    ) -> None:
        super().__init__()
        self.name = name
        self.video_merge, self.text_merge = video_merge, text_merge
        self.video_logits, self.text_logits = video_logits, text_logits

    def forward(self, video: Tokens, text: Tokens) -> LevelTokens:
        video, text = self.video_merge(video), self.text_merge(text)
        return LevelTokens(
            self.name,
            video,
            text,
            self.video_logits(video.features),
            self.text_logits(text.features),
        )


class Hierarchy(nn.Module):
    """Frames and words -> entity, action and event level."""

    def __init__(self, levels: list[Level]) -> None:
        super().__init__()
        self.levels = nn.ModuleList(levels)

    def forward(self, video: Tokens, text: Tokens) -> list[LevelTokens]:
        outputs = []
        for level in self.levels:
            outputs.append(level(video, text))
            video, text = outputs[-1].video, outputs[-1].text
        return outputs


def build_hierarchy(config: ModelConfig) -> Hierarchy:
    """The hierarchy without trained heads: equal token weights, merged tokens are means."""
    merges = [(nn.Identity(), nn.Identity())]
    for video_clusters, text_clusters in zip(
        config.video_clusters, config.text_clusters, strict=True
    ):
        merges.append(
            (
                TokenMerge(video_clusters, config.neighbours),
                TokenMerge(text_clusters, config.neighbours),
            )
        )
    return Hierarchy(
        [
            Level(name, video, text, Uniform(), Uniform())
            for name, (video, text) in zip(LEVEL_NAMES, merges, strict=False)
        ]
    )
