"""The settings of a training run: frozen dataclasses, filled from configs/*.yaml."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hbi_core.checkpoints.checkpoint import RERANKED
from hbi_core.data.config import DataConfig
from hbi_core.encoders.open_clip_files import IN_CHECKPOINT
from hbi_core.errors import SettingsError
from hbi_core.losses import LossConfig
from hbi_core.model import ModelConfig
from hbi_core.settings import (
    COUNT,
    LEARNING_RATE,
    LEARNING_RATE_OR_ZERO,
    NOT_NEGATIVE,
    OWN_PATH,
    SEED,
    SHARE_BELOW_ONE,
    TEXT,
    WEIGHT_DECAY,
    check,
    each,
    one_of,
    optional,
)
from hbi_core.tasks import task_named

PRECISIONS = ("no", "bf16")


@dataclass(frozen=True)
class OptimiserConfig:
    """Adam with warm-up and cosine decay.

    Attributes:
        learning_rate: Everything but the encoder learns at this rate.
        encoder_learning_rate: The encoder learns at this rate; 0 freezes it, and its features can
            be cached.
        weight_decay: The weights decay at this rate, decoupled as in AdamW; 0 is Adam.
        warmup: The learning rate rises in this share of the steps.
        epochs: Training passes so often over the training clips, or their captions.
        batch_size: A step has so many samples over all processes; the contrastive loss compares
            each pair of them.
        accumulation: The gradients of so many steps are added up before the weights change.
        clip_norm: The norm of the gradient is limited to this; 0 sets no limit.
        precision: The model computes in float32 ("no") or in bfloat16 ("bf16").
        average: A moving average of the weights with this decay, those of a learning encoder too,
            is evaluated and saved; 0 makes none.
    """

    learning_rate: float = 1e-3
    encoder_learning_rate: float = 1e-7
    weight_decay: float = 0.0
    warmup: float = 0.1
    epochs: int = 5
    batch_size: int = 128
    accumulation: int = 1
    clip_norm: float = 1.0
    precision: str = "no"
    average: float = 0.0

    def __post_init__(self) -> None:
        check(
            self,
            "optimiser.",
            learning_rate=LEARNING_RATE,
            encoder_learning_rate=LEARNING_RATE_OR_ZERO,
            weight_decay=WEIGHT_DECAY,
            clip_norm=NOT_NEGATIVE,
            **dict.fromkeys(("warmup", "average"), SHARE_BELOW_ONE),
            **dict.fromkeys(("epochs", "batch_size", "accumulation"), COUNT),
            precision=one_of(PRECISIONS),
        )


@dataclass(frozen=True)
class TrainConfig:
    """A training run.

    Attributes:
        out: The run is written to this folder: checkpoints, metrics, TensorBoard files. A run found
            there goes on, if it has the same settings (see `hbi_core.training.folder`). Processes
            on several machines must all see it.
        task: The model is trained for this task, one of `hbi_core.tasks.TASKS`.
        task_settings: These settings, by name, are those that only this task has.
        encoder: This encodes frames and words, named as `hbi_core.encoders.load_encoder` takes it,
            with its weights.
        model: The model has this shape.
        start: Training starts from the weights of this checkpoint, such as the one that we ship,
            whose encoder and model must be these, but for noise and dropout. `read_config` takes
            from it what a command line and a file leave out.
        loss: This is minimised.
        optimiser: This is how it is minimised.
        level_weights: Each level has this share in the score of retrieval, entity first.
        reranked: With model.reconstruction, so many of the best by single-modal scores are ranked
            anew by rebuilt tokens, in retrieval and search.
        half: The checkpoint is stored in half precision if this is true.
        evaluate_every: So many epochs lie between two validations.
        save_every: So many steps lie between two saves of the state to resume from; an epoch's end
            saves too.
        seed: Everything random follows from this number.
    """

    out: Path
    data: DataConfig
    encoder: str = "open_clip"
    model: ModelConfig = field(default_factory=ModelConfig)
    start: Path | None = None
    task: str = "retrieval"
    task_settings: dict[str, Any] = field(default_factory=dict)
    loss: LossConfig = field(default_factory=LossConfig)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    level_weights: tuple[float, ...] = (1.0, 1.0, 1.0)
    reranked: int = RERANKED
    half: bool = False
    evaluate_every: int = 1
    save_every: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        check(
            self,
            out=OWN_PATH,
            **dict.fromkeys(("encoder", "task"), TEXT),
            start=optional(OWN_PATH),
            level_weights=each(NOT_NEGATIVE),
            **dict.fromkeys(("reranked", "evaluate_every", "save_every"), COUNT),
            seed=SEED,
        )
        task_named(self.task).check(self)
        if self.data.views and not self.frozen:
            raise SettingsError(
                "data.views are for frozen features: set them to 0, or the "
                "optimiser.encoder_learning_rate."
            )
        montages = self.data.montages or self.data.validation_parts > 1
        if self.model.reads_padding and (montages or self.data.views):
            raise SettingsError(
                "model.compatibility=published pads every clip by itself: set data.montages and "
                "data.views to 0 and data.validation_parts to 1."
            )
        if self.encoder.endswith(f":{IN_CHECKPOINT}") and self.start is None:
            raise SettingsError(
                f"encoder is {self.encoder!r}, which has random weights: name a pretrained tag of "
                "open_clip or a file in place of its last part, or a checkpoint with weights of it "
                "to start from (start=FILE)."
            )

    @property
    def frozen(self) -> bool:
        """Whether the encoder learns nothing."""
        return self.optimiser.encoder_learning_rate == 0
