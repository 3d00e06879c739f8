"""DPC-KNN and token merge against loops, and padding that has no influence."""

from __future__ import annotations

import pytest
import torch

from hbi_core.model import (
    TokenMerge,
    Tokens,
    dpc_knn,
)
from support import oracles
from support.random_model import padded, random_points, randomised


def merge(clusters):
    return TokenMerge(8, clusters, heads=2).double()


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
    merged = merge(3)(Tokens.original(random_points(2, 4, width=8), mask))
    assert merged.mask.tolist() == [[True, True, False], [True, True, True]]
    assert not merged.groups[0, 2].any()


def test_a_share_of_the_tokens():
    """Each sequence gets its own share, rounded up, whatever the padding beside it."""
    mask = torch.arange(9) < torch.tensor([[9], [6], [5], [1]])
    merged = merge(0.5)(Tokens.original(random_points(4, 9, width=8), mask))
    assert merged.mask.sum(-1).tolist() == [5, 3, 3, 1]


def test_before_training_merged_tokens_are_the_means_of_their_groups():
    points = random_points(2, 9)
    merged = merge(3)(Tokens.original(points))
    normed = torch.nn.functional.layer_norm(points, (8,))
    for row in range(2):
        for token in range(3):
            mean = normed[row][merged.groups[row, token]].mean(0)
            assert torch.allclose(merged.features[row, token], mean, atol=1e-12)
    assert torch.equal(merged.groups.sum(1), torch.ones(2, 9, dtype=torch.long))


def test_token_merge_equals_the_loops():
    """With random weights in every part: convolution, norm, weights, attention (Fig. 4)."""
    module = randomised(merge(3))
    points = random_points(2, 7)
    merged = module(Tokens.original(points))
    for row in range(2):
        expected = oracles.token_merge(module, points[row], merged.groups[row])
        assert (merged.features[row] - expected).abs().max() < 1e-12
        labels = oracles.dpc_knn(oracles.merge_points(module, points[row]).tolist(), 3, 3)
        assert merged.groups[row].int().argmax(0).tolist() == labels
