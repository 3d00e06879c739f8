"""Rebuilt scores told apart, of a bounded number of pairs."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from hbi_core.model import Level, Pairs, Players


class Negatives(NamedTuple):
    """The hardest wrong partners of each sample of a batch.

    Attributes:
        partners: int64 [B, K], the number of each.
        real: bool [B, K]; False where a sample has fewer than K wrong partners.
    """

    partners: Tensor
    real: Tensor


def hardest(scores: Tensor, same_video: Tensor, count: int) -> Negatives:
    """For each row, the columns of other videos that score highest.

    Args:
        scores: float [B, B], pairs on the diagonal.
        same_video: bool [B, B], True where a column is no negative of the row.
        count: K at most; no more than the batch has.
    """
    open_to = scores.detach().masked_fill(same_video, -torch.inf)
    best = open_to.topk(min(count, len(scores) - 1), dim=-1)
    return Negatives(best.indices, best.values > -torch.inf)


def hard_contrastive_loss(
    level: Level,
    videos: Players,
    texts: Players,
    scores: Tensor,
    same_video: Tensor,
    temperature: Tensor | float,
    count: int,
) -> Tensor:
    """Eq. 2 of rebuilt scores, each pair among its hardest negatives alone.

    Every pair of a batch would need rebuilt tokens of its own, B². Here (1 + 2 K) B pairs have
    them: the right ones, and for each video K texts, for each text K videos.

    Args:
        level: one that reconstructs.
        videos, texts: B of each, pairs in order.
        scores: float [B, B], the single-modal scores, which choose the negatives.
        same_video: bool [B, B], True where the text of the column describes the row's video.
        temperature: τ > 0.
        count: K; fewer where the batch has fewer.

    Returns:
        float [].
    """
    samples = len(scores)
    sides = hardest(scores, same_video, count), hardest(scores.mT, same_video.mT, count)
    own = torch.arange(samples, device=scores.device)
    with_texts, with_videos = (_each_with(own, side.partners) for side in sides)
    pairs: Pairs = (
        torch.cat([own, with_texts[0], with_videos[1]]),
        torch.cat([own, with_texts[1], with_videos[0]]),
    )
    rebuilt = level.pair(videos, texts, pairs).game().grand_value()
    right, *wrong = rebuilt.split([samples, *(side.partners.numel() for side in sides)])
    losses = []
    for side, negatives in zip(sides, wrong, strict=True):
        negatives = negatives.view_as(side.partners).masked_fill(~side.real, -torch.inf)
        logits = torch.cat([right.unsqueeze(-1), negatives], -1) / temperature
        losses.append(-logits.log_softmax(-1)[:, 0].mean())
    return 0.5 * (losses[0] + losses[1])


def _each_with(own: Tensor, partners: Tensor) -> Pairs:
    """[B], [B, K] -> pairs of every sample with each of its partners, [B · K]."""
    return own.unsqueeze(-1).expand_as(partners).flatten(), partners.flatten()
