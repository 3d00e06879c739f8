"""DPC-KNN and token merge against loops, and padding that has no influence."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from hbi_core.model import TokenMerge, Tokens, dpc_knn
from hbi_core.model.token_merge import pair_distances, path_distances
from support import oracles
from support.random_model import padded, random_points, randomised


def merge(clusters, path=0.0):
    return TokenMerge(8, clusters, heads=2, path=path).double()


def random_steps(*shape, seed=0):
    """Factors of steps, a third of them 0."""
    drawn = torch.Generator().manual_seed(seed)
    return torch.randint(0, 3, shape, generator=drawn).double()


@pytest.mark.parametrize("length", [1, 2, 3, 7, 12])
@pytest.mark.parametrize("clusters", [1, 2, 3, 6])
@pytest.mark.parametrize("neighbours", [1, 3, 20])
def test_dpc_knn_equals_the_loops(length, clusters, neighbours):
    points = random_points(3, length, seed=length)
    mask = torch.ones(3, length, dtype=torch.bool)
    members = dpc_knn(pair_distances(points), mask, clusters, neighbours)
    assert members.shape == (3, length, min(clusters, length))
    for row in range(3):
        distance = oracles.distances(points[row].tolist())
        expected = oracles.dpc_knn(distance, clusters, neighbours)
        assert members[row].int().argmax(-1).tolist() == expected
        assert (members[row].sum(-1) == 1).all()


def test_path_distances_equal_the_loops():
    points, steps = random_points(3, 7), random_steps(3, 7)
    mask = torch.ones(3, 7, dtype=torch.bool)
    for factors in (None, steps):
        result = path_distances(points, mask, factors)
        for row in range(3):
            own = None if factors is None else factors[row].tolist()
            expected = oracles.distances(points[row].tolist(), 1.0, own)
            assert (result[row] - torch.tensor(expected, dtype=torch.float64)).abs().max() < 1e-12


def test_path_distances_step_over_padding():
    """Wherever it stands and whatever is in it; the factor of a step is that of where it leads."""
    points, steps = random_points(2, 5), random_steps(2, 5)
    mask = torch.tensor([[False, True, True, False, False, True, True, True, False]] * 2)
    factors = torch.full(mask.shape, 99.0, dtype=torch.float64)
    factors[mask] = steps.flatten()
    alone = path_distances(points, torch.ones(2, 5, dtype=torch.bool), steps)
    beside = path_distances(padded(points, mask), mask, factors)
    assert torch.equal(beside[mask.unsqueeze(1) & mask.unsqueeze(2)].view(2, 5, 5), alone)


@pytest.mark.parametrize("seed", range(20))
def test_on_a_path_clusters_are_contiguous(seed):
    """Whatever the points are, equal ones and scenes that return too, at both merges."""
    drawn = torch.Generator().manual_seed(seed)
    scenes = random_points(20, 4, seed)
    shown = torch.randint(0, 4, (20, 15), generator=drawn)
    points = scenes.gather(1, shown.unsqueeze(-1).expand(-1, -1, 8))
    mask = torch.rand(20, 15, generator=drawn) < 0.9
    tokens = Tokens(
        points.float(), mask, torch.diag_embed(mask), random_steps(20, 15, seed=seed).float()
    )
    for clusters in (6, 0.5):
        tokens = merge(clusters, path=1.0).float()(tokens)
        last = torch.full((20,), -1)
        for group, real in zip(tokens.groups.unbind(1), tokens.mask.unbind(1), strict=True):
            for row in real.nonzero().flatten().tolist():
                words = mask[row].nonzero().flatten().tolist()
                own = [words.index(word) for word in group[row].nonzero().flatten().tolist()]
                assert own == list(range(int(last[row]) + 1, own[-1] + 1))
                last[row] = own[-1]
        assert torch.equal(last, mask.sum(-1) - 1)


def test_a_scene_that_returns_is_one_cluster_unless_the_path_parts_it():
    one, other = random_points(1, 2)[0]
    tokens = Tokens.original(torch.stack([one, one, other, other, one, one]).unsqueeze(0))
    groups = merge(2)(tokens).groups[0].int().tolist()
    assert groups == [[1, 1, 0, 0, 1, 1], [0, 0, 1, 1, 0, 0]]
    groups = merge(3, path=0.5)(tokens).groups[0].int().tolist()
    assert groups == [[1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 1, 1]]


def test_a_merge_on_a_path_equals_the_loops():
    """Between both ends, where steps have factors, with random weights in every part."""
    module = randomised(merge(3, path=0.4))
    points, steps = random_points(2, 7), random_steps(2, 7)
    tokens = Tokens.original(points)
    merged = module(replace(tokens, steps=steps))
    for row in range(2):
        place = oracles.merge_points(module, points[row]).tolist()
        distance = oracles.distances(place, 0.4, steps[row].tolist())
        labels = oracles.dpc_knn(distance, 3, 3)
        assert merged.groups[row].int().argmax(0).tolist() == labels
        firsts = [labels.index(cluster) for cluster in range(3)]
        assert merged.steps[row].tolist() == steps[row, firsts].tolist()
    assert module(tokens).steps is None


@pytest.mark.parametrize("path", [0.0, 0.4, 1.0])
def test_a_sequence_is_merged_as_it_is_alone(path):
    """Beside others, and with padding before, within and behind it, that may hold anything."""
    points, steps = random_points(3, 6), random_steps(3, 6)
    mask = torch.tensor([[False, True, True, False, True, True, True, True, False]] * 3)
    module = randomised(merge(0.5, path))
    module.mix.weight.zero_()  # which sees two real tokens side by side, or padding between them
    beside = padded(points, mask).masked_fill(~mask.unsqueeze(-1), torch.nan)
    factors = torch.full(mask.shape, torch.nan, dtype=torch.float64)
    factors[mask] = steps.flatten()
    merged = module(Tokens(beside, mask, torch.diag_embed(mask), factors))
    for row in range(3):
        single = module(replace(Tokens.original(points[row : row + 1]), steps=steps[row : row + 1]))
        assert single.mask.sum() == merged.mask[row].sum() == 3
        assert torch.equal(merged.groups[row, :3][:, mask[row]], single.groups[0])
        assert (merged.features[row, :3] - single.features[0]).abs().max() < 1e-12
        assert torch.equal(merged.steps[row, :3], single.steps[0])


def test_dpc_knn_with_equal_points():
    """Every cluster keeps its own centre even where all distances are zero."""
    members = dpc_knn(torch.zeros(1, 5, 5), torch.ones(1, 5, dtype=torch.bool), 3)
    assert members.any(1).all()
    assert torch.equal(members.sum(-1), torch.ones(1, 5, dtype=torch.long))


def test_dpc_knn_ignores_padding():
    points = random_points(2, 5)
    mask = torch.tensor([[False, True, True, True, True, True, False]] * 2)
    alone = dpc_knn(pair_distances(points), torch.ones(2, 5, dtype=torch.bool), 3)
    members = dpc_knn(pair_distances(padded(points, mask)), mask, 3)
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
        place = oracles.merge_points(module, points[row]).tolist()
        labels = oracles.dpc_knn(oracles.distances(place), 3, 3)
        assert merged.groups[row].int().argmax(0).tolist() == labels
