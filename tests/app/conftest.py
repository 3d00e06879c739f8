"""The page for tests: its tabs without a server, and a server of its own."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import urllib.request

import gradio as gr
import pytest

from app.page import ask
from support.demo import ROOT
from support.patience import PATIENCE
from support.ports import free_port


@pytest.fixture(scope="session")
def laid_out():
    """Makes a tab of this class below what is asked, without a server."""

    def lay_out(tab):
        with gr.Blocks():
            return tab(ask())

    return lay_out


@pytest.fixture(scope="session")
def server_files(tmp_path_factory):
    """The folder of what is uploaded to the server and exported by it."""
    return tmp_path_factory.mktemp("server") / "gradio"


@contextlib.contextmanager
def serving(folder, variables=None, options=()):
    """`python app.py` on a free port, with further variables and options; its address."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    log = folder.parent / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "app.py", "--port", str(port), *options],
            cwd=ROOT,
            env={**os.environ, "GRADIO_TEMP_DIR": str(folder), **(variables or {})},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        for _ in range(3000):  # ten minutes at least
            assert process.poll() is None, f"exit {process.poll()}: {log.read_text()}"
            try:
                urllib.request.urlopen(address, timeout=PATIENCE)
                break
            except OSError:
                time.sleep(0.2)
        yield address
        # Nothing took the server down.
        assert process.poll() is None, f"exit {process.poll()}: {log.read_text()}"
    finally:
        process.terminate()
        assert process.wait(PATIENCE) == 0, log.read_text()
    assert not list(folder.glob("hbi-exports-*"))


@pytest.fixture(scope="session")
def serve():
    """Starts a server of its own: `serving`."""
    return serving


@pytest.fixture(scope="session")
def server(server_files):
    """The server that most tests share; its address."""
    with serving(server_files) as address:
        yield address
