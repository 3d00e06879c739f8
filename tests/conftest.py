"""What several tests use."""

from __future__ import annotations

import os

# Before torch is imported: threads of several processes on the same cores slow each other tenfold.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

from hbi_core.pipeline import explain
from support.demo import CAFE, CAFE_CAPTION
from support.releases import write_drawing


@pytest.fixture(scope="session")
def explanation():
    """A demo clip explained with the defaults. Not to be changed."""
    return explain(CAFE, CAFE_CAPTION)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Folder of the drawn clips: squares of four colours in four directions, in few pixels."""
    return write_drawing(tmp_path_factory.mktemp("synthetic"))
