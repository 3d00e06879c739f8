"""Tokens and weights drawn at random, in float64."""

from __future__ import annotations

import torch


def random_points(batch, length, seed=0, width=8):
    generator = torch.Generator().manual_seed(seed)
    points = torch.randn(batch, length, width, generator=generator, dtype=torch.float64)
    return torch.nn.functional.normalize(points, dim=-1)


def padded(points, mask):
    """The same points with padding where the mask is False: twins of the first, which are near."""
    result = points[:, :1].expand(*mask.shape, points.shape[-1]).clone()
    result[mask] = points.flatten(0, 1)
    return result


def randomised(module, seed=0):
    """The module with every parameter drawn anew, so that no part is idle."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.double().parameters():
        noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        parameter.data = 0.3 * noise + (parameter.data if parameter.dim() == 1 else 0.0)
    return module.eval().requires_grad_(False)
