"""The tab "Coalition graphs": the interactions of three levels, drawn."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import gradio as gr

from app.coalition_figure import KeptView, caption_of, coalition_figure, drawn, filters_of
from app.examples import example_of
from app.export import export_row
from app.session import (
    Opened,
    Session,
    Values,
    answered,
    asked_anew,
    escaped,
    explained,
    frames_of,
    origin,
)
from app.stopping import stopping
from hbi_core.checkpoints.checkpoint import UNTRAINED
from hbi_core.errors import InputError
from hbi_core.explanation import Explanation
from hbi_core.figures.print_style import without_font
from hbi_core.predictor import USUAL_FRAMES
from hbi_core.what_ran import OWN_HEADS, model_in_words
from hbi_core.worth import FUNCTION

_WORDS_SHOWN = 30


class Graphs:
    """Figure and notes of the explanation, which its click makes for all tabs."""

    title = "Coalition graphs"
    elem_id = "graphs"
    opens = Explanation

    def __init__(self, session: Session) -> None:
        first = session.explanation.value
        self.session = session
        self.message = session.message
        self.explanation = session.explanation
        self.recent = session.recent
        self.figure = coalition_figure("figure", first)
        self.notes = gr.Markdown(describe(first), elem_id="notes")
        self.view = KeptView(session, self.figure, self.message).view
        export_row(session.explanation, "export", self.view)
        shown = [self.figure, self.notes, self.explanation, self.message]
        asked = session.asked
        self.filled = [*asked, *shown, self.view]
        asked_anew([session.button.click, session.caption.submit], self.message)
        gr.on(
            [session.button.click, session.caption.submit],
            self.explain_and_draw,
            asked,
            shown,
            api_visibility="private",
            show_progress_on=self.figure,
            trigger_mode="always_last",  # a click after Stop is not lost
        )
        stopping(session.examples.click).then(
            self.show_example,
            session.examples,
            [*asked, *shown],
            api_visibility="private",
            show_progress_on=self.figure,
        )
        session.opened.change(
            self.show_opened,
            session.opened,
            self.filled,
            api_visibility="private",
            show_progress_on=self.figure,
        )
        self.figure.submit(
            self.explain_edited,
            [question for question in asked if question is not session.caption],
            [session.caption, *shown],
            api_visibility="private",
            show_progress_on=self.figure,
        )

    @answered
    def explain_and_draw(
        self,
        video: Any,
        caption: Any,
        encoder: Any,
        frames: Any,
        weighting: Any,
        progress: gr.Progress = gr.Progress(),  # noqa: B008  gradio fills it in
    ) -> Values:
        """The Explain button."""
        explanation = explained(video, caption, encoder, frames, weighting, progress, self.recent)
        progress(0.95, "Drawing")
        return self.show(explanation)

    def explain_edited(
        self,
        video: Any,
        encoder: Any,
        frames: Any,
        weighting: Any,
        event: gr.EventData,
        progress: gr.Progress = gr.Progress(),  # noqa: B008  gradio fills it in
    ) -> Values:
        """The caption that was edited in the figure, which goes into the field above it, too."""
        caption = caption_of(event)
        answer = self.explain_and_draw(video, caption, encoder, frames, weighting, progress)
        return {self.session.caption: caption, **answer}

    @answered
    def show_example(self, number: Any) -> Values:
        """An example: what it asks, and the answer that we ship."""
        example = example_of(number)
        return {
            **self._opened(example.explanation),
            self.session.video: str(example.clip),
            self.session.encoder: "auto",
            self.session.frames: USUAL_FRAMES,
        }

    @answered
    def show_opened(self, opened: Opened | None) -> Values:
        """What another tab wants to be shown."""
        if opened is None or not opened.file.is_file():
            raise InputError("That explanation was deleted after an hour. Make it again.")
        video = opened.video if opened.video and opened.video.is_file() else None
        shown = None if video is None else str(video)
        return self.open(Explanation.from_file(opened.file)) | {self.session.video: shown}

    def open(self, explanation: Explanation) -> Values:
        """One of a file. Its video is not in it: the player is emptied."""
        return filters_of(explanation.view, self.view) | self._opened(explanation)

    def _opened(self, explanation: Explanation) -> Values:
        """An explanation from a file, with what it was made of."""
        caption: Values = {self.session.caption: explanation.caption}
        return self.session.asked_before(explanation) | caption | self.show(explanation)

    def show(self, explanation: Explanation) -> Values:
        """Any explanation, drawn and described; for all tabs."""
        started = time.perf_counter()
        figure = drawn(explanation)
        seconds = explanation.seconds | {"drawing": time.perf_counter() - started}
        return {
            self.figure: figure,
            self.notes: describe(replace(explanation, seconds=seconds)),
            self.explanation: explanation,
        }


def describe(explanation: Explanation) -> str:
    """What ran, the time, what was left out, how the caption was read: a line each. Markdown."""
    heads = escaped(explanation.checkpoint)
    place = " in place of our encoder and heads" if explanation.checkpoint == OWN_HEADS else ""
    if explanation.checkpoint == UNTRAINED:
        heads = "**untrained** (equal token weights, merged tokens are plain means)"
    model = model_in_words(f"**{escaped(explanation.encoder)}**", heads)
    game = explanation.levels[0].interactions
    weights = "" if explanation.weighting == FUNCTION else f", {explanation.weighting} weights"
    exact = all(level.interactions.exact for level in explanation.levels)
    kind, method = "exact" if exact else "estimated", escaped(game.method.replace("_", " "))
    lines = [
        f"{model[0].upper()}{model[1:]}{place}{weights}; "
        f"{frames_of(explanation)}; {kind} interactions ({method}, {game.device}).",
        origin(explanation),
    ]
    for reason, words in explanation.left_out_why.items():
        shown = " ".join(word[:40] for word in words[:_WORDS_SHOWN])
        rest = len(words) - _WORDS_SHOWN
        more = f" and {rest:,} more" if rest > 0 else ""
        lines.append(f"{escaped(reason)}, left out: “{escaped(shown)}”{more}.")
    lines += map(escaped, explanation.notes)
    undrawn = without_font(explanation)
    if undrawn:
        lines.append(
            f"No font of the server can draw {escaped(undrawn)}: exported figures show boxes."
        )
    return "  \n".join(lines)
