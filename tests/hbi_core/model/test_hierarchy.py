"""The three levels: each side alone, both together, and padding that has no influence."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from hbi_core.model import (
    Hierarchy,
    Level,
    ModelConfig,
    Tokens,
    build_hierarchy,
)
from support.random_model import padded, random_points, randomised

CONFIG = ModelConfig(
    8, 8, 8, temporal_layers=1, attention_heads=2, positions=16, video_clusters=(3, 2)
)


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
