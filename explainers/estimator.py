"""A tiny network on the cells of a similarity matrix, which estimates their interactions.

The paper trains it because it holds exact interactions to be out of reach (HBI, App. C.1). It is
kept for comparison, and the prediction heads of training have the same form (App. C.2, Fig. A).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from explainers.game import SimilarityGame
from explainers.interactions import Interactions
from explainers.prediction_head import CellNetwork
from explainers.settings import check_game
from explainers.tensors import exact_precision
from explainers.timing import timed
from explainers.token_game import TokenGame


class Estimator(nn.Module):
    """Interactions estimated from the similarities alone, as in the paper (App. C.1).

    It sees no token weights, so that it can be right on average only.

    Args:
        channels: hidden channels.
        unit: size of a typical interaction; the network works in this unit.
        input_scale: factor on the similarities that it reads.

    Attributes:
        error: its error against exact interactions, by name, as it was measured after training;
            empty where it was not.
        note: what one must know to use it.

    Example:
        >>> from explainers import Estimator
        >>> estimator = Estimator(channels=16).eval()  # as it is before training
        >>> sum(parameter.numel() for parameter in estimator.parameters())
        1073
    """

    def __init__(self, channels: int = 64, unit: float = 1.0, input_scale: float = 1.0) -> None:
        super().__init__()
        self.channels = channels
        self.unit = unit
        self.input_scale = input_scale
        self.error: dict[str, float] = {}
        self.note = ""
        self.network = CellNetwork("cnn+sa", channels)

    def forward(self, game: SimilarityGame) -> Tensor:
        """A batch of games, similarity [..., V, T] -> estimates [..., V, T]."""
        *batch, videos, texts = game.similarity.shape
        dtype = self.network.decode.weight.dtype
        with exact_precision(game.similarity):
            values = self.network(
                self.input_scale * game.similarity.reshape(-1, videos, texts).to(dtype),
                game.video_mask.reshape(-1, videos),
                game.text_mask.reshape(-1, texts),
            )
        return self.unit * values.reshape(*batch, videos, texts).to(game.similarity.dtype)


@torch.no_grad()
def estimate(game: TokenGame, estimator: Estimator) -> Interactions:
    """Estimate the interactions by a trained network, without evaluating a coalition.

    Args:
        game: any batch of SimilarityGames, on the device of the network.
        estimator: the network.

    Returns:
        Interactions with values [..., V, T] in the dtype of the game, without standard errors.
        Not differentiable.

    Raises:
        TypeError: the game is no SimilarityGame.

    Example:
        >>> import torch
        >>> from explainers import Estimator, SimilarityGame, estimate
        >>> similarity = torch.tensor([[0.9, 0.1], [0.2, 0.6]])
        >>> game = SimilarityGame(similarity, torch.zeros(2), torch.zeros(2))
        >>> estimate(game, Estimator().eval()).values.shape
        torch.Size([2, 2])
    """
    check_game(game, "estimate", SimilarityGame)
    device = game.cells.device
    values, seconds = timed(lambda: estimator(game), device)
    return Interactions(
        values=values,
        standard_error=None,
        method="estimator",
        coalitions_evaluated=0,
        seconds=seconds,
        device=str(device),
    )
