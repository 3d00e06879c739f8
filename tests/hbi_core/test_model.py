"""Token merge and levels against loops, and padding that has no influence."""

from __future__ import annotations

import pytest
import torch

import oracles
from hbi_core.model import ModelConfig, TokenMerge, Tokens, build_hierarchy, dpc_knn


def random_points(batch, length, seed=0, width=5):
    generator = torch.Generator().manual_seed(seed)
    points = torch.randn(batch, length, width, generator=generator, dtype=torch.float64)
    return torch.nn.functional.normalize(points, dim=-1)


def padded(points, mask):
    """The same points with padding where the mask is False: twins of the first, which are near."""
    result = points[:, :1].expand(*mask.shape, points.shape[-1]).clone()
    result[mask] = points.flatten(0, 1)
    return result


@pytest.mark.parametrize("length", [1, 2, 3, 7, 12])
@pytest.mark.parametrize("clusters", [1, 2, 3, 6])
@pytest.mark.parametrize("neighbours", [1, 3, 20])
def test_dpc_knn_equals_the_loops(length, clusters, neighbours):
    points = random_points(3, length, seed=length)
    members = dpc_knn(points, torch.ones(3, length, dtype=torch.bool), clusters, neighbours)
    assert members.shape == (3, length, min(clusters, length))
    for row in range(3):
        expected = oracles.dpc_knn(points[row].tolist(), clusters, neighbours)
        assert members[row].int().argmax(-1).tolist() == expected
        assert (members[row].sum(-1) == 1).all()


def test_dpc_knn_with_equal_points():
    """Every cluster keeps its own centre even where all distances are zero."""
    members = dpc_knn(torch.ones(1, 5, 3), torch.ones(1, 5, dtype=torch.bool), 3)
    assert members.any(1).all()
    assert torch.equal(members.sum(-1), torch.ones(1, 5, dtype=torch.long))


def test_dpc_knn_ignores_padding():
    points = random_points(2, 5)
    mask = torch.tensor([[False, True, True, True, True, True, False]] * 2)
    alone = dpc_knn(points, torch.ones(2, 5, dtype=torch.bool), 3)
    members = dpc_knn(padded(points, mask), mask, 3)
    assert torch.equal(members[mask].view(2, 5, 3), alone)
    assert not members[~mask].any()


def test_fewer_tokens_than_clusters():
    mask = torch.tensor([[True, True, False, False], [True] * 4])
    merged = TokenMerge(3)(Tokens.original(random_points(2, 4), mask))
    assert merged.mask.tolist() == [[True, True, False], [True, True, True]]
    assert not merged.groups[0, 2].any()


def test_merged_tokens_are_the_means_of_their_groups():
    points = random_points(2, 9)
    merged = TokenMerge(3)(Tokens.original(points))
    for row in range(2):
        for token in range(3):
            mean = points[row][merged.groups[row, token]].mean(0)
            assert torch.allclose(merged.features[row, token], mean, atol=1e-12)
    assert torch.equal(merged.groups.sum(1), torch.ones(2, 9, dtype=torch.long))


def test_injected_weights_and_attention():
    """Trained parts take the place of the stand-ins: weighted mean, then attention."""

    class FirstFeature(torch.nn.Module):
        def forward(self, features):
            return 3.0 * features[..., 0]

    points = random_points(1, 6)
    merge = TokenMerge(2, logits=FirstFeature(), attention=lambda merged, points, mask: 2 * merged)
    merged = merge(Tokens.original(points))
    for token in range(2):
        group = points[0][merged.groups[0, token]]
        weights = (3.0 * group[:, 0]).softmax(0)
        assert torch.allclose(merged.features[0, token], 2 * weights @ group, atol=1e-12)


def test_groups_nest_over_the_levels():
    levels = build_hierarchy(ModelConfig())(
        Tokens.original(random_points(1, 12)), Tokens.original(random_points(1, 20, seed=1))
    )
    assert [level.name for level in levels] == ["entity", "action", "event"]
    assert [level.video.features.shape[1] for level in levels] == [12, 3, 2]
    assert [level.text.features.shape[1] for level in levels] == [20, 6, 3]
    for level in levels:
        assert torch.equal(level.video.groups.sum(1), torch.ones(1, 12, dtype=torch.long))
    for event in levels[2].text.groups[0]:
        for action in levels[1].text.groups[0]:
            assert (event & action).any() == (action & ~event).logical_not().all()


def test_padding_changes_no_level():
    video, text = random_points(2, 6), random_points(2, 8, seed=1)
    video_mask = torch.tensor([[True] * 6 + [False] * 3] * 2)
    text_mask = torch.tensor([[False] * 2 + [True] * 8] * 2)
    hierarchy = build_hierarchy(ModelConfig())
    alone = hierarchy(Tokens.original(video), Tokens.original(text))
    beside = hierarchy(
        Tokens.original(padded(video, video_mask), video_mask),
        Tokens.original(padded(text, text_mask), text_mask),
    )
    for one, other in zip(alone, beside, strict=True):
        for pairs in (False, True):
            difference = (
                one.game(all_pairs=pairs).grand_value() - other.game(all_pairs=pairs).grand_value()
            )
            assert difference.abs().max() < 1e-12


def test_padding_may_hold_anything():
    video, text = random_points(1, 6), random_points(1, 8, seed=1)
    mask = torch.tensor([[True] * 6 + [False] * 3])
    dirty = padded(video, mask).masked_fill(~mask.unsqueeze(-1), torch.nan)
    hierarchy = build_hierarchy(ModelConfig())
    alone = hierarchy(Tokens.original(video), Tokens.original(text))
    beside = hierarchy(Tokens.original(dirty, mask), Tokens.original(text))
    for one, other in zip(alone, beside, strict=True):
        assert (one.game().grand_value() - other.game().grand_value()).abs().max() < 1e-12


def test_all_pairs():
    """The diagonal of the games of all pairs are the games of each with its own."""
    levels = build_hierarchy(ModelConfig())(
        Tokens.original(random_points(3, 6)), Tokens.original(random_points(3, 8, seed=1))
    )
    for level in levels:
        pairs = level.game(all_pairs=True).grand_value()
        assert pairs.shape == (3, 3)
        assert torch.allclose(pairs.diagonal(), level.game().grand_value())


@pytest.mark.parametrize(
    "wrong",
    [
        {"video_clusters": (3,)},
        {"video_clusters": (0, 2)},
        {"neighbours": 0},
        {"video_clusters": (4, 3, 2), "text_clusters": (4, 3, 2)},
    ],
)
def test_wrong_configuration(wrong):
    with pytest.raises(ValueError, match=r"cluster|merges"):
        ModelConfig(**wrong)
