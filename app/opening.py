"""A saved result, opened again: its schema says in which tab."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import gradio as gr

from app.session import Opens, Session, Values, answered
from app.stopping import stopping
from app.uploads import uploaded_file
from hbi_core.json_document import JsonDocument, opened_file


class Opening:
    """The button that opens a file which was saved here or elsewhere.

    Args:
        session: with the button.
        tabs: those that show such files.

    Attributes:
        message: tells what is wrong with a file.
        tab: the elem_id of the one that shows it.
    """

    def __init__(self, session: Session, tabs: Sequence[Opens]) -> None:
        self.tabs, self.message = tabs, session.message
        self.tab = gr.Textbox(visible=False)
        filled = {component: None for tab in tabs for component in tab.filled}
        titles = json.dumps({tab.elem_id: tab.title for tab in tabs})
        stopping(session.opener.upload).then(
            self.open,
            session.opener,
            [*filled, *({self.message, self.tab} - {*filled})],
            api_visibility="private",
            show_progress_on=session.message,
        ).success(
            None,
            [self.tab, self.message],
            None,
            js=f"(tab, wrong) => wrong || hbiPage.open(tab, {titles}[tab])",
        )

    @answered
    def open(self, file: Any) -> Values:
        """A file that was uploaded, whatever is in it."""
        kinds: list[type[JsonDocument]] = [tab.opens for tab in self.tabs]
        result = opened_file(uploaded_file(file), kinds)
        (tab,) = [tab for tab in self.tabs if isinstance(result, tab.opens)]
        return tab.open(result) | {self.tab: tab.elem_id}
