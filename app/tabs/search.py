"""The tab "Search": clips ranked by a text, as a contact sheet; a click explains one."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.address import OwnFiles, Text, Whole
from app.export import data_row
from app.searched import searched, uploaded_clips
from app.session import (
    EXPLAIN_ABOVE,
    KEPT_SECONDS,
    Choice,
    Session,
    Values,
    answered,
    asked_anew,
    escaped,
)
from app.stopping import StoppedError, stop_button
from app.uploads import refused_plainly
from explainers.timing import seconds_in_words
from hbi_core.checks import whole_number
from hbi_core.data.clip_set import ClipSet
from hbi_core.errors import InputError
from hbi_core.figures.contact_sheet import contact_sheet
from hbi_core.search_result import SearchResult
from hbi_core.what_ran import model_in_words

_INTRODUCTION = """Which clip fits a sentence? Clips are ranked by their similarity with it (the
mean of three levels); the picture is the frame that fits best. Choose a clip to see why it was
found.
"""
_QUERY = "A tabby cat looks into the camera."
MOST_HITS = 50  # that are shown
_SKIPPED_SHOWN = 10
_CHOOSE = """
const choose = event => {
    const card = event.target.closest('[data-rank]');
    if (card) trigger('select', {rank: Number(card.dataset.rank)});
};
element.addEventListener('click', choose);
"""


@dataclass(frozen=True)
class _Uploaded:
    """The clips of these uploads, which are unpacked once."""

    uploads: tuple[str, ...]
    clips: ClipSet


class Search:
    """Clips, a query, and the contact sheet of what was found."""

    title = "Search"
    elem_id = "search"
    opens = SearchResult

    def __init__(self, session: Session) -> None:
        self.session = session
        gr.Markdown(_INTRODUCTION)
        with gr.Row():
            with gr.Column(scale=2, min_width=320):
                uploads = gr.File(
                    label="Clips or a zip (none: demo clips)",
                    file_count="multiple",
                    file_types=["video", ".zip"],
                    height=180,
                    elem_id="search-clips",
                )
            with gr.Column(scale=3, min_width=320):
                self.query = query = gr.Textbox(
                    _QUERY, label="Query", max_lines=4, elem_id="search-query"
                )
                top = gr.Slider(1, MOST_HITS, 12, step=1, label="Clips shown at most")
                with gr.Row():
                    button = gr.Button("Search", variant="primary", elem_id="search-start", scale=4)
                    stop_button("search-stop")
        session.choices.update(
            {
                "clips": Choice(uploads, OwnFiles()),
                "query": Choice(query, Text()),
                "hits": Choice(top, Whole(1, MOST_HITS)),
            }
        )
        self.message = gr.Markdown(elem_id="search-message")
        self.notes = gr.Markdown(elem_id="search-notes")
        self.sheet = gr.HTML(js_on_load=_CHOOSE, apply_default_css=False, elem_id="search-sheet")
        self.uploaded = gr.State(time_to_live=KEPT_SECONDS)
        self.result = gr.State(time_to_live=KEPT_SECONDS)
        self.shown = gr.State(time_to_live=KEPT_SECONDS)  # also what was opened from a file
        data_row(self.shown, "Export ranking and contact sheet", "search-export")
        session.answers[self.elem_id] = self.result
        shown = [self.notes, self.sheet, self.result, self.shown, self.message]
        self.filled = [query, *shown]
        asked_anew([button.click, query.submit], self.message)
        gr.on(
            [button.click, query.submit],
            self.search,
            [uploads, self.uploaded, query, top, session.encoder, session.frames],
            [self.uploaded, *shown],
            api_visibility="private",
            show_progress_on=self.sheet,
            trigger_mode="always_last",  # a click after Stop is not lost
        )
        self.sheet.select(
            self.open_hit,
            self.result,
            [session.video, session.caption],
            api_visibility="private",
        ).success(None, js=EXPLAIN_ABOVE)

    @answered
    def search(
        self,
        uploads: Any,
        uploaded: _Uploaded | None,
        query: Any,
        top: Any,
        encoder: Any,
        frames: Any,
        progress: gr.Progress = gr.Progress(),  # noqa: B008  gradio fills it in
    ) -> Values:
        """The Search button. Values as a request has them."""
        started = time.perf_counter()
        named = tuple(map(str, uploads or ()))
        if uploaded is None or uploaded.uploads != named:
            progress(0.0, "Unpacking")
            uploaded = _Uploaded(named, uploaded_clips(uploads))
        recent = self.session.recent
        try:
            result = searched(uploaded.clips, query, top, encoder, frames, recent, progress)
        except StoppedError as error:
            raise StoppedError(
                "Stopped. What was encoded is kept: Search goes on from there."
            ) from error
        return {
            self.uploaded: uploaded,
            self.notes: describe(result, time.perf_counter() - started),
            self.sheet: contact_sheet(result, clickable=True),
            self.result: result,
            self.shown: result,
        }

    def open(self, result: SearchResult) -> Values:
        """One of a file, whose clips are not in it: no card leads to one."""
        return {
            self.query: result.query,
            self.notes: describe(result, None),
            self.sheet: contact_sheet(result),
            self.result: None,  # what the address says to have been asked
            self.shown: result,
            self.message: "",
        }

    def open_hit(self, result: SearchResult | None, event: gr.EventData) -> Values:
        """A card of the contact sheet: its clip and the query become what is asked above."""
        with refused_plainly():
            if result is None:
                raise InputError("What was found was deleted after an hour. Search again.")
            rank = whole_number(event._data.get("rank"), "Clip {} was chosen", 1, len(result.hits))
            hit = result.hits[rank - 1]
            if hit.file is None or not hit.file.is_file():
                raise InputError(f"{hit.name} was deleted after an hour. Search again.")
            return {self.session.video: str(hit.file), self.session.caption: result.query}


def describe(result: SearchResult, seconds: float | None) -> str:
    """What was searched by what, the time, and what was left out: a line each. Markdown.

    Args:
        result: what was found.
        seconds: that it took; None where it was opened from a file.
    """
    how = "opened from a file" if seconds is None else seconds_in_words(seconds)
    weights = result.level_weights
    mean = ", ".join(level for level, weight in weights.items() if weight)
    model = model_in_words(escaped(result.encoder), escaped(result.checkpoint))
    lines = [
        f"**{len(result.hits)} of {result.clips:,} clips** for “{escaped(result.query)}”, by the "
        f"mean of {mean}; {model}, {result.frames} "
        f"frame{'s' if result.frames > 1 else ''} of each; {how}.",
    ]
    if result.words_left_out:
        lines.append(f"Words left out: “{escaped(' '.join(result.words_left_out))}”.")
    lines += map(escaped, result.notes)
    skipped = list(result.skipped.items())
    lines += [
        f"Left out: {escaped(name)}. {escaped(why)}" for name, why in skipped[:_SKIPPED_SHOWN]
    ]
    if len(skipped) > _SKIPPED_SHOWN:
        lines.append(f"{len(skipped) - _SKIPPED_SHOWN:,} more were left out.")
    return "  \n".join(lines)
