"""Retrieval ranks by single-modal scores, and the best of them anew by rebuilt ones."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from hbi_core.checkpoints.checkpoint import RetrievalSettings
from hbi_core.model import ModelConfig, Tokens, build_hierarchy
from hbi_core.tasks.reranking import retrieval_scores
from hbi_core.tasks.retrieval_metrics import ranks, similarity_scores
from support.features import random_features
from support.random_model import randomised

READS = RetrievalSettings(6, 8, (1.0, 0.0, 2.0), 3)
CONFIG = ModelConfig(
    16, 16, 16, temporal_layers=1, attention_heads=2, text_clusters=(0.5, 0.5), reconstruction=True
)


@pytest.fixture(scope="module")
def scored():
    """A model, features, and of each pair alone the single-modal score and the rebuilt one."""
    features = random_features()
    hierarchy = randomised(build_hierarchy(CONFIG)).float()
    alone, rebuilt = torch.zeros(2, len(features.clips), len(features.owners))
    for v in range(len(features.clips)):
        frames = Tokens.original(features.frames[v][features.frame_mask[v]].float().unsqueeze(0))
        for c in range(len(features.owners)):
            words = Tokens.original(features.caption(c)[:8].unsqueeze(0))
            sides = hierarchy.players("video", frames), hierarchy.players("text", words)
            for kind, levels in (
                (alone, hierarchy.alone(*sides)),
                (rebuilt, hierarchy(frames, words)),
            ):
                entity, _, event = (float(level.game().grand_value()) for level in levels)
                kind[v, c] = entity + 2 * event
    assert (alone - rebuilt).abs().max() > 0.1
    return hierarchy, features, alone, rebuilt


def ranked(alone, rebuilt, count):
    """Candidates of one query: the best few by rebuilt scores, then the others."""
    order = sorted(range(len(alone)), key=lambda n: -alone[n])
    best = sorted(order[:count], key=lambda n: -rebuilt[n])
    return best + order[count:]


@pytest.mark.parametrize("cells", [1, 999, 2**22])
@pytest.mark.parametrize("count", [1, 3, 1000])
def test_the_order_is_that_of_all_pairs_scored_one_by_one(scored, count, cells):
    hierarchy, features, alone, rebuilt = scored
    reads = replace(READS, reranked=count)
    of_texts, of_videos = retrieval_scores(hierarchy, features, reads, cells=cells)
    for found, single, anew in (
        (of_texts.T, alone.T, rebuilt.T),
        (of_videos, alone, rebuilt),
    ):
        for query in range(len(found)):
            order = found[query].argsort(descending=True).tolist()
            assert order == ranked(single[query].tolist(), anew[query].tolist(), count)
            best = order[: min(count, len(order))]
            assert torch.allclose(found[query][best], anew[query][best], atol=1e-5)
            assert (found[query] >= -3).sum() == len(best)  # the sum of the weights


def test_ranks_are_of_the_query_that_asks(scored):
    hierarchy, features, _, _ = scored
    of_texts, of_videos = retrieval_scores(hierarchy, features, READS)
    assert not torch.equal(of_texts, of_videos)
    text_ranks, video_ranks = ranks(of_texts, features.owners, of_videos)
    assert torch.equal(text_ranks, ranks(of_texts, features.owners)[0])
    assert torch.equal(video_ranks, ranks(of_videos, features.owners)[1])


def test_without_reconstruction_both_are_the_similarities():
    hierarchy = build_hierarchy(replace(CONFIG, reconstruction=False)).eval()
    features = random_features()
    of_texts, of_videos = retrieval_scores(hierarchy, features, READS)
    expected = similarity_scores(hierarchy, features, READS.words, READS.level_weights)
    assert torch.equal(of_texts, expected)
    assert torch.equal(of_videos, expected)
