"""Clips that several files of tests read."""

from __future__ import annotations

import av
import pytest

from hbi_core.inputs.video import Decoder
from support.clips import write_clip


@pytest.fixture(scope="module")
def decoder():
    with Decoder() as decoder:
        yield decoder


@pytest.fixture
def clip(tmp_path):
    return write_clip(tmp_path / "clip.mp4")


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    """A clip of 50 pictures that do not need one another, and the place of its pictures' bytes."""
    path = tmp_path_factory.mktemp("single") / "single.mp4"
    write_clip(path, codec_options={"g": "1", "qp": "20"}, noise=20)
    with av.open(path) as container:
        return path, [
            (packet.pos, packet.size) for packet in container.demux(video=0) if packet.size
        ]
