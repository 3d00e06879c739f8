"""Monte Carlo estimates of the interactions, with standard errors.

A coalition S drawn uniformly from all 2^n tells something about every pair at once: with s_p = +1
for members and -1 for the rest, the Banzhaf interactions and values are the Walsh coefficients of
the game of degree 2 and 1,

    I(i, j) = 4 E[s_i s_j φ(S)]        B(i) = 2 E[s_i φ(S)]

so one value of φ serves all pairs, instead of four for each. Two classics make it go further:
antithetic pairs of coalitions, and control variates (`explainers.control_variates`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from explainers.coalition_function import (
    CoalitionFunction,
    checked_function_settings,
    values_of,
)
from explainers.control_variates import WalshSums
from explainers.game import SimilarityGame
from explainers.interactions import Interactions
from explainers.settings import checked_pairs, whole_number
from explainers.timing import Clock, CoalitionProgress, timed

_CHUNK_CELLS = 2**22  # cells of similarity matrices, or terms of coalitions, held at once
_CALL = 1024  # coalitions of one call of a function
_COALITIONS = 4096
_FOLDS = 6
_FEWEST = 16  # observations for control variates, and before a run looks at the clock
_FEWEST_FOR_ERROR = 128  # observations before a run ends by its standard error


def sample_coalitions(
    game: SimilarityGame | CoalitionFunction,
    coalitions: int | None = None,
    generator: torch.Generator | None = None,
    *,
    players: int | None = None,
    pairs: str | None = None,
    seconds: float | None = None,
    target_error: float | None = None,
    antithetic: bool = True,
    control_variates: bool = True,
    device: torch.device | str | None = None,
    progress: CoalitionProgress | None = None,
    clock: Clock | None = None,
) -> Interactions:
    """Estimate the Banzhaf interactions (HBI, Eq. 3) of any game from random coalitions.

    The estimates are unbiased. The run ends at the first of `coalitions`, `seconds` and
    `target_error` that is reached.

    Args:
        game: any batch of games, all of which see the same coalitions; or the game of any other
            model, a function bool [K, n] -> float [K] (a tensor or an array) with K up to 1024.
        coalitions: how many values of φ to take of each game, at least 4, or 2 if not antithetic;
            antithetic ones are taken in pairs, so an odd number is rounded down. None takes 4096,
            or no limit if `seconds` or `target_error` is given.
        generator: of random numbers; None takes torch's own. One on the CPU draws the same
            coalitions wherever the game is.
        players: n, for a function.
        pairs: "cross", video with text tokens, or "all"; None takes "cross". A function has no
            sides: its pairs are always all.
        seconds: wall-clock time, fitting included; but at least 16 antithetic pairs are evaluated.
            If the fit alone would take a quarter of it, the control variate is a constant.
        target_error: the largest standard error of an interaction, in the unit of the game. Looked
            at after 128 antithetic pairs and whenever their number has doubled. What no coalition
            has shown cannot be in it: a game that is constant but for a few ends too early.
        antithetic: draw every coalition together with its complement, in which s_i s_j is the same
            and s_i the opposite. The half sum of the two values is the even part of the game, the
            half difference the odd part, so that neither adds to the error of the other.
        control_variates: subtract what a polynomial of degree 2 in the signs predicts. Without
            them, the mean of φ alone makes the error many times as large. Fitted if there are 16
            antithetic pairs at least, and to games of up to 64 players; beyond, it is a constant.
        device: where a function wants its coalitions; None is the CPU. A SimilarityGame runs where
            it lies.
        progress: called with the values of φ taken and all that will be, of all games together, or
            0 where that is not known. An exception that it raises ends the run.
        clock: tells the seconds that `seconds` is about; None is time.perf_counter.

    Returns:
        Interactions with the standard error of each, from the spread of what the polynomial leaves:
        95 % intervals cover the exact value in 93 to 97 % of the cases. Of games of up to 7 players
        that takes 256 coalitions: with fewer, the intervals are too narrow (enumerate those); with
        pairs="all" also player_values. In the dtype of the game, of a function in float64. Not
        differentiable.

    Raises:
        TypeError: the game is neither a SimilarityGame nor a function, or the generator is none of
            torch's.
        ValueError: an argument is out of range or has no effect, or the function did not return one
            finite number for each coalition.
    """
    players, device = checked_function_settings(game, players, device)
    pairs = checked_pairs(pairs, game)
    if not isinstance(generator, torch.Generator | None):
        raise TypeError(
            f"generator is a {type(generator).__name__}; it must be torch's: "
            "torch.Generator().manual_seed(seed)"
        )
    if isinstance(game, SimilarityGame):
        source = _similarity_source(game)
        batch, dtype = game.similarity.shape[:-2], game.similarity.dtype
    else:
        source = _function_source(game, players, device)
        batch, dtype = torch.Size(), torch.float64
    rows = columns = slice(1, None)
    if pairs == "cross":
        videos = game.similarity.shape[-2]
        rows, columns = slice(1, videos + 1), slice(videos + 1, None)
    each = 2 if antithetic else 1
    limits = _limits(coalitions, seconds, target_error, each)
    folds = _FOLDS if control_variates and limits.observations >= _FEWEST else 1
    clock = time.perf_counter if clock is None else clock
    sample = _Sample(source, antithetic, pairs == "all", folds, generator, clock)
    if progress:
        total = 0 if limits.open else limits.observations * each * sample.games
        sample.report = lambda: progress(sample.evaluated, total)
    with torch.no_grad(), torch.autocast(source.device.type, enabled=False):
        shown = (..., rows, columns)
        tables, spent = timed(lambda: _run(sample, limits, shown), source.device, clock)
    values, errors = (x.to(dtype).reshape(*batch, *x.shape[1:]) for x in tables)
    singles = (values[..., 0, 1:], errors[..., 0, 1:]) if pairs == "all" else (None, None)
    return Interactions(
        values[..., rows, columns].contiguous(),
        errors[..., rows, columns].contiguous(),
        "sample_coalitions",
        sample.evaluated,
        spent,
        str(source.device),
        "banzhaf",
        *singles,
    )


@dataclass(frozen=True)
class _Source:
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


def _similarity_source(game: SimilarityGame) -> _Source:
    many = SimilarityGame(  # a dimension for the coalitions
        game.similarity.unsqueeze(-3),
        game.video_logits.unsqueeze(-2),
        game.text_logits.unsqueeze(-2),
        game.video_mask.unsqueeze(-2),
        game.text_mask.unsqueeze(-2),
        game.weighting,
    )
    real = torch.cat([game.video_mask, game.text_mask], dim=-1)
    real = real.reshape(game.similarity.shape[:-2].numel(), real.shape[-1])
    at_once = max(1, _CHUNK_CELLS // max(1, game.similarity.numel()))
    return _Source(
        lambda members: many.coalition_values(members).reshape(len(real), len(members)),
        real,
        at_once,
    )


def _function_source(function: CoalitionFunction, players: int, device: torch.device) -> _Source:
    real = torch.ones(1, players, dtype=torch.bool, device=device)
    return _Source(lambda members: values_of(function, members).unsqueeze(0), real, _CALL)


@dataclass(frozen=True)
class _Limits:
    """What ends a run, whichever is reached first."""

    observations: float
    seconds: float
    target_error: float

    @property
    def open(self) -> bool:
        """Whether the run may end before `observations`."""
        return self.seconds < math.inf or self.target_error > 0


def _limits(
    coalitions: int | None, seconds: float | None, target_error: float | None, each: int
) -> _Limits:
    """Checked; an observation takes `each` coalitions."""
    for name, value in (("seconds", seconds), ("target_error", target_error)):
        if value is not None and not 0 < value < math.inf:
            raise ValueError(f"{name} is {value}; it must be positive and finite")
    if coalitions is None and seconds is None and target_error is None:
        coalitions = _COALITIONS
    if coalitions is not None:
        coalitions = whole_number("coalitions", coalitions, 0)
        if coalitions < 2 * each:
            raise ValueError(
                f"{coalitions} coalitions: a standard error takes at least {2 * each}"
                + ", two antithetic pairs" * (each == 2)
            )
    observations = math.inf if coalitions is None else coalitions // each
    return _Limits(observations, seconds or math.inf, target_error or 0.0)


def _run(sample: _Sample, limits: _Limits, shown: tuple) -> tuple[Tensor, Tensor]:
    """Draw until a limit is reached. Returns `sample.estimate()`, of which `shown` is asked for."""
    deadline = sample.clock() + limits.seconds
    if limits.seconds < math.inf:
        sample.draw(min(_FEWEST, limits.observations))
        drawn = sample.clock()
        sample.estimate()
        fitting = sample.clock() - drawn  # as long as it will take in the end
        if fitting > limits.seconds / 4:
            sample.without_regression()
        else:
            deadline -= fitting
    goal = _FEWEST_FOR_ERROR if limits.target_error else limits.observations
    while True:
        in_time = sample.draw_until(min(goal, limits.observations), deadline)
        tables = sample.estimate()
        late = not in_time or goal >= limits.observations
        if late or (tables[1][shown] <= limits.target_error).all():
            return tables
        goal *= 2


class _Sample:
    """The coalitions drawn so far, kept as sums.

    Player 0 stands for nobody and has the sign 1, so that the terms s_i s_j with i < j are the
    single players (i = 0) and the pairs. An observation is a value, or those of antithetic pairs.
    """

    def __init__(
        self,
        source: _Source,
        antithetic: bool,
        singles: bool,
        folds: int,
        generator: torch.Generator | None,
        clock: Clock,
    ) -> None:
        self.source, self.antithetic, self.generator = source, antithetic, generator
        self._clock = clock
        self.games, self.players = source.real.shape
        self.report: Callable[[], None] = lambda: None
        terms = torch.triu_indices(self.players + 1, self.players + 1, 1, device=source.device)
        single = terms[0] == 0
        kinds = [~single, single][: 1 + singles] if antithetic else [single | ~single]
        self.sums = [WalshSums(terms[:, kind], self.games, folds) for kind in kinds]
        self.block = max(1, _CHUNK_CELLS // terms.shape[1])
        self.observations = self.evaluated = 0
        self.pace = 1e-9  # seconds of an observation

    def clock(self) -> float:
        if self.source.device.type == "cuda":
            torch.cuda.synchronize(self.source.device)
        return self._clock()

    def draw_until(self, goal: float, deadline: float) -> bool:
        """Draw up to `goal` observations; whether the deadline allowed it."""
        block = self.block if deadline == math.inf else _FEWEST
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
        if self.antithetic:
            first, second = values.chunk(2, dim=-1)
            observed = [(first + second) / 2, (first - second) / 2]
        signs = torch.cat([torch.ones_like(uniform[:, :1]), members * 2.0 - 1.0], dim=-1)
        for sums, values in zip(self.sums, observed, strict=False):  # the odd part may be unwanted
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
