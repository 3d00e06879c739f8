"""The picture shown is the frame whose time is told, whatever the coding and the container."""

from __future__ import annotations

from dataclasses import replace

import av
import numpy as np
import pytest

from hbi_core.errors import VideoError
from hbi_core.inputs import decoding
from hbi_core.inputs.packets import list_pictures
from hbi_core.inputs.video import VideoLimits
from support.clips import LEVEL, RATE, join, levels, write_clip, x264, x265

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


@pytest.mark.parametrize("name", ["slides.ts", "slides.mp4", "slides.mkv"])
def test_slides_are_no_jumps(decoder, tmp_path, name):
    stamps = [20_000 * number for number in range(6)]
    video = decoder.read(write_clip(tmp_path / name, 6, stamps=stamps), 6)
    assert video.times == pytest.approx([0, 20, 40, 60, 80, 100], abs=0.01)


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
