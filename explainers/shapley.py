"""The Shapley values of single players: the value of all, shared out among them.

Unlike Banzhaf values they add up to the value of all players (efficiency; Shapley 1953), so that
they say which part of a similarity is whose.
"""

from __future__ import annotations

import torch
from torch import Tensor

from explainers.indices import joining_probabilities
from explainers.multilinear import multilinear_extension
from explainers.settings import check_game
from explainers.token_game import TokenGame


def shapley_values(game: TokenGame) -> Tensor:
    """Exact Shapley values of the tokens, as in `closed_form(game, pairs="all", index="shapley")`.

    Without the pairs they take a gradient of φ̄ at ⌈N / 2⌉ points (Owen 1972), all held at once,
    where N = V + T.

    Args:
        game: any batch of games, any device.

    Returns:
        float [..., N], video tokens first, in the unit and dtype of the game; zero for padding. The
        sum over the tokens is `game.grand_value()`. Detached.

    Raises:
        TypeError: the game is no TokenGame.

    Example:
        >>> import torch
        >>> from explainers import SimilarityGame, shapley_values
        >>> similarity = torch.tensor([[0.9, 0.1], [0.2, 0.6]])
        >>> game = SimilarityGame(similarity, torch.zeros(2), torch.zeros(2))
        >>> shapley_values(game)
        tensor([0.2375, 0.1375, 0.2625, 0.1125])
    """
    check_game(game, "shapley_values")
    *batch, videos, texts = game.cells.shape
    points = joining_probabilities("shapley", None, videos + texts)
    with torch.inference_mode(False), torch.enable_grad():  # whatever the caller has switched off
        joins, weights = game.cells.new_tensor(points).T.reshape(2, -1, *(1 for _ in batch))
        players = torch.ones(*batch, videos + texts, dtype=joins.dtype, device=joins.device)
        point = (joins.unsqueeze(-1) * players).requires_grad_()  # [K, ..., N]
        values = multilinear_extension(game, *point.split([videos, texts], -1))
        (gradient,) = torch.autograd.grad((weights * values).sum(), point)
    return gradient.sum(0)
