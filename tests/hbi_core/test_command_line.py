"""What all commands do alike."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from hbi_core import convert, evaluate, explain, train
from hbi_core.command_line import command, stages, text_of
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


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("buffering", [-1, 1])
@pytest.mark.parametrize("stop", [False, True])
def test_output_that_cannot_be_written(monkeypatch, capsys, buffering, stop):
    @command
    def main(argv):
        print("said")
        if stop:
            raise SystemExit(0)  # --help

    with open("/dev/full", "w", buffering=buffering) as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert main() == 1
    assert (
        capsys.readouterr().err == "error: The output cannot be written: No space left on device.\n"
    )


def test_output_that_nobody_reads(monkeypatch, capsys):
    @command
    def main(argv):
        print("said")

    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        assert main() == 141
    assert capsys.readouterr().err == ""


def test_errors_of_files_are_not_those_of_the_output(monkeypatch):
    @command
    def main(argv):
        raise OSError("a file's")

    with pytest.raises(OSError, match="a file's"):
        main()
    monkeypatch.setattr(sys, "stdout", None)  # closed by the shell
    assert command(print)(None) == 0


def test_words_typed_where_the_locale_has_only_ascii(monkeypatch):
    typed = "café 猫".encode().decode("ascii", "surrogateescape")
    assert text_of(typed) == text_of("café 猫") == "café 猫"
    assert text_of("caf\udce9") == "caf\udce9"  # of another encoding
    assert text_of("\ud83d") == "\ud83d"
    seen = []

    def refuse(video, caption, **settings):
        seen.extend([video, caption])
        raise CaptionError("enough")

    monkeypatch.setattr(explain, "explain", refuse)
    assert explain.main([typed, typed, "--out", "out"]) == 2
    assert seen == [typed, "café 猫"]


def test_every_command_is_one():
    for module in (convert, evaluate, explain, train):
        assert module.main.__wrapped__.__module__ == module.__name__
        assert module.main.__code__ is command(print).__code__


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (["--weighting", "none"], "error: weighting is 'none': use one of renormalised, fixed."),
        (["--frames", "few"], "error: Error parsing --frames: "),
    ],
)
def test_a_wrong_option_is_told_without_headings(capsys, option, said):
    assert explain.main(["clip.mp4", "a dog", "--out", "out", *option]) == 2
    assert capsys.readouterr().err.startswith(said)


@pytest.mark.parametrize("terminal", [True, False])
def test_what_is_being_done_is_told_on_a_terminal(monkeypatch, terminal):
    class Stream(io.StringIO):
        def isatty(self):
            return terminal

    monkeypatch.setattr(sys, "stderr", Stream())
    with stages() as tell:
        tell(0.25, "Reading the video")
        shown = sys.stderr.getvalue()
    assert ("25 %  Reading the video" in shown) == terminal
    assert sys.stderr.getvalue().split("\r")[-1].strip() == ""  # and goes
