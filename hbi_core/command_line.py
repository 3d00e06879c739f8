"""What the commands `python -m hbi_core.<name>` share."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import fields
from types import UnionType
from typing import Any, Protocol, TextIO, TypeVar, overload

import tyro
from tqdm import tqdm

from explainers.timing import Progress
from hbi_core.errors import InputError, SettingsError

Arguments = TypeVar("Arguments")
_HEADINGS = re.compile(r"^Value error (Error parsing Arguments: )?")  # of tyro's boxes


class Main(Protocol):
    def __call__(self, argv: list[str] | None = None) -> None: ...


class Command(Protocol):
    def __call__(self, argv: list[str] | None = None) -> int: ...


def command(main: Main) -> Command:
    """Make a `main` return an exit status.

    0; 2 where its user can mend an error, which is told in one line on standard error; 1, told
    alike, where standard output cannot be written (its disk is full); 141, as a shell tells of
    SIGPIPE, where nobody reads it any more (`| head`). Files that were written stay.

    Any console can print what a command says: characters that its encoding lacks come out as
    escapes.
    """

    @functools.wraps(main)
    def run(argv: list[str] | None = None) -> int:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        try:
            with _output():
                main(argv)
        except InputError as error:
            _tell(error)
            return 2
        except _OutputError as error:
            if isinstance(error.__cause__, BrokenPipeError):
                return 141
            _tell(error)
            return 1
        return 0

    return run


def metavar_of(names: Iterable[str]) -> object:
    """An option whose values are these: {text,column} stands behind its name."""
    return tyro.conf.arg(metavar=f"{{{','.join(names)}}}")


def is_saved(source: str | None) -> bool:
    """Whether what is given in place of a video is a result that was saved, to be opened again."""
    return source is not None and source.lower().endswith(".json")


def refuse_questions(arguments: Any, source: str, beside: Collection[str], **texts: str) -> None:
    """Refuse what asks something of a model where a saved result is opened again.

    Args:
        arguments: the dataclass that was parsed.
        source: the file that is opened.
        beside: fields that may be given all the same: which file, and how it is written again.
        texts: of the fields that are told by their place, what they are called.

    Raises:
        SettingsError: another field is not what it is by default.
    """
    given = [
        texts.get(one.name, f"--{one.name.replace('_', '-')}")
        for one in fields(arguments)
        if one.name not in beside and getattr(arguments, one.name) != one.default
    ]
    if given:
        raise SettingsError(
            f"{source} has its answer already, and is only opened again: leave out "
            f"{', '.join(given)}."
        )


def text_of(argument: str) -> str:
    """What was typed, also where the locale has only ASCII: Python escapes its other bytes there.

    Paths want it as it came: they are turned back into those bytes.
    """
    try:
        return argument.encode("utf-8", "surrogateescape").decode("utf-8")
    except UnicodeError:
        return argument


@overload
def parsed(kind: type[Arguments], name: str, argv: list[str] | None) -> Arguments: ...
@overload
def parsed(kind: UnionType, name: str, argv: list[str] | None) -> Any: ...
def parsed(kind: Any, name: str, argv: list[str] | None) -> Any:
    """The arguments; what is wrong with them as one sentence instead of a drawn box.

    Args:
        kind: dataclass of the arguments, or several, one for each subcommand.
        name: of the command, as in `python -m hbi_core.<name>`.
        argv: what was typed; None takes sys.argv.

    Raises:
        InputError: they cannot be used.
    """
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return tyro.cli(kind, args=argv, prog=f"python -m hbi_core.{name}")
    except SystemExit as stop:
        if not stop.code:
            raise  # --help
        text = re.sub(r"[\u2500-\u257f]+|-{3,}", " ", said.getvalue())
        raise InputError(_HEADINGS.sub("", " ".join(text.split()))) from stop


@contextlib.contextmanager
def stages() -> Iterator[Progress]:
    """What is being done, in a line on a terminal that goes when it is done; elsewhere nothing."""
    with tqdm(bar_format="{desc}", leave=False, disable=None) as line:
        yield lambda fraction, step: line.set_description_str(f"{100 * fraction:3.0f} %  {step}")


class _OutputError(Exception):
    """Standard output cannot be written; its cause is the OSError."""


class _Output:
    """A stream whose errors are told from those of files."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        return self._try(self._stream.write, text)

    def flush(self) -> None:
        self._try(self._stream.flush)

    def _try(self, action: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return action(*arguments)
        except OSError as error:
            with contextlib.suppress(OSError):  # Python flushes what is left when it ends
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
            raise _OutputError(f"The output cannot be written: {error.strerror}.") from error


@contextlib.contextmanager
def _output() -> Iterator[None]:
    """Raise _OutputError where standard output fails, also in what was still to be flushed."""
    if sys.stdout is None:  # closed
        yield
        return
    stream = _Output(sys.stdout)
    with contextlib.redirect_stdout(stream):
        try:
            yield
        except SystemExit:  # after --help
            stream.flush()
            raise
        stream.flush()


def _tell(error: Exception) -> None:
    with contextlib.suppress(OSError):  # the exit status tells it too
        print("error: " + " ".join(str(error).split()), file=sys.stderr)
