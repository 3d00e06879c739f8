"""Exports are zips in folders of their own, kept for an hour."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import gradio as gr
import pytest

from app.export import export
from app.session import KEPT_SECONDS


def test_what_cannot_be_exported_is_told(explanation):
    with pytest.raises(gr.Error, match="press the button of this tab first"):
        export(None, "text")
    with pytest.raises(gr.Error, match="width"):
        export(explanation, "page")


def test_old_exports_are_deleted(tmp_path, monkeypatch):
    """Of this server, and what a server left that was killed."""

    class Result:
        title = "../a b"

        def save(self, folder, width, font):
            file = Path(folder) / "numbers.txt"
            file.write_text(width)
            return [file]

    own = tmp_path / "hbi-exports-own"
    own.mkdir()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    left, running, uploads = (tmp_path / n for n in ("hbi-exports-a", "hbi-exports-b", "c"))
    for folder in (left / "x", running / "y", uploads / "z"):
        folder.mkdir(parents=True)
        (folder / "hbi-a.zip").write_bytes(b"")
    first = Path(export(Result(), "column", exports=own))
    assert first.name == "hbi-..-a-b.zip"
    for path in (left / "x", left, running / "y", uploads / "z", uploads, first.parent):
        then = path.stat().st_mtime - KEPT_SECONDS - 1
        os.utime(path, (then, then))
    second = Path(export(Result(), "column", exports=own))
    third = Path(export(Result(), "text", exports=own))
    assert len({second.parent, third.parent, own}) == 3
    assert second.exists()
    assert third.exists()
    assert not first.parent.exists()
    assert not left.exists()
    assert running.exists()
    assert not (running / "y").exists()
    assert (uploads / "z" / "hbi-a.zip").exists()
    shutil.rmtree(own)  # as another server does when this one was idle
    assert Path(export(Result(), "text", exports=own)).exists()
