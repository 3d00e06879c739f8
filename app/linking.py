"""The page and its address: what a link asks is shown, and what is shown is in the link."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import gradio as gr
from gradio.components import Component

from app.address import has_own, read_choices, read_view, write_address
from app.session import Session, Values, answered
from hbi_core.figures.view import FigureView

_NOT_IN_IT = (
    "Your own files are not in the link, since nobody else may see them: whoever opens the link "
    "uploads them again."
)
_UPLOAD = (
    "This link was made with files of a visitor's own, which are not in it. Upload them, then "
    "press the button."
)
_EVENTS = ("input", "upload", "clear")  # of a component that a visitor changes
_WRITTEN = ("blur", "submit")  # of a field, at whose every letter nothing is told


class Linking:
    """Reads the address when the page is opened, keeps it true, and copies it.

    Args:
        session: what is asked, which the address says.

    Attributes:
        message: tells what is wrong with an address.
    """

    def __init__(self, session: Session) -> None:
        self.session, self.message = session, session.message
        self.link = gr.Textbox(
            visible=False,
            show_label=False,
            container=False,
            interactive=False,
            buttons=["copy"],
            elem_id="link",
        )
        self.note = gr.Markdown(elem_id="link-note")
        self.query = gr.Textbox(visible=False)
        self.views = gr.Textbox(visible=False)  # of an address, for the figures

    def listen(self, page: gr.Blocks, titles: Mapping[str, str]) -> None:
        """Begin, once the tabs are there.

        Args:
            page: whose address it is.
            titles: of the tabs, by their elem_id.
        """
        session = self.session
        chosen = [choice.component for choice in session.choices.values()]
        views = [figure.view for figure in session.figures.values()]
        answers = list(session.answers.values())
        shown = [*chosen, *views, *answers]  # the arguments of `write` and `offer`
        quiet: dict[str, Any] = {
            "queue": False,
            "api_visibility": "private",
            "show_progress": "hidden",
        }
        page.load(self.read, None, [*chosen, *views, self.views, self.message], **quiet).then(
            None,
            self.views,
            None,
            js=f"(views) => hbiPage.opened(views, {json.dumps(titles)})",
        )
        changes = [
            *(state.change for state in (session.explanation, *answers)),
            *(event for component in chosen for event in _changes(component)),
        ]
        # That a state of a hidden tab changed, gradio tells too often: whoever keeps it tells it.
        kept = [figure.kept.success for figure in session.figures.values()]
        for listen in (partial(gr.on, changes), *kept):
            listen(
                self.write, shown, [self.query, self.message], trigger_mode="always_last", **quiet
            ).success(None, self.query, None, js="hbiPage.address")
        session.link.click(
            self.offer,
            shown,
            [self.query, self.link, self.note, self.message],
            js="hbiPage.settled",
            **quiet,
        ).success(None, self.query, self.link, js="hbiPage.copied")

    @answered
    def read(self, request: gr.Request) -> Values:
        """What the address chooses, shown."""
        session, parameters = self.session, dict(request.query_params)
        values: Values = {
            session.choices[name].component: value
            for name, value in read_choices(parameters, session.choices).items()
        }
        views = {}
        for prefix, figure in session.figures.items():
            if (view := read_view(parameters, prefix)) != FigureView():
                values[figure.view] = view
                views[figure.figure.elem_id] = view.to_dict()
        if has_own(parameters, session.choices):
            gr.Info(_UPLOAD, duration=20)
        return {**values, self.views: json.dumps(views)}

    @answered
    def write(self, *shown: Any) -> Values:
        """What is shown, as a query."""
        return {self.query: self._address(shown)[0]}

    @answered
    def offer(self, *shown: Any) -> Values:
        """The Copy link button."""
        query, needs_own = self._address(shown)
        return {
            self.query: query,
            self.link: gr.Textbox(visible=True),
            self.note: _NOT_IN_IT if needs_own else "",
        }

    def _address(self, shown: Sequence[Any]) -> tuple[str, bool]:
        """As `write_address`, of the values of choices, figures and answers, in this order."""
        session, values = self.session, iter(shown)
        chosen, views, answers = (
            dict(zip(names, values, strict=False))
            for names in (session.choices, session.figures, session.answers)
        )
        answered = [tab for tab, answer in answers.items() if answer is not None]
        return write_address(chosen, session.choices, views, answered)


def _changes(component: Component) -> list[Any]:
    """The events of a component that say that a visitor has changed it."""
    names = _WRITTEN if isinstance(component, gr.Textbox) else _EVENTS
    return [getattr(component, name) for name in names if hasattr(component, name)]
