"""The picture shown is the frame whose time is told, whatever the coding and the container."""

from __future__ import annotations

from dataclasses import replace

import av
import numpy as np
import pytest

from hbi_core.errors import VideoError
from hbi_core.inputs import decoding
from hbi_core.inputs.nal import Bitstream, Entry
from hbi_core.inputs.packets import list_pictures
from hbi_core.inputs.timeline import join_parts, without_ties
from hbi_core.inputs.video import Decoder, VideoLimits
from support.clips import LEVEL, join, write_clip

RATE = 25


@pytest.fixture(scope="module")
def decoder():
    with Decoder() as decoder:
        yield decoder


def levels(video):
    """Which frame of `write_clip` each frame is."""
    return video.frames.mean((1, 2, 3)) / LEVEL


def x264(parameters):
    return "libx264", {"x264-params": parameters}


def x265(parameters):
    return "libx265", {"x265-params": f"log-level=none:{parameters}"}


ALT_REF = {"g": "12", "auto-alt-ref": "1", "lag-in-frames": "16"}
B_FRAMES = {"g": "12", "bf": "2"}


@pytest.mark.parametrize("frames", [3, 5, 12])
@pytest.mark.parametrize(
    ("name", "coding"),
    [
        ("closed.mp4", x264("keyint=12:bframes=3")),
        ("closed.avi", x264("keyint=12:bframes=3")),  # its stamps do not tell the order
        ("closed.mxf", x264("keyint=12:bframes=3")),
        ("closed.h264", x264("keyint=12:bframes=3")),  # without any stamps
        ("fields.mkv", x264("keyint=12:bframes=3:interlaced=1")),
        ("open.mp4", x264("open-gop=1:keyint=12:bframes=3:scenecut=0")),
        ("open.ts", x264("open-gop=1:keyint=12:bframes=3:scenecut=0")),
        ("refresh.mp4", x264("intra-refresh=1:keyint=12")),
        ("refresh.ts", x264("intra-refresh=1:keyint=12")),
        ("refresh.mkv", x264("intra-refresh=1:keyint=12:slices=4")),
        ("open265.mkv", x265("keyint=12")),
        ("open265.mp4", x265("keyint=12")),
        ("open265.ts", x265("keyint=12")),
        ("open265.hevc", x265("keyint=12")),
        ("closed265.mp4", x265("keyint=12:open-gop=0:radl=2")),
        ("layers265.mp4", x265("keyint=24:temporal-layers=3")),
        ("altref.webm", ("libvpx", ALT_REF)),
        ("altref9.webm", ("libvpx-vp9", ALT_REF)),
        ("av1.mkv", ("libsvtav1", {"g": "12", "preset": "12"})),
        ("program.mpg", ("mpeg2video", B_FRAMES)),
        ("transport.ts", ("mpeg2video", B_FRAMES)),
        ("mpeg2.mxf", ("mpeg2video", B_FRAMES)),
        ("mpeg4.avi", ("mpeg4", B_FRAMES)),
        ("mpeg4.3gp", ("mpeg4", {"g": "12"})),
        ("photographs.avi", ("mjpeg", {})),
        ("intra.mov", ("prores_ks", {})),
        ("real.rm", ("rv20", {})),
        ("windows.wmv", ("wmv2", {})),
        ("flash.flv", ("flv", {})),
        ("open.nut", ("libx264", {"g": "12"})),
        ("lossless.mkv", ("ffv1", {})),
        ("layered.apng", ("apng", {})),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_pictures_have_their_times(decoder, clips_of_codings, name, coding, frames):
    video = decoder.read(clips_of_codings(name, *coding), frames)
    middles = (np.arange(frames) + 0.5) * 60 / frames
    assert [time * RATE for time in video.times] == pytest.approx(np.floor(middles), abs=0.1)
    assert levels(video) == pytest.approx(np.floor(middles), abs=0.8)  # old codecs are lossy
    assert video.duration == pytest.approx(60 / RATE, abs=1e-3)


@pytest.mark.parametrize("suffix", ["mpg", "vob"])
def test_every_picture_of_a_program_stream(decoder, tmp_path, suffix):
    """It tells the times of few pictures; of those guessed for the others, some are the same."""
    path = write_clip(
        tmp_path / f"a.{suffix}",
        60,
        codec="mpeg2video",
        codec_options=B_FRAMES | {"b": "200000"},
        noise=10,
    )
    video = decoder.read(path, 60)
    assert [time * RATE for time in video.times] == pytest.approx(np.arange(60), abs=0.1)
    upper = video.frames[:, :28].mean((1, 2, 3)) / LEVEL
    assert upper == pytest.approx(np.arange(60), abs=0.8)


def test_times_without_ties():
    told = np.array([0.0, 1.0, 1.0, 2.0, 2.0, 2.0, 4.0])
    assert without_ties(told, 7 / 5) == pytest.approx(np.arange(7) * 5 / 7)  # even, and as long
    assert without_ties(told, 25) == pytest.approx([0, 1, 1.5, 2, 2 + 2 / 3, 2 + 4 / 3, 4])
    assert without_ties(np.array([0.0, 1.0, 1.0]), 25) == pytest.approx([0, 1, 1.5])
    assert without_ties(np.zeros(2), 25) == pytest.approx([0, 1 / 25])


@pytest.fixture(scope="module")
def clips_of_codings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("codings")
    formats = {"prores_ks": "yuv422p10le", "mjpeg": "yuvj420p", "apng": "rgb24"}

    def clip(name, codec, options):
        path = folder / name
        if not path.exists():
            pixel_format = formats.get(codec, "yuv420p")
            write_clip(path, 60, codec=codec, codec_options=options, pixel_format=pixel_format)
        return path

    return clip


def test_every_container_that_is_opened(decoder, tmp_path):
    """Digital video tapes have one size only; and their pixels are not square."""
    path = write_clip(
        tmp_path / "tape.dv", 3, codec="dvvideo", size=(720, 576), pixel_format="yuv420p"
    )
    assert levels(decoder.read(path, 3)) == pytest.approx([0, 1, 2], abs=0.6)


def marks_of_keys(path):
    with av.open(path) as container:
        return sum(packet.is_keyframe for packet in container.demux(video=0))


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


def test_key_frames_that_are_none(decoder, tmp_path):
    """Every packet of this file is marked as a key frame, and but the first none is."""
    source = write_clip(
        tmp_path / "a.avi",
        60,
        codec="msmpeg4",
        codec_options={"g": "100", "sc_threshold": "1000000000"},
        marked=True,
    )
    data = source.read_bytes()
    index = data.index(b"idx1")
    entries = bytearray(data[index + 8 :])
    for at in range(4, len(entries) - 12, 16):
        entries[at] |= 16  # AVIIF_KEYFRAME
    path = tmp_path / "keys.avi"
    path.write_bytes(data[: index + 8] + entries)
    assert marks_of_keys(path) > 50 > marks_of_keys(source)
    assert (decoder.read(path, 4).frames == decoder.read(source, 4).frames).all()


def test_a_recovery_that_takes_pictures_is_no_entry():
    """Recovery points of ITU-T H.264, D.1.8, before an I slice: after 0, 1 and 2 pictures."""
    slice_of_i = bytes([0, 0, 1, 0x41, 0b1_0001000, 0x80])  # first_mb 0, slice_type 7
    slice_of_p = bytes([0, 0, 1, 0x41, 0b1_00110_00, 0x80])  # slice_type 5
    for bits, entry in ((0b1_1_0_00_1_00, OPEN), (0b010_1_0_00_1, None), (0b011_1_0_00_1, None)):
        recovery = bytes([0, 0, 1, 6, 6, 1, bits, 0x80])
        assert Bitstream("h264", None).entry(recovery + slice_of_i) is entry
        assert Bitstream("h264", None).entry(recovery + slice_of_i + slice_of_p) is None
    assert Bitstream("h264", None).entry(slice_of_i) is None


def test_pictures_drawn_over_others(decoder, tmp_path):
    """In APNG a picture can be marked as a key, and those before it are shown again after it."""
    path = tmp_path / "a.apng"
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    drawn = []
    with av.open(path, "w") as container:
        stream = container.add_stream("apng", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "rgb24"
        for number in range(30):
            pixels[number : number + 8, 2 * number : 2 * number + 4] = 8 * number
            drawn.append(np.full_like(pixels, 90) if number == 12 else pixels.copy())
            container.mux(stream.encode(av.VideoFrame.from_ndarray(drawn[-1])))
        container.mux(stream.encode())
    assert marks_of_keys(path) > 1
    assert (decoder.read(path, 3).frames == np.stack(drawn)[[5, 15, 25]]).all()


def test_an_order_that_was_guessed_wrongly(monkeypatch, clips_of_codings):
    """As in AVIs whose packets hold two pictures: the decoder knows it better."""
    path = str(clips_of_codings("mpeg4.avi", "mpeg4", B_FRAMES))
    right = list_pictures(path)
    order = np.arange(len(right.numbers))
    assert (right.numbers != order).any()
    wrong = replace(right, numbers=order, ranks=order, moments=order, entries=right.entries[:1])
    monkeypatch.setattr(decoding, "list_pictures", lambda _: wrong)
    _, told, pixels = decoding.answer(path, 12, VideoLimits())
    frames = np.frombuffer(pixels, np.uint8).reshape(told["shape"])
    middles = (np.arange(12) + 0.5) * 5
    assert frames.mean((1, 2, 3)) / LEVEL == pytest.approx(np.floor(middles), abs=0.8)


def test_a_header_of_its_own_for_the_second_half(decoder, tmp_path):
    options = {"x264-params": "keyint=4:bframes=0"}
    first, second = (
        write_clip(
            tmp_path / f"{number}.flv",
            24,
            size=size,
            first=number,
            codec_options=options,
            stamps=[40 * (number + later) for later in range(24)],
        )
        for number, size in ((0, (64, 48)), (24, (96, 48)))
    )
    path = tmp_path / "both.flv"
    path.write_bytes(first.read_bytes() + second.read_bytes()[13:])
    video = decoder.read(path, 4)
    assert video.frames.shape == (4, 48, 96, 3)
    middle = video.frames[:, :, 40:56].mean((1, 2, 3)) / LEVEL
    assert middle == pytest.approx([6, 18, 30, 42], abs=0.8)


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_parameters_that_come_once(decoder, tmp_path, codec):
    """The second half has another shape, and only its first packet says so."""
    sets = {"libx264": {7, 8, 6}, "libx265": {32, 33, 34, 39}}[codec]
    suffix = {"libx264": "h264", "libx265": "hevc"}[codec]
    options = dict([x264("keyint=4:bframes=0"), x265("keyint=4:bframes=0:open-gop=0")])[codec]
    first, second = (
        write_clip(
            tmp_path / f"{number}.{suffix}",
            24,
            codec=codec,
            size=size,
            first=number,
            codec_options=options,
        )
        for number, size in ((0, (64, 48)), (24, (96, 48)))
    )
    units = second.read_bytes().replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")[1:]
    kinds = [(u[0] >> 1) & 63 if codec == "libx265" else u[0] & 31 for u in units]
    pictures = [number for number, kind in enumerate(kinds) if kind not in sets]
    kept = [unit for number, unit in enumerate(units) if number < pictures[1] or number in pictures]
    path = tmp_path / f"both.{suffix}"
    path.write_bytes(first.read_bytes() + b"".join(b"\0\0\0\1" + unit for unit in kept))
    video = decoder.read(path, 4)
    assert video.frames.shape == (4, 48, 96, 3)
    middle = video.frames[:, :, 40:56].mean((1, 2, 3)) / LEVEL
    assert middle == pytest.approx([6, 18, 30, 42], abs=0.8)


def test_parts_of_another_size(decoder, tmp_path):
    """All are shown in the shape of the largest, the others with black beside them."""
    small = write_clip(tmp_path / "1.ts", 25, size=(64, 64), first=10)
    large = write_clip(tmp_path / "2.ts", 25, size=(192, 96), first=35)
    video = decoder.read(join(tmp_path / "both.ts", small, large), 10)
    assert video.frames.shape == (10, 96, 192, 3)
    shown = video.frames[:, 8:-8, 60:-60].mean((1, 2, 3)) / LEVEL
    assert shown == pytest.approx([12, 17, 22, 27, 32, 37, 42, 47, 52, 57], abs=0.6)
    assert (video.frames[:5, :, :40] == 0).all()
    assert (video.frames[:5, :, -40:] == 0).all()


def later(source, target, seconds, sound=False):
    """The packets of a transport stream with later stamps."""
    with av.open(source) as old, av.open(target, "w") as new:
        streams = {stream: new.add_stream_from_template(stream) for stream in old.streams}
        for packet in old.demux():
            if packet.dts is not None:
                shift = round(seconds / packet.time_base)
                packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                packet.stream = streams[packet.stream]
                new.mux(packet)
    return target


@pytest.mark.parametrize("seconds", [0, 600, 7200])
@pytest.mark.parametrize("name", ["a.ts", "with sound.ts", "a.mpg"])
def test_joined_recordings(decoder, tmp_path, name, seconds):
    """Two files of a second each, with the same stamps or with a clock that jumps."""
    codec = "mpeg2video" if name == "a.mpg" else "libx264"
    sound = int("sound" in name)
    one, two = (
        write_clip(tmp_path / f"{first}{name}", 25, codec=codec, first=first, sound=sound)
        for first in (0, 25)
    )
    if seconds:
        two = later(two, tmp_path / f"later {name}", seconds)
    video = decoder.read(join(tmp_path / name, one, two), 5)
    assert video.duration == pytest.approx(2.0, abs=0.05)
    assert levels(video) == pytest.approx([5, 15, 25, 35, 45], abs=0.8)
    assert video.times == pytest.approx([0.2, 0.6, 1.0, 1.4, 1.8], abs=0.05)


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mkv", "libx264"),
        ("a.webm", "libvpx"),
        ("a.mp4", "libx264"),
        ("fragments.mp4", "libx264"),
        ("a.avi", "mpeg4"),
        ("a.flv", "flv"),
        ("a.ivf", "libvpx"),
        ("a.nut", "mpeg4"),
        ("a.wmv", "wmv2"),
        ("a.mxf", "mpeg2video"),
        ("a.rm", "rv20"),
        ("a.ogv", "libvpx"),
        ("a.y4m", "rawvideo"),
        ("a.apng", "apng"),
        ("a.gif", "gif"),
    ],
)
def test_joined_files_with_headers(decoder, tmp_path, name, codec):
    """Two of a size, then one of another: no header counts for the next file."""
    formats = {"apng": "rgb24", "gif": "rgb8"}
    fragments = {"movflags": "frag_keyframe+empty_moov"} if "fragments" in name else {}
    parts = [
        write_clip(
            tmp_path / f"{first}{name}",
            count,
            codec=codec,
            first=first,
            size=size,
            pixel_format=formats.get(codec, "yuv420p"),
            container_options=fragments,
        )
        for first, count, size in (
            (0, 25, (64, 64)),
            (25, 17, (64, 64)),
            (42, 8, (96, 64) if codec != "gif" else (64, 64)),
        )
    ]
    video = decoder.read(join(tmp_path / name, *parts), 10)
    assert video.duration == pytest.approx(2.0, abs=0.05)
    middle = video.frames[:, :, 28:36] if codec == "gif" else video.frames[:, :, 44:52]
    assert middle.mean((1, 2, 3)) / LEVEL == pytest.approx(np.arange(2, 50, 5), abs=1.6)
    assert video.times == pytest.approx(np.arange(2, 50, 5) / RATE, abs=0.05)


def test_a_clock_that_starts_anew_within_a_file():
    shown = np.array([0, 1, 3, 2, 4, 5, 6, 7, 0, 2, 1, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4.0])
    joined = [*shown[:8], *(shown[8:17] + 8), *(shown[17:] + 16)]
    assert join_parts(shown, shown, None) == pytest.approx(joined)


def test_a_joined_file_that_is_damaged(decoder, single, tmp_path):
    source, _ = single
    lost = damaged(single, tmp_path / "lost.mp4", range(50))
    for second, message in (
        (lost.read_bytes(), "No frame of a.mp4 can be decoded"),
        (source.read_bytes()[:40], "truncated or damaged"),
    ):
        path = tmp_path / "a.mp4"
        path.write_bytes(source.read_bytes() + second)
        with pytest.raises(VideoError, match=f"^Recording 2 of 2 that are joined: .*{message}"):
            decoder.read(path, 4)


def test_an_order_of_decoding_is_no_join():
    """A pyramid of bidirectional pictures, some of them shown for long; and one wrong stamp."""
    order = np.array([0, 8, 4, 2, 1, 3, 6, 5, 7, 16, 12, 10, 9, 11, 14, 13, 15])
    shown = np.cumsum([0, 1, 30, 1, 1, 1, 60, 1, 1, 1, 1, 90, 1, 1, 1, 1, 1])[order]
    assert (join_parts(shown, shown, None) == shown).all()
    stamps = np.arange(20.0)
    stamps[12] = 3.0
    assert (join_parts(stamps, stamps, None) == stamps).all()


@pytest.mark.parametrize("name", ["slides.ts", "slides.mp4", "slides.mkv"])
def test_slides_are_no_jumps(decoder, tmp_path, name):
    stamps = [20_000 * number for number in range(6)]
    video = decoder.read(write_clip(tmp_path / name, 6, stamps=stamps), 6)
    assert video.times == pytest.approx([0, 20, 40, 60, 80, 100], abs=0.01)


def test_a_pause_of_the_picture_while_sound_goes_on():
    shown = np.array([0, 0.04, 0.08, 30.0, 30.04])
    assert join_parts(shown, shown, np.arange(0, 30, 0.5)) == pytest.approx(shown)
    joined = np.array([0, 0.04, 0.08, 0.12, 0.16])
    assert join_parts(shown, shown, np.array([0, 0.1, 29.9])) == pytest.approx(joined)


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    """A clip of 50 pictures that do not need one another, and the place of its pictures' bytes."""
    path = tmp_path_factory.mktemp("single") / "single.mp4"
    write_clip(path, codec_options={"g": "1", "qp": "20"}, noise=20)
    with av.open(path) as container:
        return path, [
            (packet.pos, packet.size) for packet in container.demux(video=0) if packet.size
        ]


def damaged(single, target, lost):
    """The clip with nothing but zeros for some of its pictures."""
    source, places = single
    data = bytearray(source.read_bytes())
    for number in lost:
        at, size = places[number]
        data[at : at + size] = bytes(size)
    target.write_bytes(data)
    return target


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


@pytest.mark.parametrize("codecs", [("libx264", "libx265"), ("mpeg2video", "libx264")])
def test_a_coding_that_changes(decoder, tmp_path, codecs):
    parts = [write_clip(tmp_path / f"{codec}.ts", 25, codec=codec) for codec in codecs]
    path = join(tmp_path / "both.ts", *parts)
    with pytest.raises(VideoError, match=r"cannot be decoded from [01]\.\d s to .* another coding"):
        decoder.read(path, 4)
    assert len(decoder.read(path, 1).times) == 1


@pytest.mark.parametrize("name", ["title.avi", "title.mp4", "title.mkv"])
def test_tags_of_any_bytes(decoder, tmp_path, name):
    path = write_clip(tmp_path / name, 10, codec="mpeg4", metadata={"title": "caffè"})
    data = path.read_bytes()
    assert "caffè".encode() in data
    path.write_bytes(data.replace("caffè".encode(), b"caf\xff\xfe\x8f"))
    assert levels(decoder.read(path, 2)) == pytest.approx([2, 7], abs=0.8)


@pytest.mark.parametrize("name", ["two.mkv", "two.mp4"])
def test_the_default_track_is_shown(decoder, tmp_path, name):
    """The first track is a small preview."""
    path = tmp_path / name
    disposition = av.stream.Disposition
    with av.open(path, "w") as container:
        tracks = []
        for side, kind in ((32, disposition(0)), (64, disposition.default)):
            track = container.add_stream("libx264", rate=RATE)
            track.width = track.height = side
            track.pix_fmt, track.disposition = "yuv420p", kind
            tracks.append(track)
        for track, level in zip(tracks, (200, 100), strict=True):
            for _ in range(5):
                pixels = np.full((track.height, track.width, 3), level, np.uint8)
                container.mux(track.encode(av.VideoFrame.from_ndarray(pixels)))
            container.mux(track.encode())
    video = decoder.read(path, 1)
    assert video.frames.shape == (1, 64, 64, 3)
    assert video.frames.mean() == pytest.approx(100, abs=3)


def test_animated_webp_is_named(decoder, tmp_path):
    path = tmp_path / "a.webp"
    path.write_bytes(b"RIFF\x64\0\0\0WEBPVP8X" + bytes(80))
    with pytest.raises(VideoError, match=r"WebP.*Convert it to MP4 or GIF"):
        decoder.read(path)
