"""Reading JSON that anybody may have written: what is wrong with it is told with its place."""

from __future__ import annotations

import json
import math
import reprlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NoReturn

from hbi_core.errors import InputError

_HIGHEST_SHARE = 1 + 1e-6
_LARGEST = 1e100  # number; sums and squares of what is far beyond are not finite


class JsonError(InputError):
    """A value of a document is missing or not of its type; the message begins with its place."""


@dataclass(frozen=True)
class Json:
    """A value of a document and its place in it, such as "levels[0].score".

    All methods raise JsonError where the value is not of their type.
    """

    value: Any
    place: str

    def __getitem__(self, name: str) -> Json:
        """A member of an object; it must be there."""
        member = self.get(name)
        if member is None:
            raise JsonError(f"{self._inner(name)} is missing")
        return member

    def get(self, name: str) -> Json | None:
        """A member of an object, or None."""
        if not isinstance(self.value, dict):
            self.fail("is no object")
        return Json(self.value[name], self._inner(name)) if name in self.value else None

    def each(self, least: int = 0, most: float = math.inf) -> list[Json]:
        """The elements of a list that has from `least` to `most` of them."""
        if not isinstance(self.value, list):
            self.fail("is no list")
        if not least <= len(self.value) <= most:
            wanted = f"{least:,}" if least == most else f"{least:,} to {most:,}"
            self.fail(f"has {len(self.value):,} elements instead of {wanted}")
        return [Json(value, f"{self.place}[{index}]") for index, value in enumerate(self.value)]

    def members(self) -> dict[str, Json]:
        """The members of an object by their names, which are labels."""
        if not isinstance(self.value, dict):
            self.fail("is no object")
        names = [Json(name, f"a name in {self.place}").label() for name in self.value]
        return {name: Json(self.value[name], self._inner(name)) for name in names}

    def text(self) -> str:
        """A text that UTF-8 can say."""
        if not isinstance(self.value, str):
            self.fail("is no text")
        if any(unicodedata.category(character) == "Cs" for character in self.value):
            self.fail("has half a character (a lone surrogate)")
        return self.value

    def label(self) -> str:
        """A text that can be drawn: it is not empty, and has no control characters."""
        if not self.text():
            self.fail("is empty")
        if any(unicodedata.category(character) == "Cc" for character in self.value):
            self.fail("has control characters")
        return self.value

    def labels(self) -> tuple[str, ...]:
        """A list of them."""
        return tuple(one.label() for one in self.each())

    def one_of(self, names: Sequence[str]) -> str:
        """One of these texts."""
        if self.value not in names:
            self.fail(f"is not one of {', '.join(names)}")
        return self.value

    def number(self, least: float = -_LARGEST, most: float = _LARGEST) -> float:
        """A finite number from `least` to `most`."""
        if not isinstance(self.value, int | float) or isinstance(self.value, bool):
            self.fail("is no number")
        try:
            number = float(self.value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            self.fail("is not finite")
        if number < least:
            self.fail(f"is less than {least:g}")
        if number > most:
            self.fail(f"is more than {most:g}")
        return number

    def share(self) -> float:
        """A number from 0 to 1, or what rounding makes of these."""
        return self.number(0, _HIGHEST_SHARE)

    def index(self, count: int) -> int:
        """A whole number from 0 to `count` - 1."""
        if not isinstance(self.value, int) or isinstance(self.value, bool):
            self.fail("is no whole number")
        if not 0 <= self.value < count:
            self.fail(f"is not one of 0 to {count - 1:,}")
        return self.value

    def numbers(self, count: int) -> list[float]:
        """A list of so many finite numbers."""
        return [one.number() for one in self.each(count, count)]

    def matrix(self, rows: int, columns: int, least: float = -_LARGEST) -> list[list[float]]:
        """So many lists of so many finite numbers of at least `least`."""
        return [
            [one.number(least) for one in row.each(columns, columns)]
            for row in self.each(rows, rows)
        ]

    def increasing(self) -> tuple[float, ...]:
        """At least one number of at least 0, none smaller than the one before."""
        values = tuple(one.number(0) for one in self.each(1))
        if any(first > second for first, second in pairwise(values)):
            self.fail("does not increase")
        return values

    def indices(self, count: int) -> tuple[int, ...]:
        """At least one whole number from 0 to `count` - 1, increasing."""
        values = tuple(one.index(count) for one in self.each(1))
        if any(first >= second for first, second in pairwise(values)):
            self.fail("does not increase")
        return values

    def fail(self, what: str) -> NoReturn:
        """Raise that this value is wrong; `what` completes "levels[0].score ..."."""
        shown = "" if isinstance(self.value, dict | list) else f" ({reprlib.repr(self.value)})"
        raise JsonError(f"{self.place or 'the document'}{shown} {what}")

    def _inner(self, name: str) -> str:
        return f"{self.place}.{name}" if self.place else name


def parse_json(document: str | bytes) -> Json:
    """A document as its outermost value.

    Args:
        document: JSON; bytes are UTF-8, with or without a byte order mark.

    Raises:
        JsonError: it is no JSON, or has NaN or Infinity, which JSON lacks.
    """

    def refuse(constant: str) -> NoReturn:
        raise JsonError(f"it has {constant}, which is no number of JSON")

    try:
        text = document if isinstance(document, str) else document.decode("utf-8-sig")
        return Json(json.loads(text, parse_constant=refuse), "")
    except UnicodeError as error:
        raise JsonError("it is no text in UTF-8") from error
    except RecursionError as error:
        raise JsonError("it is nested too deeply") from error
    except JsonError:
        raise
    except ValueError as error:  # also a number of thousands of digits
        raise JsonError(f"it is no JSON: {error}") from error
