"""The tab "Contrast": why A scores higher than B, or lower."""

from __future__ import annotations

from typing import Any

import gradio as gr

from app.address import Clip, OneOf, Text
from app.coalition_figure import KeptView, contrast_figure, drawn_contrast, filters_of
from app.contrasted import SAME, contrasted
from app.export import export_row
from app.session import (
    ENCODERS,
    KEPT_SECONDS,
    Choice,
    Session,
    Values,
    answered,
    asked_anew,
    escaped,
    origin,
)
from app.stopping import stop_button
from hbi_core.contrasted import Contrast

_INTRODUCTION = """**A** is the video and the caption above, **B** has another caption, another
video or another model. Which scores higher, and which frames and words make the difference?
"""
_FIRST = (
    "A man in a blue suit smiles, a train leaves a station in smoke, fish swim in the deep sea."
)
_TOLD = "This says what moves the scores of this model, not what is in the video."
_HEADERS = ("level", "frames or words", "in A", "in B", "A − B")


class ContrastTab:
    """Sentence, figure and table of A beside B."""

    title = "Contrast"
    elem_id = "contrasts"
    opens = Contrast

    def __init__(self, session: Session) -> None:
        self.session = session
        gr.Markdown(_INTRODUCTION)
        self.other_caption = gr.Textbox(
            _FIRST,
            label="Another caption, B",
            info="Enter contrasts. Leave it empty for the caption of A.",
            lines=1,  # with more, gradio takes Enter for a line break
            max_lines=8,
            elem_id="other-caption",
        )
        with gr.Accordion("Another video or another model", open=False):
            self.other_video = gr.Video(
                label="Video of B, if it is another", sources=["upload"], elem_id="other-video"
            )
            other_encoder = gr.Dropdown(
                [("As A", SAME), *ENCODERS.items()], value=SAME, label="Encoder of B"
            )
        session.choices.update(
            {
                "other_caption": Choice(self.other_caption, Text()),
                "other_video": Choice(self.other_video, Clip()),
                "other_encoder": Choice(other_encoder, OneOf((SAME, *ENCODERS.values()))),
            }
        )
        with gr.Row():
            button = gr.Button("Contrast", variant="primary", elem_id="contrast", scale=4)
            stop_button("contrast-stop")
        self.message = gr.Markdown(elem_id="contrast-message")
        self.sentence = gr.Markdown(elem_id="contrast-sentence")
        self.figure = contrast_figure("contrast-figure")
        self.notes = gr.Markdown(elem_id="contrast-notes")
        self.contrast = gr.State(time_to_live=KEPT_SECONDS)
        session.answers[self.elem_id] = self.contrast
        self.view = KeptView(session, self.figure, self.message, "contrasts.").view
        export_row(self.contrast, "contrast-export", self.view)
        with gr.Accordion("All frames and words", open=False):
            self.table = gr.Dataframe(
                headers=list(_HEADERS),
                interactive=False,
                elem_id="contrast-table",
                label="Shapley values: parts of the scores",
            )
        shown = [self.sentence, self.figure, self.notes, self.table, self.contrast, self.message]
        self.filled = [*session.asked, self.other_caption, self.other_video, *shown, self.view]
        asked_anew([button.click, self.other_caption.submit], self.message)
        gr.on(
            [button.click, self.other_caption.submit],
            self.contrast_both,
            [*session.asked, self.other_caption, self.other_video, other_encoder],
            shown,
            api_visibility="private",
            show_progress_on=self.figure,
            trigger_mode="always_last",  # a click after Stop is not lost
        )

    @answered
    def contrast_both(
        self,
        video: Any,
        caption: Any,
        encoder: Any,
        frames: Any,
        weighting: Any,
        other_caption: Any,
        other_video: Any,
        other_encoder: Any,
        progress: gr.Progress = gr.Progress(),  # noqa: B008  gradio fills it in
    ) -> Values:
        """The Contrast button. Values as a request has them."""
        contrast = contrasted(
            video,
            caption,
            encoder,
            frames,
            weighting,
            other_caption,
            other_video,
            other_encoder,
            progress,
            self.session.recent,
        )
        progress(0.95, "Drawing")
        return self._shown(contrast)

    def open(self, contrast: Contrast) -> Values:
        """One of a file: both captions are there to be asked again, and no video."""
        other = contrast.b.caption if "caption" in contrast.differs else ""
        return {
            **self.session.asked_before(contrast.a),
            self.session.caption: contrast.a.caption,
            self.other_caption: other,
            self.other_video: None,
            **filters_of(contrast.view, self.view),
            **self._shown(contrast),
            self.message: "",
        }

    def _shown(self, contrast: Contrast) -> Values:
        return {
            self.sentence: f"**{escaped(contrast.sentence)}**",
            self.figure: drawn_contrast(contrast),
            self.notes: describe(contrast),
            self.table: _rows(contrast),
            self.contrast: contrast,
        }


def describe(contrast: Contrast) -> str:
    """What is to be known besides the figure. Markdown."""
    lines = [_TOLD, *map(escaped, contrast.notes)]
    if contrast.a.video.kept_thumbnails is not None:
        lines.append(origin(contrast.a))
    for name, one in (("A", contrast.a), ("B", contrast.b)):
        for reason, words in one.left_out_why.items():
            lines.append(
                f"{name}: {escaped(reason)}, left out: “{escaped(' '.join(words)[:200])}”."
            )
        lines += [f"{name}: {escaped(note)}" for note in one.notes]
    return "\n\n".join(lines)


def _rows(contrast: Contrast) -> list[list[Any]]:
    return [
        [level.name, player.name, *(round(x, 4) for x in (*player.shares, player.difference))]
        for level in contrast.levels
        for player in level.players
    ]
