"""Where decoding can start, as the bitstream tells."""

from __future__ import annotations

import av
import pytest

from hbi_core.inputs.nal import Bitstream, Entry
from support.clips import write_clip, x264, x265

CLOSED, OPEN = Entry.CLOSED, Entry.OPEN


@pytest.mark.parametrize(
    ("coding", "kinds", "layered"),
    [
        (x264("keyint=10:bframes=3"), [CLOSED, CLOSED, CLOSED], False),
        (x264("keyint=10:bframes=3:open-gop=1:scenecut=0"), [CLOSED, OPEN, OPEN], False),
        (x264("keyint=10:intra-refresh=1"), [CLOSED], False),
        (x264("keyint=10:intra-refresh=1:slices=4"), [CLOSED], False),
        (x265("keyint=10:scenecut=0"), [CLOSED, OPEN, OPEN], False),
        (x265("keyint=10:scenecut=0:open-gop=0:bframes=0"), [CLOSED, CLOSED, CLOSED], False),
        (x265("keyint=10:scenecut=0:intra-refresh=1"), [CLOSED], False),
        (x265("keyint=30:scenecut=0:temporal-layers=3"), [CLOSED], True),
    ],
)
@pytest.mark.parametrize("suffix", ["mp4", "ts"])
def test_where_decoding_can_start(tmp_path, suffix, coding, kinds, layered):
    codec, options = coding
    path = write_clip(tmp_path / f"a.{suffix}", 30, codec=codec, codec_options=options)
    with av.open(path) as container:
        context = container.streams.video[0].codec_context
        bitstream = Bitstream(context.name, context.extradata)
        found = [
            bitstream.entry(bytes(packet)) for packet in container.demux(video=0) if packet.size
        ]
    assert [entry for entry in found if entry is not None] == kinds
    assert bitstream.layered == layered


def test_a_recovery_that_takes_pictures_is_no_entry():
    """Recovery points of ITU-T H.264, D.1.8, before an I slice: after 0, 1 and 2 pictures."""
    slice_of_i = bytes([0, 0, 1, 0x41, 0b1_0001000, 0x80])  # first_mb 0, slice_type 7
    slice_of_p = bytes([0, 0, 1, 0x41, 0b1_00110_00, 0x80])  # slice_type 5
    for bits, entry in ((0b1_1_0_00_1_00, OPEN), (0b010_1_0_00_1, None), (0b011_1_0_00_1, None)):
        recovery = bytes([0, 0, 1, 6, 6, 1, bits, 0x80])
        assert Bitstream("h264", None).entry(recovery + slice_of_i) is entry
        assert Bitstream("h264", None).entry(recovery + slice_of_i + slice_of_p) is None
    assert Bitstream("h264", None).entry(slice_of_i) is None
