"""Where training starts from."""

from __future__ import annotations

import torch

from hbi_core.data.features import Features
from hbi_core.encoders import Encoder
from hbi_core.model import Hierarchy
from hbi_core.model.entity import Projection, TemporalTransformer

# A block of CLIP's text encoder -> a block of `TemporalTransformer`.
BLOCK_NAMES = {
    "attn.in_proj_weight": "self_attn.in_proj_weight",
    "attn.in_proj_bias": "self_attn.in_proj_bias",
    "attn.out_proj.weight": "self_attn.out_proj.weight",
    "attn.out_proj.bias": "self_attn.out_proj.bias",
    "ln_1.weight": "norm1.weight",
    "ln_1.bias": "norm1.bias",
    "ln_2.weight": "norm2.weight",
    "ln_2.bias": "norm2.bias",
    "mlp.c_fc.weight": "linear1.weight",
    "mlp.c_fc.bias": "linear1.bias",
    "mlp.c_proj.weight": "linear2.weight",
    "mlp.c_proj.bias": "linear2.bias",
}


@torch.no_grad()
def initialise_from_clip(hierarchy: Hierarchy, encoder: Encoder) -> bool:
    """Copy the first blocks and the positions of a CLIP's text encoder to the temporal transformer.

    Returns:
        Whether it was done: the encoder is a CLIP of the same width, and there is a transformer.
    """
    temporal = [m for m in hierarchy.modules() if isinstance(m, TemporalTransformer)]
    text = getattr(encoder, "text_tower", None)
    if not temporal or text is None:
        return False
    (temporal,) = temporal
    positions, blocks = text.positional_embedding, text.transformer.resblocks
    if positions.shape[-1] != temporal.positions.shape[-1]:
        return False
    count = min(len(positions), len(temporal.positions))
    temporal.positions[:count] = positions[:count]
    for own, block in zip(temporal.blocks.layers, blocks, strict=False):
        stored = block.state_dict()
        own.load_state_dict({ours: stored[theirs] for theirs, ours in BLOCK_NAMES.items()})
    return True


def fit_projections(hierarchy: Hierarchy, features: Features) -> None:
    """Centre and scale of the frozen features, for the projections if there are any."""
    entity = hierarchy.levels[0]
    sides = ((entity.video, features.frames[features.frame_mask]), (entity.text, features.words))
    for steps, known in sides:
        for step in steps:
            if isinstance(step, Projection):
                step.fit(known.float())
