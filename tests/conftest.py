"""What several tests use."""

from __future__ import annotations

import functools
import itertools
import os
import socket
import subprocess
import sys
import time
import urllib.request

# Before torch is imported: threads of several processes on the same cores slow each other tenfold.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

from hbi_core.data import reading, synthetic
from hbi_core.data.frames import read_frames
from hbi_core.pipeline import explain
from support.demo import CAFE, CAFE_CAPTION, ROOT


@pytest.fixture(scope="session")
def explanation():
    """A demo clip explained with the defaults. Not to be changed."""
    return explain(CAFE, CAFE_CAPTION)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Folder of the drawn clips: squares of four colours in four directions, in few pixels."""
    with pytest.MonkeyPatch.context() as patch:
        combinations = tuple(
            itertools.product(["red", "green", "blue", "yellow"], ["square"], synthetic.DIRECTIONS)
        )
        patch.setattr(synthetic, "COMBINATIONS", combinations)
        patch.setattr(synthetic, "_SPLITS", {"train": 4, "validation": 1, "test": 1})
        drawn = functools.partial(synthetic.synthetic_clips, size=32)
        patch.setattr(synthetic, "synthetic_clips", drawn)
        patch.setattr(reading, "read_frames", functools.partial(read_frames, size=32))
        yield tmp_path_factory.mktemp("synthetic")


@pytest.fixture(scope="session")
def server_files(tmp_path_factory):
    """The folder of what is uploaded to the server and exported by it."""
    return tmp_path_factory.mktemp("server") / "gradio"


@pytest.fixture(scope="session")
def server(server_files):
    """`python app.py` on a free port; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    log = server_files.parent / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "app.py", "--port", str(port)],
            cwd=ROOT, stdout=output, stderr=subprocess.STDOUT,
            env={**os.environ, "GRADIO_TEMP_DIR": str(server_files)},
        )  # fmt: skip
    try:
        for _ in range(3000):  # ten minutes at least
            assert process.poll() is None, f"exit {process.poll()}: {log.read_text()}"
            try:
                urllib.request.urlopen(address, timeout=600)
                break
            except OSError:
                time.sleep(0.2)
        yield address
        # Nothing took the server down.
        assert process.poll() is None, f"exit {process.poll()}: {log.read_text()}"
    finally:
        process.terminate()
        assert process.wait(600) == 0, log.read_text()
    assert not list(server_files.glob("hbi-exports-*"))
