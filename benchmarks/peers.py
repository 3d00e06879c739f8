"""Other people's methods on our games, for measuring and for tests."""

from __future__ import annotations

import torch
from shapiq.game_theory.exact import ExactComputer
from torch import Tensor

from explainers import SimilarityGame


def shapiq_interactions(game: SimilarityGame) -> Tensor:
    """Banzhaf interactions [V, T] by shapiq's exact computer, through `game.value`."""
    videos, texts = game.similarity.shape

    def value(coalitions):
        members = torch.as_tensor(coalitions)
        return game.value(members[:, :videos], members[:, videos:]).numpy()

    result = ExactComputer(value, n_players=videos + texts)(index="BII", order=2)
    return torch.tensor(
        [[result[(i, videos + j)] for j in range(texts)] for i in range(videos)],
        dtype=torch.float64,
    )
