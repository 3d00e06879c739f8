"""What every method returns: the interactions, and what they cost."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

_EXACT = ("closed_form", "enumeration")


@dataclass(frozen=True, eq=False)
class Interactions:
    """Interactions of the players of a game, and what it took to compute them.

    With pairs="cross", the values are those of every video token with every text token. With
    pairs="all", and for games that have no sides, they are those of every player with every other,
    video tokens first: N = V + T.

    Attributes:
        values: float [..., V, T] or [..., N, N], in the unit of the game. Zero in the cells of
            padding tokens, and on the diagonal of [..., N, N].
        standard_error: of the values, same shape, or None where the method is exact.
        method: name of the method, e.g. "closed_form".
        coalitions_evaluated: evaluations of the characteristic function, all games of the batch
            together; 0 for the closed form.
        seconds: wall-clock time of the computation.
        device: where it ran, e.g. "cpu" or "cuda:0".
        index: "banzhaf", "weighted_banzhaf" or "shapley".
        player_values: float [..., N], the index of single players (Banzhaf or Shapley values);
            None with pairs="cross" and where the method does not give them.
        player_standard_error: of the player values, or None.

    Example:
        >>> import torch
        >>> from explainers import SimilarityGame, closed_form
        >>> similarity = torch.tensor([[0.9, 0.1], [0.2, 0.6]])
        >>> game = SimilarityGame(similarity, torch.zeros(2), torch.zeros(2))
        >>> interactions = closed_form(game)
        >>> interactions.values
        tensor([[ 0.6000, -0.1250],
                [-0.1000,  0.3750]])
        >>> interactions.method, interactions.coalitions_evaluated, interactions.device
        ('closed_form', 0, 'cpu')
    """

    values: Tensor
    standard_error: Tensor | None
    method: str
    coalitions_evaluated: int
    seconds: float
    device: str
    index: str = "banzhaf"
    player_values: Tensor | None = None
    player_standard_error: Tensor | None = None

    @property
    def exact(self) -> bool:
        """Whether the method gives the values themselves, and no estimates of them.

        Example:
            >>> import torch
            >>> from explainers import SimilarityGame, closed_form
            >>> closed_form(SimilarityGame(torch.ones(1, 1), torch.zeros(1), torch.zeros(1))).exact
            True
        """
        return self.method in _EXACT
