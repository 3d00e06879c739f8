"""The shape of the model: one frozen dataclass, saved inside every checkpoint."""

from __future__ import annotations

from dataclasses import dataclass

from explainers.estimator import STRUCTURES

LEVEL_NAMES = ("entity", "action", "event")
COMPATIBILITIES = ("paper", "published")


@dataclass(frozen=True)
class ModelConfig:
    """Shape of the hierarchy.

    Attributes:
        video_width, text_width: features of a frame and of a word, as the encoder gives them.
        width: D, features of a token in the joint space.
        text_players: "words"; or "tokens" of the encoder's tokenizer, as the paper has them.
        projection: linear maps from the encoder's features into the joint space; without them
            all three widths are the same.
        noise, dropout: of the features before the projection, in training.
        temporal_layers: blocks of the temporal transformer over frames; 0 for none.
        attention_heads: of the temporal transformer and of the attention after merging.
        positions: frames that the temporal transformer has position embeddings for.
        weight_hidden: hidden features of the weight MLPs (Eq. 1); None takes 2 D.
        logit_bound: b, where the token weight logits are b tanh(logit / b); None for no bound.
        video_clusters: tokens after each merge, {Nv_a, Nv_o} of the paper (Tab. 6). Whole numbers
            are counts; fractions below 1 are shares of the tokens of the level below, rounded up.
            Their number is the number of levels above the entity level, 0 to 2.
        text_clusters: {Nt_a, Nt_o}, likewise.
        neighbours: K of DPC-KNN (Eq. 6).
        head: structure of the prediction heads (Fig. A).
        head_channels: hidden channels of the prediction heads.
        compatibility: "paper"; or "published", which computes what the paper's released
            checkpoints compute. There padding tokens count as similarity 0 at the entity level
            and are read by the convolution of the first merge, and no mask goes on to the next
            level; DPC-KNN weighs by the distance instead of its square.
    """

    video_width: int = 512
    text_width: int = 512
    width: int = 512
    text_players: str = "words"
    projection: bool = False
    noise: float = 0.0
    dropout: float = 0.0
    temporal_layers: int = 4
    attention_heads: int = 8
    positions: int = 77
    weight_hidden: int | None = None
    logit_bound: float | None = None
    video_clusters: tuple[int | float, ...] = (3, 2)
    text_clusters: tuple[int | float, ...] = (6, 3)
    neighbours: int = 3
    head: str = "cnn+sa"
    head_channels: int = 64
    compatibility: str = "paper"

    def __post_init__(self) -> None:
        if len(self.video_clusters) != len(self.text_clusters):
            raise ValueError("video_clusters and text_clusters must name as many merges each")
        if len(self.video_clusters) >= len(LEVEL_NAMES):
            raise ValueError(f"at most {len(LEVEL_NAMES) - 1} merges: the levels are {LEVEL_NAMES}")
        for clusters in (*self.video_clusters, *self.text_clusters):
            if clusters <= 0 or (clusters > 1 and clusters != int(clusters)):
                raise ValueError(
                    f"{clusters} clusters: use a whole number of at least 1, or a share below 1"
                )
        if self.neighbours < 1:
            raise ValueError("neighbours must be at least 1, cluster counts too")
        if not self.projection and not self.video_width == self.text_width == self.width:
            raise ValueError(
                "without projection, video_width, text_width and width must be the same, not "
                f"{self.video_width}, {self.text_width} and {self.width}"
            )
        if self.width % self.attention_heads:
            raise ValueError(
                f"width {self.width} cannot be split into {self.attention_heads} attention heads"
            )
        if self.head not in STRUCTURES:
            raise ValueError(f"head is {self.head!r}; it must be one of {STRUCTURES}")
        if self.compatibility not in COMPATIBILITIES:
            raise ValueError(
                f"compatibility is {self.compatibility!r}; it must be one of {COMPATIBILITIES}"
            )

    @property
    def levels(self) -> tuple[str, ...]:
        return LEVEL_NAMES[: 1 + len(self.video_clusters)]
