"""Games in which the players of one side add up: what frames make of each generated word, say.

A coalition of video players A and text players B is worth the sum of a game g_t of the video's side
for each of its text players,

    φ(A, B) = Σ_{t∈B} g_t(A)

Everything about φ follows from these T games of V players, so that 2^V coalitions are evaluated in
place of 2^(V + T). With the Banzhaf values B_t and interactions I_t of g_t, and G = Σ_t g_t,

    I(v, t)  = B_t(v)                 I(v, v') = ½ Σ_t I_t(v, v')       I(t, t') = 0
    B(v)     = ½ Σ_t B_t(v)           B(t)     = E[g_t]
    Var(φ)   = ¼ Σ_t E[g_t²] + ¼ Var(G)

for each text player is in a random coalition with probability ½, whatever A is.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from explainers.coalition_function import CoalitionFunction, values_of
from explainers.enumeration import enumerate_coalitions
from explainers.explained_variance import ExplainedVariance, explained_by
from explainers.interactions import Interactions
from explainers.sampling import sample_coalitions
from explainers.settings import whole_number
from explainers.tensors import shape_of

MOST_ENUMERATED = 12  # video players
_MOST_PLAYERS = 64  # whose coalitions are told apart by an int64

CoalitionFunctions = Callable[[Tensor], Tensor]  # bool [K, V] -> float [K, T]


def additive_interactions(
    games: CoalitionFunctions, players: int, *, coalitions: int = 4096, seed: int = 0
) -> tuple[Interactions, ExplainedVariance | None]:
    """The Banzhaf interactions (HBI, Eq. 3) of φ(A, B) = Σ_{t∈B} g_t(A).

    Of up to 12 video players all coalitions are evaluated, and everything is exact. Of more, a
    sample that all games share. Each coalition is evaluated once.

    Args:
        games: g, a function of coalitions of the video's side, bool [K, V] -> float [K, T].
        players: V, up to 64.
        coalitions: of a sample, see `sample_coalitions`.
        seed: of its random numbers.

    Returns:
        Interactions of all pairs, float64 [V + T, V + T], video players first, with player_values,
        and standard errors where they are of a sample; and how much of the game they explain, None
        where they are of a sample.

    Raises:
        ValueError: an argument is out of range, or the function did not return finite real numbers
            of the shape [K, T].

    Example:
        Two frames; a word that one frame is enough for, and a word that needs both:

        >>> import torch
        >>> from explainers.additive_games import additive_interactions
        >>> def games(members):
        ...     return torch.stack([members.any(-1), members.all(-1)], -1).double()
        >>> found, explained = additive_interactions(games, players=2)
        >>> found.values[:2, 2:]
        tensor([[0.5000, 0.5000],
                [0.5000, 0.5000]], dtype=torch.float64)
        >>> found.player_values[2:], found.coalitions_evaluated
        (tensor([0.7500, 0.2500], dtype=torch.float64), 4)
    """
    players = whole_number("players", players, 1, _MOST_PLAYERS)
    started = time.perf_counter()
    known = _Remembered(games)
    exact = players <= MOST_ENUMERATED

    def played(game: CoalitionFunction) -> Interactions:
        if exact:
            return enumerate_coalitions(game, players=players, limit_seconds=math.inf)
        generator = torch.Generator().manual_seed(seed)  # the same coalitions of every game
        return sample_coalitions(game, coalitions, generator, players=players)

    together = played(lambda members: known(members).sum(-1))
    table = known.table  # of all coalitions, or of the sample
    singles = [played(known.game(text)) for text in range(table.shape[1])]
    errors = None
    if not exact:
        spread = table.std(0) / math.sqrt(len(table))
        errors = _both_sides(together, singles, spread, "standard_error", "player_standard_error")
    values, player_values = _both_sides(together, singles, table.mean(0), "values", "player_values")
    found = Interactions(
        values=values,
        standard_error=errors[0] if errors else None,
        method=together.method,
        coalitions_evaluated=len(table),
        seconds=time.perf_counter() - started,
        device="cpu",
        player_values=player_values,
        player_standard_error=errors[1] if errors else None,
    )
    if not exact:
        return found, None
    variance = 0.25 * (table.square().mean(0).sum() + table.sum(-1).var(correction=0))
    return found, explained_by(player_values, values, variance, players)


def _both_sides(
    together: Interactions, singles: list[Interactions], texts: Tensor, pairs: str, players: str
) -> tuple[Tensor, Tensor]:
    """Pairs [V + T, V + T] and single players [V + T], from attributes of the games' interactions.

    `together` is of G, `singles` of each g_t, `texts` [T] of the text players themselves.
    """
    cross = torch.stack([getattr(one, players) for one in singles], -1)  # [V, T]
    videos, count = cross.shape
    values = cross.new_zeros(videos + count, videos + count)
    values[:videos, :videos] = 0.5 * getattr(together, pairs)
    values[:videos, videos:], values[videos:, :videos] = cross, cross.mT
    return values, torch.cat([0.5 * getattr(together, players), texts])


class _Remembered:
    """Games that evaluate each coalition once, however often they are asked.

    Attributes:
        table: float64 [K, T], what was evaluated so far.
    """

    def __init__(self, games: CoalitionFunctions) -> None:
        self._games = games
        self._places: dict[int, int] = {}
        self.table = torch.empty(0, 0, dtype=torch.float64)

    def __call__(self, members: Tensor) -> Tensor:
        """bool [K, V] -> float64 [K, T]"""
        bits = torch.arange(members.shape[1])
        codes = (members.long() << bits).sum(-1).tolist()
        new = {code: row for row, code in enumerate(codes) if code not in self._places}
        if new:
            for code in new:
                self._places[code] = len(self._places)
            self._evaluate(members[list(new.values())])
        return self.table[[self._places[code] for code in codes]]

    def game(self, text: int) -> CoalitionFunction:
        """g_t alone, bool [K, V] -> float64 [K]."""
        return lambda members: self(members)[:, text]

    def _evaluate(self, members: Tensor) -> None:
        values = self._games(members)
        if values.dim() != 2 or not values.shape[1]:
            raise ValueError(
                f"the games returned {shape_of(values)} for {shape_of(members)} coalitions; they "
                f"must return one value of each game: [{len(members)}, T]"
            )
        columns = [values_of(partial(_as_it_is, column), members) for column in values.unbind(-1)]
        rows = torch.stack(columns, -1)
        self.table = torch.cat([self.table, rows]) if len(self.table) else rows


def _as_it_is(values: Tensor, members: Tensor) -> Tensor:
    """The game of these coalitions whose values are known."""
    return values
