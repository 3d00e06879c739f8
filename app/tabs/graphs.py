"""The tab "Coalition graphs": the interactions of three levels, drawn."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import gradio as gr

from app.export import export_row
from app.session import Session, Values, answered, escaped, explained
from explainers.timing import seconds_in_words
from hbi_core.checkpoints.checkpoint import UNTRAINED
from hbi_core.explanation import Explanation
from hbi_core.figures.coalition_page import coalition_page
from hbi_core.figures.print_style import without_font

_WORDS_SHOWN = 30


class Graphs:
    """Figure and notes of the explanation, which its click makes for all tabs."""

    title = "Coalition graphs"
    elem_id = "graphs"

    def __init__(self, session: Session) -> None:
        self.message = session.message
        self.explanation = session.explanation
        self.recent = session.recent
        self.figure = gr.Plot(show_label=False, elem_id="figure")
        self.notes = gr.Markdown(elem_id="notes")
        export_row(session.explanation, "export")
        gr.on(
            [session.button.click, session.caption.submit],
            self.explain_and_draw,
            [session.video, session.caption, session.encoder, session.frames, session.weighting],
            [self.figure, self.notes, self.explanation, self.message],
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
        started = time.perf_counter()
        figure = coalition_page(explanation)
        seconds = explanation.seconds | {"drawing": time.perf_counter() - started}
        return {
            self.figure: figure,
            self.notes: describe(replace(explanation, seconds=seconds)),
            self.explanation: explanation,
        }


def describe(explanation: Explanation) -> str:
    """What ran, the time, what was left out, how the caption was read: a line each. Markdown."""
    heads = explanation.checkpoint
    if heads == UNTRAINED:
        heads = "**untrained** (equal token weights, merged tokens are plain means)"
    total = sum(explanation.seconds.values())
    split = ", ".join(
        f"{step} {seconds_in_words(seconds)}" for step, seconds in explanation.seconds.items()
    )
    known = "" if "decoding" in explanation.seconds else " The video was read before."
    game = explanation.levels[0].interactions
    lines = [
        f"Encoder **{explanation.encoder}**, heads {heads}, {explanation.weighting} weights; "
        f"{len(explanation.video.times)} frames of {escaped(explanation.video.name)}; exact "
        f"interactions ({game.method.replace('_', ' ')}, {game.device}).",
        f"{seconds_in_words(total)}: {split}.{known}",
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
