"""python -m hbi_core.explain VIDEO "CAPTION" --out DIR: explain from a shell, or open again."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from explainers import WEIGHTINGS
from hbi_core.batch import Asked, explain_pairs, read_pairs
from hbi_core.checkpoints.checkpoint import UNTRAINED, load_checkpoint
from hbi_core.command_line import (
    command,
    is_saved,
    metavar_of,
    parsed,
    refuse_questions,
    stages,
    text_of,
)
from hbi_core.encoders import download_encoder
from hbi_core.errors import InputError, SettingsError
from hbi_core.explanation import Explanation
from hbi_core.figure_options import FigureOptions
from hbi_core.figures.print_style import without_font
from hbi_core.pipeline import explain
from hbi_core.settings import check, one_of
from hbi_core.summary import SUMMARY, Row, in_words
from hbi_core.what_ran import model_in_words


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Explain how a video and a caption fit together, at three levels.

    It writes explanation.json, interactions.csv, players.csv, levels.csv and graph.graphml, which
    have everything; figure.pdf, .svg, .png, .html and .csv, which have what the view shows;
    figure.tex and references.bib. The exit status is 0, or 2 for input that cannot be used.
    """

    video: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="VIDEO")] = None
    """This video file is explained. An explanation.json is opened instead, without its video, and
    its files are written anew."""
    caption: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="CAPTION")] = None
    """This text describes the video; it has at least one word. An explanation.json has its own."""
    batch: Path | None = None
    """Instead of a video and a caption: this CSV file with the columns video and caption. Each pair
    gets a folder in DIR, and DIR/summary.csv a line. What is in DIR already is not explained again,
    so a batch that was stopped goes on; a pair that is broken is told and stops no other."""
    out: Path
    """The files are written to this folder, which is made if it is not there."""
    encoder: str = "auto"
    """This encodes frames and words: lite, open_clip, open_clip:MODEL or open_clip:MODEL:WEIGHTS.
    With auto, it is the encoder that the checkpoint was trained with, or lite without one. A model
    of your own is own:MODULE:FACTORY."""
    checkpoint: str | None = None
    """These are the trained heads. Where none are given, lite takes those that we ship and other
    encoders run without; with "untrained", every encoder runs without."""
    download: bool = False
    """What an open_clip encoder lacks here, weights or tokenizer, is fetched once, and kept
    in the cache of the Hugging Face hub. Without this, nothing is ever downloaded."""
    frames: Annotated[
        int | None,
        tyro.conf.arg(
            metavar="INT", help_behavior_hint="(default: 12, or what a converted checkpoint reads)"
        ),
    ] = None
    """So many frames of the video are looked at, 1 to 64."""
    weighting: Annotated[str, metavar_of(WEIGHTINGS)] = "renormalised"
    """Tokens in a coalition are weighted by a softmax over its members (renormalised) or over all
    tokens (fixed)."""
    figure: Annotated[FigureOptions, tyro.conf.arg(name="")] = field(default_factory=FigureOptions)
    """The figures are written like this."""

    def __post_init__(self) -> None:
        check(self, weighting=one_of(WEIGHTINGS))
        if self.batch is not None:
            if self.video is not None:
                raise SettingsError("--batch has its videos and captions: leave out VIDEO.")
            return
        if self.video is None:
            raise SettingsError("VIDEO and CAPTION are missing, or --batch FILE in place of them.")
        if is_saved(self.video):
            beside = ("video", "batch", "out", "figure")
            refuse_questions(self, self.video, beside, caption="CAPTION")
        elif self.caption is None:
            raise SettingsError("CAPTION is missing: write what the video shows, in quotes.")


@command
def main(argv: list[str] | None = None) -> None:
    arguments = parsed(Arguments, "explain", argv)
    if arguments.download:
        download_encoder(_encoder_name(arguments))
    if arguments.batch is not None:
        _explain_batch(arguments, arguments.batch)
        return
    explanation, figure = _explanation(arguments), arguments.figure
    written = explanation.save(arguments.out, figure.width, figure.shown, figure.font)
    scores = ", ".join(f"{level.name} {level.score:.3f}" for level in explanation.levels)
    model = model_in_words(explanation.encoder, explanation.checkpoint)
    print(f"{explanation.worth.title}: {scores} ({model})")
    for remark in remarks(explanation):
        print(remark)
    for path in written:
        print(path)


def _explanation(arguments: Arguments) -> Explanation:
    assert arguments.video is not None, "Arguments refuses it without a batch"
    if arguments.caption is None:
        return Explanation.from_file(arguments.video)
    with stages() as tell:
        return explain(
            arguments.video,
            text_of(arguments.caption),
            encoder=arguments.encoder,
            frames=arguments.frames,
            checkpoint=arguments.checkpoint,
            weighting=arguments.weighting,
            progress=tell,
        )


def _explain_batch(arguments: Arguments, table: Path) -> None:
    """Explain all pairs of a table, and tell of each as it is done."""
    pairs = read_pairs(table)
    asked = Asked(
        encoder=arguments.encoder,
        frames=arguments.frames,
        checkpoint=arguments.checkpoint,
        weighting=arguments.weighting,
        width=arguments.figure.width,
        view=arguments.figure.shown,
        font=arguments.figure.font,
    )
    rows = []
    for row in explain_pairs(pairs, arguments.out, asked, find=table.parent.joinpath):
        rows.append(row)
        print(f"{len(rows)}/{len(pairs)} {row.pair.video}: {_told(row)}", flush=True)
    print(f"{in_words(rows)}: {arguments.out / SUMMARY}")
    if all(row.error for row in rows):
        raise InputError(f"No pair of {table} could be explained; the first: {rows[0].error}")


def _told(row: Row) -> str:
    if row.error:
        return row.error
    scores = ", ".join(f"{level} {score:.3f}" for level, score in row.scores.items())
    return f"{scores}{', explained before' if row.before else ''}"


def remarks(explanation: Explanation) -> Iterator[str]:
    """What a user should know of how a caption was read, and of its figures: a sentence each."""
    for reason, words in explanation.left_out_why.items():
        yield f"{reason}, left out: {' '.join(words)}"
    yield from explanation.notes
    if undrawn := without_font(explanation):
        yield f"No installed font can draw {undrawn}: the figures show boxes. Install Noto fonts."


def _encoder_name(arguments: Arguments) -> str:
    """The encoder that is meant: with auto, that of the checkpoint."""
    checkpoint = arguments.checkpoint
    if arguments.encoder != "auto" or checkpoint in (None, UNTRAINED):
        return arguments.encoder
    return load_checkpoint(checkpoint).encoder


if __name__ == "__main__":
    sys.exit(main())
