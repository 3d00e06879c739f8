"""python -m hbi_core.ask VIDEO "QUESTION" --out DIR: ask and see why it says so, or open again."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from explainers import WEIGHTINGS
from hbi_core.answered import Answered
from hbi_core.command_line import (
    command,
    is_saved,
    metavar_of,
    parsed,
    refuse_questions,
    stages,
    text_of,
)
from hbi_core.errors import SettingsError
from hbi_core.explain import remarks
from hbi_core.figure_options import FigureOptions
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
    """This is the video file. An answer.json is opened instead, without its video, and its files
    are written anew."""
    out: Path
    """The files are written to this folder, which is made if it is not there."""
    question: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="QUESTION")] = None
    """This is asked about it."""
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
    figure: Annotated[FigureOptions, tyro.conf.arg(name="")] = field(default_factory=FigureOptions)
    """The figures are written like this."""

    def __post_init__(self) -> None:
        check(self, weighting=one_of(WEIGHTINGS))
        if is_saved(self.video):
            refuse_questions(self, self.video, ("video", "out", "figure"), question="QUESTION")
        elif self.question is None:
            raise SettingsError("QUESTION is missing: write what is to be answered, in quotes.")


@command
def main(argv: list[str] | None = None) -> None:
    arguments = parsed(Arguments, "ask", argv)
    figure, answered = arguments.figure, _answered(arguments)
    written = answered.save(arguments.out, figure.width, figure.shown, figure.font)
    for answer in answered.answers:
        print(f"{100 * answer.probability:5.1f} %  {answer.text}")
    print(answered.sentence)
    for remark in (*answered.limits, *remarks(answered.explanation)):
        print(remark)
    for path in written:
        print(path)


def _answered(arguments: Arguments) -> Answered:
    if arguments.question is None:
        return Answered.from_file(arguments.video)
    with stages() as tell:
        return ask(
            arguments.video,
            text_of(arguments.question),
            frames=arguments.frames,
            checkpoint=arguments.checkpoint,
            weighting=arguments.weighting,
            progress=tell,
        )


if __name__ == "__main__":
    sys.exit(main())
