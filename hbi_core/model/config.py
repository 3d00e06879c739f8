"""The shape of the model: one frozen dataclass, saved inside every checkpoint."""

from __future__ import annotations

from dataclasses import dataclass

from explainers.prediction_head import STRUCTURES
from hbi_core.errors import SettingsError
from hbi_core.settings import (
    COUNT,
    NOT_NEGATIVE,
    POSITIVE,
    SHARE,
    SHARE_BELOW_ONE,
    Allowed,
    check,
    each,
    one_of,
    optional,
    whole,
)

LEVEL_NAMES = ("entity", "action", "event")
TEXT_PLAYERS = ("words", "phrases", "tokens")
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
        video_width: A frame has so many features; training takes what the encoder gives.
        text_width: A word has so many features; training takes what the encoder gives.
        width: A token has so many features in the joint space, D.
        text_players: Text players are "words"; "phrases", each a content word with the function
            words that lead to it; or "tokens" of the encoder's tokenizer, as the paper has them.
        text_context: A text player has so many further features, of all its words together, which
            only the levels above the entity level read; 0 for none.
        projection: Linear maps lead from the encoder's features into the joint space if this is
            true; without them all three widths are the same.
        noise: What is added to the features before the projection, in training, has this standard
            deviation.
        dropout: This share of the features before the projection is dropped in training.
        temporal_layers: The temporal transformer over frames has so many blocks; with 0, there is
            none.
        attention_heads: The temporal transformer, the attention after merging and that of the
            reconstruction have so many heads.
        positions: The temporal transformer has position embeddings for so many frames.
        weight_hidden: The weight MLPs (Eq. 1) have so many hidden features; None takes 2 D.
        logit_bound: The token weight logits are b tanh(logit / b), where b is this; None sets no
            bound.
        video_clusters: So many tokens are left after each merge, {Nv_a, Nv_o} of the paper (Tab.
            6). Whole numbers are counts; fractions below 1 are shares of the tokens of the level
            below, rounded up. Their number is the number of levels above the entity level, 0 to 2.
        text_clusters: So many text tokens are left after each merge, {Nt_a, Nt_o}, likewise.
        video_path: λ of the distance by which frames are merged, 0 to 1: (1 - λ) times the distance
            of their features, and λ times the way along the sequence (`path_distances`). 0 is the
            paper; with 1, merged frames are contiguous.
        text_path: λ of the text players, likewise.
        neighbours: DPC-KNN looks at so many neighbours, K of Eq. 6.
        head: The prediction heads have this structure (Fig. A).
        head_channels: The prediction heads have so many hidden channels.
        reconstruction: The tokens of a pair are rebuilt at every level with what the other side
            says about them, as in HBI's second version, if this is true.
        compatibility: The model is the one of the "paper"; or "published", which computes what the
            paper's released checkpoints compute. There padding tokens count as similarity 0 at the
            entity level and are read by the convolution of the first merge, and no mask goes on to
            the next level; DPC-KNN weighs by the distance instead of its square.
    """

    video_width: int = 512
    text_width: int = 512
    width: int = 512
    text_players: str = "words"
    text_context: int = 0
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
    video_path: float = 0.0
    text_path: float = 0.0
    neighbours: int = 3
    head: str = "cnn+sa"
    head_channels: int = 64
    reconstruction: bool = False
    compatibility: str = "paper"

    def __post_init__(self) -> None:
        check(
            self,
            "model.",
            **dict.fromkeys(("video_width", "text_width", "width", "attention_heads"), COUNT),
            text_players=one_of(TEXT_PLAYERS),
            text_context=whole(0),
            noise=NOT_NEGATIVE,
            dropout=SHARE_BELOW_ONE,
            temporal_layers=whole(0),
            positions=COUNT,
            weight_hidden=optional(COUNT),
            logit_bound=optional(POSITIVE),
            video_clusters=each(_CLUSTERS),
            text_clusters=each(_CLUSTERS),
            **dict.fromkeys(("video_path", "text_path"), SHARE),
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
        if self.text_context and not (self.projection and self.text_clusters):
            raise SettingsError(
                "text_context is projected and read by the first merge: it needs projection and "
                "text_clusters."
            )
        if self.reads_padding and (self.video_path or self.text_path or self.text_context):
            raise SettingsError(
                "The published model has no video_path, text_path and text_context: leave them at "
                "0, or set compatibility to paper."
            )
        if self.reads_padding and self.reconstruction:
            raise SettingsError(
                "The published model is version 1, without reconstruction: set reconstruction to "
                "false, or compatibility to paper."
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
