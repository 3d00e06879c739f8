"""What several tests use."""

from __future__ import annotations

import os
import shutil

# Before torch is imported: threads of several processes on the same cores slow each other tenfold.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

from hbi_core import pipeline
from hbi_core.pipeline import explain
from support.answerers import QUESTION, write_answerer
from support.captioners import write_captioner
from support.demo import CAFE, CAFE_CAPTION
from support.releases import write_drawing

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
# Flags that keep the browser from asking for a network that is not there.
FLAGS = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-sync"]


@pytest.fixture(scope="session")
def browser():
    """Debian's chromium, or the test is skipped."""
    if CHROMIUM is None:
        pytest.skip("Debian's chromium is not installed (apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session", autouse=True)
def _no_cache_of_the_user(tmp_path_factory):
    """Features of clips are kept in a folder of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HBI_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def explanation():
    """A demo clip explained with the defaults. Not to be changed."""
    return explain(CAFE, CAFE_CAPTION)


@pytest.fixture(scope="session")
def contrast():
    """Two captions of a demo clip. Not to be changed."""
    return pipeline.contrast(CAFE, "a tabby cat", "a cup of espresso")


@pytest.fixture(scope="session")
def answerer(tmp_path_factory):
    """The file of a model that answers at random."""
    return write_answerer(tmp_path_factory.mktemp("answerer") / "answers.safetensors")


@pytest.fixture(scope="session")
def answered(answerer):
    """A question about a demo clip. Not to be changed."""
    return pipeline.ask(CAFE, QUESTION, frames=3, checkpoint=answerer)


@pytest.fixture(scope="session")
def captioner(tmp_path_factory):
    """The file of a model that describes at random."""
    return write_captioner(tmp_path_factory.mktemp("captioner") / "captions.safetensors")


@pytest.fixture(scope="session")
def described(captioner):
    """A demo clip described. Not to be changed."""
    return pipeline.describe(CAFE, frames=3, checkpoint=captioner)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Folder of the drawn clips: squares of four colours in four directions, in few pixels."""
    return write_drawing(tmp_path_factory.mktemp("synthetic"))
