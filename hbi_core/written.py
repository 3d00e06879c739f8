"""Files that are written at once or not at all, and whether they can be written."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

from hbi_core.errors import SettingsError


@contextmanager
def at_once(path: Path) -> Iterator[Path]:
    """Another path to write to; that file takes the name `path` if the block ends well."""
    writer = f"{os.getpid()}-{threading.get_native_id()}"  # another may write it too
    partial = path.with_name(f"{path.name}.{writer}.partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str, errors: str = "strict") -> None:
    """Write a text as UTF-8; a reader never sees half of it."""
    with at_once(path) as partial:
        partial.write_text(text, encoding="utf-8", errors=errors)


def check_folder(folder: Path, setting: str) -> None:
    """Whether files can be written to a folder, which need not exist; told before hours of work.

    Args:
        folder: the folder.
        setting: how its user names another one.

    Raises:
        SettingsError: they cannot.
    """
    try:
        known = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        with TemporaryFile(dir=known):  # what os.access allows may fail, below /proc for example
            pass
    except OSError as error:
        raise SettingsError(
            f"{folder} cannot be written ({error.strerror}): choose another folder, {setting}."
        ) from error


def check_file(path: Path, setting: str) -> None:
    """Whether a file can be written, in a folder which need not exist; as `check_folder`."""
    if path.is_dir():
        raise SettingsError(f"{path} is a folder: name a file, {setting}.")
    if not path.exists():  # one that does may be a device such as /dev/stdout
        check_folder(path.parent, setting)
    elif not os.access(path, os.W_OK):
        raise SettingsError(f"{path} cannot be written: name another file, {setting}.")
