"""What a request may hold."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import gradio as gr
import pytest

from app.uploads import GuardedBlocks, uploaded_file
from hbi_core.errors import InputError

REFUSED = "Only a file that was uploaded to this server can be opened"


def awaited(work):
    """In a thread of its own: a browser of other tests may have a loop running in this one."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(asyncio.run, work).result()


def test_blocks_guard_an_endpoint_that_does_not(tmp_path):
    """What a new tab's author may forget: any function, any component, a state, an event."""
    seen = []

    def unguarded(value: dict) -> None:
        seen.append(value)

    with GuardedBlocks() as blocks:
        gr.api(unguarded, api_name="any")
        box, kept = gr.JSON(), gr.State()
        box.change(lambda value, _: seen.append(value), [box, kept], None)
    for number, data in ((0, [{"path": "/x"}]), (1, [{"a": [{"path": "/x"}]}, None])):
        with pytest.raises(gr.Error, match=REFUSED):
            awaited(blocks.process_api(number, data))
    event = gr.EventData(None, {"value": {"path": "/x"}})
    with pytest.raises(gr.Error, match=REFUSED):
        awaited(blocks.process_api(0, [{}], event_data=event))
    assert seen == []
    awaited(blocks.process_api(0, [{"name": "/x"}]))
    assert seen == [{"name": "/x"}]


def test_uploaded_file(tmp_path, monkeypatch):
    """Where the folder of uploads is itself a link."""
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir()
    link.symlink_to(real)
    (real / "a.mp4").write_bytes(b"")
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(link))
    assert uploaded_file(str(link / "a.mp4")) == real / "a.mp4"
    assert uploaded_file({"path": str(link / "b" / ".." / "a.mp4")}) == real / "a.mp4"
    with pytest.raises(InputError, match=REFUSED):
        uploaded_file(str(tmp_path / "a.mp4"))
