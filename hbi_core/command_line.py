"""What the commands `python -m hbi_core.<name>` share."""

from __future__ import annotations

import contextlib
import functools
import io
import re
import sys
from collections.abc import Callable
from typing import TypeVar

import tyro

from hbi_core.errors import InputError

Arguments = TypeVar("Arguments")


Main = Callable[[list[str] | None], None]


def command(main: Main) -> Callable[[list[str] | None], int]:
    """Make a `main` return an exit status: 0; 2 where its user can mend an error.

    Such an error is told in one line on standard error. Any console can print what a command says:
    characters that its encoding lacks come out as escapes.
    """

    @functools.wraps(main)
    def run(argv: list[str] | None = None) -> int:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        try:
            main(argv)
        except InputError as error:
            print("error: " + " ".join(str(error).split()), file=sys.stderr)
            return 2
        return 0

    return run


def parsed(kind: type[Arguments], name: str, argv: list[str] | None) -> Arguments:
    """The arguments; what is wrong with them as one sentence instead of a drawn box.

    Args:
        kind: dataclass of the arguments.
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
        raise InputError(" ".join(text.split())) from stop
