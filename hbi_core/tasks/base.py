"""What a task is: all that training knows of it.

A new one is a module beside this one, its name in `hbi_core.tasks.TASKS`, and a configuration that
says `task: NAME`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

from torch import Tensor, nn

from hbi_core.checkpoints.checkpoint import Checkpoint, RetrievalSettings, TaskState
from hbi_core.data import Clip, Corpus, read_corpus
from hbi_core.data.batch import Batch
from hbi_core.data.config import DataConfig
from hbi_core.data.features import Features
from hbi_core.encoders import Encoder
from hbi_core.encoders.tokens import frame_tokens, word_tokens
from hbi_core.losses import LossConfig
from hbi_core.model import ModelConfig, Tokens
from hbi_core.settings import plain

Results = dict[str, dict[str, float]]  # what a validation measures, by group and name


@dataclass(frozen=True)
class NoSettings:
    """Of a task that needs none of its own."""


NO_SETTINGS = NoSettings()


class RunSettings(Protocol):
    """What a task reads of the settings of a run, `hbi_core.training.config.TrainConfig`."""

    @property
    def data(self) -> DataConfig: ...
    @property
    def model(self) -> ModelConfig: ...
    @property
    def loss(self) -> LossConfig: ...
    @property
    def level_weights(self) -> tuple[float, ...]: ...
    @property
    def reranked(self) -> int: ...
    @property
    def frozen(self) -> bool: ...


class Task(nn.Module, ABC):
    """A model, and what it is trained for: a batch -> named losses.

    Attributes:
        name: as a configuration names it.
        Settings: dataclass of what the task must know beside the model, such as a vocabulary: of
            numbers, names, and tuples of them, each with a default.
        score_name: what `score` is called.
        advice: what else to try than other settings of the optimiser where training diverges.
        hierarchy: the model.
        encoder: one that learns; None where the batches hold frozen features.
        own: what the task adds to the model, its classifier say. Its tensors are in the checkpoint.
        settings: of the class `Settings`; in the checkpoint too.
        retrieval: what the model reads of a clip and a text.
        loss: settings of the losses that are shared by tasks.

    Args:
        heads: the model with what it reads.
        loss: settings of the losses.
        encoder: see above.
        settings: those of the task, complete.
    """

    name: ClassVar[str]
    Settings: ClassVar[type] = NoSettings
    score_name: ClassVar[str]
    advice: ClassVar[tuple[str, ...]] = ()
    own: nn.Module

    def __init__(
        self,
        heads: Checkpoint,
        loss: LossConfig,
        encoder: Encoder | None = None,
        settings: Any = NO_SETTINGS,
    ) -> None:
        super().__init__()
        self.hierarchy = heads.hierarchy
        self.encoder = encoder
        self.own = nn.Module()
        self.settings = settings
        self.retrieval = heads.retrieval
        self.loss = loss
        self._text_players = heads.config.text_players
        self._reads_padding = heads.config.reads_padding

    @classmethod
    def check(cls, config: RunSettings) -> None:
        """Whether the settings of a run fit each other as this task uses them.

        Raises:
            SettingsError: they do not.
        """

    @classmethod
    def reads(cls, config: RunSettings) -> RetrievalSettings:
        """What the model reads of a clip and a text, for its checkpoint; every level counts."""
        weights = (1.0,) * len(config.model.levels)
        return RetrievalSettings(config.data.frames, config.data.words, weights)

    @classmethod
    def corpus(cls, data: DataConfig, split: str) -> Corpus:
        """The clips of a split, with their texts.

        Raises:
            DataError: they cannot be read.
        """
        return read_corpus(data.dataset, data.root, split, data.missing)

    @classmethod
    def complete(cls, settings: Any, clips: Sequence[Clip]) -> Any:
        """Settings with what follows from the clips that are trained on, such as a vocabulary.

        Args:
            settings: of the class `Settings`, as the configuration gives them.
            clips: those trained on, the same in every process.
        """
        return settings

    def prepare(self, clips: Sequence[Clip]) -> None:
        """Meet the clips that are trained on, whose captions the samples of batches number.

        Called once, before the first step; not where the task comes from a checkpoint.
        """

    @property
    @abstractmethod
    def losses(self) -> list[str]:
        """Names of the losses, "total" left out."""

    @abstractmethod
    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Losses by name, each a float []; "total" is what training minimises.

        Raises:
            NotFiniteError: the model computes values that are not finite.
        """

    @abstractmethod
    def validate(self, features: Features) -> Results:
        """Measure the model, in evaluation mode, on clips that it was not trained on.

        Raises:
            NotFiniteError: the model computes values that are not finite.
        """

    def evaluate(self, features: Features) -> Results:
        """As `validate`, of a model that is finished: with what training has no time for.

        Raises:
            NotFiniteError: the model computes values that are not finite.
        """
        return self.validate(features)

    @abstractmethod
    def score(self, results: Results) -> float:
        """The number of a validation that chooses the best checkpoint: the higher the better."""

    @property
    def scales(self) -> list[nn.Parameter]:
        """Parameters that learn as a temperature does.

        With the learning rate of the encoder where it learns, and without weight decay.
        """
        return []

    def facts(self) -> dict[str, str]:
        """What is said of the task at the start of a run, by name."""
        return {"task": self.name, "losses": ", ".join(self.losses)}

    def state(self) -> TaskState:
        """What belongs in a checkpoint beside the model."""
        return TaskState(self.name, plain(self.settings), dict(self.own.state_dict()))

    def tokens(self, batch: Batch) -> tuple[Tokens, Tokens]:
        """The encoder's features of a batch, of frames and of words."""
        return self.video_tokens(batch), self.text_tokens(batch)

    def video_tokens(self, batch: Batch) -> Tokens:
        """The encoder's features of the frames of a batch."""
        if isinstance(batch.words, Tensor):
            return Tokens.original(batch.frames, batch.frame_mask)
        encoder, padded = self._learning_encoder(), self._reads_padding
        encoded = encoder.frame_features(batch.frames[batch.frame_mask])
        frames = encoded.split(batch.frame_mask.sum(-1).tolist())
        length = self.retrieval.frames if padded else batch.frame_mask.shape[1]
        return frame_tokens(encoder, frames, length, padded)

    def text_tokens(self, batch: Batch) -> Tokens:
        """The encoder's features of the words of a batch."""
        if isinstance(batch.words, Tensor):
            texts = Tokens.original(batch.words, batch.word_mask)
            if batch.word_groups is None:
                return texts
            groups, steps, context = batch.word_groups, batch.word_steps, batch.word_context
            return replace(texts, groups=groups, steps=steps, context=context)
        words = self._learning_encoder().text_features(
            batch.words, self._text_players, self.retrieval.words, self._reads_padding
        )
        return word_tokens(words, self.retrieval.words)

    def _learning_encoder(self) -> Encoder:
        assert self.encoder is not None  # or the batches would hold features
        return self.encoder
