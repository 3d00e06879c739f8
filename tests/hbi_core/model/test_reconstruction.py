"""Tokens of a pair are rebuilt with what the other side says; before training nothing changes."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from hbi_core.model import ModelConfig, Reconstruction, Tokens, build_hierarchy
from support.random_model import random_points, randomised

CONFIG = ModelConfig(
    8,
    8,
    8,
    temporal_layers=1,
    attention_heads=2,
    positions=16,
    video_clusters=(3, 2),
    reconstruction=True,
)


def masked(batch, length, seed):
    """Points with a token less in each sample than in the one before."""
    counts = length - torch.arange(batch).unsqueeze(-1)
    return Tokens.original(random_points(batch, length, seed), torch.arange(length) < counts)


def linear(layer, x):
    """Lists, one output after the other."""
    bias = [0.0] * len(layer.weight) if layer.bias is None else layer.bias.tolist()
    rows = layer.weight.tolist()
    return [
        sum(w * v for w, v in zip(row, x, strict=True)) + b
        for row, b in zip(rows, bias, strict=True)
    ]


def normed(layer, x):
    mean = sum(x) / len(x)
    deviation = math.sqrt(sum((v - mean) ** 2 for v in x) / len(x) + layer.eps)
    weight, bias = layer.weight.tolist(), layer.bias.tolist()
    return [(v - mean) / deviation * w + b for v, w, b in zip(x, weight, bias, strict=True)]


def rebuilt_by_loops(side, token, others):
    """One token with the real tokens of the other side, head by head and feature by feature."""
    width = len(token)
    size = width // side.heads
    query = linear(side.query, normed(side.norm, token))
    both = [linear(side.key_value, normed(side.norm, other)) for other in others]
    attended = []
    for head in range(side.heads):
        of_head = range(head * size, (head + 1) * size)
        logits = [sum(query[f] * b[f] for f in of_head) / math.sqrt(size) for b in both]
        weights = [math.exp(logit - max(logits)) for logit in logits]
        for f in of_head:
            values = [w * b[width + f] for w, b in zip(weights, both, strict=True)]
            attended.append(sum(values) / sum(weights))
    cross = linear(side.project, attended)
    (single_gate,) = linear(side.single_gate, normed(side.norm, token))
    (cross_gate,) = linear(side.cross_gate, cross)
    gate = 1 / (1 + math.exp(-single_gate - cross_gate))
    return [(1 - gate) * s + gate * c for s, c in zip(token, cross, strict=True)]


def test_a_token_is_its_own_part_and_that_of_the_other_side():
    """Loop by loop, both sides, with several samples of several lengths."""
    module = randomised(Reconstruction(8, 2))
    videos, texts = masked(3, 5, 0), masked(3, 4, 1)
    found = module(videos, texts)
    for side, own, other, got in (
        (module.video, videos, texts, found[0]),
        (module.text, texts, videos, found[1]),
    ):
        for sample in range(3):
            others = other.features[sample][other.mask[sample]].tolist()
            for n in own.mask[sample].nonzero().flatten().tolist():
                expected = rebuilt_by_loops(side, own.features[sample, n].tolist(), others)
                assert got.features[sample, n].tolist() == pytest.approx(expected, abs=1e-12)
        assert torch.equal(got.mask, own.mask)
        assert torch.equal(got.groups, own.groups)


def test_in_bfloat16_tokens_keep_their_precision():
    """As autocast computes in training: linear maps in half of it, the tokens themselves not."""
    module = randomised(Reconstruction(8, 2)).float()
    videos, texts = (Tokens.original(random_points(2, length).float()) for length in (5, 4))
    expected = module(videos, texts)
    with torch.autocast("cpu", torch.bfloat16):
        found = module(videos, texts)
    for one, other in zip(found, expected, strict=True):
        assert one.features.dtype == torch.float32
        assert (one.features - other.features).abs().max() < 0.05


def test_named_pairs_are_each_pair_alone():
    """At every level; players that are in several pairs, or in none, are no matter."""
    hierarchy = randomised(build_hierarchy(CONFIG))
    videos, texts = masked(3, 6, 0), masked(4, 7, 1)
    sides = hierarchy.players("video", videos), hierarchy.players("text", texts)
    pairs = torch.tensor([0, 2, 2, 1]), torch.tensor([3, 0, 3, 3])
    together = hierarchy.pair(*sides, pairs)
    for number, (v, t) in enumerate(zip(*pairs, strict=True)):
        alone = hierarchy(videos.chosen(v.view(1)), texts.chosen(t.view(1)))
        for one, level in zip(alone, together, strict=True):
            difference = level.game().grand_value()[number] - one.game().grand_value()[0]
            assert difference.abs() < 1e-12


def test_before_training_the_scores_are_those_of_version_1():
    """What the gates let through is nothing yet; tokens only became shorter."""
    torch.manual_seed(0)
    hierarchy = build_hierarchy(CONFIG).double().eval()
    sides = (
        hierarchy.players("video", masked(3, 6, 0)),
        hierarchy.players("text", masked(3, 7, 1)),
    )
    for alone, rebuilt in zip(hierarchy.alone(*sides), hierarchy.pair(*sides), strict=True):
        ours, expected = rebuilt.game(), alone.game()
        assert torch.allclose(ours.similarity, expected.similarity, atol=1e-12)
        assert torch.equal(ours.video_logits, expected.video_logits)
        real = alone.video.tokens.mask
        moved = rebuilt.video.tokens.features[real] / alone.video.tokens.features[real]
        assert torch.allclose(moved, torch.full_like(moved, 1 - 1 / (1 + math.e)))


def test_weights_and_levels_above_are_those_of_each_side_alone():
    hierarchy = randomised(build_hierarchy(CONFIG))
    videos, kept = masked(2, 6, 0), []
    for seed in (1, 2):
        texts = masked(2, 7, seed)
        sides = hierarchy.players("video", videos), hierarchy.players("text", texts)
        kept.append(hierarchy.pair(*sides))
        for level, players in zip(kept[-1], sides[0], strict=True):
            assert torch.equal(level.video.logits, players.logits)
            assert not torch.allclose(level.video.tokens.features, players.tokens.features)
    for one, other in zip(*kept, strict=True):
        assert torch.equal(one.video.tokens.groups, other.video.tokens.groups)
        assert not torch.allclose(one.video.tokens.features, other.video.tokens.features)


def test_without_it_players_are_paired_as_they_are():
    """Nothing is computed and no tensor is drawn: version 1 to the bit."""
    torch.manual_seed(0)
    plain = build_hierarchy(replace(CONFIG, reconstruction=False))
    torch.manual_seed(0)
    hierarchy = build_hierarchy(CONFIG)
    assert not plain.reconstructs
    assert hierarchy.reconstructs
    added = {name for name in hierarchy.state_dict() if ".reconstruction." in name}
    assert added == hierarchy.state_dict().keys() - plain.state_dict().keys()
    videos, texts = (Tokens.original(random_points(2, length).float()) for length in (6, 7))
    sides = plain.players("video", videos), plain.players("text", texts)
    for level, video, text in zip(plain.pair(*sides), *sides, strict=True):
        assert level.video is video
        assert level.text is text
