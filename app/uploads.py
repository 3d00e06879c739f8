"""What a request may hold: files that were uploaded or that we ship, values of the right types.

Gradio checks the files that are marked as such (`meta`) and only those; an endpoint that opens
the path of any other dictionary opens every file of the server. Here every value of every request
is looked at, whatever its endpoint declares.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

from hbi_core.errors import InputError, VideoError
from hbi_core.shipped import ASSETS

CLIPS = ASSETS / "clips"


class GuardedBlocks(gr.Blocks):
    """Blocks that refuse what a request may not hold, with a sentence, before anything opens it.

    All requests come through here: the queue, the direct routes and MCP call `process_api`, which
    calls `preprocess_data`.
    """

    async def process_api(self, block_fn: Any, inputs: list, *more: Any, **named: Any) -> dict:
        events = [one for one in (*more, *named.values()) if isinstance(one, gr.EventData)]
        with refused_plainly():
            for file in _files([inputs, *(event._data for event in events)]):
                uploaded_file(file)
        return await super().process_api(block_fn, inputs, *more, **named)

    async def preprocess_data(self, *args: Any, **keywords: Any) -> list:
        try:
            return await super().preprocess_data(*args, **keywords)
        except (ValueError, TypeError, AttributeError) as error:
            raise gr.Error(
                "The values of the request are too few, or not of the types that the endpoint "
                "takes; /gradio_api/info lists those.",
                print_exception=False,
            ) from error


@contextlib.contextmanager
def refused_plainly() -> Iterator[None]:
    """Input that cannot be used ends the request; its sentence is the answer."""
    try:
        yield
    except InputError as error:
        raise gr.Error(str(error), print_exception=False) from error


def uploaded_file(value: Any) -> Path:
    """The file that a value of a request names: a path, or a dictionary with one.

    Raises:
        InputError: it names none that was uploaded here. Whether there is such a file is not
            looked up, so the answer does not tell.
    """
    path = value.get("path") if isinstance(value, dict) else value
    if isinstance(path, str):
        named = Path(os.path.abspath(path))
        for folder in (Path(os.path.abspath(get_upload_folder())), CLIPS):
            # The name first: a name outside is not even followed. Then where links lead to.
            if folder in named.parents and folder.resolve() in _resolved(named).parents:
                return _resolved(named)
    raise InputError(
        "Only a file that was uploaded to this server can be opened. Upload it first, in Python "
        "with gradio_client.handle_file(path)."
    )


def chosen_video(value: Any) -> Path:
    """The video that a request is about.

    Raises:
        VideoError: none was chosen.
        InputError: as of `uploaded_file`.
    """
    if not value:
        raise VideoError("Choose a video first: upload one, record one, or take an example.")
    return uploaded_file(value)


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):  # a circle of links; a name with a zero byte
        return Path()


def _files(value: Any) -> Iterator[dict]:
    """Every dictionary with a path, however deep."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if "path" in value:
                yield value
            waiting += value.values()
        elif isinstance(value, (list, tuple)):
            waiting += value
