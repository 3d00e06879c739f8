"""Checkpoints: the model's tensors (safetensors) with the configuration that they belong to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from hbi_core.encoders.loading import ENCODER_PREFIX
from hbi_core.errors import CheckpointError, SettingsError
from hbi_core.model import Hierarchy, ModelConfig, build_hierarchy
from hbi_core.settings import BY_NAME, COUNT, NOT_NEGATIVE, TEXT, check, each, from_plain
from hbi_core.shipped import ASSETS
from hbi_core.tensor_file import read_tensors, write_tensors

_SCHEMA = "hbi-checkpoint/2"
_WITHOUT_RETRIEVAL = "hbi-checkpoint/1"  # what it retrieves by follows from how it was trained
_FRAMES, _WORDS = 12, 64  # of a model that was not trained
RERANKED = 20  # of a model that does not say; enough for R@10
_TASK_PREFIX = "task."  # of the tensors of a task
UNTRAINED = "untrained"  # instead of a checkpoint's name
SHIPPED = ASSETS / "lite_heads.safetensors"


@dataclass(frozen=True)
class RetrievalSettings:
    """What a model reads of a clip and a text, and how it scores them, as in its training.

    Attributes:
        frames: of each clip.
        words: text players at most.
        level_weights: share of each level in the score, entity first.
        reranked: with a reconstruction, so many of the best by single-modal scores are ranked anew
            by rebuilt tokens; without one, of no effect.
    """

    frames: int
    words: int
    level_weights: tuple[float, ...]
    reranked: int = RERANKED

    def __post_init__(self) -> None:
        counts = dict.fromkeys(("frames", "words", "reranked"), COUNT)
        check(self, **counts, level_weights=each(NOT_NEGATIVE))
        if not any(self.level_weights):
            raise SettingsError("level_weights are all 0: no level would count.")


@dataclass(frozen=True, eq=False)
class TaskState:
    """What a model's task must know beside the model; `hbi_core.tasks.load_task` makes use of it.

    Attributes:
        name: of the task.
        settings: its own, a vocabulary say, as JSON has them.
        tensors: its own by name, of a classifier say.
    """

    name: str = "retrieval"
    settings: dict = field(default_factory=dict)
    tensors: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check(self, "task.", name=TEXT, settings=BY_NAME)


PUBLISHED_RETRIEVAL = RetrievalSettings(12, 24, (1.0, 0.0, 0.0))  # of the research code, MSR-VTT


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Heads with what one must know to use them.

    Attributes:
        encoder: name of the encoder they belong to, as `load_encoder` takes it.
        config: shape of the hierarchy.
        hierarchy: the model, in evaluation mode, on the CPU.
        retrieval: what it reads, and how it scores.
        name: file name, or "untrained".
        path: the file, where it holds the encoder's weights too; else None.
        training: how it was trained, to be read by people: settings and results, as JSON has them.
        task: what it was trained for.
    """

    encoder: str
    config: ModelConfig
    hierarchy: Hierarchy
    retrieval: RetrievalSettings
    name: str
    path: Path | None = None
    training: dict = field(default_factory=dict)
    task: TaskState = field(default_factory=TaskState)

    def __post_init__(self) -> None:
        weights, levels = self.retrieval.level_weights, self.config.levels
        if len(weights) != len(levels):
            raise SettingsError(f"{len(weights)} level_weights for {len(levels)} levels.")
        frames, positions = self.retrieval.frames, self.config.positions
        if self.config.temporal_layers and frames > positions:
            raise SettingsError(f"{frames} frames, but the model has positions for {positions}.")

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the model's similarities has to know of it: a sentence each."""
        if self.task.name == TaskState().name:
            return ()
        return (
            f"{self.name} was trained for {self.task.name.replace('_', ' ')}, not for retrieval: "
            "nothing taught its similarities to tell what fits.",
        )


def untrained(encoder: str, widths: tuple[int, int]) -> Checkpoint:
    """The model before training: equal token weights, merged tokens are plain means.

    Args:
        encoder: its name.
        widths: features of its frames and words. They share a space in the first features.
    """
    config = ModelConfig(*widths, width=min(widths), projection=len(set(widths)) > 1)
    retrieval = RetrievalSettings(_FRAMES, _WORDS, (1.0,) * len(config.levels))
    return Checkpoint(
        encoder=encoder,
        config=config,
        hierarchy=build_hierarchy(config).eval(),
        retrieval=retrieval,
        name=UNTRAINED,
    )


def save_checkpoint(
    path: str | Path,
    checkpoint: Checkpoint,
    encoder: torch.nn.Module | None = None,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write a checkpoint; a reader never sees half of it.

    Args:
        path: the file, NAME.safetensors.
        checkpoint: what to write.
        encoder: an encoder whose weights are to go into the file.
        dtype: of the stored tensors.
    """
    settings = {
        "encoder": checkpoint.encoder,
        "config": asdict(checkpoint.config),
        "retrieval": asdict(checkpoint.retrieval),
        "encoder_in_file": encoder is not None,
        "training": checkpoint.training,
        "task": {"name": checkpoint.task.name, "settings": checkpoint.task.settings},
    }
    tensors = dict(checkpoint.hierarchy.state_dict())
    tensors |= {_TASK_PREFIX + name: value for name, value in checkpoint.task.tensors.items()}
    if encoder is not None:
        tensors |= {ENCODER_PREFIX + name: value for name, value in encoder.state_dict().items()}
    tensors = {k: v.to(dtype) if v.is_floating_point() else v for k, v in tensors.items()}
    write_tensors(Path(path), tensors, {"schema": _SCHEMA, "settings": json.dumps(settings)})


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint; every tensor must fit.

    Raises:
        CheckpointError: the file is missing, not a checkpoint of this program, or damaged.
    """
    path = Path(path)
    tensors, metadata = read_tensors(path, without=ENCODER_PREFIX)
    with _fitting(path):
        settings, config, retrieval = _settings(path, metadata)
        hierarchy = build_hierarchy(config)
        tensors = _in_float(tensors)
        of_task = {k.removeprefix(_TASK_PREFIX) for k in tensors if k.startswith(_TASK_PREFIX)}
        task = TaskState(
            **settings.get("task", {}), tensors={k: tensors.pop(_TASK_PREFIX + k) for k in of_task}
        )
        hierarchy.load_state_dict(_with_scales(tensors))
        return Checkpoint(
            encoder=settings["encoder"],
            config=config,
            hierarchy=hierarchy.eval(),
            retrieval=retrieval,
            name=path.name,
            path=path if settings["encoder_in_file"] else None,
            training=settings["training"],
            task=task,
        )


def _with_scales(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """With a scale of each feature; earlier files had one for all features of a projection."""
    return {
        name: value.expand_as(tensors[name.removesuffix("scale") + "centre"])
        if name.endswith(".scale") and value.dim() == 0
        else value
        for name, value in tensors.items()
    }


def _settings(path: Path, metadata: dict) -> tuple[dict, ModelConfig, RetrievalSettings]:
    """What the metadata of a checkpoint says: as a dictionary, and the parts that have a type."""
    if metadata.get("schema") not in (_SCHEMA, _WITHOUT_RETRIEVAL):
        raise CheckpointError(
            f"{path.name} is a safetensors file, but no checkpoint of this program: its metadata "
            f"lacks the schema {_SCHEMA}."
        )
    settings = json.loads(metadata["settings"])
    config = from_plain(ModelConfig, settings["config"])
    if metadata["schema"] == _WITHOUT_RETRIEVAL:
        settings["retrieval"] = _retrieval_of_training(settings["training"], config)
    return settings, config, from_plain(RetrievalSettings, settings["retrieval"])


@contextmanager
def _fitting(path: Path) -> Iterator[None]:
    """What goes wrong within is told as an error of the checkpoint."""
    try:
        yield
    except CheckpointError:
        raise
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"{path.name} does not fit this version of the program: {error}"
        ) from error


def _retrieval_of_training(training: dict, config: ModelConfig) -> dict:
    """RetrievalSettings of a file of the first schema: those of its training."""
    if "converted_from" in training:
        return asdict(PUBLISHED_RETRIEVAL)
    settings = training.get("settings", {})
    data = settings.get("data", {})
    return {
        "frames": data.get("frames", _FRAMES),
        "words": data.get("words", _WORDS),
        "level_weights": settings.get("level_weights", [1.0] * len(config.levels)),
    }


def _in_float(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}
