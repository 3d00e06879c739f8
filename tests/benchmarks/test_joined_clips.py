from __future__ import annotations

import av
import numpy as np
import pytest

from benchmarks.joined_clips import HEIGHT, RATE, WIDTH, join_clips
from support.clips import LEVEL, write_clip


def greys(path):
    with av.open(str(path)) as container:
        frames = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
    assert {frame.shape for frame in frames} == {(HEIGHT, WIDTH, 3)}
    return np.array([frame.mean() for frame in frames])


def test_each_clip_has_its_seconds_in_one_size(tmp_path):
    first = write_clip(tmp_path / "first.mp4", 50, rate=25)
    second = write_clip(tmp_path / "second.mp4", 60, rate=12, size=(64, 96))
    join_clips([second, first], tmp_path / "joined.mp4", seconds=1.5)
    shown = greys(tmp_path / "joined.mp4")
    seconds = np.arange(36) / RATE
    expected = [np.floor(seconds * 12 + 1e-3), np.floor(seconds * 25 + 1e-3)]
    assert shown == pytest.approx(LEVEL * np.concatenate(expected), abs=2.5)


def test_a_short_clip_stays_at_its_last_picture(tmp_path):
    short = write_clip(tmp_path / "short.mp4", 10, rate=10)
    join_clips([short], tmp_path / "joined.mp4", seconds=2.0)
    shown = greys(tmp_path / "joined.mp4")
    assert len(shown) == 2 * RATE
    assert shown[-RATE:] == pytest.approx(LEVEL * 9, abs=2.5)
