"""The Stop button: what a visitor asked for ends where it next tells its progress."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Any

import gradio as gr
from gradio.context import LocalContext

from hbi_core.errors import InputError

_MOST = 1000  # visitors
_STOPS: OrderedDict[str, int] = OrderedDict()  # how often each visitor pressed Stop, the last ones
_LOCK = Lock()


class StoppedError(InputError):
    """A visitor asked for no more of this."""


class StoppableProgress(gr.Progress):
    """The bar of one click, which ends the work once Stop was pressed after it began.

    Args:
        visitor: session of the browser; None of a request without one, which nobody stops.
    """

    def __init__(self, visitor: str | None) -> None:
        super().__init__()
        self._visitor, self._stops = visitor, stops_of(visitor)

    def __call__(self, *told: Any, **more: Any) -> Any:
        """As gradio's.

        Raises:
            StoppedError: Stop was pressed.
        """
        if stops_of(self._visitor) != self._stops:
            raise StoppedError("Stopped.")
        return super().__call__(*told, **more)


def stops_of(visitor: str | None) -> int:
    """How often this visitor pressed Stop."""
    with _LOCK:
        return 0 if visitor is None else _STOPS.get(visitor, 0)


def stop_button(elem_id: str) -> gr.Button:
    """Lay out a button that ends what its visitor waits for."""
    button = gr.Button("Stop", elem_id=elem_id, scale=1, min_width=80)
    button.click(stop, queue=False, api_visibility="private", show_progress="hidden")
    return button


def stop(request: gr.Request) -> None:
    """Any Stop button."""
    visitor = request.session_hash
    if visitor is None:
        return
    with _LOCK:
        _STOPS[visitor] = _STOPS.pop(visitor, 0) + 1
        while len(_STOPS) > _MOST:
            _STOPS.popitem(last=False)


def this_visitor() -> str | None:
    """The session of the request that is being answered."""
    request = LocalContext.request.get(None)
    return getattr(request, "session_hash", None)
