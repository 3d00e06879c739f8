"""Time for frames, against the equations."""

from __future__ import annotations

import pytest
import torch

from hbi_core.model import (
    Tokens,
)
from hbi_core.model.entity import TemporalTransformer
from support import oracles
from support.random_model import random_points, randomised


def test_temporal_transformer_equals_the_equations():
    module = randomised(TemporalTransformer(8, 2, 2, 6))
    frames = random_points(1, 5)
    expected = oracles.temporal_transformer(module, frames[0], heads=2)
    assert (module(Tokens.original(frames)).features[0] - expected).abs().max() < 1e-12
    with pytest.raises(ValueError, match="7 frames"):
        module(Tokens.original(random_points(1, 7)))


def test_before_training_frames_stay_where_they_are():
    frames = random_points(1, 5)
    module = TemporalTransformer(8, 2, 2, 6).double()
    assert torch.allclose(module(Tokens.original(frames)).features, 2 * frames)
