"""Token merge and levels against loops, and padding that has no influence."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from hbi_core.model import (
    Hierarchy,
    Level,
    ModelConfig,
    TokenMerge,
    Tokens,
    build_hierarchy,
    dpc_knn,
    pad,
)
from hbi_core.model.entity import TemporalTransformer
from support import oracles


def random_points(batch, length, seed=0, width=8):
    generator = torch.Generator().manual_seed(seed)
    points = torch.randn(batch, length, width, generator=generator, dtype=torch.float64)
    return torch.nn.functional.normalize(points, dim=-1)


def padded(points, mask):
    """The same points with padding where the mask is False: twins of the first, which are near."""
    result = points[:, :1].expand(*mask.shape, points.shape[-1]).clone()
    result[mask] = points.flatten(0, 1)
    return result


def merge(clusters):
    return TokenMerge(8, clusters, heads=2).double()


def randomised(module, seed=0):
    """The module with every parameter drawn anew, so that no part is idle."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.double().parameters():
        noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        parameter.data = 0.3 * noise + (parameter.data if parameter.dim() == 1 else 0.0)
    return module.eval().requires_grad_(False)


CONFIG = ModelConfig(
    8, 8, 8, temporal_layers=1, attention_heads=2, positions=16, video_clusters=(3, 2)
)


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


def test_groups_nest_over_the_levels():
    levels = randomised(build_hierarchy(CONFIG))(
        Tokens.original(random_points(1, 12)), Tokens.original(random_points(1, 20, seed=1))
    )
    assert [level.name for level in levels] == ["entity", "action", "event"]
    assert [level.video.tokens.features.shape[1] for level in levels] == [12, 3, 2]
    assert [level.text.tokens.features.shape[1] for level in levels] == [20, 6, 3]
    for level in levels:
        assert torch.equal(level.video.tokens.groups.sum(1), torch.ones(1, 12, dtype=torch.long))
    for event in levels[2].text.tokens.groups[0]:
        for action in levels[1].text.tokens.groups[0]:
            assert (event & action).any() == (action & ~event).logical_not().all()


def test_padding_changes_no_level():
    video, text = random_points(2, 6), random_points(2, 8, seed=1)
    video_mask = torch.tensor([[True] * 6 + [False] * 3] * 2)
    text_mask = torch.tensor([[False] * 2 + [True] * 8] * 2)
    hierarchy = randomised(build_hierarchy(CONFIG))
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


def test_padding_may_hold_anything():
    video, text = random_points(1, 6), random_points(1, 8, seed=1)
    mask = torch.tensor([[True] * 6 + [False] * 3])
    dirty = padded(video, mask).masked_fill(~mask.unsqueeze(-1), torch.nan)
    hierarchy = randomised(build_hierarchy(CONFIG))
    alone = hierarchy(Tokens.original(video), Tokens.original(text))
    beside = hierarchy(Tokens.original(dirty, mask), Tokens.original(text))
    for one, other in zip(alone, beside, strict=True):
        assert (one.game().grand_value() - other.game().grand_value()).abs().max() < 1e-12


def test_all_pairs():
    """The diagonal of the games of all pairs are the games of each with its own."""
    levels = randomised(build_hierarchy(CONFIG))(
        Tokens.original(random_points(3, 6)), Tokens.original(random_points(3, 8, seed=1))
    )
    for level in levels:
        pairs = level.game(all_pairs=True).grand_value()
        assert pairs.shape == (3, 3)
        assert torch.allclose(pairs.diagonal(), level.game().grand_value())


@pytest.mark.parametrize("compatibility", ["paper", "published"])
def test_a_video_is_walked_once_for_any_number_of_texts(compatibility):
    hierarchy = randomised(build_hierarchy(replace(CONFIG, compatibility=compatibility)))
    video = Tokens.original(random_points(1, 6), torch.tensor([[True] * 5 + [False]]))
    kept = hierarchy.players("video", video)
    for seed in range(3):
        text = Tokens.original(random_points(1, 4 + seed, seed))
        paired = hierarchy.pair(kept, hierarchy.players("text", text))
        for one, other in zip(paired, hierarchy(video, text), strict=True):
            assert one.name == other.name
            assert torch.equal(one.game().similarity, other.game().similarity)
            assert torch.equal(one.game().grand_value(), other.game().grand_value())


class MovedLevel(Level):
    """Pairing moves each video to the middle of its text."""

    reconstructs = True

    def pair(self, videos, texts):
        moved = videos.tokens.features + texts.tokens.features.mean(1, keepdim=True)
        return super().pair(videos._replace(tokens=replace(videos.tokens, features=moved)), texts)


def test_the_next_level_is_made_of_what_pairing_gives():
    levels = randomised(build_hierarchy(CONFIG)).levels
    entity = levels[0]
    moving = MovedLevel(
        "entity", entity.video, entity.text, entity.video_logits, entity.text_logits, entity.head
    )
    hierarchy = Hierarchy([moving, *levels[1:]])
    video = Tokens.original(random_points(1, 6))
    kept = hierarchy.players("video", video)
    assert len(kept) == 1  # beyond, the video depends on the text
    for seed in range(2):
        text = Tokens.original(random_points(1, 5, seed))
        below, action, event = hierarchy(video, text)
        again = hierarchy.pair(kept, hierarchy.players("text", text))
        assert torch.equal(again[2].video.logits, event.video.logits)
        expected = levels[1].video(below.video.tokens).features
        assert torch.equal(action.video.tokens.features, expected)
        unmoved = levels[1].video(kept[0].tokens).features
        assert not torch.allclose(action.video.tokens.features, unmoved)


@pytest.mark.parametrize(
    "wrong",
    [
        {"video_clusters": (3,)},
        {"video_clusters": (0, 2)},
        {"neighbours": 0},
        {"video_clusters": (2.5, 2)},
        {"video_clusters": (4, 3, 2), "text_clusters": (4, 3, 2)},
        {"attention_heads": 7},
        {"video_width": 1664},
        {"head": "transformer"},
    ],
)
def test_wrong_configuration(wrong):
    with pytest.raises(ValueError, match=r"cluster|merges|heads|projection|head is|neighbours"):
        ModelConfig(**wrong)
