"""python -m hbi_core.explain VIDEO "CAPTION" --out DIR: explain from a shell."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from explainers import WEIGHTINGS
from hbi_core.command_line import command, parsed, text_of
from hbi_core.figures.print_style import WIDTHS, without_font
from hbi_core.pipeline import explain


@dataclass(frozen=True)
class Arguments:
    """Explain how a video and a caption fit together, at three levels.

    Writes explanation.json, figure.pdf, figure.svg, figure.png, interactions.csv and
    graph.graphml. Exit status: 0; 2 for input that cannot be used.
    """

    video: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="VIDEO")]
    """A video file."""
    caption: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="CAPTION")]
    """A text that describes it."""
    out: Path
    """Folder to write to; made if it is not there."""
    encoder: str = "auto"
    """auto, lite, open_clip, open_clip:MODEL or open_clip:MODEL:WEIGHTS. auto is the encoder
    that the checkpoint was trained with, lite without a checkpoint."""
    checkpoint: str | None = None
    """Trained heads; those we ship for lite where none are given, "untrained" for none."""
    frames: Annotated[
        int | None,
        tyro.conf.arg(
            metavar="INT", help_behavior_hint="(default: 12, or what a converted checkpoint reads)"
        ),
    ] = None
    """Frames to look at, 1 to 64."""
    weighting: Literal[WEIGHTINGS] = "renormalised"
    """Of the tokens in a coalition."""
    width: Literal[tuple(WIDTHS)] = "text"
    """Of the figure: text (6.875 in) or column (3.25 in)."""


@command
def main(argv: list[str] | None = None) -> None:
    arguments = parsed(Arguments, "explain", argv)
    explanation = explain(
        arguments.video,
        text_of(arguments.caption),
        encoder=arguments.encoder,
        frames=arguments.frames,
        checkpoint=arguments.checkpoint,
        weighting=arguments.weighting,
    )
    written = explanation.save(arguments.out, arguments.width)
    undrawn = without_font(explanation)
    scores = ", ".join(f"{level.name} {level.score:.3f}" for level in explanation.levels)
    print(f"Similarity S: {scores} (encoder {explanation.encoder}, heads {explanation.checkpoint})")
    for reason, words in explanation.left_out_why.items():
        print(f"{reason}, left out: {' '.join(words)}")
    if undrawn:
        print(f"No installed font can draw {undrawn}: the figures show boxes. Install Noto fonts.")
    for path in written:
        print(path)


if __name__ == "__main__":
    sys.exit(main())
