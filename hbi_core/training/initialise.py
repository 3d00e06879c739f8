"""Where training starts from."""

from __future__ import annotations

import torch

from hbi_core.data.features import Features
from hbi_core.encoders import Encoder
from hbi_core.model import Hierarchy
from hbi_core.model.entity import CLIP_BLOCK, Projection, TemporalTransformer


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
        own.load_state_dict(
            {
                ours + name.removeprefix(theirs): value
                for ours, theirs in CLIP_BLOCK.items()
                for name, value in block.state_dict().items()
                if name.startswith(theirs)
            }
        )
    return True


def fit_projections(hierarchy: Hierarchy, features: Features) -> None:
    """Centre and scale of the frozen features, for the projections if there are any."""
    entity = hierarchy.levels[0]
    sides = ((entity.video, features.frames[features.frame_mask]), (entity.text, features.words))
    for steps, known in sides:
        for step in steps:
            if isinstance(step, Projection):
                step.fit(known.float())
