"""Other people's methods on our games, for measuring and for tests."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.metadata import version

import numpy as np
import torch
from shapiq import approximator
from shapiq.game_theory.exact import ExactComputer
from torch import Tensor

from explainers import Interactions, SimilarityGame, TokenGame

SHAPIQ = f"shapiq {version('shapiq')}"
# Name -> the index it estimates, as `closed_form` calls it, and its constructor. KernelSHAP-IQ
# knows Shapley interactions only; FBII of order 2 are the Banzhaf interactions.
APPROXIMATORS = {
    "SHAPIQ": ("banzhaf", lambda n, seed: approximator.SHAPIQ(n, 2, "BII", random_state=seed)),
    "SVARMIQ": ("banzhaf", lambda n, seed: approximator.SVARMIQ(n, 2, "BII", random_state=seed)),
    "RegressionFBII": (
        "banzhaf",
        lambda n, seed: approximator.RegressionFBII(n, 2, random_state=seed),
    ),
    "KernelSHAPIQ": (
        "shapley",
        lambda n, seed: approximator.KernelSHAPIQ(n, 2, "SII", random_state=seed),
    ),
}


def shapiq_interactions(game: TokenGame) -> Tensor:
    """Banzhaf interactions [V, T] by shapiq's exact computer, through `game.value`."""
    players = sum(game.cells.shape)
    result = ExactComputer(_shapiq_game(game), n_players=players)(index="BII", order=2)
    return _cross(result, game)


def shapiq_estimate(name: str, game: SimilarityGame, budget: int, seed: int) -> Interactions:
    """Interactions [V, T] by one of shapiq's approximators, with a budget of coalitions."""
    _, construct = APPROXIMATORS[name]
    started = time.perf_counter()
    result = construct(sum(game.similarity.shape), seed).approximate(budget, _shapiq_game(game))
    seconds = time.perf_counter() - started
    return Interactions(
        values=_cross(result, game),
        standard_error=None,
        method=name,
        coalitions_evaluated=budget,
        seconds=seconds,
        device="cpu",
    )


def four_evaluations(game: SimilarityGame, samples: int, seed: int) -> Interactions:
    """Eq. 3 as the paper's research code samples it: pair by pair, four values for each sample.

    Written anew from its description, with the definition of the game mended; what is measured is
    the cost of sharing nothing between pairs. Vectorised over the samples of a pair.
    """
    generator = torch.Generator().manual_seed(seed)
    videos, texts = game.similarity.shape
    values = torch.zeros(videos, texts, dtype=game.similarity.dtype)
    started = time.perf_counter()
    for i in range(videos):
        for j in range(texts):
            members = torch.rand(samples, videos + texts, generator=generator) < 0.5
            pair = members.unsqueeze(0).repeat(4, 1, 1)
            pair[:, :, i] = torch.tensor([True, False, True, False]).unsqueeze(-1)
            pair[:, :, videos + j] = torch.tensor([True, False, False, True]).unsqueeze(-1)
            both, none, only_i, only_j = game.coalition_values(pair)
            values[i, j] = (both + none - only_i - only_j).mean()
    seconds = time.perf_counter() - started
    return Interactions(
        values=values,
        standard_error=None,
        method="four evaluations a pair",
        coalitions_evaluated=4 * samples * videos * texts,
        seconds=seconds,
        device="cpu",
    )


def _shapiq_game(game: TokenGame) -> Callable[[np.ndarray], np.ndarray]:
    return lambda coalitions: game.coalition_values(torch.as_tensor(coalitions)).numpy()


def _cross(result, game: TokenGame) -> Tensor:
    videos, texts = game.cells.shape
    return torch.tensor(
        [[result[(i, videos + j)] for j in range(texts)] for i in range(videos)],
        dtype=torch.float64,
    )
