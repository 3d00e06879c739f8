"""The tab "Batch": a table of videos and captions, explained one after the other."""

from __future__ import annotations

import time
import unicodedata
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from app.export import download, new_folder
from app.searched import uploaded_clips
from app.session import (
    KEPT_SECONDS,
    LONGEST_CAPTION,
    Opened,
    Session,
    Values,
    asked_anew,
    checked_encoder,
    escaped,
)
from app.stopping import StoppableProgress, StoppedError, stop_button, this_visitor
from app.uploads import refused_plainly, uploaded_file
from hbi_core.batch import Asked, explain_pairs, read_pairs
from hbi_core.data.clip_set import ClipSet, table_in_archive
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
_WIDTHS = ("120px", "185px", *3 * ("70px",), *3 * ("160px",), "215px")  # all are seen at 1280
_INTRODUCTION = f"""Explain many pairs: a CSV file with the columns `video` and `caption`, a line
for each pair, {MOST_PAIRS} at most, and the videos that it names; or a zip of all of them. A broken
pair is told in its row and stops no other. Click a row to see its explanation. What was explained
is kept for an hour: after Stop, or with more lines in the table, it goes on from there.
"""
_SHOW = """() => {
    document.querySelector('#graphs-button')?.click();
    document.querySelector('#figure').scrollIntoView();
}"""


@dataclass(frozen=True)
class Uploads:
    """A table and the clips that it names; archives are unpacked once.

    Attributes:
        named: the uploads.
        table: the file.
        clips: by name.
    """

    named: tuple[str, ...]
    table: Path
    clips: ClipSet


@dataclass(frozen=True)
class Work:
    """What a visitor's batches have done.

    Attributes:
        folder: of all explanations.
        uploads: of the last batch.
        rows: of the last batch, as far as it came.
    """

    folder: Path
    uploads: Uploads
    rows: tuple[Row, ...] = ()


class Batch:
    """Table and videos, the progress, the summary, and all files as a zip."""

    title = "Batch"
    elem_id = "batch"

    def __init__(self, session: Session) -> None:
        self.recent = session.recent
        self.session = session
        gr.Markdown(_INTRODUCTION)
        with gr.Row():
            with gr.Column(min_width=320):  # side by side where labels leave room for their icons
                table = gr.File(
                    label="Table (CSV), or a zip of all",
                    file_types=[".csv", ".tsv", ".txt", ".zip"],
                    height=175,
                    elem_id="batch-table",
                )
            with gr.Column(min_width=320):
                videos = gr.File(
                    label="Its videos or a zip (none: demo clips)",
                    file_count="multiple",
                    file_types=["video", ".zip"],
                    height=175,
                    elem_id="batch-videos",
                )
        with gr.Row():
            self.start = gr.Button("Explain all", variant="primary", elem_id="batch-start", scale=3)
            stop_button("batch-stop")
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
        asked_anew([self.start.click], self.message)
        self.start.click(
            self.explain_all,
            [table, videos, self.work, session.encoder, session.frames, session.weighting],
            [self.message, self.progress, self.start, self.summary, self.work],
            api_visibility="private",
            show_progress="hidden",
            trigger_mode="always_last",  # once the batch has ended, no click is lost
        )
        self.summary.select(
            self.open_row,
            self.work,
            session.opened,
            api_visibility="private",
            show_progress="hidden",
        ).success(None, js=_SHOW)

    def explain_all(
        self, table: Any, videos: Any, work: Work | None, encoder: Any, frames: Any, weighting: Any
    ) -> Iterator[Values]:
        """The Explain all button: a row of the summary after each pair. Values as a request has."""
        rows: list[Row] = []
        progress = StoppableProgress(this_visitor())
        try:
            uploads = _uploads(table, videos, work)
            pairs = _checked_pairs(uploads.table)
            asked = Asked(checked_encoder(encoder), frames, weighting=weighting)
            folder = work.folder if work and work.folder.is_dir() else new_folder()
            yield {
                self.message: "",
                self.progress: _bar(0, len(pairs)),
                self.start: gr.update(interactive=False),
                self.summary: [],
            }
            find = _finder(uploads.clips)
            for row in explain_pairs(pairs, folder, asked, find, progress, self.recent):
                rows.append(row)
                yield {
                    self.progress: _bar(len(rows), len(pairs)),
                    self.summary: [cells(one) for one in rows],
                    self.work: Work(folder, uploads, tuple(rows)),
                }
                progress(len(rows) / len(pairs), "Explaining")
            yield self._ended(in_words(rows))
        except StoppedError:
            yield self._ended(f"Stopped after {_pairs(len(rows))}. Explain all goes on from there.")
        except InputError as error:
            yield self._ended(str(error))

    def open_row(self, work: Work | None, event: gr.EventData) -> Opened:
        """A row of the summary: its explanation is shown in the first tab."""
        with refused_plainly():
            if work is None or not work.folder.is_dir():
                raise InputError("The explanations were deleted after an hour. Explain all again.")
            row = _row_of(work.rows, event._data)
            if not row.folder:
                raise InputError(f"There is no explanation of it. {row.error}")
            try:
                video = _finder(work.uploads.clips)(row.pair.video)
            except VideoError:
                video = None
            file = work.folder / row.folder / "explanation.json"
            return Opened(file, video, time.monotonic())

    def _ended(self, message: str) -> Values:
        return {
            self.message: f"**{escaped(message)}**",
            self.progress: "",
            self.start: gr.update(interactive=True),
        }


def _row_of(rows: Sequence[Row], data: Any) -> Row:
    """The row that was chosen, of a request: by its cells, since visitors sort the table."""
    chosen = data.get("row_value") if isinstance(data, dict) else None
    for row in rows:
        if chosen == cells(row):
            return row
    raise InputError("There is no such row in the last batch. Explain all again.")


def _uploads(table: Any, videos: Any, work: Work | None) -> Uploads:
    """The table and the clips, as a request names them.

    Raises:
        InputError: with a sentence for the visitor.
    """
    if not table:
        raise InputError("Choose a table first: a CSV file with video and caption.")
    file = uploaded_file(table)
    given = list(videos or ())
    named = tuple(str(uploaded_file(one)) for one in (table, *given))
    if work and work.uploads.named == named and work.uploads.table.is_file():
        return work.uploads
    if file.suffix.lower() != ".zip":
        return Uploads(named, file, uploaded_clips(given))
    return Uploads(named, table_in_archive(file, new_folder()), uploaded_clips([*given, table]))


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


def _finder(clips: ClipSet) -> Callable[[str], Path]:
    """Finds the clip that is named in a table: by its place in an archive, or else by its name,
    whatever its folder and case."""
    places = {_key(name): file for name, file in clips.files.items()}
    known = {_key(name).rpartition("/")[2]: file for name, file in clips.files.items()}

    def find(name: str) -> Path:
        place = _key(name)
        file = places.get(place) or known.get(place.rpartition("/")[2])
        if file is None:
            raise VideoError(f"{name or 'A video without a name'} is not among the videos.")
        return file

    return find


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name.replace("\\", "/")).casefold()


def _pairs(count: int) -> str:
    return f"{count:,} pair{'s' * (count != 1)}"


def _bar(done: int, pairs: int) -> str:
    return (
        f"<label>{done:,} of {_pairs(pairs)} "
        f'<progress class="batch-bar" value="{done}" max="{pairs}"></progress></label>'
    )
