"""What all commands do alike."""

from __future__ import annotations

import io
import sys

import pytest

from hbi_core import convert, evaluate, explain, train
from hbi_core.command_line import command
from hbi_core.errors import CaptionError


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_every_console_can_print_everything(monkeypatch, encoding):
    """Also bytes of a file's name that are no text, which Python has as half surrogates."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2))
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)

    @command
    def main(argv):
        print("кот 猫 \udcff")
        raise CaptionError("no 猫\nhere")

    assert main() == 2
    for stream in (out, err):
        stream.flush()
    told = "кот 猫 \\udcff".encode(encoding, "backslashreplace")
    assert out.buffer.getvalue().split() == told.split()
    assert err.buffer.getvalue() == "error: no 猫 here\n".encode(encoding, "backslashreplace")


def test_errors_of_the_program_are_not_errors_of_its_user():
    @command
    def main(argv):
        if argv:
            raise ValueError(argv)

    assert main([]) == 0
    with pytest.raises(ValueError, match="bug"):
        main(["bug"])


def test_every_command_is_one():
    for module in (convert, evaluate, explain, train):
        assert module.main.__wrapped__.__module__ == module.__name__
        assert module.main.__code__ is command(print).__code__
