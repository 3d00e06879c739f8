"""Settings and the values that they may have: one check for every configuration."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from hbi_core.errors import SettingsError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Settings = TypeVar("Settings", bound="DataclassInstance")


@dataclass(frozen=True)
class Allowed:
    """The values that a setting may have.

    Attributes:
        says: completes "epochs is 0: use ...".
        holds: whether a value is one of them.
    """

    says: str
    holds: Callable[[Any], bool]


def check(settings: object, section: str = "", /, **allowed: Allowed) -> None:
    """Check fields of a dataclass, from its __post_init__.

    Args:
        settings: the dataclass.
        section: what stands before its fields where their user writes them, such as "loss.".
        allowed: for each field that has a range, its values.

    Raises:
        SettingsError: fields have other values; every one of them is named, with its range.
    """
    wrong = [
        f"{section}{name} is {getattr(settings, name)!r}: use {rule.says}"
        for name, rule in allowed.items()
        if not rule.holds(getattr(settings, name))
    ]
    if wrong:
        raise SettingsError("; ".join(wrong) + ".")


def plain(config: DataclassInstance) -> dict[str, Any]:
    """A dataclass of settings as JSON and YAML have them: no paths, no tuples."""
    return json.loads(json.dumps(asdict(config), default=str))


def from_plain(kind: type[Settings], values: Mapping[str, object]) -> Settings:
    """A dataclass of numbers, names and tuples of them, from what `plain` made of it.

    Raises:
        SettingsError: there is no such setting, one is missing, or has a value that it cannot have.
    """
    known = {field.name: field for field in fields(kind)}
    needed = {
        name
        for name, field in known.items()
        if field.default is MISSING and field.default_factory is MISSING
    }
    if wrong := sorted(set(values) - set(known) | needed - set(values)):
        there = ", ".join(known) or "none"
        raise SettingsError(f"Settings unknown or missing: {', '.join(wrong)}; there are: {there}.")
    hints = get_type_hints(kind)
    for name, value in values.items():
        if not _is_of(hints[name], value):
            raise SettingsError(f"{name} is {value!r}, which is no {known[name].type}.")
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def _is_of(hint: Any, value: object) -> bool:
    """Whether a number, a name, or a list of them is of a type; a whole number is a float too."""
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return any(_is_of(one, value) for one in get_args(hint))
    if origin is tuple:
        each = get_args(hint)[0]
        return isinstance(value, list | tuple) and all(_is_of(each, one) for one in value)
    if isinstance(value, bool):
        return hint is bool
    return isinstance(value, (int, float) if hint is float else hint)


def whole(least: int) -> Allowed:
    """Whole numbers from `least` on."""

    def holds(value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and value >= least

    return Allowed(f"a whole number of at least {least}", holds)


def number(
    *,
    least: float = -math.inf,
    above: float = -math.inf,
    most: float = math.inf,
    below: float = math.inf,
) -> Allowed:
    """Finite numbers in an interval, with its ends (least, most) or without (above, below)."""
    words = {"of at least": least, "above": above, "of at most": most, "below": below}
    ends = [f"{word} {end:g}" for word, end in words.items() if math.isfinite(end)]

    def holds(value: Any) -> bool:
        real = isinstance(value, int | float) and not isinstance(value, bool)
        return real and math.isfinite(value) and least <= value <= most and above < value < below

    return Allowed(" ".join(["a number", " and ".join(ends)]).strip(), holds)


def one_of(names: Sequence[str]) -> Allowed:
    """One of these names."""
    return Allowed(f"one of {', '.join(names)}", lambda value: value in names)


def optional(allowed: Allowed) -> Allowed:
    """Or None."""
    return Allowed(f"{allowed.says}, or none", lambda value: value is None or allowed.holds(value))


def each(allowed: Allowed) -> Allowed:
    """Tuples of such values, empty ones too."""
    return Allowed(
        f"a list, for each {allowed.says}",
        lambda values: isinstance(values, tuple | list) and all(map(allowed.holds, values)),
    )


def distinct(allowed: Allowed) -> Allowed:
    """Tuples of such values, none of them twice."""
    every = each(allowed)
    return Allowed(
        f"{every.says}, none twice",
        lambda values: every.holds(values) and len(set(values)) == len(values),
    )


COUNT = whole(1)
TEXT = Allowed("a name", lambda value: isinstance(value, str) and bool(value))
BY_NAME = Allowed("values by name", lambda value: isinstance(value, dict))
OWN_PATH = Allowed(
    "a path other than the current folder",
    lambda value: isinstance(value, str | Path) and Path(value) != Path(),
)
SEED = Allowed(
    "a whole number from 0 to 2^32 - 1", lambda value: whole(0).holds(value) and value < 2**32
)
POSITIVE = number(above=0)
NOT_NEGATIVE = number(least=0)
WEIGHT_DECAY = number(least=0, most=1e6)  # its product with a learning rate is in float32 too
_FASTEST = 1e30  # beyond, a step overflows float32
LEARNING_RATE = number(above=0, most=_FASTEST)
LEARNING_RATE_OR_ZERO = number(least=0, most=_FASTEST)
SHARE = number(least=0, most=1)
SHARE_BELOW_ONE = number(least=0, below=1)
