"""The links that a view shows, and how strong they are drawn: the one place that says so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from torch import Tensor

from explainers import player_id, ranks
from hbi_core.figures.grades import Grade, grade_of, reference_of
from hbi_core.figures.view import FigureView


class _Interactions(Protocol):
    @property
    def values(self) -> Tensor: ...


class Linked(Protocol):
    """What of a level its links are made of."""

    @property
    def name(self) -> str:
        """Of the level."""

    @property
    def similarity(self) -> Tensor:
        """[V, T]."""

    @property
    def interactions(self) -> _Interactions:
        """Their values: [V, T]."""


@dataclass(frozen=True, kw_only=True)
class ShownLink:
    """A link that a view shows.

    Attributes:
        ends: its players by their names in the coalition graph; the video player first, or that of
            the lower index.
        kind: "cross", "video" (frame–frame) or "text" (word–word).
        first, second: indices of the ends among the players of their sides.
        value: of the view's measure.
        interaction: of the two.
        similarity, rank: of a cross link; None of others. Ranks are those of interactions.
        share: magnitude of the value as a part of its reference; an outlier's is above 1.
        grade: colour and width.
    """

    ends: tuple[str, str]
    kind: str
    first: int
    second: int
    value: float
    interaction: float
    similarity: float | None
    rank: int | None
    share: float
    grade: Grade

    @property
    def id(self) -> str:
        """Both ends in one word: "action/video/0--action/text/2"."""
        return "--".join(self.ends)


def measured(level: Linked, measure: str) -> np.ndarray:
    """The measure of every cross link: float64 [V, T]."""
    interaction = _numbers(level.interactions.values)
    if measure == "interaction":
        return interaction
    cosine = _numbers(level.similarity)
    return cosine if measure == "cosine" else _standard(interaction) - _standard(cosine)


@dataclass(frozen=True, eq=False)
class Beside:
    """The same level of another explanation, which is drawn beside this one on the same scales.

    Attributes:
        level: it.
        video, text: for each player of this one the index of the same player there, or None.
        pairs: of it, as for `shown_links`.
    """

    level: Linked
    video: Sequence[int | None]
    text: Sequence[int | None]
    pairs: Tensor | None = None


@dataclass(frozen=True)
class Values:
    """Interactions that are their values alone."""

    values: Tensor


@dataclass(frozen=True, eq=False)
class OtherLinks:
    """The links of a level with other values than it has."""

    name: str
    similarity: Tensor
    interactions: Values


def left_out_of(level: Linked, view: FigureView) -> frozenset[str]:
    """The players of a level that a view leaves out, by their names."""
    counts = zip(("video", "text"), level.interactions.values.shape, strict=True)
    own = {player_id(level.name, side, index) for side, count in counts for index in range(count)}
    return frozenset(own.intersection(view.left_out))


def shown_links(
    level: Linked,
    view: FigureView,
    pairs: Tensor | None = None,
    beside: Beside | None = None,
    left: Tensor | None = None,
) -> tuple[ShownLink, ...]:
    """The links of a level that a view shows, whether or not it shows the level.

    Args:
        level: with V and T players.
        view: filters, measure and scale.
        pairs: float [V + T, V + T], interactions of all players with each other, video players
            first (`closed_form(level.game(weighting), pairs="all").values`); needed for `sides`.
        beside: what shares are taken of is then the highest of both.
        left: float [V, T], the interactions in the game of those whom the view leaves in, 0 of
            others (`hbi_core.what_if.interactions_of_others`); needed where it leaves players out,
            and shown then instead of those of the level and of those within a side.

    Returns:
        The weakest first: the order to draw them in. Equally strong ones stand in reversed reading
        order, links within a side before others.

    Raises:
        ValueError: the view asks for sides and there are no pairs, or it leaves players out and
            the interactions of the others are not there.
    """
    if out := left_out_of(level, view):
        if left is None:
            raise ValueError("Where players are left out, the game of the others is drawn.")
        rest = OtherLinks(level.name, level.similarity, Values(left))
        links = shown_links(rest, replace(view, left_out=(), sides=False), None, beside)
        return tuple(link for link in links if out.isdisjoint(link.ends))
    values, sides = measured(level, view.measure), _sides(level, view, pairs)
    everything = _everything(values, sides)
    others = None
    if beside is not None:
        others = measured(beside.level, view.measure)
        of_others = _everything(others, _sides(beside.level, view, beside.pairs))
        everything = np.concatenate([everything, of_others])
    of_level = reference_of(everything, view.sign)
    groups = [
        _Links(kind, own, np.full_like(own, of_level), np.triu(np.ones(own.shape, bool), 1))
        for kind, own in sides
    ]
    references = np.full_like(values, of_level)
    if view.scale != "level":
        references = _references(values, view, others, beside)
    groups.append(_Links("cross", values, references, np.ones(values.shape, bool)))
    return tuple(link for links in groups for link in _shown(level, view, links))


def _sides(level: Linked, view: FigureView, pairs: Tensor | None) -> list[tuple[str, np.ndarray]]:
    """The interactions within each side, where the view shows them."""
    if not view.shows_sides:
        return []
    if pairs is None:
        raise ValueError("Links within a side need the interactions of all pairs.")
    numbers, videos = _numbers(pairs), len(level.interactions.values)
    return [("video", numbers[:videos, :videos]), ("text", numbers[videos:, videos:])]


def _everything(values: np.ndarray, sides: Sequence[tuple[str, np.ndarray]]) -> np.ndarray:
    """All that may be drawn of a level, in one row."""
    return np.concatenate([values.ravel(), *(v[np.triu_indices_from(v, 1)] for _, v in sides)])


@dataclass(frozen=True, eq=False)
class _Links:
    """Links of one kind as matrices: values, references, and which cells are links at all."""

    kind: str
    values: np.ndarray
    references: np.ndarray
    there: np.ndarray


def _shown(level: Linked, view: FigureView, links: _Links) -> Iterator[ShownLink]:
    strength = np.abs(links.values)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = np.where(strength > 0, strength / links.references, 0.0)
    kept = links.there & _of_sign(links.values, view.sign) & (shares >= view.threshold)
    # Filters by number count what has the sign, not what other filters leave.
    candidates = np.where(links.there & _of_sign(links.values, view.sign), strength, -np.inf)
    if view.top is not None:
        kept &= _order(candidates.ravel()).reshape(candidates.shape) < view.top
    if view.top_per_word is not None and links.kind == "cross":
        places = np.stack([_order(column) for column in candidates.T], axis=1)
        kept &= places < view.top_per_word
    similarity, rank = level.similarity, ranks(level.interactions.values)
    interactions = _numbers(level.interactions.values)
    cross = links.kind == "cross"
    ends = ("video", "text") if cross else (links.kind, links.kind)
    # Of the weakest: negative ones lie below all others where both signs are shown.
    signed = np.where(links.values < 0, -shares, shares) if view.sign == "both" else shares
    for cell in np.argsort(-signed, axis=None, kind="stable")[::-1]:
        first, second = divmod(int(cell), links.values.shape[1])
        if not kept[first, second]:
            continue
        value = float(links.values[first, second])
        share = float(shares[first, second])
        yield ShownLink(
            ends=(
                player_id(level.name, ends[0], first),
                player_id(level.name, ends[1], second),
            ),
            kind=links.kind,
            first=first,
            second=second,
            value=value,
            interaction=float(interactions[first, second]) if cross else value,
            similarity=float(similarity[first, second]) if cross else None,
            rank=int(rank[first, second]) if cross else None,
            share=share,
            grade=grade_of(share, negative=value < 0, alone=view.sign == "negative"),
        )


def _references(
    values: np.ndarray, view: FigureView, others: np.ndarray | None, beside: Beside | None
) -> np.ndarray:
    """What the share of each cross link is taken of, by its word or by its frame: [V, T]."""
    by_word = view.scale == "word"
    rows = values.T if by_word else values
    same: Sequence[int | None] = [None] * len(rows)
    if others is not None and beside is not None:
        same = beside.text if by_word else beside.video
        others = others.T if by_word else others
    references = np.empty_like(rows)
    for number, (row, other) in enumerate(zip(rows, same, strict=True)):
        both = row if others is None or other is None else np.concatenate([row, others[other]])
        references[number] = reference_of(both, view.sign)
    return references.T if by_word else references


def _of_sign(values: np.ndarray, sign: str) -> np.ndarray:
    """Which links have the sign; 0 helps and hinders nobody, and is shown with both."""
    if sign == "both":
        return np.ones(values.shape, bool)
    return values > 0 if sign == "positive" else values < 0


def _order(strength: np.ndarray) -> np.ndarray:
    """Place of each of a list, from 0 for the strongest; equal ones in reading order."""
    places = np.empty(strength.size, dtype=np.int64)
    places[np.argsort(-strength, kind="stable")] = np.arange(strength.size)
    return places


def _standard(values: np.ndarray) -> np.ndarray:
    """Standard scores; all 0 where all values are equal."""
    deviation = values.std()
    centred = values - values.mean()
    return (
        centred / deviation if deviation > 1e-12 * np.abs(values).max() else np.zeros_like(values)
    )


def _numbers(values: Tensor) -> np.ndarray:
    return values.detach().cpu().double().numpy()
