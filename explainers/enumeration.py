"""Exact interactions by brute force: all 2^n coalitions of a game."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor

from explainers.coalition_function import (
    CoalitionFunction,
    checked_function_settings,
    refuse_function_settings,
)
from explainers.coalition_stream import FunctionStream, TokenStream
from explainers.indices import joining_probabilities
from explainers.interactions import Interactions
from explainers.settings import checked_pairs, whole_number
from explainers.timing import Clock, CoalitionProgress, seconds_in_words, timed
from explainers.token_game import TokenGame

_CHUNK = {"cuda": 2**26}  # what fills a GPU
_CPU_CHUNK = 2**20  # tiles that stay in a processor's cache
_FUNCTION_CHUNK = 2**14
_TRIAL = 0.1  # of the limit, before it is known what all would take; at most
_TRIAL_SECONDS = 0.5
_ASKED = 1.0  # seconds; the limit where only the estimate is wanted


class TooManyCoalitionsError(ValueError):
    """The enumeration would take longer than is allowed.

    Attributes:
        coalitions: of the game or games.
        seconds: that all of them would take, about; NaN where none was evaluated, for the limit is
            0.

    Example:
        >>> from explainers import TooManyCoalitionsError, enumerate_coalitions
        >>> try:
        ...     enumerate_coalitions(lambda members: members.sum(-1), players=40, limit_seconds=0)
        ... except TooManyCoalitionsError as refused:
        ...     print(f"{refused.coalitions:,} coalitions")
        1,099,511,627,776 coalitions
    """

    def __init__(self, players: int, coalitions: int, seconds: float, limit: float) -> None:
        self.coalitions, self.seconds = coalitions, seconds
        found = f"{players} players have {coalitions:,} coalitions"
        if limit:
            expected, allowed = seconds_in_words(seconds), seconds_in_words(limit)
            found += f": about {expected} at the speed of this machine, more than the limit of "
            found += allowed
        else:
            found += ", and a limit of 0 seconds allows none"
        super().__init__(
            f"{found}. closed_form gives the values of a game of tokens at once, sample_coalitions "
            "estimates those of any game; to enumerate all the same, raise limit_seconds"
        )


def enumerate_coalitions(
    game: TokenGame | CoalitionFunction,
    *,
    players: int | None = None,
    pairs: str | None = None,
    index: str = "banzhaf",
    probability: float | None = None,
    chunk_coalitions: int | None = None,
    limit_seconds: float = 3600.0,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str | None = None,
    progress: CoalitionProgress | None = None,
    clock: Clock | None = None,
) -> Interactions:
    """Interactions (HBI, Eq. 3) of all pairs by evaluating every coalition once.

    The values are streamed, see `explainers.coalition_stream`; memory depends on the chunk alone.

    Args:
        game: any batch of games on any device, padding tokens do not count as players; or the
            game of any other model, a function bool [K, n] -> float [K] (a tensor or an array).
        players: n, for a function.
        pairs: "cross", video with text tokens, or "all"; None takes "cross". A function has no
            sides: its pairs are always all.
        index: "banzhaf", "weighted_banzhaf" or "shapley"; the last takes n / 2 reductions.
        probability: p of the weighted index, in (0, 1); None is ½.
        chunk_coalitions: coalitions held in memory at a time, 8 bytes each in float64. The result
            does not depend on it beyond rounding. None takes 2^20 on a CPU and 2^26 on a GPU, and
            gives a function 2^14 at a time.
        limit_seconds: what the enumeration may take, from its start. A tenth of it, and at most
            half a second, tells what all would take; if that is more, it is refused, and it ends in
            any case when the time is over. 0 evaluates nothing, math.inf asks for no estimate.
        dtype: precision of the computation, torch.float64 or torch.float32; the values come back in
            the game's own dtype.
        device: where a function wants its coalitions; None is the CPU. A game of tokens runs where
            it lies.
        progress: called with the coalitions done and all of them. An exception that it raises
            ends the run.
        clock: tells the seconds that limit_seconds is about; None is time.perf_counter.

    Returns:
        Interactions; with pairs="all" they have player_values. Not differentiable: use
        `closed_form` for that.

    Raises:
        TooManyCoalitionsError: a ValueError with the numbers; it would take too long.
        TypeError: the game is neither one of tokens nor a function.
        ValueError: an argument is out of range or has no effect, or the function returned something
            else.

    Example:
        >>> import torch
        >>> from explainers import SimilarityGame, enumerate_coalitions
        >>> similarity = torch.tensor([[0.9, 0.1], [0.2, 0.6]])
        >>> game = SimilarityGame(similarity, torch.zeros(2), torch.zeros(2))
        >>> exact = enumerate_coalitions(game)
        >>> exact.values
        tensor([[ 0.6000, -0.1250],
                [-0.1000,  0.3750]])
        >>> exact.coalitions_evaluated
        16

        Another model's game, in which nothing is gained unless all three players join:

        >>> enumerate_coalitions(lambda members: members.all(-1).double(), players=3).values
        tensor([[0.0000, 0.5000, 0.5000],
                [0.5000, 0.0000, 0.5000],
                [0.5000, 0.5000, 0.0000]], dtype=torch.float64)
    """
    pairs = checked_pairs(pairs, game)
    joining_probabilities(index, probability, 1)
    if not limit_seconds >= 0:
        raise ValueError(f"limit_seconds is {limit_seconds}; it must be 0 or more")
    if dtype not in (torch.float32, torch.float64):
        raise ValueError(f"dtype is {dtype}; it must be torch.float64 or torch.float32")
    if chunk_coalitions is not None:
        chunk_coalitions = whole_number("chunk_coalitions", chunk_coalitions, 1)
    streams: Iterable[tuple[TokenStream | FunctionStream, Tensor]]
    if isinstance(game, TokenGame):
        refuse_function_settings(players, device)
        where, back = game.cells.device, game.cells.dtype
        chunk = chunk_coalitions or _CHUNK.get(where.type, _CPU_CHUNK)
        streams = _streams(game, chunk, dtype)
        real = torch.cat([game.video_mask, game.text_mask], dim=-1)
        counts, shape = real.sum(-1).flatten().tolist(), tuple(real.shape)
        videos = game.cells.shape[-2]
    else:
        count, where = checked_function_settings(game, players, device)
        back = dtype
        stream = FunctionStream(game, count, chunk_coalitions or _FUNCTION_CHUNK, dtype, where)
        streams = [(stream, torch.arange(count, device=where))]
        counts, shape = [count], (count,)
        videos = 0  # it has no sides
    clock = time.perf_counter if clock is None else clock
    meter = _Meter(counts, limit_seconds, where, progress, clock)

    def compute() -> tuple[Tensor, Tensor]:
        values = torch.zeros(len(counts), shape[-1], shape[-1], dtype=dtype, device=where)
        singles = values.new_zeros(len(counts), shape[-1])
        for number, (stream, place) in enumerate(streams):
            points = joining_probabilities(index, probability, stream.players)
            value, single = stream.reduce(points, meter)
            values[number, place.unsqueeze(-1), place] = value.fill_diagonal_(0.0)
            singles[number, place] = single
        return values.reshape(*shape, shape[-1]).to(back), singles.reshape(shape).to(back)

    with torch.no_grad(), torch.autocast(where.type, enabled=False):
        (values, player_values), seconds = timed(compute, where, clock)
    cross = pairs == "cross"
    return Interactions(
        values=values[..., :videos, videos:].contiguous() if cross else values,
        standard_error=None,
        method="enumeration",
        coalitions_evaluated=meter.total,
        seconds=seconds,
        device=str(where),
        index=index,
        player_values=None if cross else player_values,
    )


def enumeration_seconds(game: TokenGame | CoalitionFunction, **settings: Any) -> float:
    """How long `enumerate_coalitions` would take, by the speed of its first tenth of a second.

    Args:
        game: as `enumerate_coalitions` takes it.
        settings: likewise, but for limit_seconds.

    Returns:
        Seconds, about.

    Raises:
        TypeError, ValueError: as `enumerate_coalitions`, or limit_seconds was given.

    Example:
        >>> import torch
        >>> from explainers import SimilarityGame, enumeration_seconds
        >>> similarity = torch.tensor([[0.9, 0.1], [0.2, 0.6]])
        >>> game = SimilarityGame(similarity, torch.zeros(2), torch.zeros(2))
        >>> enumeration_seconds(game) < 60
        True
    """
    if "limit_seconds" in settings:
        raise ValueError("limit_seconds is for enumerate_coalitions: leave it out")
    try:
        return enumerate_coalitions(game, limit_seconds=_ASKED, **settings).seconds
    except TooManyCoalitionsError as refused:
        return refused.seconds


class _Meter:
    """Counts coalitions, tells the caller, and ends a run that would take too long.

    Raises:
        TooManyCoalitionsError: at once if the limit is 0; else as soon as it is known.
    """

    def __init__(
        self,
        players: list[int],
        limit: float,
        device: torch.device,
        tell: CoalitionProgress | None,
        clock: Clock,
    ) -> None:
        self.players = max(players, default=0)
        self.total = sum(2**count for count in players)
        self.limit, self.device, self.tell, self.clock = limit, device, tell, clock
        self.done = 0
        self.warm: tuple[float, int] | None = None  # when, and how many, after the first tile
        self.trial = min(_TRIAL * limit, _TRIAL_SECONDS) if limit < math.inf else None
        if limit == 0:
            raise TooManyCoalitionsError(self.players, self.total, math.nan, limit)
        self.started = self.now = clock()

    def __call__(self, coalitions: int) -> float:
        """To be called after every tile. Returns how many coalitions there is time for."""
        self.done += coalitions
        if self.device.type == "cuda" and (self.tell or self.trial is not None):
            torch.cuda.synchronize(self.device)  # else the work would only be queued
        if self.tell:
            self.tell(self.done, self.total)
        if self.limit == math.inf:
            return math.inf
        before, self.now = self.now, self.clock()
        spent, pace = self.now - self.started, (self.now - before) / coalitions
        if self.warm and self.trial is not None and spent >= self.trial:
            self.trial = None  # asked once, and again when the time is over
            self._refuse_slow(spent)
        elif spent > self.limit:
            self._refuse_slow(spent)
        self.warm = self.warm or (self.now, self.done)
        return (self.limit - spent) / pace if pace > 0 else math.inf

    def _refuse_slow(self, spent: float) -> None:
        """If all would take longer than the limit."""
        since, before = self.warm or (self.started, 0)
        pace = (self.now - since) / (self.done - before)
        expected = spent + pace * (self.total - self.done)
        if expected > self.limit:
            raise TooManyCoalitionsError(self.players, self.total, expected, self.limit)


def _streams(
    game: TokenGame, chunk: int, dtype: torch.dtype
) -> Iterator[tuple[TokenStream, Tensor]]:
    """Each game of the batch without its padding, and where its players stand."""
    videos, texts = game.cells.shape[-2:]
    for cells, video_logits, text_logits, video_mask, text_mask in zip(
        game.cells.detach().reshape(-1, videos, texts).to(dtype),
        game.video_logits.detach().reshape(-1, videos).to(dtype),
        game.text_logits.detach().reshape(-1, texts).to(dtype),
        game.video_mask.reshape(-1, videos),
        game.text_mask.reshape(-1, texts),
        strict=True,
    ):
        stream = TokenStream(
            cells[video_mask][:, text_mask],
            video_logits[video_mask],
            text_logits[text_mask],
            game.weighting,
            game.match,
            chunk,
        )
        yield stream, torch.cat([video_mask, text_mask]).nonzero().flatten()
