"""Files of the paper's research code and of CLIP, converted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from hbi_core.checkpoints.checkpoint import (
    PUBLISHED_RETRIEVAL,
    Checkpoint,
    RetrievalSettings,
    save_checkpoint,
)
from hbi_core.checkpoints.published_names import (
    OLD_TARGETS,
    RATES,
    fill,
    first_names,
    published_estimator,
    published_model,
)
from hbi_core.checkpoints.torch_file import read_torch_file, without_wrappers
from hbi_core.encoders.open_clip import OpenClipEncoder
from hbi_core.encoders.open_clip_files import IN_CHECKPOINT
from hbi_core.errors import CheckpointError
from hbi_core.estimator import save_estimator
from hbi_core.tensor_file import write_tensors

_PATCHES = "visual.conv1.weight"
CLIPS = {  # that can be converted, by the shape of these
    (768, 3, 32, 32): "ViT-B-32-quickgelu",
    (768, 3, 16, 16): "ViT-B-16-quickgelu",
}


@dataclass(frozen=True)
class Conversion:
    """What was done.

    Attributes:
        kind: what the source is.
        written: files.
        used: names of the tensors that stand in them.
        assumed: what the source does not say.
        note: what one must know to use it.
        taken_off: what stood before, or within, the names of the tensors.
        unused: names of what else stands in the source.
    """

    kind: str
    written: tuple[Path, ...]
    used: set[str]
    assumed: str = "nothing"
    note: str = ""
    taken_off: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()


def convert(
    source: Path, target: Path, retrieval: RetrievalSettings = PUBLISHED_RETRIEVAL
) -> Conversion:
    """Read a PyTorch file and write its tensors in float32.

    Args:
        source: the file.
        target: the file to write.
        retrieval: what a retrieval model reads, and how it scores; its file does not say.

    Raises:
        CheckpointError: the source cannot be read safely, lacks a tensor or has one of another
            shape, or is for another task; or the target cannot be written. No target is left then.
    """
    if target.suffix != ".safetensors" or not target.parent.is_dir():
        raise CheckpointError(f"{target} cannot be written: name a NAME.safetensors in a folder.")
    tensors, others = read_torch_file(source)
    tensors, wrappers = without_wrappers(tensors, source.name)
    prefix, write = _kind(tensors, source.name)
    model = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
    others += [name for name in tensors if not name.startswith(prefix)]
    try:
        done = write(model, source.name, target, retrieval)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{target} cannot be written: {error}") from error
    unused = (*others, *(name for name in model if name not in done.used))
    taken_off = (*wrappers, *filter(None, [prefix]))
    return replace(done, unused=unused, taken_off=taken_off)


def _write_published(
    tensors: dict[str, Tensor], source: str, target: Path, retrieval: RetrievalSettings
) -> Conversion:
    if answers := [name for name in tensors if name.startswith("classifier")]:
        raise CheckpointError(
            f"{source} is a checkpoint for question answering ({first_names(answers)}), which is "
            "not converted: such a model merges tokens at other rates and answers by a classifier."
        )
    config, hierarchy, estimator, used = published_model(tensors)
    model, network, of_clip = _clip(tensors, "clip.")
    used |= of_clip
    weights = (k for k, v in tensors.items() if v.is_floating_point() and v.dim() and k not in used)
    if unknown := [name for name in weights if ".bn." not in name]:  # which no module there reads
        raise CheckpointError(
            f"{source} has {len(unknown)} tensors that a retrieval model of the paper has not "
            f"({first_names(unknown)}): it is for another task or of another version, and its "
            "similarities would be wrong."
        )
    encoder = OpenClipEncoder(network, None, None, model, IN_CHECKPOINT)
    beside = target.with_suffix(".estimator.safetensors")
    save_estimator(beside, estimator)
    training = {"converted_from": source}
    checkpoint = Checkpoint(
        encoder=encoder.name,
        config=config,
        hierarchy=hierarchy,
        retrieval=retrieval,
        name=target.name,
        path=target,
        training=training,
    )
    save_checkpoint(target, checkpoint, encoder)
    return Conversion(
        f"a retrieval model of the paper, for the encoder {encoder.name}",
        (target, beside),
        used,
        f"token merges keep {RATES[0]}, then {RATES[1]} of the tokens; {retrieval.frames} frames, "
        f"{retrieval.words} words, level weights {list(retrieval.level_weights)}",
        OLD_TARGETS,
    )


def _write_clip(tensors: dict[str, Tensor], source: str, target: Path, *_) -> Conversion:
    model, network, used = _clip(tensors)
    write_tensors(target, network.state_dict(), {"format": "pt", "converted_from": source})
    return Conversion(f"a CLIP, for the encoder open_clip:{model}:{target}", (target,), used)


def _write_estimator(tensors: dict[str, Tensor], source: str, target: Path, *_) -> Conversion:
    estimator, used = published_estimator(tensors)
    save_estimator(target, estimator)
    assumed = "similarities and interactions were scaled by 1000; its error is not known"
    kind = "an estimator of interactions of the paper"
    return Conversion(kind, (target,), used, assumed, OLD_TARGETS)


_KINDS = {  # tensors that tell what a file is -> what writes it
    (f"clip.{_PATCHES}",): _write_published,
    (_PATCHES,): _write_clip,
    ("cnn1.weight", "cnn2.weight", "Q", "K", "V"): _write_estimator,
}


def _kind(tensors: dict[str, Tensor], source: str) -> tuple[str, Callable[..., Conversion]]:
    """What all names of a model begin with, such as "model." of Lightning; and what writes it."""
    for known, write in _KINDS.items():
        candidates = {
            name.removesuffix(known[0])
            for name in tensors
            if name == known[0] or name.endswith(f".{known[0]}")
        }
        prefixes = sorted(p for p in candidates if all(p + name in tensors for name in known))
        if len(prefixes) > 1:
            raise CheckpointError(
                f"{source} holds {len(prefixes)} models, whose names begin with "
                f"{', '.join(map(repr, prefixes))}: save the state_dict() of one."
            )
        if prefixes:
            return prefixes[0], write
    raise CheckpointError(
        f"{source} is neither a retrieval model of the paper (clip.{_PATCHES}), nor an estimator "
        f"of it (cnn1.weight), nor a vision transformer of CLIP ({_PATCHES}); it has "
        f"{first_names(tensors) or 'no tensor'}."
    )


def _clip(tensors: dict[str, Tensor], prefix: str = "") -> tuple[str, nn.Module, set[str]]:
    """Name and network of open_clip, whose names are OpenAI's, and the names used."""
    import open_clip

    shape = tuple(tensors[prefix + _PATCHES].shape)
    if shape not in CLIPS:
        raise CheckpointError(
            f"{prefix}{_PATCHES} is {list(shape)}: not a CLIP that can be converted "
            f"({', '.join(CLIPS.values())})."
        )
    with torch.device("meta"):
        network = open_clip.CLIP(**open_clip.get_model_config(CLIPS[shape]))
    return CLIPS[shape], network, fill(network, {"": prefix}, tensors)
