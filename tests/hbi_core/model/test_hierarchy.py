"""The three levels: each side alone, both together, and padding that has no influence."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from explainers.closed_forms import interaction_values
from hbi_core.errors import SettingsError
from hbi_core.model import (
    LevelTokens,
    ModelConfig,
    Players,
    Tokens,
    build_hierarchy,
)
from support.random_model import padded, random_points, randomised

CONFIG = ModelConfig(
    8, 8, 8, temporal_layers=1, attention_heads=2, positions=16, video_clusters=(3, 2)
)
PHRASES = replace(
    CONFIG, projection=True, text_players="phrases", text_context=5, text_path=1.0, video_path=0.5
)
REBUILT = replace(CONFIG, reconstruction=True)


def phrases(batch=2, seed=1):
    """Six text players of nine words, with steps and context."""
    lengths = torch.tensor([1, 2, 1, 2, 2, 1])
    word, last = torch.arange(9), lengths.cumsum(0).unsqueeze(-1)
    groups = (word < last) & (word >= last - lengths.unsqueeze(-1))
    return Tokens(
        random_points(batch, 6, seed),
        torch.ones(batch, 6, dtype=torch.bool),
        groups.expand(batch, -1, -1),
        torch.tensor([[1.0, 0.5, 2.0, 1.0, 0.5, 1.0]], dtype=torch.float64).expand(batch, -1),
        random_points(batch, 6, seed + 1, width=5),
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


@pytest.mark.parametrize("config", [CONFIG, REBUILT], ids=["alone", "rebuilt"])
def test_padding_changes_no_level(config):
    video, text = random_points(2, 6), random_points(2, 8, seed=1)
    video_mask = torch.tensor([[True] * 6 + [False] * 3] * 2)
    text_mask = torch.tensor([[False] * 2 + [True] * 8] * 2)
    hierarchy = randomised(build_hierarchy(config))
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


@pytest.mark.parametrize("config", [CONFIG, REBUILT], ids=["alone", "rebuilt"])
def test_padding_may_hold_anything(config):
    video, text = random_points(1, 6), random_points(1, 8, seed=1)
    mask = torch.tensor([[True] * 6 + [False] * 3])
    dirty = padded(video, mask).masked_fill(~mask.unsqueeze(-1), torch.nan)
    hierarchy = randomised(build_hierarchy(config))
    alone = hierarchy(Tokens.original(video), Tokens.original(text))
    beside = hierarchy(Tokens.original(dirty, mask), Tokens.original(text))
    for one, other in zip(alone, beside, strict=True):
        assert (one.game().grand_value() - other.game().grand_value()).abs().max() < 1e-12


def test_players_of_several_words():
    """At every level each word is in one group, and the groups come in the order of the words."""
    text = phrases()
    levels = randomised(build_hierarchy(PHRASES)).players("text", text)
    assert torch.equal(levels[0].tokens.groups, text.groups)
    for level in levels:
        groups = level.tokens.groups
        assert torch.equal(groups.sum(1), torch.ones(2, 9, dtype=torch.long))
        assert (groups.int().argmax(1).diff(dim=-1) >= 0).all()


def test_context_is_read_above_the_entity_level_alone():
    """There it is projected, and added to what the entity level made of the features."""
    hierarchy, text = randomised(build_hierarchy(PHRASES)), phrases()
    entity, action, event = hierarchy.players("text", text)
    plain = hierarchy.levels[0].players("text", replace(text, context=None, steps=None))
    assert torch.equal(entity.tokens.features, plain.tokens.features)
    assert torch.equal(entity.logits, plain.logits)
    added, merge = hierarchy.levels[1].text
    linear = added.projection.linear
    features = entity.tokens.features + text.context @ linear.weight.T + linear.bias
    expected = merge(replace(entity.tokens, features=features))
    assert (action.tokens.features - expected.features).abs().max() < 1e-12
    assert torch.equal(action.tokens.groups, expected.groups)
    for level in (action, event):
        assert level.tokens.context is None
        firsts = level.tokens.groups.int().argmax(-1)  # the first word of each
        owners = text.groups.int().argmax(1).gather(-1, firsts)
        assert torch.equal(level.tokens.steps, text.steps.gather(-1, owners))


def test_a_text_beside_longer_ones_is_as_it_is_alone():
    """All levels, whatever stands in the padding of features, steps and context."""
    hierarchy, text = randomised(build_hierarchy(PHRASES)), phrases(batch=1)
    longer = [
        torch.nn.functional.pad(x, (0, 0, 0, 3), value=fill)
        for x, fill in ((text.features, torch.nan), (text.context, torch.nan))
    ]
    padding = Tokens(
        longer[0],
        torch.arange(9).expand(1, -1) < 6,
        torch.nn.functional.pad(text.groups, (0, 0, 0, 3)),
        torch.nn.functional.pad(text.steps, (0, 3), value=torch.nan),
        longer[1],
    )
    other = phrases(batch=1, seed=7).map(lambda x: torch.cat([x, x[:, :3]], 1))
    beside = hierarchy.players("text", Tokens.joined([padding, other]))
    for one, many in zip(hierarchy.players("text", text), beside, strict=True):
        real = one.tokens.mask.shape[1]
        assert torch.equal(many.tokens.mask[0].nonzero().flatten(), torch.arange(real))
        assert torch.equal(many.tokens.groups[0, :real], one.tokens.groups[0])
        assert (many.tokens.features[0, :real] - one.tokens.features[0]).abs().max() < 1e-12
        assert (many.logits[0, :real] - one.logits[0]).abs().max() < 1e-12


def test_context_that_is_missing_is_told():
    hierarchy = randomised(build_hierarchy(PHRASES))
    with pytest.raises(SettingsError, match=r"text_context=0"):
        hierarchy.players("text", replace(phrases(), context=None))


def test_logits_without_a_bound():
    """Weights that differ by e^100 leave games and gradients finite and right in float32."""
    drawn, shapes = torch.Generator().manual_seed(0), ((4, 6), (4, 9))
    spread = [100 * torch.rand(shape, generator=drawn) - 50 for shape in shapes]
    spread[1][0], spread[1][1, 1:] = -50.0, -50.0
    features = [torch.randn(*shape, 8, generator=drawn) for shape in shapes]
    logits = [x.requires_grad_() for x in spread]

    def level_in(dtype):
        sides = zip(features, logits, strict=True)
        return LevelTokens(
            "action", *(Players(Tokens.original(x.to(dtype)), own.to(dtype)) for x, own in sides)
        )

    level, exact = level_in(torch.float32), level_in(torch.float64)
    values = interaction_values(level.game())
    similarity = level.game(all_pairs=True).grand_value()
    assert (values - interaction_values(exact.game())).abs().max() < 1e-4 * values.abs().max()
    assert (similarity - exact.game(all_pairs=True).grand_value()).abs().max() < 1e-5
    (values.square().sum() + similarity.square().sum()).backward()
    for own in logits:
        assert own.grad.isfinite().all()
        assert own.grad.any()


@pytest.mark.parametrize("compatibility", ["paper", "published"])
def test_all_pairs(compatibility):
    """The diagonal of the games of all pairs are the games of each with its own."""
    levels = randomised(build_hierarchy(replace(CONFIG, compatibility=compatibility)))(
        Tokens.original(random_points(3, 6)), Tokens.original(random_points(3, 8, seed=1))
    )
    for level in levels:
        pairs = level.game(all_pairs=True).grand_value()
        assert pairs.shape == (3, 3)
        assert torch.allclose(pairs.diagonal(), level.game().grand_value())
        assert torch.allclose(level.scores(), pairs, atol=1e-12)


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


@pytest.mark.parametrize(
    "wrong",
    [
        {"video_clusters": (3,)},
        {"reconstruction": True, "compatibility": "published"},
        {"video_clusters": (0, 2)},
        {"neighbours": 0},
        {"video_clusters": (2.5, 2)},
        {"video_clusters": (4, 3, 2), "text_clusters": (4, 3, 2)},
        {"attention_heads": 7},
        {"video_width": 1280},
        {"head": "transformer"},
        {"text_context": 4},
        {"text_context": 4, "projection": True, "video_clusters": (), "text_clusters": ()},
        {"text_context": 4, "projection": True, "compatibility": "published"},
        {"video_path": 0.5, "compatibility": "published"},
        {"text_path": 1.0, "compatibility": "published"},
    ],
)
def test_wrong_configuration(wrong):
    with pytest.raises(
        ValueError, match=r"cluster|merges|heads|projection|head is|neighbours|published"
    ):
        ModelConfig(**wrong)
