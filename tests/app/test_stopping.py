"""The Stop button ends what its visitor asked for, and nothing else."""

from __future__ import annotations

from types import SimpleNamespace

import gradio as gr
import pytest
from gradio.context import LocalContext

from app.session import answered
from app.stopping import StoppableProgress, StoppedError, end_work


def test_the_work_of_one_visitor_ends():
    mine, other, nobodys = (StoppableProgress(visitor) for visitor in ("me", "you", None))
    for progress in (mine, other, nobodys):
        progress(0.1, "Reading")
    end_work("me")
    with pytest.raises(StoppedError):
        mine(0.2, "Encoding")
    for progress in (other, nobodys, StoppableProgress("me")):  # asked for afterwards
        progress(0.2, "Encoding")


def test_many_visitors_take_no_room():
    progress = StoppableProgress("first")
    for number in range(1001):
        end_work(str(number))
    progress(0.5, "Encoding")


def test_a_click_of_any_tab_can_be_stopped():
    class Tab:
        def __init__(self):
            with gr.Blocks():
                self.message, self.notes = gr.Markdown(), gr.Markdown()

        @answered
        def work(self, steps, progress):
            for step in range(steps):
                progress(step / steps, "Working")
                if step == 1:
                    end_work("me")
            return {self.notes: "done"}

    tab = Tab()
    token = LocalContext.request.set(SimpleNamespace(session_hash="me"))
    try:
        assert tab.work(9, gr.Progress()) == {tab.message: "**Stopped.**"}
        assert tab.work(1, gr.Progress()) == {tab.notes: "done", tab.message: ""}
    finally:
        LocalContext.request.reset(token)
