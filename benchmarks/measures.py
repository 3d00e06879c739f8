"""What a viewer would say of links, counted: hits out of a number, with an interval.

Of every measure there is one count a unit (a clip, a sentence, a photograph, a montage); units are
what the bootstrap draws, since what is counted within one of them belongs together.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from benchmarks.links import Links, Members
from hbi_core.inputs.function_words import function_words
from hbi_core.inputs.text import Caption

ROUNDS = 2000  # of the bootstrap
_AT_ONCE = 200  # of them, to bound memory


class Count(NamedTuple):
    """How many of how many, or a part of a sum."""

    hits: float
    of: float


Units = dict[tuple[str, str], list[Count]]  # measure and level -> its counts
HEADER = ["measure", "level", "measured", "95 % interval", "units"]


class Estimate(NamedTuple):
    """A share in [0, 1] of all units together, its 95 % interval, and the number of units."""

    value: float
    low: float
    high: float
    units: int

    def cells(self) -> list[str]:
        """Value, interval and number, as a table shows them."""
        value, low, high = (f"{100 * x:.1f}" for x in self[:3])
        return [f"{value} %", f"{low} to {high}", str(self.units)]


def estimate(units: Sequence[Count], seed: int = 0) -> Estimate:
    """The share of all units together, and its percentile bootstrap interval over the units.

    Args:
        units: independent of each other; those in which nothing was counted do not count.
        seed: the same interval for the same seed.

    Raises:
        ValueError: nothing was counted.
    """
    counts = np.array([unit for unit in units if unit.of])  # [n, 2]
    if not len(counts):
        raise ValueError("nothing was counted: no unit has what is measured")
    drawn = np.random.default_rng(seed)
    shares: list[float] = []
    for _ in range(ROUNDS // _AT_ONCE):
        hits, of = counts[drawn.integers(0, len(counts), (_AT_ONCE, len(counts)))].sum(1).T
        shares += (hits / of).tolist()
    hits, of = counts.sum(0)
    low, high = np.quantile(shares, (0.025, 0.975))
    return Estimate(float(hits / of), float(low), float(high), len(counts))


def difference(runs: Sequence[Sequence[Count]], others: Sequence[Sequence[Count]]) -> Estimate:
    """How much larger the share is in one kind of run than in another, in shares of 1.

    The units are the same in all runs (the same photographs, montages or foils), so that a draw of
    the bootstrap takes the same ones of each; the share is the mean over the runs of a kind.

    Args:
        runs, others: of each run, its units in the same order.
    """
    kinds = [np.array(kind, dtype=float) for kind in (runs, others)]  # [runs, n, 2]
    count = kinds[0].shape[1]

    def gain(chosen: np.ndarray) -> np.ndarray:
        sums = [kind[:, chosen].sum(-2) for kind in kinds]  # [runs, ..., 2]
        one, other = ((s[..., 0] / s[..., 1]).mean(0) for s in sums)
        return one - other

    drawn = np.random.default_rng(0)
    gains = np.concatenate(
        [gain(drawn.integers(0, count, (_AT_ONCE, count))) for _ in range(ROUNDS // _AT_ONCE)]
    )
    low, high = np.quantile(gains, (0.025, 0.975))
    return Estimate(float(gain(np.arange(count))), float(low), float(high), count)


def rows_of(units: Units, seed: int) -> list[list[str]]:
    """A row of a table for each measure, as `HEADER` names its cells; `seed` as of `estimate`."""
    return [
        [measure, level, *estimate(counts, seed).cells()]
        for (measure, level), counts in units.items()
    ]


def content_words(caption: Caption) -> Tensor:
    """Which of its words are no function words of English, bool [W]."""
    clauses = groupby(caption.words, key=lambda word: word.clause)
    known = [flag for _, words in clauses for flag in function_words([w.text for w in words])]
    return ~torch.tensor(known)


def words_point(
    links: Links, strength: Tensor, shown: Tensor, parts: Tensor, counted: Tensor
) -> list[Count]:
    """Whether single words point at what they belong to, one count for each part.

    A word points at the video player of the highest link of its text player; that counts as right
    in the measure in which the frames of that player show the word's part.

    Args:
        links: of one level.
        strength: float [V, T], of `links`.
        shown: int [F], the part (photograph, clip) that each frame shows.
        parts: int [W], the part that each word belongs to.
        counted: bool [W], the words that count.
    """
    right = _shares(links, shown)[_by_word(links, strength).argmax(0), parts]  # [W]
    return [
        Count(float(right[counted & (parts == part)].sum()), int((counted & (parts == part)).sum()))
        for part in _numbers(shown)
    ]


def sentences_point(links: Links, strength: Tensor, shown: Tensor, parts: Tensor) -> list[Count]:
    """Whether each part's sentence points at it: at the video player of the highest mean link of
    its words.

    Args:
        links, strength, shown, parts: as of `words_point`; every part has words.
    """
    by_word, shares = _by_word(links, strength), _shares(links, shown)
    means = {part: by_word[:, parts == part].mean(-1) for part in _numbers(shown)}
    return [Count(float(shares[mean.argmax(), part]), 1) for part, mean in means.items()]


def strayed(links: Links, shown: Tensor, parts: Tensor) -> Count:
    """How much interaction there is where nothing belongs together, of that where all does.

    The mean |I| of the pairs of players that share no part, over the mean |I| of those that are of
    one part and the same. A frame has nothing to say to words about another scene: without bias,
    the share is 0; with 100 %, both kinds of pairs have as much. Pairs that belong together in part
    count for neither; where one of the kinds is missing, nothing is counted.

    Args:
        links: of one level.
        shown: int [F], the part (photograph, clip) that each frame shows.
        parts: int [W], the part that each word belongs to.
    """
    words = torch.nn.functional.one_hot(parts, int(shown.max()) + 1).double()
    of_text = torch.stack([words[list(own)].mean(0) for own in links.words])  # [T, P]
    together = _shares(links, shown) @ of_text.mT  # [V, T], 1 where all is of one part
    strength = links.exact.abs()
    own, other = strength[together > 1 - 1e-9], strength[together == 0]
    if not len(own) or not len(other):
        return Count(0, 0)
    return Count(float(other.mean()), float(own.mean()))


def content_players(links: Links, content: Tensor) -> Count:
    """The part of the positive interaction that falls on text players with a content word.

    Where every player is made of a content word and the function words that lead to it, this is 1
    by construction; `content_share` then says more.

    Args:
        links: of one level.
        content: bool [W], which words of the caption are no function words.
    """
    positive = links.exact.clamp(min=0).sum(0)  # [T]
    has_some = torch.stack([content[list(words)].any() for words in links.words])
    return Count(float(positive[has_some].sum()), float(positive.sum()))


def content_share(links: Links, content: Tensor) -> Count:
    """The same with the interaction of a player divided evenly among its words."""
    positive = links.exact.clamp(min=0).sum(0)
    share = torch.stack([content[list(words)].double().mean() for words in links.words])
    return Count(float((positive * share).sum()), float(positive.sum()))


def contiguous(merged: Members, entities: Members) -> Count:
    """How many of the players that are made of several have no gap: a span of words, a run of
    frames.

    Args:
        merged: words or frames of each player of a level above the lowest.
        entities: those of the players of the lowest.
    """
    several = [own for own in merged if sum(set(entity) <= set(own) for entity in entities) > 1]
    return Count(sum(own[-1] - own[0] + 1 == len(own) for own in several), len(several))


def whole_shots(links: Links, shown: Tensor) -> Count:
    """How many frames are in a clip that holds nothing but their shot.

    The clips of a shot, if they hold only it, stand side by side in the order of time: so these
    are the frames of a shot in one clip, or in adjacent ones that hold only it.

    Args:
        links: of one level.
        shown: int [F], the shot that each frame shows.
    """
    pure = [len(own) for own in links.frames if len(set(shown[list(own)].tolist())) == 1]
    return Count(sum(pure), len(shown))


def _by_word(links: Links, strength: Tensor) -> Tensor:
    """[V, T] -> [V, W]: of each word, the links of its player."""
    player = {word: number for number, own in enumerate(links.words) for word in own}
    return strength[:, [player[word] for word in range(len(player))]]


def _shares(links: Links, shown: Tensor) -> Tensor:
    """The share of each part in the frames of each video player, float [V, P]."""
    parts = torch.nn.functional.one_hot(shown).double()  # [F, P]
    return torch.stack([parts[list(own)].mean(0) for own in links.frames])


def _numbers(shown: Tensor) -> range:
    return range(int(shown.max()) + 1)
