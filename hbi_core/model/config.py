"""The shape of the model: one frozen dataclass, saved inside every checkpoint."""

from __future__ import annotations

from dataclasses import dataclass

from explainers.prediction_head import STRUCTURES
from hbi_core.errors import SettingsError
from hbi_core.settings import (
    COUNT,
    NOT_NEGATIVE,
    POSITIVE,
    SHARE_BELOW_ONE,
    Allowed,
    check,
    each,
    one_of,
    optional,
    whole,
)

LEVEL_NAMES = ("entity", "action", "event")
TEXT_PLAYERS = ("words", "tokens")
COMPATIBILITIES = ("paper", "published")


def _is_count_or_share(value: object) -> bool:
    if not isinstance(value, int | float) or not POSITIVE.holds(value):
        return False
    return value < 1 or value == int(value)


_CLUSTERS = Allowed("a whole number of at least 1, or a share below 1", _is_count_or_share)


@dataclass(frozen=True)
class ModelConfig:
    """Shape of the hierarchy.

    Attributes:
        video_width: features of a frame; training takes what the encoder gives.
        text_width: features of a word, likewise.
        width: D, features of a token in the joint space.
        text_players: "words"; or "tokens" of the encoder's tokenizer, as the paper has them.
        projection: linear maps from the encoder's features into the joint space; without them
            all three widths are the same.
        noise: standard deviation of what is added to the features before the projection, in
            training.
        dropout: of the features before the projection, in training.
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
        check(
            self,
            "model.",
            **dict.fromkeys(("video_width", "text_width", "width", "attention_heads"), COUNT),
            text_players=one_of(TEXT_PLAYERS),
            noise=NOT_NEGATIVE,
            dropout=SHARE_BELOW_ONE,
            temporal_layers=whole(0),
            positions=COUNT,
            weight_hidden=optional(COUNT),
            logit_bound=optional(POSITIVE),
            video_clusters=each(_CLUSTERS),
            text_clusters=each(_CLUSTERS),
            neighbours=COUNT,
            head=one_of(STRUCTURES),
            head_channels=COUNT,
            compatibility=one_of(COMPATIBILITIES),
        )
        if len(self.video_clusters) != len(self.text_clusters):
            raise SettingsError("video_clusters and text_clusters must name as many merges each.")
        if len(self.video_clusters) >= len(LEVEL_NAMES):
            raise SettingsError(
                f"There are at most {len(LEVEL_NAMES) - 1} merges: the levels are {LEVEL_NAMES}."
            )
        if not self.projection and not self.video_width == self.text_width == self.width:
            raise SettingsError(
                "Without projection, video_width, text_width and width must be the same, not "
                f"{self.video_width}, {self.text_width} and {self.width}."
            )
        if self.width % self.attention_heads:
            raise SettingsError(
                f"width {self.width} cannot be split into {self.attention_heads} attention_heads."
            )

    @property
    def reads_padding(self) -> bool:
        """Whether padding must be encoded too; see `hbi_core.model.published`."""
        return self.compatibility == "published"

    @property
    def levels(self) -> tuple[str, ...]:
        return LEVEL_NAMES[: 1 + len(self.video_clusters)]
