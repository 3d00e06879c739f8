"""The tab "Batch": a table of videos and captions, explained one after the other."""

from __future__ import annotations

import unicodedata
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from app.export import download, new_folder
from app.session import (
    KEPT_SECONDS,
    LONGEST_CAPTION,
    Session,
    Values,
    checked_encoder,
    escaped,
)
from app.uploads import CLIPS, refused_plainly, uploaded_file
from hbi_core.batch import Asked, explain_pairs, read_pairs
from hbi_core.errors import DataError, InputError, VideoError
from hbi_core.model.config import LEVEL_NAMES
from hbi_core.summary import Link, Pair, Row, in_words, write_summary

MOST_PAIRS = 100
HEADERS = (
    "Video",
    "Caption",
    *(f"S {level}" for level in LEVEL_NAMES),
    *(f"Strongest, {level}" for level in LEVEL_NAMES),
    "What is wrong",
)
_WIDTHS = ("100px", "190px", *3 * ("70px",), *3 * ("165px",), "165px")  # all are seen at 1280
_INTRODUCTION = f"""Explain many pairs: a CSV file with the columns `video` and `caption`, a line
for each pair, {MOST_PAIRS} at most, and the videos that it names. A broken pair is told in its row
and stops no other. What was explained is kept for an hour: after Stop, or with more lines in the
table, it goes on from there.
"""


@dataclass(frozen=True)
class Work:
    """What a visitor's batches have done.

    Attributes:
        folder: of all explanations.
        rows: of the last batch, as far as it came.
    """

    folder: Path
    rows: tuple[Row, ...] = ()


class Batch:
    """Table and videos, the progress, the summary, and all files as a zip."""

    title = "Batch"
    elem_id = "batch"

    def __init__(self, session: Session) -> None:
        self.recent = session.recent
        gr.Markdown(_INTRODUCTION)
        with gr.Row():
            table = gr.File(
                label="Table (CSV)",
                file_types=[".csv", ".tsv", ".txt"],
                height=175,
                elem_id="batch-table",
            )
            videos = gr.File(
                label="Its videos (none: demo clips)",
                file_count="multiple",
                file_types=["video"],
                height=175,
                elem_id="batch-videos",
            )
        with gr.Row():
            button = gr.Button("Explain all", variant="primary", elem_id="batch-start", scale=3)
            self.stop = gr.Button("Stop", interactive=False, elem_id="batch-stop", scale=1)
        self.message = gr.Markdown(elem_id="batch-message")
        self.progress = gr.HTML(elem_id="batch-progress")
        self.summary = gr.Dataframe(
            headers=list(HEADERS),
            column_widths=list(_WIDTHS),
            interactive=False,
            wrap=True,
            elem_id="batch-summary",
        )
        self.work = gr.State(time_to_live=KEPT_SECONDS)
        pack_button = gr.Button("Download all files and the summary", elem_id="batch-export")
        download(pack_button, pack, [self.work], "batch-export")
        running = button.click(
            self.explain_all,
            [table, videos, self.work, session.encoder, session.frames, session.weighting],
            [self.message, self.progress, self.stop, self.summary, self.work],
            api_visibility="private",
            show_progress="hidden",
        )
        self.stop.click(
            self.stopped,
            self.work,
            [self.message, self.progress, self.stop],
            cancels=[running],
            api_visibility="private",
            queue=False,
            show_progress="hidden",
        )

    def explain_all(
        self, table: Any, videos: Any, work: Work | None, encoder: Any, frames: Any, weighting: Any
    ) -> Iterator[Values]:
        """The Explain all button: a row of the summary after each pair. Values as a request has."""
        rows: list[Row] = []
        try:
            if not table:
                raise InputError("Choose a table first: a CSV file with video and caption.")
            pairs = _checked_pairs(uploaded_file(table))
            asked = Asked(checked_encoder(encoder), frames, weighting=weighting)
            find = _finder([uploaded_file(one) for one in videos or ()] or sorted(CLIPS.iterdir()))
            folder = work.folder if work and work.folder.is_dir() else new_folder()
            yield {
                self.message: "",
                self.progress: _bar(0, len(pairs)),
                self.stop: gr.update(interactive=True),
                self.summary: [],
            }
            for row in explain_pairs(pairs, folder, asked, find, recent=self.recent):
                rows.append(row)
                yield {
                    self.progress: _bar(len(rows), len(pairs)),
                    self.summary: [cells(one) for one in rows],
                    self.work: Work(folder, tuple(rows)),
                }
            yield self._ended(in_words(rows))
        except InputError as error:
            yield self._ended(str(error))

    def stopped(self, work: Work | None) -> Values:
        """The Stop button."""
        done = f" after {_pairs(len(work.rows))}" if work else ""
        return self._ended(f"Stopped{done}. Explain all goes on from there.")

    def _ended(self, message: str) -> Values:
        return {
            self.message: f"**{escaped(message)}**",
            self.progress: "",
            self.stop: gr.update(interactive=False),
        }


def _checked_pairs(table: Path) -> list[Pair]:
    """The pairs of an uploaded table, not too many; errors have its name without its folder."""
    try:
        pairs = read_pairs(table)
    except DataError as error:
        raise DataError(str(error).replace(str(table), table.name)) from error
    if len(pairs) > MOST_PAIRS:
        raise DataError(
            f"The table has {len(pairs):,} pairs; this page takes {MOST_PAIRS}. The command "
            "python -m hbi_core.explain --batch FILE --out DIR takes any number."
        )
    if any(len(pair.caption) > LONGEST_CAPTION for pair in pairs):
        raise DataError(f"A caption has more than {LONGEST_CAPTION:,} characters. Shorten it.")
    return pairs


def pack(work: Work | None) -> str:
    """The path of a zip with the files of the last batch and its summary.csv.

    Raises:
        gr.Error: there is none, or it was deleted after an hour.
    """
    with refused_plainly():
        if work is None or not work.folder.is_dir():
            raise InputError("Nothing to download yet: press Explain all first.")
        summary = write_summary(work.rows, work.folder)
        archive = new_folder() / "hbi-batch.zip"
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as bundle:
            bundle.write(summary, summary.name)
            for name in sorted({row.folder for row in work.rows} - {""}):
                for file in sorted((work.folder / name).iterdir()):
                    bundle.write(file, f"{name}/{file.name}")
    return str(archive)


def cells(row: Row) -> list[str]:
    """A row of the summary as it is shown."""
    known = row.scores
    scores = [f"{known[level]:.3f}" if level in known else "" for level in LEVEL_NAMES]
    links = [_in_words(row.strongest[level]) if level in known else "" for level in LEVEL_NAMES]
    return [row.pair.video, row.pair.caption, *scores, *links, row.error]


def _in_words(link: Link) -> str:
    """“a cat” – frames 1–4 (+0.012); frames as a reader counts."""
    first, last = link.frames[0] + 1, link.frames[-1] + 1
    frames = f"frame {first}" if first == last else f"frames {first}–{last}"
    if len(link.frames) not in (1, last - first + 1):
        frames = "frames " + ", ".join(str(frame + 1) for frame in link.frames)
    return f"“{link.text}” – {frames} ({link.interaction:+.3f})"


def _finder(files: Iterable[Path]) -> Callable[[str], Path]:
    """Finds the file that is named in a table: by its name, whatever its folder and case."""
    known = {_key(file.name): file for file in files}

    def find(name: str) -> Path:
        file = known.get(_key(name))
        if file is None:
            raise VideoError(f"{name or 'A video without a name'} is not among the videos.")
        return file

    return find


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name.replace("\\", "/").rpartition("/")[2]).casefold()


def _pairs(count: int) -> str:
    return f"{count:,} pair{'s' * (count != 1)}"


def _bar(done: int, pairs: int) -> str:
    return (
        f"<label>{done:,} of {_pairs(pairs)} "
        f'<progress class="batch-bar" value="{done}" max="{pairs}"></progress></label>'
    )
