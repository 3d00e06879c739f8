"""python -m hbi_core.contrast VIDEO CAPTION_A CAPTION_B --out DIR: contrast, or open again."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from explainers import WEIGHTINGS
from hbi_core.command_line import (
    command,
    is_saved,
    metavar_of,
    parsed,
    refuse_questions,
    stages,
    text_of,
)
from hbi_core.contrasted import Contrast
from hbi_core.errors import SettingsError
from hbi_core.explain import remarks
from hbi_core.figure_options import FigureOptions
from hbi_core.pipeline import contrast
from hbi_core.settings import check, one_of
from hbi_core.verdict import of_level


@dataclass(frozen=True)
class Arguments:
    """Say which frames and words speak for one caption of a video rather than another.

    Or for one of two videos of a caption, or in one of two models: the options that begin with
    other say what is other in B. It writes contrast.json, contrast.pdf, contrast.svg, contrast.png,
    contrast.html, contrast.csv, contrast_links.csv, contrast.tex and references.bib. The exit
    status is 0, or 2 for input that cannot be used.
    """

    video: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="VIDEO")]
    """This is the video file of A. A contrast.json is opened instead, without its videos, and its
    files are written anew."""
    out: Path
    """The files are written to this folder, which is made if it is not there."""
    caption: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="CAPTION_A")] = None
    """This is the caption of A."""
    other_caption: Annotated[
        str | None, tyro.conf.Positional, tyro.conf.arg(metavar="CAPTION_B")
    ] = None
    """This is the caption of B; without it, B has that of A."""
    other_video: str | None = None
    """This is the video file of B; without it, B has that of A."""
    other_encoder: str | None = None
    """B is encoded by this."""
    other_checkpoint: str | None = None
    """B takes these trained heads; "untrained" takes none."""
    encoder: str = "auto"
    """This encodes frames and words; python -m hbi_core.explain --help lists what there is."""
    checkpoint: str | None = None
    """These are the trained heads, as of python -m hbi_core.explain."""
    frames: Annotated[
        int | None,
        tyro.conf.arg(
            metavar="INT", help_behavior_hint="(default: 12, or what a converted checkpoint reads)"
        ),
    ] = None
    """So many frames of each video are looked at, 1 to 64."""
    weighting: Annotated[str, metavar_of(WEIGHTINGS)] = "renormalised"
    """Tokens in a coalition are weighted by a softmax over its members (renormalised) or over all
    tokens (fixed)."""
    figure: Annotated[FigureOptions, tyro.conf.arg(name="")] = field(default_factory=FigureOptions)
    """The figures are written like this."""

    def __post_init__(self) -> None:
        check(self, weighting=one_of(WEIGHTINGS))
        if is_saved(self.video):
            texts = {"caption": "CAPTION_A", "other_caption": "CAPTION_B"}
            refuse_questions(self, self.video, ("video", "out", "figure"), **texts)
        elif self.caption is None:
            raise SettingsError("CAPTION_A is missing: write what the video shows, in quotes.")


@command
def main(argv: list[str] | None = None) -> None:
    arguments = parsed(Arguments, "contrast", argv)
    figure, result = arguments.figure, _contrast(arguments)
    written = result.save(arguments.out, figure.width, figure.font, figure.shown)
    print(result.sentence)
    for level in result.levels:
        print(of_level(level))
    for note in result.notes:
        print(note)
    for name, explanation in (("A", result.a), ("B", result.b)):
        for remark in remarks(explanation):
            print(f"{name}: {remark}")
    for path in written:
        print(path)


def _contrast(arguments: Arguments) -> Contrast:
    if arguments.caption is None:
        return Contrast.from_file(arguments.video)
    other = arguments.other_caption
    with stages() as tell:
        return contrast(
            arguments.video,
            text_of(arguments.caption),
            None if other is None else text_of(other),
            arguments.other_video,
            arguments.other_encoder,
            arguments.other_checkpoint,
            encoder=arguments.encoder,
            frames=arguments.frames,
            checkpoint=arguments.checkpoint,
            weighting=arguments.weighting,
            progress=tell,
        )


if __name__ == "__main__":
    sys.exit(main())
