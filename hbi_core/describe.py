"""python -m hbi_core.describe VIDEO --out DIR: describe and see what carried it, or open again."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from hbi_core.command_line import command, is_saved, parsed, refuse_questions, stages
from hbi_core.described import Described
from hbi_core.explain import remarks
from hbi_core.figure_options import FigureOptions
from hbi_core.pipeline import describe


@dataclass(frozen=True)
class Arguments:
    """Describe a video, and say which frames carried each word of the caption.

    It writes description.json, which has everything; words.csv, the probabilities of the words with
    and without the video; captions.csv, the caption and its alternatives; and what python -m
    hbi_core.explain writes, of the game of the caption. The exit status is 0, or 2 for input that
    cannot be used.
    """

    video: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="VIDEO")]
    """This is the video file. A description.json is opened instead, without its video, and its
    files are written anew."""
    out: Path
    """The files are written to this folder, which is made if it is not there."""
    checkpoint: str | None = None
    """This model describes: a checkpoint of the task captioning. Without it, the one that we ship
    does."""
    frames: Annotated[
        int | None, tyro.conf.arg(metavar="INT", help_behavior_hint="(default: 12)")
    ] = None
    """So many frames of the video are looked at, 1 to 64. Of up to 12, all sets are read, so that
    the numbers are exact; of more, a sample."""
    beams: Annotated[
        int | None, tyro.conf.arg(metavar="INT", help_behavior_hint="(default: of the checkpoint)")
    ] = None
    """The search keeps so many beginnings of captions, and finds so many captions, 1 to 32."""
    figure: Annotated[FigureOptions, tyro.conf.arg(name="")] = field(default_factory=FigureOptions)
    """The figures are written like this."""

    def __post_init__(self) -> None:
        if is_saved(self.video):
            refuse_questions(self, self.video, ("video", "out", "figure"))


@command
def main(argv: list[str] | None = None) -> None:
    arguments = parsed(Arguments, "describe", argv)
    figure, described = arguments.figure, _described(arguments)
    written = described.save(arguments.out, figure.width, figure.shown, figure.font)
    for line in lines(described):
        print(line)
    for path in written:
        print(path)


def _described(arguments: Arguments) -> Described:
    if is_saved(arguments.video):
        return Described.from_file(arguments.video)
    with stages() as tell:
        return describe(
            arguments.video,
            frames=arguments.frames,
            checkpoint=arguments.checkpoint,
            beams=arguments.beams,
            progress=tell,
        )


def lines(described: Described) -> list[str]:
    """What is told of a caption: the beams, the words, and what a reader has to know."""
    return [
        *(f"{caption.log_probability:7.2f}  {caption.text}" for caption in described.captions),
        *(
            f"{100 * word.probability:5.1f} %, without the video {100 * word.without_video:5.1f} %"
            f"  {word.text}"
            for word in described.words
        ),
        *described.limits,
        *remarks(described.explanation),
    ]


if __name__ == "__main__":
    sys.exit(main())
