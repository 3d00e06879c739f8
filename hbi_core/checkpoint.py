"""Checkpoints: the heads' tensors (safetensors) with the configuration that they belong to."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from hbi_core.errors import CheckpointError
from hbi_core.model import Hierarchy, ModelConfig, build_hierarchy

_SCHEMA = "hbi-checkpoint/1"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Heads with what one must know to use them.

    Attributes:
        encoder: name of the encoder they belong to, as `load_encoder` takes it.
        config: shape of the hierarchy.
        hierarchy: the model, in evaluation mode, on the CPU.
        name: file name, or "untrained".
    """

    encoder: str
    config: ModelConfig
    hierarchy: Hierarchy
    name: str


def untrained(encoder: str = "lite", config: ModelConfig | None = None) -> Checkpoint:
    """Heads before training: equal token weights, merged tokens are plain means."""
    config = config or ModelConfig()
    return Checkpoint(encoder, config, build_hierarchy(config).eval(), "untrained")


def save_checkpoint(path: str | Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; a reader never sees half of it."""
    path = Path(path)
    settings = {"encoder": checkpoint.encoder, "config": asdict(checkpoint.config)}
    partial = path.with_name(path.name + ".partial")
    tensors = {k: v.contiguous().cpu() for k, v in checkpoint.hierarchy.state_dict().items()}
    save_file(tensors, partial, metadata={"schema": _SCHEMA, "settings": json.dumps(settings)})
    partial.replace(path)


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint; every tensor must fit.

    Raises:
        CheckpointError: the file is missing, not a checkpoint of this program, or damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"There is no checkpoint {path}.")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path.name} is not a readable safetensors file ({error}). A checkpoint is a file "
            "written by hbi_core.train."
        ) from error
    if metadata.get("schema") != _SCHEMA:
        raise CheckpointError(
            f"{path.name} is a safetensors file, but no checkpoint of this program: its metadata "
            f"lacks the schema {_SCHEMA}."
        )
    try:
        settings = json.loads(metadata["settings"])
        shape = {k: tuple(v) if isinstance(v, list) else v for k, v in settings["config"].items()}
        config = ModelConfig(**shape)
        hierarchy = build_hierarchy(config)
        hierarchy.load_state_dict(tensors)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"{path.name} does not fit this version of the program: {error}"
        ) from error
    return Checkpoint(settings["encoder"], config, hierarchy.eval(), path.name)
