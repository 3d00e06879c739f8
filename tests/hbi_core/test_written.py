"""Files are written at once or not at all; what cannot be written is told before the work."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from hbi_core.errors import SettingsError
from hbi_core.written import at_once, check_file, check_folder, write_text
from support.patience import PATIENCE


def test_a_file_is_whole_or_the_earlier_one(tmp_path):
    path = tmp_path / "a.json"
    write_text(path, "earlier ü")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "half of it, and then \udcff")
    assert path.read_text(encoding="utf-8") == "earlier ü"
    with at_once(path) as partial:
        partial.write_text("new")
        assert path.read_text(encoding="utf-8") == "earlier ü"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_two_threads_may_write_one_file(tmp_path):
    """As two threads of a server do, or two clips of equal texts whose features are kept."""
    path, both = tmp_path / "a.json", Barrier(2)

    def write(text):
        with at_once(path) as partial:
            partial.write_text(text)
            both.wait(PATIENCE)

    with ThreadPoolExecutor(2) as threads:
        for written in [threads.submit(write, text) for text in ("one", "two")]:
            written.result()
    assert path.read_text() in ("one", "two")
    assert list(tmp_path.iterdir()) == [path]


def test_places_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    check_folder(tmp_path / "new" / "folder", "out=FOLDER")
    check_file(tmp_path / "new" / "x.json", "--json FILE")
    check_file(tmp_path / "file", "--json FILE")
    check_file(Path("/dev/null"), "--json FILE")
    for folder in (
        tmp_path / "file",
        tmp_path / "file" / "run",
        tmp_path / "/proc/run",
        tmp_path / ("long" * 100),
    ):
        with pytest.raises(SettingsError, match=r"cannot be written.*out=FOLDER"):
            check_folder(folder, "out=FOLDER")
    for path in (tmp_path, tmp_path / "file" / "x.json"):
        with pytest.raises(SettingsError, match="--json FILE"):
            check_file(path, "--json FILE")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
