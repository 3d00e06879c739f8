"""The Stop button: what a visitor asked for ends where it next tells its progress, or, where it
waits for its turn, at once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Any

import gradio as gr
from gradio.context import LocalContext
from gradio.events import Dependency
from gradio.queueing import Queue
from gradio.server_messages import ProcessCompletedMessage

from hbi_core.errors import InputError

_MOST = 1000  # visitors
_STOPS: OrderedDict[str, int] = OrderedDict()  # how often each visitor pressed Stop, the last ones
_LOCK = Lock()
_STOPPED = "Stopped."


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
            raise StoppedError(_STOPPED)
        return super().__call__(*told, **more)


def stops_of(visitor: str | None) -> int:
    """How often this visitor pressed Stop."""
    with _LOCK:
        return 0 if visitor is None else _STOPS.get(visitor, 0)


def stop_button(elem_id: str) -> gr.Button:
    """Lay out a button that ends what its visitor waits for."""
    button = gr.Button("Stop", elem_id=elem_id, scale=1, min_width=80)
    stopping(button.click)
    return button


def stopping(event: Callable[..., Dependency]) -> Dependency:
    """Let an event end what its visitor waits for.

    What shows something else does so first: what was asked before would come later, over it.
    """
    return event(stop, queue=False, api_visibility="private", show_progress="hidden")


async def stop(request: gr.Request) -> None:
    """Any Stop button, and whatever else is `stopping`."""
    visitor, blocks = request.session_hash, LocalContext.blocks.get(None)
    if visitor is None or blocks is None:
        return
    end_work(visitor)
    await _withdraw(blocks._queue, visitor)


def end_work(visitor: str) -> None:
    """What is at work for a visitor ends where it next tells its progress."""
    with _LOCK:
        _STOPS[visitor] = _STOPS.pop(visitor, 0) + 1
        while len(_STOPS) > _MOST:
            _STOPS.popitem(last=False)


async def _withdraw(queue: Queue, visitor: str) -> None:
    """Answer what waits behind others, as if it had run and had been stopped.

    Gradio's own `cancels` would let go of what runs, too, whose thread goes on: more would run at
    once than may.
    """
    turns = queue.event_queue_per_concurrency_id.values()
    waiting = [event for turn in turns for event in turn.queue if event.session_hash == visitor]
    for event in waiting:
        await queue.remove_from_queue(event._id)
        message = getattr(getattr(event.fn.fn, "__self__", None), "message", None)
        told = [f"**{_STOPPED}**" if one is message else gr.skip() for one in event.fn.outputs]
        queue.send_message(event, ProcessCompletedMessage(output={"data": told}, success=True))


def this_visitor() -> str | None:
    """The session of the request that is being answered."""
    request = LocalContext.request.get(None)
    return getattr(request, "session_hash", None)
