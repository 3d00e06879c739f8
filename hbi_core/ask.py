"""python -m hbi_core.ask VIDEO "QUESTION" --out DIR: ask from a shell, and see why it says so."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from explainers import WEIGHTINGS
from hbi_core.command_line import command, parsed, text_of
from hbi_core.explain import metavar_of, remarks
from hbi_core.figures.print_style import FONTS, WIDTHS
from hbi_core.figures.view import FigureView
from hbi_core.pipeline import ask
from hbi_core.settings import check, one_of


@dataclass(frozen=True)
class Arguments:
    """Answer a question about a video, and say which frames and words carried the answer.

    It writes answer.json, which has everything; left_out.csv, the answers without each frame and
    each word; and what python -m hbi_core.explain writes of the game of the answer, and in the
    folder change of the game of the first answer less the second. The exit status is 0, or 2 for
    input that cannot be used.
    """

    video: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="VIDEO")]
    """This is the video file."""
    question: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="QUESTION")]
    """This is asked about it."""
    out: Path
    """The files are written to this folder, which is made if it is not there."""
    checkpoint: str | None = None
    """This model answers: a checkpoint of the task question_answering. Without it, the one that we
    ship does."""
    frames: Annotated[
        int | None, tyro.conf.arg(metavar="INT", help_behavior_hint="(default: 12)")
    ] = None
    """So many frames of the video are looked at, 1 to 64."""
    weighting: Annotated[str, metavar_of(WEIGHTINGS)] = "renormalised"
    """Tokens in a coalition are weighted by a softmax over its members (renormalised) or over all
    tokens (fixed)."""
    width: Annotated[str, metavar_of(WIDTHS)] = "text"
    """The figures are as wide as a page of text (6.875 in) or as a column (3.25 in)."""
    font: Annotated[str, metavar_of(FONTS)] = "sans"
    """The figures have letters without serifs, or those that go with Times."""
    view: Annotated[str, tyro.conf.arg(metavar="QUERY")] = ""
    """The figures show this, written as in the address of the page: "levels=entity&top=10", for
    example. docs/figures.md lists the settings."""

    def __post_init__(self) -> None:
        check(
            self,
            weighting=one_of(WEIGHTINGS),
            width=one_of(tuple(WIDTHS)),
            font=one_of(tuple(FONTS)),
        )
        _ = self.shown  # refused before the video is read

    @property
    def shown(self) -> FigureView:
        """What the figures show.

        Raises:
            SettingsError: there is no such view.
        """
        return FigureView.from_query(self.view, strict=True)


@command
def main(argv: list[str] | None = None) -> None:
    arguments = parsed(Arguments, "ask", argv)
    answered = ask(
        arguments.video,
        text_of(arguments.question),
        frames=arguments.frames,
        checkpoint=arguments.checkpoint,
        weighting=arguments.weighting,
    )
    written = answered.save(arguments.out, arguments.width, arguments.shown, arguments.font)
    for answer in answered.answers:
        print(f"{100 * answer.probability:5.1f} %  {answer.text}")
    print(answered.sentence)
    for remark in (*answered.limits, *remarks(answered.explanation)):
        print(remark)
    for path in written:
        print(path)


if __name__ == "__main__":
    sys.exit(main())
