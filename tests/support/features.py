"""Encoded clips of random numbers."""

from __future__ import annotations

from pathlib import Path

import torch

from hbi_core.data import Clip
from hbi_core.data.features import Features


def random_features(clips=7, captions=3, frames=5):
    generator = torch.Generator().manual_seed(0)
    owners = torch.arange(clips).repeat_interleave(captions)
    lengths = torch.randint(1, 12, (len(owners),), generator=generator)
    mask = torch.arange(frames) < torch.randint(1, frames + 1, (clips, 1), generator=generator)
    return Features(
        clips=tuple(Clip(str(n), (Path("a"),), ("a",) * captions) for n in range(clips)),
        frames=torch.randn(clips, frames, 16, generator=generator).half(),
        frame_mask=mask,
        plain=frames,
        words=torch.randn(int(lengths.sum()), 16, generator=generator).half(),
        starts=torch.cat([torch.zeros(1, dtype=torch.long), lengths.cumsum(0)]),
        owners=owners,
    )
