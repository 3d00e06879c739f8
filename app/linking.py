"""The page and its address: what a link asks is shown, and what is shown is in the link."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from app.address import read_address, write_address
from app.session import Session, Values, answered
from hbi_core.figures.view import FigureView

_NOT_IN_IT = (
    "Your own video is not in the link, since nobody else may see it: whoever opens the link "
    "uploads it again."
)
_UPLOAD = (
    "This link was made with a visitor's own video, which is not in it. Upload that video, then "
    "press Explain."
)


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
        self.view = gr.Textbox(visible=False)  # of an address, for the figure

    def listen(self, page: gr.Blocks, titles: Mapping[str, str]) -> None:
        """Begin, once the tabs are there.

        Args:
            page: whose address it is.
            titles: of the tabs, by their elem_id.
        """
        session, texts = self.session, list(self.session.texts.values())
        asked = [*session.asked, session.view]  # the arguments of `write_address`
        quiet: dict[str, Any] = {
            "queue": False,
            "api_visibility": "private",
            "show_progress": "hidden",
        }
        page.load(self.read, None, [*asked, *texts, self.view, self.message], **quiet).then(
            None,
            self.view,
            None,
            js=f"(filters) => hbiPage.opened(filters, {json.dumps(titles)})",
        )
        gr.on(
            [
                session.explanation.change,
                session.view.change,
                *(event for text in texts for event in (text.blur, text.submit)),
            ],
            self.write,
            [*asked, *texts],
            [self.query, self.message],
            trigger_mode="always_last",
            **quiet,
        ).success(None, self.query, None, js="hbiPage.address")
        session.link.click(
            self.offer, [*asked, *texts], [self.query, self.link, self.note, self.message], **quiet
        ).success(None, self.query, self.link, js="hbiPage.copied")

    @answered
    def read(self, request: gr.Request) -> Values:
        """What the address asks, shown."""
        asked = read_address(dict(request.query_params))
        session = self.session
        values: Values = {
            session.view: asked.view,
            self.view: json.dumps(asked.view.to_dict()) if asked.view != FigureView() else "",
        }
        for component, value in (
            (session.caption, asked.caption),
            (session.encoder, asked.encoder),
            (session.frames, asked.frames),
            (session.weighting, asked.weighting),
        ):
            if value is not None:
                values[component] = value
        values |= {session.texts[name]: text for name, text in asked.texts.items()}
        if asked.video is not None:
            values[session.video] = str(asked.video)
        if asked.own_video:
            values[session.video] = None
            gr.Info(_UPLOAD, duration=20)
        return values

    @answered
    def write(self, *asked: Any) -> Values:
        """What is shown, as a query."""
        return {self.query: self._address(asked)[0]}

    @answered
    def offer(self, *asked: Any) -> Values:
        """The Copy link button."""
        query, has_video = self._address(asked)
        return {
            self.query: query,
            self.link: gr.Textbox(visible=True),
            self.note: "" if has_video else _NOT_IN_IT,
        }

    def _address(self, asked: Sequence[Any]) -> tuple[str, bool]:
        """As `write_address`, of its arguments and all texts; those of the first visit go without
        saying."""
        texts = self.session.texts
        written = dict(zip(texts, asked[len(asked) - len(texts) :], strict=True))
        others = {name: text for name, text in written.items() if text != texts[name].value}
        return write_address(*asked[: len(asked) - len(texts)], texts=others)
