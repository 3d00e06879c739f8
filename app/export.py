"""The Export buttons: a zip with figure and numbers, kept for an hour."""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
import time
import zipfile
from functools import cache
from pathlib import Path

import gradio as gr
from gradio.utils import get_upload_folder

from hbi_core.errors import InputError
from hbi_core.exact_vs_estimated import LevelComparison
from hbi_core.explanation import Explanation

_FOLDER = "hbi-exports-"
KEPT_SECONDS = 3600.0


def export(result: Explanation | LevelComparison | None, width: str) -> str:
    """The path of a zip with the files of `result.save`."""
    if result is None:
        raise gr.Error(
            "Nothing to export yet: press Explain or Compare first.", print_exception=False
        )
    remove_old_exports()
    stem = re.sub(r"[^\w.-]+", "-", result.title)[:60]
    try:
        with tempfile.TemporaryDirectory() as unpacked:
            files = result.save(unpacked, width)
            archive = Path(_new_folder()) / f"hbi-{stem}.zip"
            with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as bundle:
                for file in files:
                    bundle.write(file, file.name)
    except InputError as error:
        raise gr.Error(str(error), print_exception=False) from error
    return str(archive)


def remove_old_exports() -> None:
    """Delete what was exported more than an hour ago, also by servers that were killed."""
    oldest = time.time() - KEPT_SECONDS
    for server in Path(get_upload_folder()).glob(f"{_FOLDER}*"):
        with contextlib.suppress(FileNotFoundError):  # another request was faster
            # A folder is as old as what was put into it last.
            unused = server.stat().st_mtime < oldest
            for folder in [server] if unused else [*server.iterdir()]:
                if folder.stat().st_mtime < oldest:
                    shutil.rmtree(folder, ignore_errors=True)


def _new_folder() -> str:
    """For one export, so that no two have the same path."""
    folder = _folder_of_this_server().name
    Path(folder).mkdir(exist_ok=True)  # a server that was idle for an hour may have lost it
    return tempfile.mkdtemp(dir=folder)


@cache
def _folder_of_this_server() -> tempfile.TemporaryDirectory:
    """Among the uploads, from where gradio serves it without a copy; deleted when Python ends."""
    Path(get_upload_folder()).mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(prefix=_FOLDER, dir=get_upload_folder())
