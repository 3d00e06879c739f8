"""The game of a level that only some of its players play, as the panel What if plays it."""

from __future__ import annotations

import torch
from torch import Tensor

from explainers import TokenGame, multilinear_extension


def interactions_of_others(game: TokenGame, video: Tensor, text: Tensor) -> Tensor:
    """The exact interactions among those who are left when the others are left out.

    The coalitions are those of the players who are left, with the values that they have in the
    whole game: fixed weights are shares of all tokens, those left out among them. Who is left out
    joins with probability 0 in Owen's extension, the others with ½, and its mixed differences are
    the interactions.

    Args:
        game: without leading dimensions and without padding.
        video: bool [V], True for the frames that are left.
        text: bool [T], likewise.

    Returns:
        float [V, T], 0 where one of the two is left out.

    Raises:
        TypeError: the game is no TokenGame.
        ValueError: there is not one for each player.

    Example:
        >>> import torch
        >>> from explainers import SimilarityGame
        >>> similarity = torch.tensor([[0.9, 0.1], [0.2, 0.6]])
        >>> game = SimilarityGame(similarity, torch.zeros(2), torch.zeros(2))
        >>> everyone = torch.tensor([True, True])
        >>> interactions_of_others(game, torch.tensor([True, False]), everyone)
        tensor([[0.7000, 0.3000],
                [0.0000, 0.0000]])
    """
    videos = len(video)
    dtype = game.cells.dtype
    frames, words = (0.5 * members.to(dtype).expand(videos, -1) for members in (video, text))
    words = words.clone().requires_grad_()
    own = torch.eye(videos, dtype=torch.bool)
    with_it, without = (
        multilinear_extension(game, frames.masked_fill(own, joins), words) for joins in (1.0, 0.0)
    )
    (values,) = torch.autograd.grad((with_it - without).sum(), words)  # linear in each word
    return values.masked_fill(~(video.unsqueeze(1) & text), 0.0)
