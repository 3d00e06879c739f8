"""What of an explanation a figure shows, and how strong it draws it: the one place that says so.

The page, its address, print and explanation.json (under "view") use these names and values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode

import numpy as np
from torch import Tensor

from explainers import player_id, ranks
from explainers.coalition_graph import GameLevel
from hbi_core.errors import InputError, SettingsError
from hbi_core.figures.grades import Grade, grade_of, reference_of
from hbi_core.inputs.function_words import function_words, looks_english
from hbi_core.settings import COUNT, SHARE, Allowed, check, distinct, from_plain, one_of, optional
from hbi_core.settings import plain as plain_settings

LEVELS = ("entity", "action", "event")
SIGNS = ("both", "positive", "negative")
MEASURES = ("interaction", "cosine", "difference")
SCALES = ("level", "word", "frame")
Named = TypeVar("Named", bound=GameLevel)
_FLAG = Allowed("true or false", lambda value: isinstance(value, bool))
_FLAGS = {"1": True, "true": True, "0": False, "false": False}


@dataclass(frozen=True)
class FigureView:
    """Which links of which levels are shown, and what their colours measure.

    A link has to pass every filter.

    Attributes:
        levels: those that are shown, in their own order.
        top: so many links of a level, the strongest by the magnitude of the measure; None: all.
        top_per_word: so many of each text player, likewise.
        threshold: links of at least this share, 0 to 1, of their scale's reference.
        sign: "both", "positive" (helping) or "negative" (hindering) links.
        measure: "interaction" (Eq. 3), "cosine" (similarity), or "difference": the standard score
            of the interaction within its level less that of the cosine; what the game adds.
        scale: whose highest link is the reference of a link's colour (`reference_of`): that of its
            "level", of its "word" (text player) or of its "frame" (video player). Links within a
            side always take that of the level.
        fade: players that are function words alone are drawn lighter, and their links.
        sides: links within a side too: frame–frame and word–word interactions. Other measures
            have none.

    Raises:
        SettingsError: a value is none of these.

    Example:
        >>> view = FigureView(levels=("entity",), top=10, sign="positive")
        >>> view.to_query()
        'levels=entity&top=10&sign=positive'
        >>> FigureView.from_query(view.to_query()) == view
        True
    """

    levels: tuple[str, ...] = LEVELS
    top: int | None = None
    top_per_word: int | None = None
    threshold: float = 0.0
    sign: str = "both"
    measure: str = "interaction"
    scale: str = "level"
    fade: bool = False
    sides: bool = False

    def __post_init__(self) -> None:
        known = one_of(LEVELS)
        some = distinct(known)
        check(
            self,
            levels=Allowed(
                f"at least one of {', '.join(LEVELS)}, none twice",
                lambda names: bool(names) and some.holds(names),
            ),
            top=optional(COUNT),
            top_per_word=optional(COUNT),
            threshold=SHARE,
            sign=one_of(SIGNS),
            measure=one_of(MEASURES),
            scale=one_of(SCALES),
            fade=_FLAG,
            sides=_FLAG,
        )
        ordered = tuple(name for name in LEVELS if name in self.levels)
        object.__setattr__(self, "levels", ordered)
        object.__setattr__(self, "threshold", float(self.threshold))

    @property
    def shows_sides(self) -> bool:
        """Whether there are links within a side: only interactions have them."""
        return self.sides and self.measure == "interaction"

    def to_dict(self) -> dict[str, Any]:
        """All settings, as "view" in explanation.json has them."""
        return plain_settings(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> FigureView:
        """What `to_dict` made; settings that are left out have their defaults.

        Raises:
            SettingsError: there is no such setting, or one has a value that it cannot have.
        """
        if not isinstance(values, Mapping):
            raise SettingsError(f"view is {values!r}: use an object of settings by name.")
        return from_plain(cls, values)

    def to_query(self) -> str:
        """The settings that are not the defaults, as the query of an address has them."""
        usual = FigureView()
        changed = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if getattr(self, field.name) != getattr(usual, field.name)
        }
        texts = {
            name: ",".join(value)
            if isinstance(value, tuple)
            else str(int(value))
            if isinstance(value, bool)
            else f"{value}"
            for name, value in changed.items()
        }
        return urlencode(texts, safe=",")

    @classmethod
    def from_query(cls, query: str | Mapping[str, str], strict: bool = False) -> FigureView:
        """The settings among the parameters of an address.

        Args:
            query: "top=10&sign=positive", with or without a question mark, or by name.
            strict: whether other parameters are refused; they are not looked at else.

        Raises:
            SettingsError: one has a value that it cannot have, or, if strict, is none of a view.
        """
        if isinstance(query, str):
            query = dict(parse_qsl(query.removeprefix("?"), keep_blank_values=True))
        known = [field.name for field in fields(cls)]
        if strict and (wrong := [name for name in query if name not in known]):
            raise SettingsError(
                f"A view has no setting {', '.join(wrong)}; there are {', '.join(known)}."
            )
        return cls(**{name: _read(name, text) for name, text in query.items() if name in known})


def _read(name: str, text: str) -> Any:
    """A value as the address has it; what cannot be read stays text, which `check` refuses."""
    if name == "levels":
        return tuple(text.split(","))
    if name in ("fade", "sides"):
        return _FLAGS.get(text, text)
    if name in ("top", "top_per_word"):
        return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text
    if name == "threshold":
        try:
            return float(text)
        except ValueError:
            return text
    return text


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


def measured(level: GameLevel, measure: str) -> np.ndarray:
    """The measure of every cross link: float64 [V, T]."""
    interaction = _numbers(level.interactions.values)
    if measure == "interaction":
        return interaction
    cosine = _numbers(level.similarity)
    return cosine if measure == "cosine" else _standard(interaction) - _standard(cosine)


def shown_levels(levels: Sequence[Named], view: FigureView) -> tuple[Named, ...]:
    """The levels that a view shows, in their order.

    Raises:
        InputError: none of them.
    """
    shown = tuple(level for level in levels if level.name in view.levels)
    if not shown:
        there = ", ".join(level.name for level in levels)
        raise InputError(
            f"The figure would have no level: {', '.join(view.levels)} is to be shown, and there "
            f"is {there}. Choose one of these."
        )
    return shown


def shown_links(
    level: GameLevel,
    view: FigureView,
    pairs: Tensor | None = None,
) -> tuple[ShownLink, ...]:
    """The links of a level that a view shows, whether or not it shows the level.

    Args:
        level: with V and T players.
        view: filters, measure and scale.
        pairs: float [V + T, V + T], interactions of all players with each other, video players
            first (`closed_form(level.game(weighting), pairs="all").values`); needed for `sides`.

    Returns:
        The weakest first: the order to draw them in. Equally strong ones stand in reversed reading
        order, links within a side before others.

    Raises:
        ValueError: the view asks for sides and there are no pairs.
    """
    values = measured(level, view.measure)
    sides = []
    if view.shows_sides:
        if pairs is None:
            raise ValueError("Links within a side need the interactions of all pairs.")
        sides = _sides(_numbers(pairs), len(values))
    everything = np.concatenate(
        [values.ravel(), *(v[np.triu_indices_from(v, 1)] for _, v in sides)]
    )
    of_level = reference_of(everything, view.sign)
    groups = [
        _Links(kind, own, np.full_like(own, of_level), np.triu(np.ones(own.shape, bool), 1))
        for kind, own in sides
    ]
    references = _references(values, view, of_level)
    groups.append(_Links("cross", values, references, np.ones(values.shape, bool)))
    return tuple(link for links in groups for link in _shown(level, view, links))


def _sides(pairs: np.ndarray, videos: int) -> list[tuple[str, np.ndarray]]:
    return [("video", pairs[:videos, :videos]), ("text", pairs[videos:, videos:])]


def faded_words(words: Sequence[str]) -> tuple[int, ...]:
    """The function words among the words of a caption, which `fade` draws lighter, as indices.

    None, where the words are not known to be English.

    Example:
        >>> faded_words(["A", "dog", "in", "the", "snow"])
        (0, 2, 3)
    """
    if not looks_english(words):
        return ()
    return tuple(number for number, known in enumerate(function_words(words)) if known)


@dataclass(frozen=True, eq=False)
class _Links:
    """Links of one kind as matrices: values, references, and which cells are links at all."""

    kind: str
    values: np.ndarray
    references: np.ndarray
    there: np.ndarray


def _shown(level: GameLevel, view: FigureView, links: _Links) -> Iterator[ShownLink]:
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


def _references(values: np.ndarray, view: FigureView, of_level: float) -> np.ndarray:
    """What the share of each cross link is taken of: float64 [V, T]."""
    if view.scale == "level":
        return np.full_like(values, of_level)
    if view.scale == "word":
        columns = [reference_of(column, view.sign) for column in values.T]
        return np.broadcast_to(np.array(columns), values.shape)
    rows = [reference_of(row, view.sign) for row in values]
    return np.broadcast_to(np.array(rows)[:, None], values.shape)


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
