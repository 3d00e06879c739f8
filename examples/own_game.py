"""Interactions of any cooperative game, by all coalitions and by sampling.

    python -m examples.own_game

The game here: every player has a glove, left or right, and a coalition is worth its pairs.
"""

from __future__ import annotations

import torch
from torch import Tensor

from explainers import enumerate_coalitions, sample_coalitions

HANDS = ("left", "left", "right")


def pairs_of_gloves(members: Tensor) -> Tensor:
    """bool [K, 3] -> float64 [K]: the pairs that the members have together."""
    left = torch.tensor([hand == "left" for hand in HANDS])
    return torch.minimum((members & left).sum(-1), (members & ~left).sum(-1)).double()


def main() -> None:
    players = len(HANDS)
    exact = enumerate_coalitions(pairs_of_gloves, players=players)
    sampled = sample_coalitions(
        pairs_of_gloves, 2048, torch.Generator().manual_seed(0), players=players
    )
    error = sampled.standard_error
    assert error is not None  # sampling always knows its own
    for one in range(players):
        for other in range(one + 1, players):
            print(
                f"{HANDS[one]:5} and {HANDS[other]:5}: exact {exact.values[one, other]:+.4f}, "
                f"sampled {sampled.values[one, other]:+.4f} "
                f"± {error[one, other]:.4f}"
            )


if __name__ == "__main__":
    main()
