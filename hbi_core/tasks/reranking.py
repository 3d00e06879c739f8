"""Retrieval with rebuilt tokens: all pairs by single-modal scores, the best ones anew.

Rebuilt tokens belong to a pair, so that N videos with C texts would have N · C sets of them. So all
pairs have single-modal scores, and each query's k best have rebuilt ones.

The score of a pair, for a query (a text that looks for its video, or a video for its text): among
the k best of the query by the single-modal score, S of Eq. 1 of the rebuilt tokens; else S of the
single-modal tokens less a constant, by which every pair that was not ranked anew stands below every
one that was. What another query asks does not change it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hbi_core.checkpoints.checkpoint import RetrievalSettings
from hbi_core.data.features import Features
from hbi_core.model import Hierarchy, Pairs, Players
from hbi_core.tasks.querybank import SHARPNESS, fit_of_any_text
from hbi_core.tasks.retrieval_metrics import corpus_players, scores_of_players

_CELLS = 2**22  # numbers of rebuilt tokens that are held at once


@torch.inference_mode()
def retrieval_scores(
    hierarchy: Hierarchy,
    features: Features,
    reads: RetrievalSettings,
    progress: bool = False,
    cells: int = _CELLS,
    bank: Features | None = None,
    sharpness: float = SHARPNESS,
) -> tuple[Tensor, Tensor]:
    """The scores of every clip with every caption by which each caption, each clip finds its own.

    Without a reconstruction and a bank both are the `similarity_scores`.

    Args:
        hierarchy: in evaluation mode.
        features: N clips, C captions.
        reads: words, level weights and k.
        progress: whether to draw a bar.
        cells: bounds the memory of rebuilt tokens, see `rebuilt_scores`.
        bank: captions by which the scores for captions are normalised, see
            `hbi_core.tasks.querybank`; None leaves them as they are.
        sharpness: of the bank.

    Returns:
        float32 [N, C] each, on the CPU: where captions are the queries, and where clips are.

    Raises:
        SettingsError: there are more or fewer level weights than levels, or a bank for a model
            that reconstructs.
        NotFiniteError: the model computes values that are not finite.
    """
    videos, texts = corpus_players(hierarchy, features, reads.words)
    usual = (
        torch.zeros(())
        if bank is None
        else fit_of_any_text(hierarchy, videos, bank, reads, sharpness, progress).unsqueeze(-1)
    )
    alone = scores_of_players(hierarchy, videos, texts, reads.level_weights, progress)
    if not hierarchy.reconstructs:
        return alone - usual, alone
    of_text = _best(alone.T, reads.reranked).T
    of_video = _best(alone, reads.reranked)
    rows, columns = (of_text | of_video).nonzero(as_tuple=True)
    pairs = rows, columns
    rebuilt = torch.zeros_like(alone)
    rebuilt[pairs] = rebuilt_scores(hierarchy, videos, texts, pairs, reads.level_weights, cells)
    below = alone - 2 * sum(reads.level_weights)  # |S| is at most 1 at each level
    return torch.where(of_text, rebuilt, below), torch.where(of_video, rebuilt, below)


@torch.inference_mode()
def rebuilt_scores(
    hierarchy: Hierarchy,
    videos: Sequence[Players],
    texts: Sequence[Players],
    pairs: Pairs,
    level_weights: Sequence[float],
    cells: int = _CELLS,
) -> Tensor:
    """S of Eq. 1 of the pairs, each of its own rebuilt tokens, the levels added by their weights.

    Args:
        hierarchy: one that reconstructs, in evaluation mode.
        videos, texts: the players of each level on the CPU, of any number of videos and texts.
        pairs: P of them.
        level_weights: one for each level; a level of weight 0 is not computed.
        cells: numbers of rebuilt tokens that are held at once; the result does not depend on it.

    Returns:
        float32 [P], on the CPU.

    Raises:
        NotFiniteError: the model computes values that are not finite.
    """
    device = next(hierarchy.parameters()).device
    scores = torch.zeros(len(pairs[0]))
    for level, video, text, weight in zip(
        hierarchy.levels, videos, texts, level_weights, strict=True
    ):
        if weight == 0:
            continue
        of_a_pair = sum(side.tokens.features[0].numel() for side in (video, text))
        at_once = max(1, cells // of_a_pair)
        for start in range(0, len(scores), at_once):
            now = slice(start, start + at_once)
            (rows, first), (columns, second) = (
                numbers[now].unique(return_inverse=True) for numbers in pairs
            )
            own = video.chosen(rows).map(lambda x: x.to(device))
            other = text.chosen(columns).map(lambda x: x.to(device))
            paired = level.pair(own, other, (first.to(device), second.to(device)))
            scores[now] += weight * paired.game().grand_value().cpu()
    return scores


def _best(scores: Tensor, count: int) -> Tensor:
    """Which columns are among the `count` best of their row, bool [N, C]."""
    best = scores.topk(min(count, scores.shape[-1]), -1).indices
    return torch.zeros_like(scores, dtype=torch.bool).scatter_(-1, best, True)
