"""Retrieval against a naive version: one query, one candidate, one pair at a time."""

from __future__ import annotations

import statistics

import pytest
import torch

from hbi_core.model import ModelConfig, Tokens, build_hierarchy
from hbi_core.tasks.retrieval_metrics import recall_sum, retrieval_metrics, similarity_scores
from support.features import random_features


def naive_metrics(scores, owners):
    """Sort the candidates of each query, wrong ones first where they tie."""
    videos, texts = len(scores), len(scores[0])
    text_ranks, video_ranks = [], []
    for t in range(texts):
        order = sorted(range(videos), key=lambda v: (-scores[v][t], v == owners[t]))
        text_ranks.append(1 + order.index(owners[t]))
    for v in range(videos):
        order = sorted(range(texts), key=lambda t: (-scores[v][t], owners[t] == v))
        own = next(place for place, t in enumerate(order) if owners[t] == v)
        wrong_before = sum(owners[t] != v for t in order[:own])
        video_ranks.append(1 + wrong_before)

    def summary(ranks):
        recalls = {f"R@{k}": 100 * sum(r <= k for r in ranks) / len(ranks) for k in (1, 5, 10)}
        return recalls | {"MdR": statistics.median(ranks), "MnR": statistics.mean(ranks)}

    return {"text_to_video": summary(text_ranks), "video_to_text": summary(video_ranks)}


@pytest.mark.parametrize("values", [2, 5, 1000])
@pytest.mark.parametrize("seed", range(4))
def test_metrics_equal_the_naive_ones(values, seed):
    """With many ties, some, and none; one to four texts a video."""
    generator = torch.Generator().manual_seed(seed)
    owners = torch.cat(
        [torch.full((int(torch.randint(1, 5, (1,), generator=generator)),), v) for v in range(15)]
    )
    owners = owners[torch.randperm(len(owners), generator=generator)]
    scores = torch.randint(values, (15, len(owners)), generator=generator).float()
    metrics = retrieval_metrics(scores, owners)
    expected = naive_metrics(scores.tolist(), owners.tolist())
    for direction, row in expected.items():
        assert metrics[direction] == pytest.approx(row)
    assert recall_sum(metrics) == pytest.approx(
        sum(row[f"R@{k}"] for row in expected.values() for k in (1, 5, 10))
    )


def test_each_direction_may_have_scores_of_its_own():
    generator, owners = torch.Generator().manual_seed(0), torch.arange(9).repeat_interleave(2)
    of_texts, of_videos = torch.randint(9, (2, 9, 18), generator=generator).float()
    metrics = retrieval_metrics(of_texts, owners, of_videos)
    for direction, scores in (("text_to_video", of_texts), ("video_to_text", of_videos)):
        expected = naive_metrics(scores.tolist(), owners.tolist())[direction]
        assert metrics[direction] == pytest.approx(expected)


def test_a_model_that_says_nothing_is_last():
    """All scores equal: every right candidate ranks after all wrong ones."""
    metrics = retrieval_metrics(torch.zeros(7, 7), torch.arange(7))
    for row in metrics.values():
        assert row == {"R@1": 0, "R@5": 0, "R@10": 100, "MdR": 7, "MnR": 7}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("seed", range(3))
def test_scores_that_are_not_finite_rank_last(value, seed):
    """As scores below all others, ties against the model: wherever they stand, whoever has them."""
    generator = torch.Generator().manual_seed(seed)
    owners = torch.arange(9).repeat_interleave(2)
    scores = torch.randint(4, (9, 18), generator=generator).float()
    broken = torch.rand(9, 18, generator=generator) < 0.2
    broken[2], broken[:, 7] = True, True  # a clip and a text without any score
    expected = naive_metrics(scores.masked_fill(broken, -1e9).tolist(), owners.tolist())
    metrics = retrieval_metrics(scores.masked_fill(broken, value), owners)
    for direction, row in expected.items():
        assert metrics[direction] == pytest.approx(row)


def test_a_broken_clip_lifts_nobody():
    """Its own text is last, and those of others are where they were."""
    scores = torch.eye(8)
    scores[3] = float("nan")
    for row in retrieval_metrics(scores, torch.arange(8)).values():
        assert row == {"R@1": 87.5, "R@5": 87.5, "R@10": 100, "MdR": 1, "MnR": 15 / 8}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_model_that_diverged_is_last(value):
    metrics = retrieval_metrics(torch.full((20, 20), value), torch.arange(20))
    for row in metrics.values():
        assert row == {"R@1": 0, "R@5": 0, "R@10": 0, "MdR": 20, "MnR": 20}
    assert recall_sum(metrics) == 0


@pytest.fixture(scope="module", params=[(4, 2), (0.5, 0.5)])
def pairs_alone(request):
    """A model, features, and the scores of each pair alone."""
    features, weights = random_features(), (1.0, 0.5, 2.0)
    torch.manual_seed(0)
    config = ModelConfig(
        16, 16, 16, temporal_layers=1, attention_heads=2, text_clusters=request.param
    )
    hierarchy = build_hierarchy(config).eval()
    for parameter in hierarchy.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    scores = torch.empty(len(features.clips), len(features.owners))
    for v in range(len(features.clips)):
        frames = features.frames[v][features.frame_mask[v]].float().unsqueeze(0)
        for c in range(len(features.owners)):
            words = features.caption(c)[:8].unsqueeze(0)
            with torch.no_grad():
                levels = hierarchy(Tokens.original(frames), Tokens.original(words))
            scores[v, c] = sum(
                weight * float(level.game().grand_value())
                for weight, level in zip(weights, levels, strict=True)
            )
    return hierarchy, features, weights, scores


@pytest.mark.parametrize("block", [1, 300, 2**24])
def test_scores_are_those_of_each_pair_alone(block, pairs_alone):
    """Blocks and batches change nothing; levels are added by their weights."""
    hierarchy, features, weights, expected = pairs_alone
    scores = similarity_scores(hierarchy, features, 8, weights, at_once=4, block_cells=block)
    assert (scores - expected).abs().max() < 1e-5


def test_a_level_without_weight_is_left_out():
    features = random_features()
    hierarchy = build_hierarchy(ModelConfig(16, 16, 16, temporal_layers=0, attention_heads=2))
    entity = similarity_scores(hierarchy, features, 8, (1, 0, 0))
    both = similarity_scores(hierarchy, features, 8, (1, 1, 0))
    assert (entity - both).abs().max() > 1e-3
    with pytest.raises(ValueError, match="2 level weights"):
        similarity_scores(hierarchy, features, 8, (1, 1))
