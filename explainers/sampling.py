"""Monte Carlo estimates of the interactions, with standard errors.

A coalition S drawn uniformly from all 2^n tells something about every pair at once: with s_p = +1
for members and -1 for the rest, I(i, j) = 4 E[s_i s_j φ(S)], the degree-2 Walsh coefficient of the
game. So one value of φ serves all pairs, instead of four for each.
"""

from __future__ import annotations

import torch
from torch import Tensor

from explainers.game import SimilarityGame, exact_precision
from explainers.interactions import Interactions, timed

_CHUNK_CELLS = 2**22  # cells of similarity matrices that are held at once


def sample_coalitions(
    game: SimilarityGame, coalitions: int = 4096, generator: torch.Generator | None = None
) -> Interactions:
    """Estimate the interactions from random coalitions.

    Args:
        game: any batch of games; all of them see the same coalitions.
        coalitions: how many, at least 2.
        generator: of random numbers, on the game's device; None takes torch's own.

    Returns:
        Interactions, unbiased, with the standard error of each.

    Raises:
        ValueError: coalitions is below 2.
    """
    if coalitions < 2:
        raise ValueError(f"{coalitions} coalitions: a standard error takes at least 2")
    device = game.similarity.device
    (values, error), seconds = timed(lambda: _estimate(game, coalitions, generator), device)
    games = game.similarity.shape[:-2].numel()
    return Interactions(
        values, error, "sample_coalitions", coalitions * games, seconds, str(device)
    )


@torch.no_grad()
def _estimate(
    game: SimilarityGame, coalitions: int, generator: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    videos = game.similarity.shape[-2]
    many = SimilarityGame(  # a dimension for the coalitions
        game.similarity.unsqueeze(-3),
        game.video_logits.unsqueeze(-2),
        game.text_logits.unsqueeze(-2),
        game.video_mask.unsqueeze(-2),
        game.text_mask.unsqueeze(-2),
        game.weighting,
    )
    total = torch.zeros_like(game.similarity)
    squares = torch.zeros_like(game.similarity[..., :1, :1])
    chunk = max(1, _CHUNK_CELLS // max(1, game.similarity.numel()))
    with exact_precision(game.similarity):
        for start in range(0, coalitions, chunk):
            count = min(chunk, coalitions - start)
            members = torch.rand(
                count, sum(game.similarity.shape[-2:]), generator=generator, device=total.device
            ).lt(0.5)
            value = many.value(members[:, :videos], members[:, videos:])  # [..., K]
            sign = members.to(value.dtype) * 2.0 - 1.0
            total += (sign[:, :videos].mT * value.unsqueeze(-2)) @ sign[:, videos:]
            squares += value.square().sum(-1)[..., None, None]
        real = game.video_mask.unsqueeze(-1) & game.text_mask.unsqueeze(-2)
        mean = total / coalitions
        # The terms are ±φ, so the squares of all pairs are the same.
        variance = (squares / coalitions - mean.square()).clamp(min=0) / (coalitions - 1)
        return 4.0 * mean * real, 4.0 * variance.sqrt() * real
