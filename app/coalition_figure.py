"""The coalition graph that answers, and the contrast, as components of the page."""

from __future__ import annotations

import itertools
from typing import Any

import gradio as gr

from app.session import KEPT_SECONDS, Session, Values, answered
from hbi_core.contrasted import Contrast
from hbi_core.explanation import Explanation
from hbi_core.figures.coalition_html import script_json, view_data, view_head
from hbi_core.figures.contrast_html import contrast_data
from hbi_core.figures.view import FigureView

_DRAWN = itertools.count()  # figures of this server
_TEMPLATE = '<div class="hbi-figure" data-asks></div>'
# What is shown goes to Python, which exports and links what is seen; an edited caption goes there
# to be explained; a chosen frame moves the player to its time.
_START = """
const root = element.querySelector(".hbi-figure");
const draw = () => {{
  if (!props.value) return;
  const data = JSON.parse(props.value);
  const kept = (root.hbiView ?? root.hbiContrast)?.view;
  const saved = (data.explanation ?? data.contrast).view;
  const view = saved ?? (kept ? {{ ...kept, ...hbiPage.NOBODY }} : data.view);
  {draw}(root, {{ ...data, view }});
  hbiPage.redrawn("{elem_id}");
}};
root.addEventListener("hbi-view", () => {{
  hbiPage.changed("{elem_id}");
  trigger("filter");
}});
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

    Its event `filter` says that another view is shown, `submit` brings a caption that was edited.

    Args:
        elem_id: of the component in the page.
        explanation: shown at first; None shows nothing.
        head: bring the scripts, which a page needs once.
    """
    value = drawn(explanation) if explanation else None
    return _figure(elem_id, "hbi.coalitionView", value, view_head() if head else None)


def contrast_figure(elem_id: str) -> gr.HTML:
    """A component whose value is that of `drawn_contrast`, on a page with a `coalition_figure`.

    Its event `filter` says that another view is shown.
    """
    return _figure(elem_id, "hbi.contrastView")


def _figure(elem_id: str, draw: str, value: str | None = None, head: str | None = None) -> gr.HTML:
    return gr.HTML(
        value,
        html_template=_TEMPLATE,
        js_on_load=_START.format(draw=draw, elem_id=elem_id),
        head=head,
        apply_default_css=False,
        padding=False,
        elem_id=elem_id,
    )


def drawn(explanation: Explanation) -> str:
    """The value that shows an explanation; filters stay, unless a file brings others."""
    return _anew(view_data(explanation))


def drawn_contrast(contrast: Contrast) -> str:
    """The value that shows a contrast; filters stay, unless a file brings others."""
    return _anew(contrast_data(contrast))


def _anew(data: dict[str, Any]) -> str:
    """What is drawn even where the same was drawn before: a browser waits for it."""
    return script_json(data | {"number": next(_DRAWN)})


def filters_of(shown: FigureView, view: gr.State) -> Values:
    """The filters that a file has become those of a figure; where it has none, these stay.

    Args:
        shown: of the file.
        view: where the filters of the figure are kept.
    """
    return {} if shown == FigureView() else {view: shown}


def caption_of(event: gr.EventData) -> Any:
    """The caption that an event `submit` brings; of a request, so of any type."""
    data = event._data
    return data.get("caption") if isinstance(data, dict) else None


class KeptView:
    """What a figure shows, kept, so that what is seen is what is exported and linked.

    Args:
        session: has it for the address.
        figure: a `coalition_figure` or a `contrast_figure`.
        prefix: what stands before the names of its settings in the address.

    Attributes:
        figure: it.
        view: a FigureView.
        kept: the event that keeps it.
        message: tells what is wrong with a view of a request.
    """

    def __init__(
        self, session: Session, figure: gr.HTML, message: gr.Markdown, prefix: str = ""
    ) -> None:
        self.figure, self.message = figure, message
        self.view = gr.State(FigureView(), time_to_live=KEPT_SECONDS)
        session.figures[prefix] = self
        self.kept = figure.filter(
            self.keep,
            gr.JSON(visible=False),
            [self.view, message],
            js=f"() => hbiPage.sent('{figure.elem_id}')",  # not of an event, which may be old
            queue=False,
            api_visibility="private",
            show_progress="hidden",
            trigger_mode="always_last",  # views follow each other faster than they are kept
        )
        for ended in (self.kept.success, self.kept.failure):
            ended(None, js=f"() => hbiPage.kept('{figure.elem_id}')")

    @answered
    def keep(self, view: Any) -> Values:
        """What is shown now, after an event `filter`; of a request, so anything."""
        return {self.view: FigureView.from_dict(view)}
