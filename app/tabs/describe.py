"""The tab "Describe": a caption of the video, its alternatives, and which frames carried it."""

from __future__ import annotations

import html
from typing import Any

import gradio as gr

from app.coalition_figure import KeptView, coalition_figure, drawn, filters_of
from app.described import described
from app.export import export_row
from app.session import (
    EXPLAIN_ABOVE,
    KEPT_SECONDS,
    Session,
    Values,
    answered,
    asked_anew,
    escaped,
    frames_of,
    missing,
    origin,
)
from app.stopping import stop_button
from app.uploads import refused_plainly
from hbi_core.checks import whole_number
from hbi_core.described import Described
from hbi_core.errors import InputError
from hbi_core.task_model import CAPTIONS

_INTRODUCTION = """A small model describes the video above. Which frames carried each word? It runs
on sets of frames, too: a line is what its frame adds to the log-probability of its word.
"""
_LIMITS = "**What this model can do.** "
_WORDS = ("word", "with the video", "without it")


class Describe:
    """The caption and its limits, its alternatives, and the graph behind it."""

    title = "Describe"
    elem_id = "describe"
    opens = Described

    def __init__(self, session: Session) -> None:
        self.session = session
        gr.Markdown(_INTRODUCTION)
        with gr.Row():
            button = gr.Button("Describe", variant="primary", elem_id="describe-start", scale=4)
            stop_button("describe-stop")
        self.message = gr.Markdown(missing(CAPTIONS, session.captioner), elem_id="describe-message")
        with gr.Row():
            with gr.Column(scale=3, min_width=300):
                self.caption = gr.Markdown(elem_id="described")
                self.limits = gr.Markdown(elem_id="describe-limits")
                self.captions = gr.Dataset(
                    label="The caption and its alternatives, with their log-probabilities: choose "
                    "one to explain it above",
                    components=[gr.HTML(visible=False)],  # a Textbox cuts long captions
                    samples=[],
                    type="index",
                    visible=False,
                    elem_id="captions",
                )
            with gr.Column(scale=2, min_width=300):
                self.words = gr.Dataframe(
                    headers=list(_WORDS),
                    label="Probability of each word after those before it",
                    show_label=True,
                    column_widths=["40%", "30%", "30%"],
                    interactive=False,
                    wrap=True,
                    max_height=500,
                    visible=False,
                    elem_id="described-words",
                )
        self.figure = coalition_figure("description-figure", head=False)
        self.notes = gr.Markdown(elem_id="describe-notes")
        self.described = gr.State(time_to_live=KEPT_SECONDS)
        session.answers[self.elem_id] = self.described
        self.view = KeptView(session, self.figure, self.message, "describe.").view
        export_row(self.described, "describe-export", self.view)
        shown = [
            self.caption,
            self.limits,
            self.captions,
            self.words,
            self.figure,
            self.notes,
            self.described,
            self.message,
        ]
        self.filled = [*session.asked, *shown, self.view]
        asked_anew([button.click], self.message)
        button.click(
            self.describe,
            [session.video, session.frames],
            shown,
            api_visibility="private",
            show_progress_on=self.figure,
            trigger_mode="always_last",  # a click after Stop is not lost
        )
        self.captions.click(
            self.take_over,
            [self.described, self.captions],
            [session.caption],
            api_visibility="private",
            show_progress="hidden",
        ).success(None, js=EXPLAIN_ABOVE)

    @answered
    def describe(
        self,
        video: Any,
        frames: Any,
        progress: gr.Progress = gr.Progress(),  # noqa: B008  gradio fills it in
    ) -> Values:
        """The Describe button. Values as a request has them."""
        found = described(video, frames, self.session.captioner, progress, self.session.recent)
        progress(0.95, "Drawing")
        return self._shown(found)

    def open(self, found: Described) -> Values:
        """One of a file."""
        return {
            **self.session.asked_before(found.explanation),
            **filters_of(found.explanation.view, self.view),
            **self._shown(found),
            self.message: "",
        }

    def _shown(self, found: Described) -> Values:
        video = found.explanation.video  # above there may be another one by now
        return {
            self.caption: f"### “{escaped(found.caption)}”\n\nSaid of {escaped(video.name)}.",
            self.limits: _LIMITS + escaped(" ".join(found.limits)),
            self.captions: gr.update(
                samples=[
                    [
                        f"{html.escape(caption.text)} ({_signed(caption.log_probability)}; by its "
                        f"length {_signed(caption.score)})"
                    ]
                    for caption in found.captions
                ],
                visible=True,
            ),
            self.words: gr.update(
                value=[
                    [word.text, _percent(word.probability), _percent(word.without_video)]
                    for word in found.words
                ],
                visible=True,
            ),
            self.figure: drawn(found.explanation),
            self.notes: describe(found),
            self.described: found,
        }

    def take_over(self, found: Described | None, number: Any) -> Values:
        """A caption that was chosen becomes the caption to explain."""
        with refused_plainly():
            if found is None:
                raise InputError("What was described was deleted after an hour. Describe again.")
            last = len(found.captions) - 1
            caption = found.captions[whole_number(number, "Caption {} was chosen", 0, last)]
            return {self.session.caption: caption.text}


def describe(found: Described) -> str:
    """What the numbers of the graph are, what ran, and the time: a line each. Markdown."""
    explanation = found.explanation
    gain = explanation.levels[0].score
    lines = [
        f"**{escaped(explanation.worth.title)}**: with all frames, that of its words is higher by "
        f"{_signed(gain)} than without any.",
        *map(escaped, explanation.notes),
        f"Encoder **{escaped(explanation.encoder)}**, model {escaped(explanation.checkpoint)}; "
        f"{frames_of(explanation)}.",
        origin(explanation),
    ]
    return "  \n".join(lines)


def _signed(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
