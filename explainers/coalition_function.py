"""Games that are functions of coalitions: the game of any model, without sides."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from explainers.settings import whole_number
from explainers.tensors import shape_of

CoalitionFunction = Callable[[Tensor], Tensor]  # bool [K, n] -> float [K], an array will do as well


def refuse_function_settings(players: int | None, device: torch.device | str | None) -> None:
    """A game of tokens has players and a device.

    Raises:
        ValueError: one of them was given with it.
    """
    for name, value, advice in (
        ("players", players, ""),
        ("device", device, ": use game.to(device)"),
    ):
        if value is not None:
            raise ValueError(
                f"{name} is for games that are functions; a game of tokens has its own{advice}"
            )


def checked_function_settings(
    game: CoalitionFunction, players: int | None, device: torch.device | str | None
) -> tuple[int, torch.device]:
    """Settings of a game that is a function: it needs a number of players, and may have a device.

    Raises:
        TypeError: the game is no function.
        ValueError: the number is missing or out of range, or there is no such device.
    """
    if not callable(game):
        raise TypeError(
            "a game is a BilinearGame, a SimilarityGame or a function of coalitions, got "
            f"{type(game).__name__}"
        )
    if players is None:
        raise ValueError("give the number of players of a game that is a function: players=n")
    try:
        found = torch.empty(0, device=device or "cpu").device
    except (RuntimeError, AssertionError) as error:  # torch asserts that it was built with CUDA
        raise ValueError(f"device is {str(device)!r}, which is not to be had: {error}") from error
    return whole_number("players", players, 1), found


def values_of(function: CoalitionFunction, members: Tensor) -> Tensor:
    """The values of coalitions in the game of any model: bool [K, n] -> float64 [K].

    The only place where a function is called. It gets a copy of the coalitions and may do with it
    what it likes; its values are copied, so that it may answer in one buffer for all calls.

    Raises:
        ValueError: it did not return one finite real number for each coalition.
    """
    values = function(members.clone())
    if isinstance(values, Tensor):
        real = not (values.is_complex() or values.dtype == torch.bool)
    else:
        values = np.asarray(values)
        real = values.dtype.kind in "iuf"
    if not real:
        raise ValueError(f"the game returned {values.dtype}; its values must be real numbers")
    if tuple(values.shape) != (len(members),):
        raise ValueError(
            f"the game returned {shape_of(values)} for {shape_of(members)} coalitions; it must "
            f"return one value for each: [{len(members)}]"
        )
    if not isinstance(values, Tensor):
        values = torch.from_numpy(values.astype(np.float64, order="C"))
    values = values.detach().to(members.device, torch.float64, copy=True)
    if not values.isfinite().all():
        raise ValueError("the game returned a value that is not finite")
    return values
