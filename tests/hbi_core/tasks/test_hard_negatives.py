"""Rebuilt scores are told apart from those of the hardest negatives."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from hbi_core.model import Tokens, build_hierarchy
from hbi_core.tasks.hard_negatives import hard_contrastive_loss, hardest
from support.random_model import random_points, randomised
from support.small_runs import MODEL


@pytest.fixture(scope="module")
def batch():
    """A level, its players, and the single-modal scores of five pairs."""
    config = replace(MODEL, video_width=8, text_width=8, width=8, reconstruction=True)
    level = randomised(build_hierarchy(config)).levels[0]
    videos = level.players("video", Tokens.original(random_points(5, 4)))
    texts = level.players("text", Tokens.original(random_points(5, 3, 1)))
    return level, videos, texts, level.alone(videos, texts).scores()


def loss_by_loops(level, videos, texts, scores, ids, temperature, count):
    def rebuilt(video, text):
        one = torch.tensor([video]), torch.tensor([text])
        return float(level.pair(videos, texts, one).game().grand_value())

    total = 0.0
    for n in range(len(ids)):
        others = [m for m in range(len(ids)) if ids[m] != ids[n]]
        for column in (False, True):
            ranked = sorted(others, key=lambda m: -float(scores[(m, n) if column else (n, m)]))
            wrong = [rebuilt(m, n) if column else rebuilt(n, m) for m in ranked[:count]]
            powers = [math.exp(score / temperature) for score in (rebuilt(n, n), *wrong)]
            total -= math.log(powers[0] / sum(powers))
    return total / 2 / len(ids)


@pytest.mark.parametrize(
    "ids", [[0, 1, 2, 3, 4], [0, 1, 0, 0, 2]], ids=["distinct", "of one video"]
)
@pytest.mark.parametrize("count", [1, 2, 9])
def test_loss_by_loops(batch, ids, count):
    level, videos, texts, scores = batch
    same = torch.tensor(ids).unsqueeze(0) == torch.tensor(ids).unsqueeze(1)
    found = hard_contrastive_loss(level, videos, texts, scores, same, 0.3, count)
    expected = loss_by_loops(level, videos, texts, scores, ids, 0.3, count)
    assert float(found) == pytest.approx(expected, rel=1e-9)


def test_where_nothing_is_wrong_nothing_is_lost(batch):
    level, videos, texts, scores = batch
    same = torch.ones(5, 5, dtype=torch.bool)
    assert not hardest(scores, same, 2).real.any()
    features = videos.tokens.features.clone().requires_grad_()
    moved = videos._replace(tokens=replace(videos.tokens, features=features))
    loss = hard_contrastive_loss(level, moved, texts, scores, same, 0.3, 2)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(0)
    assert torch.equal(features.grad, torch.zeros_like(features))


def test_a_batch_of_one_has_no_negatives(batch):
    level, videos, texts, scores = batch
    one = torch.zeros(1, dtype=torch.long)
    alone = videos.chosen(one), texts.chosen(one)
    same = torch.ones(1, 1, dtype=torch.bool)
    assert float(hard_contrastive_loss(level, *alone, scores[:1, :1], same, 0.3, 4)) == 0
