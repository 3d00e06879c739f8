"""What several tests use."""

from __future__ import annotations

import functools
import itertools
import os

# Before torch is imported: threads of several processes on the same cores slow each other tenfold.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

from hbi_core.data import reading, synthetic
from hbi_core.data.frames import read_frames
from hbi_core.pipeline import explain
from support.demo import CAFE, CAFE_CAPTION


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
