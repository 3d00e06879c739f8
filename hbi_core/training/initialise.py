"""Where training starts from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch

from hbi_core.checkpoints.checkpoint import Checkpoint, load_checkpoint
from hbi_core.data import Clip
from hbi_core.data.features import Features
from hbi_core.encoders import Encoder
from hbi_core.encoders.loading import fill_encoder, full_name
from hbi_core.errors import SettingsError
from hbi_core.model import Hierarchy, ModelConfig
from hbi_core.model.entity import CLIP_BLOCK, AddedContext, Projection, TemporalTransformer
from hbi_core.settings import from_plain
from hbi_core.tasks import settings_of, task_named
from hbi_core.tasks.base import Task
from hbi_core.training.config import TrainConfig
from hbi_core.training.folder import BEGINS, DIGEST_OF_START, read_facts, read_settings
from hbi_core.training.state import saved_states

_FREE = {"noise", "dropout"}  # they change no weight and nothing that is computed with them
_MODEL_OF = "the model of "
_ABSENT = object()


def settings_of_start(file: Path, out: Path) -> tuple[str, dict[str, Any], Checkpoint | None]:
    """What a run takes from the checkpoint that it starts from, where nothing else is asked for.

    Args:
        file: the checkpoint.
        out: folder of the run. One that began has settings of its own, and needs no file for them.

    Returns:
        The name of the encoder; the settings of the model by name; and the checkpoint, if the run
        has not begun.

    Raises:
        CheckpointError: the checkpoint cannot be loaded.
        SettingsError: the settings of the run cannot be read.
    """
    if (told := read_settings(out)) is None:
        start = load_checkpoint(file)
        return start.encoder, vars(start.config), start
    model = {
        field.name: tuple(value) if isinstance(value, list) else value
        for field in fields(ModelConfig)
        if (value := told["model"].get(field.name, _ABSENT)) is not _ABSENT
    }
    return told["encoder"], model, None


def check_model(start: Checkpoint, asked: Mapping[str, object]) -> None:
    """Whether settings of a model are those of a checkpoint, but for noise and dropout.

    Raises:
        SettingsError: some are others, all of which are named.
    """
    differing = [
        f"model.{name} is {asked[name]!r}, not {own!r}"
        for name, own in vars(start.config).items()
        if name not in _FREE and asked[name] != own
    ]
    if differing:
        raise SettingsError(
            f"The model of {start.name} has another shape: {'; '.join(differing)}. Leave out what "
            "differs, or start without a checkpoint."
        )


def starting_point(config: TrainConfig, encoder: Encoder | None = None) -> Checkpoint | None:
    """The checkpoint that training starts from.

    Args:
        config: the settings.
        encoder: the encoder itself, instead of the one that config.encoder names.

    Returns:
        None where the settings name no checkpoint; or where it is gone, and a state of the run has
        all that was taken from it.

    Raises:
        CheckpointError: it cannot be loaded.
        SettingsError: there is no such task or setting of it; the model or the encoder are not
            those of the checkpoint; or the run cannot go on without it.
    """
    kind = task_named(config.task)
    from_plain(kind.Settings, config.task_settings)
    if config.start is None:
        return None
    if saved_states(config.out) and not config.start.is_file():
        begins = read_facts(config.out).get(BEGINS, "")
        if begins.startswith(_MODEL_OF) and not fields(kind.Settings):
            return None
        raise SettingsError(
            f"The run in {config.out} cannot go on without {config.start}, which has weights of "
            "its encoder or settings of its task: put it back."
        )
    start = load_checkpoint(config.start)
    check_model(start, vars(config.model))
    if encoder is None:
        _check_name(start, config.encoder)
    return start


def _check_name(start: Checkpoint, name: str) -> None:
    """As `check_encoder`, before an encoder is loaded."""
    parts = 3 if start.path is None else 2  # or the weights lie in the checkpoint
    if full_name(name).split(":", 2)[:parts] != start.encoder.split(":", 2)[:parts]:
        raise SettingsError(_belongs(start, name))


def _belongs(start: Checkpoint, name: str) -> str:
    return (
        f"{start.name} belongs to the encoder {start.encoder}, not {name}: set "
        f"encoder={start.encoder}."
    )


def digest_of_start(file: Path, out: Path) -> str:
    """16 hexadecimal digits that change with the content; of a file that is gone, as was told."""
    if not file.is_file():
        return read_facts(out).get(DIGEST_OF_START, "unknown")
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while part := opened.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()[:16]


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
        raise SettingsError(_belongs(start, encoder.name))


def fill_from(start: Checkpoint, hierarchy: Hierarchy, encoder: Encoder) -> str:
    """Copy the weights of a checkpoint, those of its encoder too if they lie in it.

    Returns:
        What was done.

    Raises:
        CheckpointError: its encoder's weights do not fit.
    """
    hierarchy.load_state_dict(start.hierarchy.state_dict())
    if start.path is None:
        return f"{_MODEL_OF}{start.name}"
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
