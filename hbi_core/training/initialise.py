"""Where training starts from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import torch

from hbi_core.checkpoints.checkpoint import Checkpoint, load_checkpoint
from hbi_core.data import Clip
from hbi_core.data.features import Features
from hbi_core.encoders import Encoder
from hbi_core.encoders.loading import fill_encoder
from hbi_core.errors import SettingsError
from hbi_core.model import Hierarchy, ModelConfig
from hbi_core.model.entity import CLIP_BLOCK, AddedContext, Projection, TemporalTransformer
from hbi_core.settings import from_plain
from hbi_core.tasks import settings_of, task_named
from hbi_core.tasks.base import Task
from hbi_core.training.config import ANY_ENCODER, TrainConfig

_FREE = {"noise", "dropout"}  # they change no weight and nothing that is computed with them


def starting_point(config: TrainConfig) -> tuple[TrainConfig, Checkpoint | None]:
    """The settings with what follows from the checkpoint that training starts from, and that.

    Returns:
        The settings as they are, and None, where they name no checkpoint.

    Raises:
        CheckpointError: it cannot be loaded.
        SettingsError: there is no such task or setting of it; or settings of the model are not
            those of the checkpoint, all of which are named.
    """
    from_plain(task_named(config.task).Settings, config.task_settings)
    if config.start is None:
        return config, None
    start, usual = load_checkpoint(config.start), ModelConfig()
    model, differing = {}, []
    for name in (field.name for field in fields(ModelConfig)):
        own, asked = getattr(start.config, name), getattr(config.model, name)
        given = asked not in (getattr(usual, name), own)
        if given and name not in _FREE:
            differing.append(f"model.{name} is {asked!r}, not {own!r}")
        model[name] = asked if given else own
    if differing:
        raise SettingsError(
            f"The model of {start.name} has another shape: {'; '.join(differing)}. Leave out what "
            "differs, or start without a checkpoint."
        )
    encoder = start.encoder if config.encoder == ANY_ENCODER else config.encoder
    return replace(config, model=ModelConfig(**model), encoder=encoder), start


def complete_settings(
    kind: type[Task], config: TrainConfig, start: Checkpoint | None, clips: Sequence[Clip]
) -> Any:
    """The task's own settings: those of the checkpoint, if it was trained for the same task.

    Args:
        kind: the task.
        config: the settings.
        start: the checkpoint that training starts from, or None.
        clips: those trained on.

    Raises:
        SettingsError: there is no such setting, it has a value that it cannot have, or another one
            in the checkpoint.
        CheckpointError: the checkpoint has settings that do not fit.
    """
    asked: Any = from_plain(kind.Settings, config.task_settings)
    if start is None or start.task.name != kind.name:
        return kind.complete(asked, clips)
    known = settings_of(start, kind)
    for name in config.task_settings:
        if getattr(asked, name) != getattr(known, name):
            raise SettingsError(
                f"task_settings.{name} is {getattr(asked, name)!r}, but {getattr(known, name)!r} "
                f"in {start.name}: leave it out, or start without a checkpoint."
            )
    return known


def check_encoder(start: Checkpoint, encoder: Encoder) -> None:
    """Whether a checkpoint belongs to the encoder.

    Raises:
        SettingsError: it belongs to another.
    """
    name = encoder.name if start.path is None else encoder.architecture
    if name != start.encoder:
        raise SettingsError(
            f"{start.name} belongs to the encoder {start.encoder}, not {encoder.name}: set "
            f"encoder={start.encoder}."
        )


def fill_from(start: Checkpoint, hierarchy: Hierarchy, encoder: Encoder) -> str:
    """Copy the weights of a checkpoint, those of its encoder too if they lie in it.

    Returns:
        What was done.

    Raises:
        CheckpointError: its encoder's weights do not fit.
    """
    hierarchy.load_state_dict(start.hierarchy.state_dict())
    if start.path is None:
        return f"the model of {start.name}"
    fill_encoder(encoder, start.path)
    return f"the model and the encoder of {start.name}"


@torch.no_grad()
def initialise_from_clip(hierarchy: Hierarchy, encoder: Encoder) -> str:
    """Copy the first blocks and the positions of a CLIP's text encoder to the temporal transformer.

    Returns:
        What was done; where it was not, why.
    """
    found = [m for m in hierarchy.modules() if isinstance(m, TemporalTransformer)]
    text: Any = getattr(encoder, "text_tower", None)
    if not found:
        return "none"
    (temporal,) = found
    layers = temporal.blocks.layers
    if not hasattr(text, "positional_embedding"):
        return f"{len(layers)} blocks, from the identity: {encoder.name} is no CLIP"
    positions, blocks = text.positional_embedding, text.transformer.resblocks
    ours = {
        "width": temporal.positions.shape[-1],
        "attention_heads": layers[0].self_attn.num_heads,
    }
    theirs = {"width": positions.shape[-1], "attention_heads": blocks[0].attn.num_heads}
    if ours != theirs or len(layers) > len(blocks):
        return (
            f"{len(layers)} blocks, from the identity: {ours} do not fit the {len(blocks)} blocks "
            f"of {encoder.name}, {theirs}"
        )
    count = min(len(positions), len(temporal.positions))
    temporal.positions[:count] = positions[:count]
    for own, block in zip(layers, blocks[: len(layers)], strict=True):
        own.load_state_dict(
            {
                ours + name.removeprefix(theirs): value
                for ours, theirs in CLIP_BLOCK.items()
                for name, value in block.state_dict().items()
                if name.startswith(theirs)
            }
        )
    return f"{len(layers)} blocks, from the text encoder of {encoder.name}"


def fit_projections(hierarchy: Hierarchy, features: Features) -> None:
    """Centre and scale of the frozen features, for the projections if there are any.

    Those of the context of text players are for the level above the entity level, which reads it.
    """
    entity, *above = hierarchy.levels
    read = [(entity.video, features.frames[features.frame_mask]), (entity.text, features.words)]
    if features.context is not None and above:
        read.append((above[0].text, features.context))
    for steps, known in read:
        for step in steps.modules():
            if isinstance(step, Projection):
                step.fit(known.float())
    if features.context is not None:
        for step in hierarchy.modules():
            if isinstance(step, AddedContext):
                step.projection.fit(features.context.float())
