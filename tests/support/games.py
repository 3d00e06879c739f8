"""Games and logits that are hard to get right."""

from __future__ import annotations

import torch


def extreme_logits():
    """Both ends of a range of 20, one dominating, ranges beyond exp's, additive masks."""
    ends = torch.tensor([20.0, 0.0, 20.0], dtype=torch.float64)
    one = torch.tensor([0.0, 0.0, 20.0, 0.0], dtype=torch.float64)
    masked = torch.tensor([0.0, -1e9, 1.0, -1e9], dtype=torch.float64)
    return [(ends, one), (ends * 60, one * 100), (-ends, masked), (masked[:3], -one)]


def padded(singles):
    """One batch of games of different sizes, padded with nonsense, and the places of the players.

    Padding stands in front of the frames and behind the words.
    """
    videos, texts = (max(g.cells.shape[d] for g in singles) for d in (0, 1))
    cells = torch.full((len(singles), videos, texts), torch.nan, dtype=torch.float64)
    video_logits = torch.full((len(singles), videos), torch.inf, dtype=torch.float64)
    text_logits = torch.full((len(singles), texts), torch.nan, dtype=torch.float64)
    masks = [torch.zeros(len(singles), n, dtype=torch.bool) for n in (videos, texts)]
    places = []
    for row, single in enumerate(singles):
        v, t = single.cells.shape
        cells[row, videos - v :, :t] = single.cells
        video_logits[row, videos - v :], text_logits[row, :t] = (
            single.video_logits,
            single.text_logits,
        )
        masks[0][row, videos - v :], masks[1][row, :t] = True, True
        places.append(torch.cat(masks, -1)[row].nonzero().squeeze(-1))
    weighting = singles[0].weighting
    game = type(singles[0])(cells, video_logits, text_logits, *masks, weighting=weighting)
    return game, places
