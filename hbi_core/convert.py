"""python -m hbi_core.convert SOURCE TARGET: the released PyTorch files, read without running them.

Checkpoints of the paper's research code (HBI, CVPR 2023) become checkpoints of this program, with
the CLIP inside; OpenAI's CLIP files become safetensors files for open_clip.
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import torch
import tyro
from safetensors import SafetensorError
from torch import Tensor, nn

from explainers import Estimator
from hbi_core.checkpoint import PUBLISHED_RETRIEVAL, Checkpoint, save_checkpoint
from hbi_core.command_line import parsed, refused
from hbi_core.encoders.open_clip import IN_CHECKPOINT, OpenClipEncoder
from hbi_core.errors import CheckpointError, InputError
from hbi_core.estimator_file import save_estimator
from hbi_core.model import Hierarchy, ModelConfig, build_hierarchy
from hbi_core.model.entity import CLIP_BLOCK
from hbi_core.tensor_file import write_tensors
from hbi_core.torch_file import read_torch_file

_ESTIMATOR_UNIT = 1e-3  # it was trained on similarities and interactions times 1000
RATES = (0.25, 0.5)  # the research code's defaults; its files do not say
_PATCHES = "visual.conv1.weight"
_CLIPS = {  # by the shape of these
    (768, 3, 32, 32): "ViT-B-32-quickgelu",
    (768, 3, 16, 16): "ViT-B-16-quickgelu",
}
_HEAD = {
    "encode.": "cnn1.",
    "attention.query": "Q",
    "attention.key": "K",
    "attention.value": "V",
    "decode.": "cnn2.",
}
_MERGE = {
    "mix.": "ctm{}.conv.conv.",
    "norm.": "ctm{}.norm.",
    "score.": "ctm{}.score.",
    "attention.norm.": "block{}.norm1.",
    "attention.query.": "block{}.attn.q.",
    "attention.key_value.": "block{}.attn.kv.",
    "attention.project.": "block{}.attn.proj.",
}


@dataclass(frozen=True)
class Arguments:
    """Convert a PyTorch file to safetensors. Nothing in it is run.

    A checkpoint of the paper's research code becomes a checkpoint of this program, its estimator
    a file beside it; OpenAI's CLIP (ViT-B/32 or ViT-B/16) becomes a file for the encoder
    open_clip:ViT-B-32-quickgelu:TARGET. Exit status: 0; 2 for input that cannot be used.
    """

    source: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="SOURCE")]
    """The PyTorch file."""
    target: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="TARGET")]
    """The file to write, NAME.safetensors."""


@dataclass(frozen=True)
class Conversion:
    """What was done.

    Attributes:
        encoder: name of the encoder that the weights are for.
        written: files.
        used: names of the tensors that stand in them.
        assumed: what the source does not say.
        unused: names of what else stands in the source.
    """

    encoder: str
    written: tuple[Path, ...]
    used: set[str]
    assumed: str = "nothing"
    unused: tuple[str, ...] = ()


def main(argv: list[str] | None = None) -> int:
    try:
        arguments = parsed(Arguments, "convert", argv)
        done = convert(arguments.source, arguments.target)
    except InputError as error:
        return refused(error)
    print(f"Encoder: {done.encoder}")
    print(f"Assumed, because the file does not say it: {done.assumed}")
    print(f"Not used ({len(done.unused)}): {', '.join(done.unused) or 'nothing'}")
    for path in done.written:
        print(path)
    return 0


def convert(source: Path, target: Path) -> Conversion:
    """Read a PyTorch file and write its tensors in float32.

    Raises:
        CheckpointError: the source cannot be read safely, lacks a tensor or has one of another
            shape, or the target cannot be written; no target is left then.
    """
    if target.suffix != ".safetensors" or not target.parent.is_dir():
        raise CheckpointError(f"{target} cannot be written: name a NAME.safetensors in a folder.")
    tensors, others = read_torch_file(source)
    if f"clip.{_PATCHES}" in tensors:
        write = _write_published
    elif _PATCHES in tensors:
        write = _write_clip
    else:
        raise CheckpointError(
            f"{source.name} is neither a retrieval model of the paper (clip.{_PATCHES}) nor a "
            f"vision transformer of CLIP ({_PATCHES}); it has {_first(tensors) or 'no tensor'}."
        )
    try:
        done = write(tensors, source.name, target)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{target} cannot be written: {error}") from error
    return replace(done, unused=(*others, *(name for name in tensors if name not in done.used)))


def _write_published(tensors: dict[str, Tensor], source: str, target: Path) -> Conversion:
    config, hierarchy, estimator, used = published_model(tensors)
    model, network, of_clip = _clip(tensors, "clip.")
    encoder = OpenClipEncoder(network, None, None, model, IN_CHECKPOINT)
    beside = target.with_suffix(".estimator.safetensors")
    save_estimator(beside, estimator)
    training = {"converted_from": source}
    checkpoint = Checkpoint(
        encoder.name, config, hierarchy, PUBLISHED_RETRIEVAL, target.name, target, training
    )
    save_checkpoint(target, checkpoint, encoder)
    assumed = f"token merges keep {RATES[0]}, then {RATES[1]} of the tokens"
    return Conversion(encoder.name, (target, beside), used | of_clip, assumed)


def _write_clip(tensors: dict[str, Tensor], source: str, target: Path) -> Conversion:
    model, network, used = _clip(tensors)
    write_tensors(target, network.state_dict(), {"format": "pt", "converted_from": source})
    return Conversion(f"open_clip:{model}:{target}", (target,), used)


def published_model(
    tensors: dict[str, Tensor],
) -> tuple[ModelConfig, Hierarchy, Estimator, set[str]]:
    """All of a published checkpoint but its CLIP.

    Returns:
        The three levels, the estimator of interactions (HBI, App. C.1), and the names of the
        tensors used.

    Raises:
        CheckpointError: tensors are missing or have another shape.
    """
    blocks = "transformerClip.resblocks."
    layers = {name.split(".")[2] for name in tensors if name.startswith(blocks)}
    config = ModelConfig(
        text_players="tokens",
        temporal_layers=len(layers) or ModelConfig.temporal_layers,
        video_clusters=RATES,
        text_clusters=RATES,
        compatibility="published",
    )
    with torch.device("meta"):
        hierarchy = build_hierarchy(config)
        estimator = Estimator(config.head_channels, _ESTIMATOR_UNIT, 1 / _ESTIMATOR_UNIT)
    # Rows of a similarity are text tokens there and video tokens here: kernels are turned.
    tensors = {
        name: value.mT if name.startswith("banzhaf") and value.dim() == 4 else value
        for name, value in tensors.items()
    }
    teacher = {ours: f"banzhafteacher.{theirs}" for ours, theirs in _HEAD.items()}
    used = _fill(hierarchy, _prefixes(config.temporal_layers), tensors)
    return config, hierarchy, estimator, used | _fill(estimator.network, teacher, tensors)


def _prefixes(layers: int) -> dict[str, str]:
    """How the names of the hierarchy's tensors begin: here -> in the research code."""
    names = {"levels.0.video.0.positions": "frame_position_embeddings.weight"}
    for layer in range(layers):
        there = f"transformerClip.resblocks.{layer}."
        for ours, theirs in CLIP_BLOCK.items():
            names[f"levels.0.video.0.blocks.layers.{layer}.{ours}"] = there + theirs
    for level, number in enumerate(("", "0", "1")):
        for ours, theirs in _HEAD.items():
            names[f"levels.{level}.head.{ours}"] = f"banzhafmodel{number}.{theirs}"
        for side in ("video", "text"):
            names[f"levels.{level}.{side}_logits."] = f"{side}_weight_fc{number}."
            for ours, theirs in _MERGE.items() if level else ():
                names[f"levels.{level}.{side}.{ours}"] = f"{side[0]}_{theirs.format(number)}"
    return names


def _clip(tensors: dict[str, Tensor], prefix: str = "") -> tuple[str, nn.Module, set[str]]:
    """Name and network of open_clip, whose names are OpenAI's, and the names used."""
    import open_clip

    shape = tuple(tensors[prefix + _PATCHES].shape)
    if shape not in _CLIPS:
        raise CheckpointError(
            f"{prefix}{_PATCHES} is {list(shape)}: not a CLIP that can be converted "
            f"({', '.join(_CLIPS.values())})."
        )
    with torch.device("meta"):
        network = open_clip.CLIP(**open_clip.get_model_config(_CLIPS[shape]))
    return _CLIPS[shape], network, _fill(network, {"": prefix}, tensors)


def _fill(module: nn.Module, prefixes: dict[str, str], tensors: dict[str, Tensor]) -> set[str]:
    """Give a module without data its tensors in float32; every one must be there and fit.

    Args:
        module: on the meta device.
        prefixes: how its tensors' names begin -> how they begin among the tensors.
        tensors: by their own names.

    Returns:
        The names used.

    Raises:
        CheckpointError: tensors are missing or have another shape.
    """
    wanted = module.state_dict()
    names = {}
    for ours in wanted:
        prefix = next(prefix for prefix in prefixes if ours.startswith(prefix))
        names[ours] = prefixes[prefix] + ours.removeprefix(prefix)
    if missing := [name for name in names.values() if name not in tensors]:
        raise CheckpointError(f"{len(missing)} tensors are missing: {_first(missing)}.")
    wrong = [
        f"{name} is {list(tensors[name].shape)}, not {list(wanted[ours].shape)}"
        for ours, name in names.items()
        if tensors[name].shape != wanted[ours].shape
    ]
    if wrong:
        raise CheckpointError(f"{len(wrong)} tensors have another shape: {_first(wrong)}.")
    values = {ours: tensors[name].float() for ours, name in names.items()}
    module.load_state_dict(values, assign=True)
    return set(names.values())


def _first(names: Collection[str], most: int = 10) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(list(names)[:most]) + more


if __name__ == "__main__":
    sys.exit(main())
