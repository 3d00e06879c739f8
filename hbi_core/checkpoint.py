"""Checkpoints: the model's tensors (safetensors) with the configuration that they belong to."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from hbi_core.encoders.loading import ENCODER_PREFIX
from hbi_core.errors import CheckpointError
from hbi_core.model import Hierarchy, ModelConfig, build_hierarchy
from hbi_core.shipped import ASSETS
from hbi_core.tensor_file import read_tensors, write_tensors

_SCHEMA = "hbi-checkpoint/1"
UNTRAINED = "untrained"  # instead of a checkpoint's name
SHIPPED = ASSETS / "lite_heads.safetensors"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Heads with what one must know to use them.

    Attributes:
        encoder: name of the encoder they belong to, as `load_encoder` takes it.
        config: shape of the hierarchy.
        hierarchy: the model, in evaluation mode, on the CPU.
        name: file name, or "untrained".
        path: the file, where it holds the encoder's weights too; else None.
        training: how it was trained: settings and results, as JSON has them.
    """

    encoder: str
    config: ModelConfig
    hierarchy: Hierarchy
    name: str
    path: Path | None = None
    training: dict = field(default_factory=dict)


def untrained(encoder: str, widths: tuple[int, int]) -> Checkpoint:
    """The model before training: equal token weights, merged tokens are plain means.

    Args:
        encoder: its name.
        widths: features of its frames and words. They share a space in the first features.
    """
    config = ModelConfig(*widths, width=min(widths), projection=len(set(widths)) > 1)
    return Checkpoint(encoder, config, build_hierarchy(config).eval(), UNTRAINED)


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
        "encoder_in_file": encoder is not None,
        "training": checkpoint.training,
    }
    tensors = dict(checkpoint.hierarchy.state_dict())
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
    if metadata.get("schema") != _SCHEMA:
        raise CheckpointError(
            f"{path.name} is a safetensors file, but no checkpoint of this program: its metadata "
            f"lacks the schema {_SCHEMA}."
        )
    try:
        settings = json.loads(metadata["settings"])
        config = model_config(settings["config"])
        hierarchy = build_hierarchy(config)
        hierarchy.load_state_dict(_in_float(tensors))
        in_file = settings["encoder_in_file"]
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"{path.name} does not fit this version of the program: {error}"
        ) from error
    return Checkpoint(
        settings["encoder"],
        config,
        hierarchy.eval(),
        path.name,
        path if in_file else None,
        settings["training"],
    )


def model_config(fields: dict) -> ModelConfig:
    """A ModelConfig from what JSON made of it."""
    return ModelConfig(**{k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()})


def _in_float(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}
