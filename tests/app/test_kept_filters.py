"""The figures as components of the page."""

from __future__ import annotations

import gradio as gr
import pytest

from app.coalition_figure import KeptView, coalition_figure
from hbi_core.figures.view import FigureView


@pytest.fixture(scope="module")
def kept():
    with gr.Blocks():
        return KeptView(coalition_figure("figure"), gr.State(FigureView()), gr.Markdown())


def test_filters_of_the_figure_are_kept(kept):
    """What the script in the browser sends, and what anybody may send."""
    view = FigureView(levels=("event",), top=3, sign="positive", scale="word", sides=True)
    told = kept.keep(gr.EventData(None, {"view": view.to_dict()}))
    assert told == {kept.view: view, kept.message: ""}
    for wrong in (None, [], {}, {"view": {"top": -1}}, {"view": {"levels": "x"}}, {"view": 3}):
        refused = kept.keep(gr.EventData(None, wrong))
        assert list(refused) == [kept.message]
