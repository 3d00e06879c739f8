"""What travels between the modules."""

from __future__ import annotations

import torch

from hbi_core.model import (
    pad,
)


def test_sequences_of_several_lengths():
    """What stands in the padding is kept, and is no token; half precision is widened."""
    one, other = torch.ones(2, 3), 2 * torch.ones(5, 3)
    tokens = pad([one.bfloat16(), other.bfloat16()], 4)
    assert tokens.features.dtype == torch.float32
    assert tokens.mask.tolist() == [[True, True, False, False], [True] * 4]
    assert tokens.features.sum(-1).tolist() == [[3, 3, 0, 0], [6, 6, 6, 6]]
    assert torch.equal(tokens.groups, torch.diag_embed(tokens.mask))
    padded = pad([one.double()], 4, [torch.tensor([[7.0, 8, 9]])])
    assert padded.features.dtype == torch.float64
    assert padded.features[0, 2:].tolist() == [[7, 8, 9]] * 2
    assert torch.equal(padded.mask, tokens.mask[:1])
