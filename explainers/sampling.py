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
from dataclasses import dataclass

import torch
from torch import Tensor

from explainers.coalition_function import (
    CoalitionFunction,
    checked_function_settings,
    refuse_function_settings,
)
from explainers.coalition_sample import FEWEST, Sample, function_source, token_source
from explainers.interactions import Interactions
from explainers.settings import checked_pairs, whole_number
from explainers.timing import Clock, CoalitionProgress, timed
from explainers.token_game import TokenGame

_CHUNK_CELLS = 2**22
_COALITIONS = 4096
_FOLDS = 6
_FEWEST_FOR_ERROR = 128  # observations before a run ends by its standard error


def sample_coalitions(
    game: TokenGame | CoalitionFunction,
    coalitions: int | None = None,
    generator: torch.Generator | None = None,
    *,
    players: int | None = None,
    pairs: str | None = None,
    seconds: float | None = None,
    target_error: float | None = None,
    antithetic: bool = True,
    control_variates: bool = True,
    chunk_cells: int | None = None,
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
        chunk_cells: cells of games, and terms of coalitions, held in memory at once.
            The result does not depend on it beyond rounding. None takes 2^22.
        device: where a function wants its coalitions; None is the CPU. A game of tokens runs where
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
        TypeError: the game is neither one of tokens nor a function, or the generator is none of
            torch's.
        ValueError: an argument is out of range or has no effect, or the function did not return one
            finite number for each coalition.

    Example:
        >>> import torch
        >>> from explainers import SimilarityGame, closed_form, sample_coalitions
        >>> similarity = torch.tensor([[0.9, 0.1], [0.2, 0.6]])
        >>> game = SimilarityGame(similarity, torch.zeros(2), torch.zeros(2))
        >>> estimated = sample_coalitions(game, 4096, torch.Generator().manual_seed(0))
        >>> off = estimated.values - closed_form(game).values
        >>> bool((off.abs() < 5 * estimated.standard_error).all())
        True
    """
    pairs = checked_pairs(pairs, game)
    if not isinstance(generator, torch.Generator | None):
        raise TypeError(
            f"generator is a {type(generator).__name__}; it must be torch's: "
            "torch.Generator().manual_seed(seed)"
        )
    chunk_cells = (
        _CHUNK_CELLS if chunk_cells is None else whole_number("chunk_cells", chunk_cells, 1)
    )
    if isinstance(game, TokenGame):
        refuse_function_settings(players, device)
        source = token_source(game, chunk_cells)
        batch, dtype = game.cells.shape[:-2], game.cells.dtype
        videos = game.cells.shape[-2]
    else:
        source = function_source(game, *checked_function_settings(game, players, device))
        batch, dtype = torch.Size(), torch.float64
        videos = 0  # it has no sides
    rows = columns = slice(1, None)
    if pairs == "cross":
        rows, columns = slice(1, videos + 1), slice(videos + 1, None)
    each = 2 if antithetic else 1
    limits = _limits(coalitions, seconds, target_error, each)
    folds = _FOLDS if control_variates and limits.observations >= FEWEST else 1
    clock = time.perf_counter if clock is None else clock
    sample = Sample(source, antithetic, pairs == "all", folds, generator, clock, chunk_cells)
    if progress:
        total = 0 if limits.open else int(limits.observations) * each * sample.games
        sample.report = lambda: progress(sample.evaluated, total)
    with torch.no_grad(), torch.autocast(source.device.type, enabled=False):
        shown = (..., rows, columns)
        tables, spent = timed(lambda: _run(sample, limits, shown), source.device, clock)
    values, errors = (x.to(dtype).reshape(*batch, *x.shape[1:]) for x in tables)
    return Interactions(
        values=values[..., rows, columns].contiguous(),
        standard_error=errors[..., rows, columns].contiguous(),
        method="sample_coalitions",
        coalitions_evaluated=sample.evaluated,
        seconds=spent,
        device=str(source.device),
        player_values=values[..., 0, 1:] if pairs == "all" else None,
        player_standard_error=errors[..., 0, 1:] if pairs == "all" else None,
    )


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


def _run(sample: Sample, limits: _Limits, shown: tuple) -> tuple[Tensor, Tensor]:
    """Draw until a limit is reached. Returns `sample.estimate()`, of which `shown` is asked for."""
    deadline = sample.clock() + limits.seconds
    if limits.seconds < math.inf:
        sample.draw(int(min(FEWEST, limits.observations)))
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
