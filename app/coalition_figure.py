"""The coalition graph that answers, and the contrast, as components of the page."""

from __future__ import annotations

from typing import Any

import gradio as gr

from app.session import Values, answered
from hbi_core.contrasted import Contrast
from hbi_core.explanation import Explanation
from hbi_core.figures.coalition_html import view_head, view_json
from hbi_core.figures.contrast_html import contrast_json
from hbi_core.figures.view import FigureView

_TEMPLATE = '<div class="hbi-figure" data-asks></div>'
# Filters go to Python, which exports what is seen; an edited caption goes there to be explained; a
# chosen frame moves the player to its time.
_START = """
const root = element.querySelector(".hbi-figure");
const draw = () => {{
  if (!props.value) return;
  const data = JSON.parse(props.value);
  const kept = (root.hbiView ?? root.hbiContrast)?.view;
  const view = data.explanation?.view ?? (kept ? {{ ...kept, left_out: [] }} : data.view);
  {draw}(root, {{ ...data, view }});
  hbiPage.redrawn();
}};
root.addEventListener("hbi-view", ({{ detail }}) => trigger("filter", {{ view: detail }}));
root.addEventListener("hbi-caption", ({{ detail }}) => trigger("submit", detail));
root.addEventListener("hbi-seek", ({{ detail }}) => {{
  const player = document.querySelector("#video video");
  if (player) player.currentTime = detail.seconds;
}});
watch("value", draw);
draw();
"""


def coalition_figure(
    elem_id: str, explanation: Explanation | None = None, head: bool = True
) -> gr.HTML:
    """A component whose value is that of `drawn`.

    Its event `filter` brings the view that was chosen, `submit` a caption that was edited.

    Args:
        elem_id: of the component in the page.
        explanation: shown at first; None shows nothing.
        head: bring the scripts, which a page needs once.
    """
    value = drawn(explanation) if explanation else None
    return _figure(elem_id, "hbi.coalitionView", value, view_head() if head else None)


def contrast_figure(elem_id: str) -> gr.HTML:
    """A component whose value is that of `drawn_contrast`, on a page with a `coalition_figure`.

    Its event `filter` brings the view that was chosen.
    """
    return _figure(elem_id, "hbi.contrastView")


def _figure(elem_id: str, draw: str, value: str | None = None, head: str | None = None) -> gr.HTML:
    return gr.HTML(
        value,
        html_template=_TEMPLATE,
        js_on_load=_START.format(draw=draw),
        head=head,
        apply_default_css=False,
        padding=False,
        elem_id=elem_id,
    )


def drawn(explanation: Explanation) -> str:
    """The value that shows an explanation; filters stay, unless a file brings others."""
    return view_json(explanation)


def drawn_contrast(contrast: Contrast) -> str:
    """The value that shows a contrast; filters stay."""
    return contrast_json(contrast)


def caption_of(event: gr.EventData) -> Any:
    """The caption that an event `submit` brings; of a request, so of any type."""
    data = event._data
    return data.get("caption") if isinstance(data, dict) else None


class KeptView:
    """The filters of a figure, kept, so that what is seen is what is exported.

    Args:
        figure: a `coalition_figure` or a `contrast_figure`.
        view: where they are kept, a FigureView.

    Attributes:
        message: tells what is wrong with filters of a request.
    """

    def __init__(self, figure: gr.HTML, view: gr.State, message: gr.Markdown) -> None:
        self.view, self.message = view, message
        figure.filter(
            self.keep,
            None,
            [view, message],
            api_visibility="private",
            concurrency_limit=None,  # queued all the same: else gradio tells no change of a state
            show_progress="hidden",
            trigger_mode="always_last",  # filters follow each other faster than they are kept
        )

    @answered
    def keep(self, event: gr.EventData) -> Values:
        """What an event `filter` brings; of a request, so anything."""
        data = event._data
        view: Any = data.get("view") if isinstance(data, dict) else data
        return {self.view: FigureView.from_dict(view)}
