"""Where training starts."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import torch
from torch import nn

from hbi_core.data.features import Features
from hbi_core.model import ModelConfig, Tokens, build_hierarchy
from hbi_core.model.entity import AddedContext, Projection, TemporalTransformer
from hbi_core.training.initialise import fit_projections, initialise_from_clip
from support.small_runs import MODEL, clips_with
from support.toy import ToyEncoder


def test_projections_are_fitted():
    """Centre and scale of real frames and of all words; padding does not count."""
    drawn = torch.Generator().manual_seed(0)
    frames = torch.randn(5, 4, 48, generator=drawn) * 3 + 2
    mask = torch.arange(4) < torch.tensor([[4], [1], [3], [2], [4]])
    words = torch.randn(20, 32, generator=drawn) * 0.5 - 1
    frames[~mask] = 1000.0
    hierarchy = build_hierarchy(MODEL)
    fit_projections(
        hierarchy,
        Features(
            clips_with(*[1] * 5),
            frames.half(),
            mask,
            4,
            words.half(),
            torch.arange(0, 24, 4),
            torch.arange(5),
        ),
    )
    video, text = (
        next(m for m in side.modules() if isinstance(m, Projection))
        for side in (hierarchy.levels[0].video, hierarchy.levels[0].text)
    )
    for step, known in ((video, frames[mask]), (text, words)):
        assert torch.allclose(step.centre, known.mean(0), atol=1e-2)
        assert torch.allclose(step.scale, known.std(0, correction=0), rtol=1e-2)
    fit_projections(
        build_hierarchy(ModelConfig(8, 8, 8, attention_heads=2)),
        None
        or Features(
            (),
            torch.zeros(1, 1, 8),
            torch.ones(1, 1, dtype=torch.bool),
            1,
            torch.zeros(1, 8),
            torch.zeros(2),
            torch.zeros(1),
        ),
    )


def test_context_has_a_projection_of_its_own():
    """Fitted to it above the entity level, where it is read, and to nothing else."""
    drawn = torch.Generator().manual_seed(0)
    words, context = (torch.randn(20, 32, generator=drawn) * n + n for n in (1, 3))
    features = Features(
        clips_with(*[1] * 5),
        torch.randn(5, 4, 48, generator=drawn).half(),
        torch.ones(5, 4, dtype=torch.bool),
        4,
        words.half(),
        torch.arange(0, 24, 4),
        torch.arange(5),
        context=context.half(),
    )
    hierarchy = build_hierarchy(replace(MODEL, text_context=32))
    fit_projections(hierarchy, features)
    entity, action, _ = hierarchy.levels
    for step, known in ((entity.text[0], words), (action.text[0].projection, context)):
        assert torch.allclose(step.centre, known.mean(0), atol=1e-2)
        assert torch.allclose(step.scale, known.std(0, correction=0), rtol=1e-2)
    fit_projections(build_hierarchy(MODEL), features)  # which does not read it


class TinyClip(nn.Module):
    """An encoder with the text tower of a CLIP, with random weights."""

    name = architecture = "tiny"

    def __init__(self, width=32):
        super().__init__()
        from open_clip.model import CLIP

        torch.manual_seed(0)
        vision = {"layers": 1, "width": 64, "patch_size": 16, "image_size": 32}
        text = {"context_length": 12, "vocab_size": 20, "width": width, "heads": 4, "layers": 3}
        self.text_tower = CLIP(16, vision, text, quick_gelu=True).eval()
        for parameter in self.text_tower.parameters():
            parameter.data = 0.1 * torch.randn_like(parameter) + (parameter.dim() == 1)
        self.requires_grad_(False)


def test_the_projection_of_context_is_fitted_to_it():
    context = torch.randn(20, 6, generator=torch.Generator().manual_seed(0)) * 2 + 1
    hierarchy = build_hierarchy(replace(MODEL, text_context=6))
    known = Features(
        clips=(),
        frames=torch.zeros(1, 1, 48),
        frame_mask=torch.ones(1, 1, dtype=torch.bool),
        plain=1,
        words=torch.zeros(20, 32),
        starts=torch.tensor([0, 20]),
        owners=torch.zeros(1),
        context=context.half(),
    )
    fit_projections(hierarchy, known)
    (step,) = (m.projection for m in hierarchy.modules() if isinstance(m, AddedContext))
    assert torch.allclose(step.centre, context.mean(0), atol=1e-2)
    assert torch.allclose(step.scale, context.std(0, correction=0), rtol=1e-2)


def test_temporal_transformer_starts_from_clip():
    """Its blocks compute what the first blocks of CLIP's text encoder do without causal mask."""
    clip = TinyClip()
    config = ModelConfig(32, 32, 32, temporal_layers=2, attention_heads=4, positions=15)
    hierarchy = build_hierarchy(config)
    assert "2 blocks, from the text encoder of tiny" in initialise_from_clip(hierarchy, clip)
    (temporal,) = [m for m in hierarchy.modules() if isinstance(m, TemporalTransformer)]
    frames = torch.randn(2, 7, 32, generator=torch.Generator().manual_seed(1))
    x = frames + clip.text_tower.positional_embedding[:7]
    for block in clip.text_tower.transformer.resblocks[:2]:
        x = block(x)
    with torch.no_grad():
        result = temporal.eval()(Tokens.original(frames)).features
    assert (x - frames).abs().max() > 0.1
    assert torch.allclose(result, frames + x, atol=1e-5)
    assert torch.equal(temporal.positions[:12].data, clip.text_tower.positional_embedding)
    assert not temporal.positions[12:].any()
    assert temporal.positions.requires_grad


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"temporal_layers": 0}, "none"),
        ({"attention_heads": 8}, "'attention_heads': 8.*'attention_heads': 4"),
        ({"temporal_layers": 4}, "4 blocks.*the 3 blocks of tiny"),
    ],
)
def test_what_cannot_start_from_clip(settings, said):
    """Other heads, more blocks, no transformer: the model stays as it is, and it is told why."""
    config = ModelConfig(
        32, 32, 32, **{"temporal_layers": 2, "attention_heads": 4, "positions": 15} | settings
    )
    hierarchy = build_hierarchy(config)
    before = {name: value.clone() for name, value in hierarchy.state_dict().items()}
    assert re.search(said, initialise_from_clip(hierarchy, TinyClip()))
    if config.temporal_layers:
        assert "width" in initialise_from_clip(hierarchy, TinyClip(width=64))
        assert "toy is no CLIP" in initialise_from_clip(hierarchy, ToyEncoder())
    assert all(torch.equal(v, before[k]) for k, v in hierarchy.state_dict().items())
