"""The figures as components of the page."""

from __future__ import annotations

import gradio as gr
import pytest

from app.coalition_figure import KeptView, coalition_figure
from app.page import ask
from hbi_core.figures.view import FigureView


@pytest.fixture(scope="module")
def kept():
    with gr.Blocks():
        return KeptView(ask(), coalition_figure("answer-figure"), gr.Markdown(), "ask.")


def test_filters_of_the_figure_are_kept(kept):
    """What the script in the browser sends, and what anybody may send."""
    view = FigureView(
        levels=("event",), top=3, sign="positive", scale="word", chosen=("event/text/0",)
    )
    assert kept.keep(view.to_dict()) == {kept.view: view, kept.message: ""}
    for wrong in (None, [], 3, {"tops": 1}, {"top": -1}, {"levels": "x"}, {"chosen": ["cat"]}):
        assert list(kept.keep(wrong)) == [kept.message]
