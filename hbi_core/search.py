"""python -m hbi_core.search FOLDER "QUERY": rank clips by how well they fit a text; open again."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from hbi_core.command_line import (
    command,
    is_saved,
    parsed,
    refuse_questions,
    stages,
    text_of,
)
from hbi_core.data.clip_set import ArchiveLimits, clips_in_archive
from hbi_core.errors import SettingsError
from hbi_core.figures.contact_sheet import contact_sheet_page
from hbi_core.pipeline import search
from hbi_core.search_result import SearchResult
from hbi_core.tables import write_csv
from hbi_core.what_ran import model_in_words
from hbi_core.written import check_file, write_text

_ARCHIVE = ArchiveLimits(clips=20_000, bytes=100_000_000_000)  # one's own is trusted that far


@dataclass(frozen=True)
class Arguments:
    """Rank clips by how well they fit a text, at three levels.

    Their features are kept, so that the next query takes moments; Ctrl+C loses nothing, the same
    command goes on from there. The exit status is 0, or 2 for input that cannot be used.
    """

    clips: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER")]
    """The video files of this folder are searched, and those of all folders in it; or those of a
    zip archive. A search.json is opened instead, without its clips."""
    query: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="QUERY")] = None
    """This text is searched for; it has at least one word."""
    top: int = 10
    """So many clips are listed, 1 to 100."""
    json: Path | None = None
    """The result is written to this file too."""
    csv: Path | None = None
    """The ranking is written to this file as a table."""
    sheet: Path | None = None
    """A contact sheet of the clips is written to this HTML file."""
    encoder: str = "auto"
    """This encodes frames and words: lite, open_clip, open_clip:MODEL or open_clip:MODEL:WEIGHTS.
    With auto, it is the encoder that the checkpoint was trained with, or lite without one."""
    checkpoint: str | None = None
    """These are the trained heads. Where none are given, lite takes those that we ship and other
    encoders run without; with "untrained", every encoder runs without."""
    frames: int | None = None
    """So many frames of each clip are looked at, 1 to 64; where it is not given, as many as
    hbi_core.explain looks at."""
    cache: Path | None = None
    """The features are kept in this folder; where none is given, in the one that the environment's
    HBI_CACHE names, or hbi in the user's folder for caches."""

    def __post_init__(self) -> None:
        if is_saved(self.clips):
            refuse_questions(self, self.clips, ("clips", "json", "csv", "sheet"), query="QUERY")
        elif self.query is None:
            raise SettingsError("QUERY is missing: write what is searched for, in quotes.")


@command
def main(argv: list[str] | None = None) -> None:
    arguments = parsed(Arguments, "search", argv)
    for setting in ("json", "csv", "sheet"):
        file = getattr(arguments, setting)
        if file is not None:
            check_file(file, f"--{setting} FILE")
    result = _searched(arguments)
    print(table(result))
    for name, reason in result.skipped.items():
        print(f"left out: {name}: {reason}", file=sys.stderr)
    if result.words_left_out:
        print(f"words left out: {' '.join(result.words_left_out)}")
    for note in result.notes:
        print(note)
    for written, write, text in (
        (arguments.json, write_text, result.to_json() + "\n"),
        (arguments.csv, write_csv, result.to_csv()),
        (arguments.sheet, write_text, contact_sheet_page(result)),
    ):
        if written is not None:
            written.parent.mkdir(parents=True, exist_ok=True)
            write(written, text)
            print(written)


def table(result: SearchResult) -> str:
    """The hits as a text table: rank, the mean, the levels, and the time of the best frame."""
    levels = list(result.level_weights)
    head = f"{'':>4} {'score':>7} " + " ".join(f"{name:>7}" for name in levels)
    lines = [f"{head} {'best at':>9}  clip"]
    for rank, hit in enumerate(result.hits, 1):
        scores = " ".join(f"{hit.levels[name]:7.3f}" for name in levels)
        lines.append(f"{rank:4} {hit.score:7.3f} {scores} {hit.time:7.1f} s  {hit.name}")
    model = f"{model_in_words(result.encoder, result.checkpoint)}, {result.frames} frames"
    return "\n".join([*lines, f"{len(result.hits)} of {result.clips:,} clips ({model})"])


def _searched(arguments: Arguments) -> SearchResult:
    if arguments.query is None:
        return SearchResult.from_file(arguments.clips)
    source = Path(arguments.clips)
    with tempfile.TemporaryDirectory() as folder, stages() as tell:
        clips = clips_in_archive(source, Path(folder), _ARCHIVE) if source.is_file() else source
        try:
            return search(
                clips,
                text_of(arguments.query),
                arguments.top,
                encoder=arguments.encoder,
                frames=arguments.frames,
                checkpoint=arguments.checkpoint,
                progress=tell,
                cache=arguments.cache,
            )
        except KeyboardInterrupt:
            print("Stopped. The same command goes on from here.", file=sys.stderr)
            sys.exit(130)  # as a shell tells of Ctrl+C


if __name__ == "__main__":
    sys.exit(main())
