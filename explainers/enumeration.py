"""Exact interactions by brute force: all 2^n coalitions of a game."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor

from explainers.coalition_stream import FunctionStream, SimilarityStream
from explainers.game import CoalitionFunction, SimilarityGame, check_function_settings
from explainers.indices import joining_probabilities
from explainers.interactions import Interactions, check_pairs, timed

Progress = Callable[[int, int], None]
_CHUNK = {"cuda": 2**26}  # what fills a GPU
_CPU_CHUNK = 2**20  # tiles that stay in a processor's cache
_FUNCTION_CHUNK = 2**14
_TRIAL_SECONDS = 0.5


class TooManyCoalitionsError(ValueError):
    """The enumeration would take longer than is allowed.

    Attributes:
        coalitions: of the game or games.
        seconds: that all of them would take, about.
    """

    def __init__(self, players: int, coalitions: int, seconds: float, limit: float) -> None:
        self.coalitions, self.seconds = coalitions, seconds
        super().__init__(
            f"{players} players have {coalitions:,} coalitions: about {duration(seconds)} at the "
            f"speed of this machine, more than the limit of {duration(limit)}. closed_form gives "
            "the values of a SimilarityGame at once, sample_coalitions estimates those of any "
            "game; to enumerate all the same, raise limit_seconds"
        )


def enumerate_coalitions(
    game: SimilarityGame | CoalitionFunction,
    *,
    players: int | None = None,
    pairs: str = "cross",
    index: str = "banzhaf",
    probability: float = 0.5,
    chunk_coalitions: int | None = None,
    limit_seconds: float = 3600.0,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str | None = None,
    progress: Progress | None = None,
) -> Interactions:
    """Interactions (HBI, Eq. 3) of all pairs by evaluating every coalition once.

    The values are streamed, see `explainers.coalition_stream`; memory depends on the chunk alone.

    Args:
        game: any batch of games on any device, padding tokens do not count as players; or the
            game of any other model, a function bool [K, n] -> float [K] (a tensor or an array).
        players: n, for a function.
        pairs: "cross", video with text tokens, or "all". A function has no sides: always "all".
        index: "banzhaf", "weighted_banzhaf" or "shapley"; the last takes n / 2 reductions.
        probability: p of the weighted index, in (0, 1).
        chunk_coalitions: coalitions held in memory at a time, 8 bytes each in float64. The result
            does not depend on it beyond rounding. None takes 2^20 on a CPU and 2^26 on a GPU; a
            function is given 2^14 at most.
        limit_seconds: half a second after the first coalitions, refuse what would take longer.
        dtype: precision of the computation; the values come back in the game's own dtype.
        device: where a function wants its coalitions; None is the CPU. A SimilarityGame runs where
            it lies.
        progress: called with the coalitions done and all of them. An exception that it raises
            ends the run.

    Returns:
        Interactions; with pairs="all" they have player_values. Not differentiable: use
        `closed_form` for that.

    Raises:
        TooManyCoalitionsError: a ValueError with the numbers; it would take too long.
        ValueError: an argument is out of range, or the function returned something else.
    """
    check_pairs(pairs)
    check_function_settings(game, players, device)
    if isinstance(game, SimilarityGame):
        device, back = game.similarity.device, game.similarity.dtype
        chunk = chunk_coalitions or _CHUNK.get(device.type, _CPU_CHUNK)
        streams, places = _streams(game, chunk, dtype)
        shape = (*game.similarity.shape[:-2], sum(game.similarity.shape[-2:]))
    else:
        device, back, pairs = torch.device(device or "cpu"), dtype, "all"
        chunk = chunk_coalitions or _FUNCTION_CHUNK
        streams = [FunctionStream(game, players, chunk, dtype, device)]
        places, shape = [torch.arange(players, device=device)], (players,)
    meter = _Meter(streams, limit_seconds, device, progress)

    def compute() -> tuple[Tensor, Tensor]:
        values = torch.zeros(len(streams), shape[-1], shape[-1], dtype=dtype, device=device)
        singles = values.new_zeros(len(streams), shape[-1])
        for number, (stream, place) in enumerate(zip(streams, places, strict=True)):
            points = joining_probabilities(index, probability, stream.players)
            value, single = stream.reduce(points, meter)
            values[number, place.unsqueeze(-1), place] = value.fill_diagonal_(0.0)
            singles[number, place] = single
        return values.reshape(*shape, shape[-1]).to(back), singles.reshape(shape).to(back)

    with torch.no_grad(), torch.autocast(device.type, enabled=False):
        (values, player_values), seconds = timed(compute, device)
    if pairs == "cross":
        videos = game.similarity.shape[-2]
        values, player_values = values[..., :videos, videos:].contiguous(), None
    return Interactions(
        values, None, "enumeration", meter.total, seconds, str(device), index, player_values
    )


def enumeration_seconds(game: SimilarityGame | CoalitionFunction, **settings) -> float:
    """How long `enumerate_coalitions` would take, by the speed of its first half second.

    Args:
        game, settings: as `enumerate_coalitions` takes them.
    """
    try:
        return enumerate_coalitions(game, **settings | {"limit_seconds": 0.0}).seconds
    except TooManyCoalitionsError as refused:
        return refused.seconds


def duration(seconds: float) -> str:
    """Seconds in the unit in which a reader thinks of them."""
    for unit, size in (("years", 3.156e7), ("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {unit}"
    return f"{seconds:.0f} seconds" if seconds >= 10 else f"{seconds:.2g} seconds"


class _Meter:
    """Counts coalitions, tells the caller, and ends a run that would take too long."""

    def __init__(self, streams: list, limit: float, device: torch.device, tell: Progress | None):
        self.players = max((stream.players for stream in streams), default=0)
        self.total = sum(2**stream.players for stream in streams)
        self.limit, self.device, self.tell = limit, device, tell
        self.done = 0
        self.started: tuple[float, int] | None = None

    def __call__(self, coalitions: int) -> None:
        self.done += coalitions
        if self.device.type == "cuda" and (self.tell or self.limit < float("inf")):
            torch.cuda.synchronize(self.device)  # else the work would only be queued
        if self.tell:
            self.tell(self.done, self.total)
        now = time.perf_counter()
        if self.started is None:  # the first tile warms up
            self.started = now, self.done
        spent = now - self.started[0]
        if spent > _TRIAL_SECONDS:
            expected = spent * self.total / (self.done - self.started[1])
            if expected > self.limit:
                raise TooManyCoalitionsError(self.players, self.total, expected, self.limit)
            self.limit = float("inf")  # it is asked once


def _streams(
    game: SimilarityGame, chunk: int, dtype: torch.dtype
) -> tuple[list[SimilarityStream], list[Tensor]]:
    """Each game of the batch without its padding, and where its players stand."""
    videos, texts = game.similarity.shape[-2:]
    batch = zip(
        game.similarity.detach().reshape(-1, videos, texts).to(dtype),
        game.video_logits.detach().reshape(-1, videos).to(dtype),
        game.text_logits.detach().reshape(-1, texts).to(dtype),
        game.video_mask.reshape(-1, videos),
        game.text_mask.reshape(-1, texts),
        strict=True,
    )
    streams, places = [], []
    for similarity, video_logits, text_logits, video_mask, text_mask in batch:
        streams.append(
            SimilarityStream(
                similarity[video_mask][:, text_mask],
                video_logits[video_mask], text_logits[text_mask], game.weighting, chunk,
            )
        )  # fmt: skip
        places.append(torch.cat([video_mask, text_mask]).nonzero().flatten())
    return streams, places
