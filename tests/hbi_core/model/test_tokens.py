"""What travels between the modules."""

from __future__ import annotations

import torch

from hbi_core.model import Players, Tokens, pad


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


def test_every_field_goes_along():
    """Slices of a batch, joined again, are the batch: all fields of a token, and its logits."""
    drawn = torch.Generator().manual_seed(0)
    features, mask = torch.rand(4, 3, 5, generator=drawn), torch.rand(4, 3, generator=drawn) > 0.5
    groups = torch.rand(4, 3, 7, generator=drawn) > 0.5
    whole = Tokens(features, mask, groups, steps=features[..., 0], context=features[..., :2])
    plain = Tokens.original(features, mask)
    for tokens in (whole, plain):
        players = Players(tokens, features.sum(-1))
        slices = (slice(0, 1), slice(1, 4))
        parts = [players.map(lambda x, chosen=chosen: x[chosen]) for chosen in slices]
        assert [len(part.logits) for part in parts] == [1, 3]
        joined = Tokens.joined([part.tokens for part in parts])
        for name, value in vars(tokens).items():
            other = getattr(joined, name)
            assert other is None if value is None else torch.equal(other, value)
