"""Where training starts from."""

from __future__ import annotations

import torch

from hbi_core.data.features import Features
from hbi_core.encoders import Encoder
from hbi_core.model import Hierarchy
from hbi_core.model.entity import CLIP_BLOCK, Projection, TemporalTransformer


@torch.no_grad()
def initialise_from_clip(hierarchy: Hierarchy, encoder: Encoder) -> str:
    """Copy the first blocks and the positions of a CLIP's text encoder to the temporal transformer.

    Returns:
        What was done; where it was not, why.
    """
    temporal = [m for m in hierarchy.modules() if isinstance(m, TemporalTransformer)]
    text = getattr(encoder, "text_tower", None)
    if not temporal:
        return "none"
    (temporal,) = temporal
    layers = temporal.blocks.layers
    if text is None:
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
    """Centre and scale of the frozen features, for the projections if there are any."""
    entity = hierarchy.levels[0]
    sides = ((entity.video, features.frames[features.frame_mask]), (entity.text, features.words))
    for steps, known in sides:
        for step in steps:
            if isinstance(step, Projection):
                step.fit(known.float())
