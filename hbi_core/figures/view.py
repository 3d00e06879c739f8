"""What of an explanation a figure shows: the one place that says so.

The page, its address, print and explanation.json (under "view") use these names and values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol, TypeVar
from urllib.parse import parse_qsl, urlencode

from hbi_core.errors import InputError, SettingsError
from hbi_core.inputs.function_words import function_words, looks_english
from hbi_core.json_reading import Json
from hbi_core.settings import COUNT, SHARE, Allowed, check, distinct, from_plain, one_of, optional
from hbi_core.settings import plain as plain_settings

LEVELS = ("entity", "action", "event")
SIGNS = ("both", "positive", "negative")
MEASURES = ("interaction", "cosine", "difference")
SCALES = ("level", "word", "frame")
_FLAG = Allowed("true or false", lambda value: isinstance(value, bool))
_FLAGS = {"1": True, "true": True, "0": False, "false": False}
_MOST_PLAYERS = 500
_PLAYER = re.compile(rf"({'|'.join(LEVELS)})/(video|text)/\d{{1,4}}")


def _is_player(name: Any) -> bool:
    return isinstance(name, str) and _PLAYER.fullmatch(name) is not None


_PLAYERS = Allowed(
    f"{_MOST_PLAYERS} names of players at most, as entity/text/2 is one",
    lambda names: len(names) <= _MOST_PLAYERS and all(map(_is_player, names)),
)


class _HasName(Protocol):
    @property
    def name(self) -> str: ...


Named = TypeVar("Named", bound=_HasName)


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
        values: print has a bar for each player too, its Banzhaf value; figures that answer always
            have one.
        left_out: players that "What if" leaves out, as the coalition graph names them:
            "entity/text/2". Lines are those of the game of the others, without links within a side;
            scores and bars stay those of all. An explanation may have no such player; a contrast
            leaves nobody out.
        chosen: players of one level, likewise, whose links stay while all others fade; at other
            levels those of players that share frames or words with them. In a contrast, players of
            the difference.

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
    values: bool = False
    left_out: tuple[str, ...] = ()
    chosen: tuple[str, ...] = ()

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
            values=_FLAG,
            left_out=_PLAYERS,
            chosen=_PLAYERS,
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

    @classmethod
    def from_json(cls, json: Json | None) -> FigureView:
        """What `to_dict` made, in a file that anybody may have written; the defaults without it.

        Raises:
            JsonError: there is no such setting, or one has a value that it cannot have.
        """
        if json is None:
            return cls()
        try:
            return cls.from_dict(json.value)
        except SettingsError as error:
            json.fail(f"shows no figure: {error}")

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
        return urlencode(texts, safe=",/")

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
    if name in ("levels", "left_out", "chosen"):
        return tuple(text.split(","))
    if name in ("fade", "sides", "values"):
        return _FLAGS.get(text, text)
    if name in ("top", "top_per_word"):
        return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text
    if name == "threshold":
        try:
            return float(text)
        except ValueError:
            return text
    return text


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
