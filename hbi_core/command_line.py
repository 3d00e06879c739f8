"""What the commands `python -m hbi_core.<name>` share."""

from __future__ import annotations

import contextlib
import io
import re
import sys
from typing import TypeVar

import tyro

from hbi_core.errors import InputError

Arguments = TypeVar("Arguments")


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


def refused(error: InputError) -> int:
    """Tell it in one line on standard error. Returns the exit status."""
    print("error: " + " ".join(str(error).split()), file=sys.stderr)
    return 2
