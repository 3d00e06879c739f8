"""The settings of a training run: frozen dataclasses, filled from configs/*.yaml."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from hbi_core.data.reading import LIMITS
from hbi_core.model import LEVEL_NAMES, ModelConfig
from hbi_core.video import VideoLimits

TARGETS = ("closed_form", "sampling", "estimator", "none")


@dataclass(frozen=True)
class DataConfig:
    """What is trained on.

    Attributes:
        dataset: "msrvtt", "activitynet", "didemo", "msvd", "flickr8k" or "synthetic".
        root: its folder.
        train: split to train on.
        validation: split that chooses the best checkpoint, never the test split; None for none,
            so that the last weights are kept.
        clips: of each split at most, chosen by a hash of their ids; 0 takes all.
        frames: of each clip; a montage has as many of each photograph.
        words: text players at most; longer captions are cut.
        missing: what to do about clips without a file, "skip" or "stop".
        montages: share of the training batches whose samples are one to four photographs one after
            another, with their captions joined. Only for photographs.
        validation_parts: photographs of each montage that is validated on; 1 for single ones.
        views: random views of each photograph to choose the training frames from.
        captions_per_clip: captions of each clip in an epoch, drawn anew; 0 takes them all.
        cache: folder for frozen features.
        workers: processes that read clips, for training, validation and the cache; 0 reads them in
            the training process.
        video_limits: what is refused; a video that takes longer to read stops the run.
    """

    dataset: str
    root: Path
    train: str = "train"
    validation: str | None = "validation"
    clips: int = 0
    frames: int = 12
    words: int = 24
    missing: str = "skip"
    montages: float = 0.0
    validation_parts: int = 1
    views: int = 0
    captions_per_clip: int = 0
    cache: Path | None = None
    workers: int = 2
    video_limits: VideoLimits = LIMITS

    def __post_init__(self) -> None:
        if self.validation and self.validation.startswith("test"):
            raise ValueError("the best checkpoint must not be chosen on the test split")


@dataclass(frozen=True)
class LossConfig:
    """The terms of Eq. 10.

    Attributes:
        alpha: weight of the Banzhaf losses (Eq. 8).
        beta: weight of the self-distillation losses (Eq. 10).
        target: where the interactions of Eq. 5 come from: "closed_form" (exact), "sampling",
            "estimator", or "none" for no Banzhaf loss.
        coalitions: of the target "sampling".
        estimator: file of the target "estimator".
        interaction_scale: factor on the interactions before the softmax of Eq. 4, one for each
            level: with fewer players, interactions are larger.
        weighting: of the game, "renormalised" or "fixed".
        temperature: τ of Eq. 2, where training starts.
        learned_temperature: whether τ is trained.
        supervised: levels with losses of their own (deep supervision).
        distillation: pairs of levels "teacher>student" (Tab. C).
    """

    alpha: float = 1.0
    beta: float = 2.0
    target: str = "closed_form"
    coalitions: int = 1000
    estimator: Path | None = None
    interaction_scale: tuple[float, ...] = (100.0, 20.0, 5.0)
    weighting: str = "renormalised"
    temperature: float = 0.01
    learned_temperature: bool = False
    supervised: tuple[str, ...] = LEVEL_NAMES
    distillation: tuple[str, ...] = ("entity>action", "entity>event")

    def __post_init__(self) -> None:
        if self.target not in TARGETS:
            raise ValueError(f"target is {self.target!r}; it must be one of {TARGETS}")
        if self.target == "estimator" and self.estimator is None:
            raise ValueError("the target 'estimator' needs the file of one: loss.estimator")
        for pair in self.distillation:
            if pair.count(">") != 1 or not set(pair.split(">")) <= set(LEVEL_NAMES):
                raise ValueError(f"distillation {pair!r}: write teacher>student, of {LEVEL_NAMES}")
        unknown = set(self.supervised) - set(LEVEL_NAMES)
        if unknown:
            raise ValueError(f"supervised names {unknown}; the levels are {LEVEL_NAMES}")

    @property
    def distilled(self) -> tuple[tuple[str, str], ...]:
        """(teacher, student) pairs."""
        return tuple(tuple(pair.split(">")) for pair in self.distillation)


@dataclass(frozen=True)
class OptimiserConfig:
    """Adam with warm-up and cosine decay.

    Attributes:
        learning_rate: of everything but the encoder.
        encoder_learning_rate: of the encoder; 0 freezes it, and its features can be cached.
        weight_decay: decoupled (AdamW); 0 is Adam.
        warmup: share of the steps in which the learning rate rises.
        epochs: passes over the training clips (or their captions).
        batch_size: samples a step, over all processes; pairs compared by the contrastive loss.
        accumulation: steps whose gradients are added up before the weights change.
        clip_norm: largest norm of the gradient; 0 for no limit.
        precision: "no" (float32) or "bf16".
        average: decay of the moving average of the weights that is evaluated and saved; 0 for none.
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


@dataclass(frozen=True)
class TrainConfig:
    """A training run for retrieval.

    Attributes:
        out: folder of the run: checkpoints, metrics, TensorBoard files. A run found there goes on.
        encoder: as `hbi_core.encoders.load_encoder` takes it.
        level_weights: share of each level in the score of retrieval, entity first.
        half: whether the checkpoint is stored in half precision.
        evaluate_every: epochs between validations.
        save_every: steps between saves of the state to resume from; an epoch's end saves too.
        seed: of everything random.
    """

    out: Path
    data: DataConfig
    encoder: str = "open_clip"
    model: ModelConfig = field(default_factory=ModelConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    level_weights: tuple[float, ...] = (1.0, 1.0, 1.0)
    half: bool = False
    evaluate_every: int = 1
    save_every: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        if len(self.level_weights) != len(self.model.levels):
            raise ValueError(
                f"{len(self.level_weights)} level_weights for {len(self.model.levels)} levels"
            )
