"""What is chosen on the page, in its address, so that a link shows the same again.

A visitor's own files are not in it: they lie on the server for an hour, and nobody else may see
them.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from app.session import LONGEST_CAPTION, Choice
from app.uploads import CLIPS, uploaded_file
from hbi_core.checks import whole_number
from hbi_core.errors import InputError
from hbi_core.figures.view import FigureView
from hbi_core.latest import content_of

_EXPLAINS = "explain"  # the page presses Explain where there is this parameter
_ANSWERED = "answered"  # tabs that had an answer: the page asks the open one again
_OWN = "own"  # a visitor's own file
_LONGEST_NUMBER = 19  # digits


class Text:
    """What is written in a field."""

    def read(self, name: str, text: str) -> str:
        if len(text) > LONGEST_CAPTION:
            told = f"The {name.replace('_', ' ')} of the address"
            raise InputError(f"{told} has more than {LONGEST_CAPTION:,} letters.")
        return text

    def write(self, name: str, value: Any) -> str:
        return "" if value is None else str(value)


@dataclass(frozen=True)
class Whole:
    """Whole numbers from `least` to `most`; an empty field is not said."""

    least: int
    most: int

    def read(self, name: str, text: str) -> int:
        is_short = text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER
        return self._checked(name, int(text) if is_short else text)

    def write(self, name: str, value: Any) -> str | None:
        return None if value is None else str(self._checked(name, value))

    def _checked(self, name: str, value: Any) -> int:
        return whole_number(value, f"{name} is {{}} in the address", self.least, self.most)


class OneOf:
    """One of these values."""

    def __init__(self, values: Iterable[Any]) -> None:
        self._values = {str(value): value for value in values}

    def read(self, name: str, text: str) -> Any:
        if text not in self._values:
            raise InputError(
                f"{name} is {reprlib.repr(text)} in the address; use one of "
                f"{', '.join(self._values)}."
            )
        return self._values[text]

    def write(self, name: str, value: Any) -> str:
        return str(self.read(name, str(value)))


class Several(OneOf):
    """Any of these values, in a list."""

    def read(self, name: str, text: str) -> list[Any]:
        return [super(Several, self).read(name, one) for one in text.split(",") if one]

    def write(self, name: str, value: Any) -> str:
        return ",".join(map(str, self.read(name, ",".join(map(str, value or ())))))


class OwnFiles:
    """Files that visitors upload. That there were some is all that is said of them."""

    def read(self, name: str, text: str) -> str | None:
        known = self._known()
        if text not in known:
            raise InputError(
                f"There is no {name.replace('_', ' ')} {reprlib.repr(text)}: use one of "
                f"{', '.join(known)}."
            )
        return known[text]

    def write(self, name: str, value: Any) -> str | None:
        return _OWN if value else None

    def _known(self) -> dict[str, str | None]:
        return {_OWN: None}


@dataclass(frozen=True)
class Clip(OwnFiles):
    """A clip that we ship, by its name, or a visitor's own.

    Attributes:
        needed: an empty player had a video of one's own: an explanation was opened without it.
    """

    needed: bool = False

    def write(self, name: str, value: Any) -> str | None:
        """Whatever its copy on the server is called, a clip of ours is told by its content."""
        if not value:
            return _OWN if self.needed else None
        content = content_of(uploaded_file(value))
        return next((clip.stem for clip in _clips() if content_of(clip) == content), _OWN)

    def _known(self) -> dict[str, str | None]:
        return {**{clip.stem: str(clip) for clip in _clips()}, _OWN: None}


def read_choices(parameters: Mapping[str, str], choices: Mapping[str, Choice]) -> dict[str, Any]:
    """What the parameters of an address choose, by name. Those of other names are not looked at.

    Raises:
        InputError: one has a value that it cannot have.
    """
    return {
        name: choice.kind.read(name, parameters[name])
        for name, choice in choices.items()
        if name in parameters
    }


def read_view(parameters: Mapping[str, str], prefix: str) -> FigureView:
    """What a figure shows, by the parameters whose names begin with this.

    Raises:
        SettingsError: one has a value that it cannot have.
    """
    return FigureView.from_query(
        {
            name.removeprefix(prefix): text
            for name, text in parameters.items()
            if name.startswith(prefix)
        }
    )


def has_own(parameters: Mapping[str, str], choices: Mapping[str, Choice]) -> bool:
    """Whether files of a visitor's own would be needed, which an address has not."""
    return any(
        isinstance(choice.kind, OwnFiles) and parameters.get(name) == _OWN
        for name, choice in choices.items()
    )


def write_address(
    values: Mapping[str, Any],
    choices: Mapping[str, Choice],
    views: Mapping[str, FigureView],
    answered: Sequence[str] = (),
) -> tuple[str, bool]:
    """The query that shows the same again, and whether it needs files of a visitor's own.

    What has its first value goes without saying, unless it is always said.

    Args:
        values: of `choices`, by name, as a request has them.
        choices: what there is to choose.
        views: what figures show, by what stands before the names of it.
        answered: the tabs that have an answer.

    Raises:
        InputError: there is no such value.
    """
    parameters = {}
    for name, choice in choices.items():
        text = choice.kind.write(name, values[name])
        first = choice.kind.write(name, choice.component.value) if not choice.always else None
        if text is not None and text != first:
            parameters[name] = text
    needs_own = has_own(parameters, choices)
    if parameters.get("video") != _OWN:
        parameters[_EXPLAINS] = "1"
    queries = [urlencode(parameters)]
    if answered and not needs_own:
        queries.append(f"{_ANSWERED}={','.join(answered)}")
    for prefix, view in views.items():
        queries += [prefix + setting for setting in view.to_query().split("&") if setting]
    return "&".join(queries), needs_own


@cache
def _clips() -> tuple[Path, ...]:
    return tuple(sorted(CLIPS.glob("*.mp4")))
