"""What is shown for a picture that cannot be decoded."""

from __future__ import annotations

import av
import pytest

from hbi_core.errors import VideoError
from support.clips import LEVEL, RATE, damaged, write_clip, x264


@pytest.mark.parametrize(
    ("lost", "count", "given"),
    [
        (range(4, 6), 5, [6, 15, 25, 35, 45]),
        (range(14, 26), 5, [5, 26, 27, 35, 45]),  # each is given once
        (range(44, 50), 5, [5, 15, 25, 35, 43]),
        (range(43, 50), 25, [*range(1, 36, 2), *range(36, 43)]),
        (range(25, 50), 1, [24]),
        (range(20, 27), 1, [27]),
    ],
    ids=str,
)
def test_what_stands_in_for_a_lost_picture(decoder, single, tmp_path, lost, count, given):
    video = decoder.read(damaged(single, tmp_path / "a.mp4", lost), count)
    assert [time * RATE for time in video.times] == pytest.approx(given, abs=0.1)
    assert video.frames[:, :28].mean((1, 2, 3)) / LEVEL == pytest.approx(given, abs=0.6)


def test_bidirectional_pictures_stand_in_too(decoder, tmp_path):
    """The last of five groups is lost; pictures before it that no other needs are given too."""
    codec, options = x264("keyint=10:min-keyint=10:bframes=3:b-adapt=0:b-pyramid=none:scenecut=0")
    source = write_clip(tmp_path / "a.mp4", codec=codec, codec_options=options, noise=20)
    with av.open(source) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        places = [(packet.pos, packet.size) for packet in packets]
    path = damaged((source, places), tmp_path / "lost.mp4", range(40, 50))
    given = [1, 5, 8, 11, 15, 18, 21, 25, 28, 31, 35, 36, 37, 38, 39]
    video = decoder.read(path, 15)
    assert [time * RATE for time in video.times] == pytest.approx(given, abs=0.1)
    assert video.frames[:, :28].mean((1, 2, 3)) / LEVEL == pytest.approx(given, abs=0.8)


@pytest.mark.parametrize(
    ("lost", "stretch"),
    [
        (range(25, 50), "from 1.0 s to 2.0 s of 2.0 s"),
        (range(30), "from 0.2 s to 1.2 s of 2.0 s"),
        (range(15, 40), "from 0.6 s to 1.6 s of 2.0 s"),
    ],
    ids=str,
)
def test_a_lost_stretch_is_named(decoder, single, tmp_path, lost, stretch):
    with pytest.raises(VideoError, match=f"a.mp4 cannot be decoded {stretch}"):
        decoder.read(damaged(single, tmp_path / "a.mp4", lost), 5)


def test_nothing_can_be_decoded(decoder, single, tmp_path):
    with pytest.raises(VideoError, match=r"No frame of a\.mp4 can be decoded"):
        decoder.read(damaged(single, tmp_path / "a.mp4", range(50)), 5)
