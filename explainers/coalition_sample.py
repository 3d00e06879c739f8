"""The coalitions of games that were drawn at random so far, kept as sums."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from explainers.coalition_function import CoalitionFunction, values_of
from explainers.control_variates import WalshSums
from explainers.timing import Clock
from explainers.token_game import TokenGame

_CALL = 1024  # coalitions of one call of a function
FEWEST = 16  # observations for control variates, and before a run looks at the clock


@dataclass(frozen=True)
class Source:
    """G games of n players, whatever they are.

    Attributes:
        value: bool [K, n] -> float [G, K].
        real: bool [G, n], False for padding.
        at_once: coalitions that `value` is given, at most.
    """

    value: Callable[[Tensor], Tensor]
    real: Tensor
    at_once: int

    @property
    def device(self) -> torch.device:
        return self.real.device


def token_source(game: TokenGame, chunk_cells: int) -> Source:
    """A batch of games, of which so many cells are held at once."""
    many = type(game)(  # a dimension for the coalitions
        game.cells.unsqueeze(-3),
        game.video_logits.unsqueeze(-2),
        game.text_logits.unsqueeze(-2),
        game.video_mask.unsqueeze(-2),
        game.text_mask.unsqueeze(-2),
        game.weighting,
    )
    real = torch.cat([game.video_mask, game.text_mask], dim=-1)
    real = real.reshape(game.cells.shape[:-2].numel(), real.shape[-1])
    at_once = max(1, chunk_cells // max(1, game.cells.numel()))
    return Source(
        lambda members: many.coalition_values(members).reshape(len(real), len(members)),
        real,
        at_once,
    )


def function_source(function: CoalitionFunction, players: int, device: torch.device) -> Source:
    """The game of any model."""
    real = torch.ones(1, players, dtype=torch.bool, device=device)
    return Source(lambda members: values_of(function, members).unsqueeze(0), real, _CALL)


class Sample:
    """The coalitions drawn so far, kept as sums.

    Player 0 stands for nobody and has the sign 1, so that the terms s_i s_j with i < j are the
    single players (i = 0) and the pairs. An observation is a value, or those of antithetic pairs.

    Args:
        source: of the values.
        antithetic: draw every coalition together with its complement.
        singles: estimate the values of single players too.
        folds: of the control variates; 1 for none.
        generator: of random numbers; None takes torch's own.
        clock: tells the seconds of a deadline.
        chunk_cells: terms of coalitions held at once. Hardly changes the sums.
    """

    def __init__(
        self,
        source: Source,
        antithetic: bool,
        singles: bool,
        folds: int,
        generator: torch.Generator | None,
        clock: Clock,
        chunk_cells: int,
    ) -> None:
        self.source, self.antithetic, self.generator = source, antithetic, generator
        self._clock = clock
        self.games, self.players = source.real.shape
        self.report: Callable[[], object] = lambda: None
        terms = torch.triu_indices(self.players + 1, self.players + 1, 1, device=source.device)
        single = terms[0] == 0
        kinds = [~single, single][: 1 + singles] if antithetic else [single | ~single]
        self.sums = [WalshSums(terms[:, kind], self.games, folds) for kind in kinds]
        self.block = max(1, chunk_cells // terms.shape[1])
        self.observations = self.evaluated = 0
        self.pace = 1e-9  # seconds of an observation

    def clock(self) -> float:
        """Seconds, with all work done that a GPU was given."""
        if self.source.device.type == "cuda":
            torch.cuda.synchronize(self.source.device)
        return self._clock()

    def draw_until(self, goal: float, deadline: float) -> bool:
        """Draw up to `goal` observations; whether the deadline allowed it."""
        block = self.block if deadline == math.inf else FEWEST
        while self.observations < goal:
            affordable = (deadline - self.clock()) / self.pace
            count = int(min(block, self.block, goal - self.observations, affordable))
            if count < 1:
                return False
            self.draw(count)
            block = 2 * count
        return True

    def draw(self, count: int) -> None:
        """Add `count` observations."""
        started, device = self.clock(), self.source.device
        drawn_on = device if self.generator is None else self.generator.device
        uniform = torch.rand(count, self.players, generator=self.generator, device=drawn_on)
        uniform = uniform.to(device)
        members = uniform.lt(0.5)
        values = self._evaluate(torch.cat([members, ~members]) if self.antithetic else members)
        observed = [values]
        if self.antithetic:  # the even part, and the odd one where it is wanted
            first, second = values.chunk(2, dim=-1)
            observed = [(first + second) / 2, (first - second) / 2][: len(self.sums)]
        signs = torch.cat([torch.ones_like(uniform[:, :1]), members * 2.0 - 1.0], dim=-1)
        for sums, values in zip(self.sums, observed, strict=True):
            sums.add(signs.mT, values)
        self.observations += count
        self.pace = (self.clock() - started) / count

    def _evaluate(self, members: Tensor) -> Tensor:
        values = []
        for some in members.split(self.source.at_once):
            values.append(self.source.value(some).double())
            self.evaluated += self.games * len(some)
            self.report()
        return torch.cat(values, dim=-1)

    def without_regression(self) -> None:
        """From now on the control variate is a constant."""
        for sums in self.sums:
            sums.xx = None

    def estimate(self) -> tuple[Tensor, Tensor]:
        """Interactions and their standard errors, [G, n + 1, n + 1]; Banzhaf values in row 0."""
        real = torch.nn.functional.pad(self.source.real, (1, 0), value=True)
        size = self.players + 1
        tables = torch.zeros(2, self.games, size, size, dtype=torch.float64, device=real.device)
        for sums in self.sums:
            first, second = sums.terms
            kept = real[:, first] & real[:, second]
            scale = torch.where(first == 0, 2.0, 4.0) * kept
            for table, numbers in zip(tables, sums.coefficients(kept), strict=True):
                table[:, first, second] = table[:, second, first] = scale * numbers
        return tables[0], tables[1]
