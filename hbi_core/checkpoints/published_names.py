"""The tensors of the paper's research code by their names there, put into our modules."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor, nn

from explainers import Estimator
from hbi_core.errors import CheckpointError
from hbi_core.model import Hierarchy, ModelConfig, build_hierarchy
from hbi_core.model.entity import CLIP_BLOCK

RATES = (0.25, 0.5)  # the research code's defaults for retrieval; its files do not say
OLD_TARGETS = (
    "The estimators that the paper's authors released date from 2023-10-15, a month before the "
    "third of the four terms of the sampler that made their targets was corrected: they were "
    "trained on wrong interactions."
)
_ESTIMATOR_UNIT = 1e-3  # it was trained on similarities and interactions times 1000
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
    estimator, of_estimator = published_estimator(tensors, "banzhafteacher.")
    used = fill(hierarchy, _prefixes(config.temporal_layers), _turned(tensors))
    return config, hierarchy, estimator, used | of_estimator


def published_estimator(tensors: dict[str, Tensor], prefix: str = "") -> tuple[Estimator, set[str]]:
    """The estimator whose tensors' names begin so, and the names used. Errors as above."""
    shape = tensors[f"{prefix}Q"].shape if f"{prefix}Q" in tensors else ()
    channels = (*shape, 0)[0] or 64  # another shape than a square's is told with all the others
    with torch.device("meta"):
        estimator = Estimator(channels, _ESTIMATOR_UNIT, 1 / _ESTIMATOR_UNIT)
    estimator.note = OLD_TARGETS
    names = {ours: prefix + theirs for ours, theirs in _HEAD.items()}
    return estimator, fill(estimator.network, names, _turned(tensors))


def _turned(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """With kernels turned: rows of a similarity are text tokens there and video tokens here."""
    kernels = ("cnn1.weight", "cnn2.weight")
    return {k: v.mT if k.endswith(kernels) and v.dim() == 4 else v for k, v in tensors.items()}


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


def fill(module: nn.Module, prefixes: dict[str, str], tensors: dict[str, Tensor]) -> set[str]:
    """Give a module without data its tensors in float32; every one must be there and fit.

    Args:
        module: on the meta device.
        prefixes: how its tensors' names begin -> how they begin among the tensors.
        tensors: by their own names.

    Returns:
        The names used.

    Raises:
        CheckpointError: tensors are missing, have another shape, or are no floating-point numbers.
    """
    wanted = module.state_dict()
    names = {}
    for ours in wanted:
        prefix = next(prefix for prefix in prefixes if ours.startswith(prefix))
        names[ours] = prefixes[prefix] + ours.removeprefix(prefix)
    if missing := [name for name in names.values() if name not in tensors]:
        raise CheckpointError(f"{len(missing)} tensors are missing: {first_names(missing)}.")
    wrong = [
        f"{name} is {list(tensors[name].shape)}, not {list(wanted[ours].shape)}"
        for ours, name in names.items()
        if tensors[name].shape != wanted[ours].shape
    ]
    if wrong:
        raise CheckpointError(f"{len(wrong)} tensors have another shape: {first_names(wrong)}.")
    whole = [name for name in names.values() if not tensors[name].is_floating_point()]
    if whole:
        raise CheckpointError(
            f"{len(whole)} tensors are whole numbers, which no weights are: {first_names(whole)}."
        )
    values = {ours: tensors[name].float() for ours, name in names.items()}
    module.load_state_dict(values, assign=True)
    return set(names.values())


def first_names(names: Collection[str], most: int = 10) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(list(names)[:most]) + more
