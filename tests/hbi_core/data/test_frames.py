"""Photographs and videos as frames."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hbi_core.data import Clip, read_corpus, read_frames
from hbi_core.data.frames import open_photograph
from hbi_core.errors import VideoError
from support.clips import LEVEL, write_clip


def save_rings(path: Path, centre=(255, 0, 0)) -> Path:
    """100 × 50 pixels: blue sides, a green square of 50, in it `centre` of 40 pixels a side."""
    pixels = np.zeros((50, 100, 3), np.uint8)
    pixels[:] = 0, 0, 255
    pixels[:, 25:75] = 0, 255, 0
    pixels[5:45, 30:70] = centre
    Image.fromarray(pixels).save(path)
    return path


def test_a_photograph_zooms_in(tmp_path):
    clip = Clip("a", (save_rings(tmp_path / "a.png"),), ("a ring",))
    read = read_frames(clip, 5, size=80)
    assert read.pixels.shape == (5, 80, 80, 3)
    assert read.pixels.dtype == np.uint8
    assert read.shown == (0, 0, 0, 0, 0)
    whole, squares = read.pixels[0], read.pixels[1:]
    assert (whole[..., 2] > 127).sum() == 80 * 40  # the sides, half of the whole photograph
    green = (squares[..., 1].astype(float) > 127).sum((1, 2))
    assert (np.diff(green) < 0).all()
    assert green[0] == 80**2 - 64**2  # the whole square: its middle is 40 of 50 pixels a side
    assert green[-1] == 0  # 0.8 of it is its middle alone
    assert (squares[..., 2] < 60).all()  # of the sides nothing but a blur
    single = read_frames(clip, 1, size=80)
    assert np.array_equal(single.pixels, read.pixels[:1])


def test_a_montage_shares_its_frames_evenly(tmp_path):
    colours = [(255, 0, 0), (0, 0, 0), (255, 255, 255)]
    files = tuple(save_rings(tmp_path / f"{n}.png", colour) for n, colour in enumerate(colours))
    clip = Clip("m", files, ("three rings",))
    for frames, shown in [
        (3, (0, 1, 2)),
        (8, (0, 0, 0, 1, 1, 1, 2, 2)),
        (12, (0,) * 4 + (1,) * 4 + (2,) * 4),
    ]:
        read = read_frames(clip, frames, size=40)
        assert read.shown == shown
        assert read.pixels.shape == (frames, 40, 40, 3)
        middles = read.pixels[:, 20, 20].tolist()
        assert middles == [list(colours[number]) for number in shown]
    with pytest.raises(VideoError, match="3 photographs; 2 frames"):
        read_frames(clip, 2)


def test_a_photograph_is_shown_upright(tmp_path):
    pixels = np.zeros((40, 40, 3), np.uint8)
    pixels[:, :20] = 255  # white on the left, which the camera says is the top
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    read = read_frames(Clip("t", (tmp_path / "turned.jpg",), ("white sky",)), 1, size=40)
    assert read.pixels[0, :15].min() > 200
    assert read.pixels[0, 25:].max() < 50


def write_png(path: Path, pixels: np.ndarray, kind: int, transparent: bytes = b"") -> Path:
    """A PNG with 8 or 16 bits a channel, chunk by chunk: PIL writes no 16-bit colours."""

    def chunk(name: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + check

    height, width = pixels.shape[:2]
    depth = 8 * pixels.itemsize
    rows = pixels.astype(pixels.dtype.newbyteorder(">")).reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", data), chunk(b"IEND", b"")]
    if transparent:
        parts.insert(1, chunk(b"tRNS", transparent))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    return path


GREY, COLOUR, GREY_ALPHA, COLOUR_ALPHA = 0, 2, 4, 6


@pytest.mark.parametrize(
    ("kind", "channels", "shown"),
    [
        (GREY, [0, 257, 40000, 65535], [[0] * 3, [1] * 3, [156] * 3, [255] * 3]),
        (COLOUR, [[0, 257, 40000], [65535, 30000, 128]], [[0, 1, 156], [255, 117, 0]]),
        (GREY_ALPHA, [[40000, 65535], [40000, 0], [0, 32896]], [[156] * 3, [255] * 3, [127] * 3]),
        (COLOUR_ALPHA, [[257, 0, 65535, 65535], [9, 9, 9, 0]], [[1, 0, 255], [255] * 3]),
    ],
    ids=["grey", "colour", "grey with alpha", "colour with alpha"],
)
def test_photographs_of_16_bits(tmp_path, kind, channels, shown):
    path = write_png(tmp_path / "a.png", np.array([channels], np.uint16), kind)
    pixels = np.asarray(open_photograph(path))
    assert pixels.shape == (1, len(channels), 3)
    assert np.abs(pixels[0].astype(int) - shown).max() <= 1


@pytest.mark.parametrize("mode", ["<u2", ">u2", "<i4"])
def test_16_bits_in_other_files(tmp_path, mode):
    """PIL goes by what is in a file, not by its name."""
    Image.fromarray(np.array([[0, 300, 65535]], mode)).save(tmp_path / "a.tiff")
    (tmp_path / "a.tiff").rename(tmp_path / "a.png")
    assert np.asarray(open_photograph(tmp_path / "a.png"))[0, :, 0].tolist() == [0, 1, 255]


@pytest.mark.parametrize(
    "pixels",
    [
        np.array([[0, 0.5]], np.float32),
        np.array([[0, 70000]], np.int32),
        np.array([[-1, 0]], np.int32),
    ],
)
def test_numbers_without_a_white_are_refused(tmp_path, pixels):
    Image.fromarray(pixels).save(tmp_path / "a.tiff")
    (tmp_path / "a.tiff").rename(tmp_path / "a.png")
    with pytest.raises(VideoError, match=r"a\.png has pixels that are not numbers of 8 or 16 bits"):
        open_photograph(tmp_path / "a.png")


def test_what_is_transparent_is_shown_on_white(tmp_path):
    white = [255, 255, 255]
    colours = Image.new("RGBA", (3, 1))
    for x, colour in enumerate([(200, 0, 0, 255), (200, 0, 0, 0), (0, 0, 0, 51)]):
        colours.putpixel((x, 0), colour)
    shown = [[200, 0, 0], white, [204, 204, 204]]
    colours.save(tmp_path / "a.png")
    assert np.asarray(open_photograph(tmp_path / "a.png"))[0].tolist() == shown
    colours.convert("LA").save(tmp_path / "a.png")
    grey = np.asarray(open_photograph(tmp_path / "a.png"))[0].tolist()
    assert grey == [[60] * 3, white, [204] * 3]
    palette = Image.new("P", (2, 1))
    palette.putpalette([200, 0, 0, 0, 0, 90])
    palette.putpixel((1, 0), 1)
    palette.save(tmp_path / "a.png", transparency=1)
    assert np.asarray(open_photograph(tmp_path / "a.png"))[0].tolist() == [[200, 0, 0], white]
    two = np.array([[[9, 8, 7], [9, 8, 6]]], np.uint8)
    write_png(tmp_path / "a.png", two, COLOUR, transparent=struct.pack(">3H", 9, 8, 6))
    assert np.asarray(open_photograph(tmp_path / "a.png"))[0].tolist() == [[9, 8, 7], white]
    deep = np.array([[40000, 40001]], np.uint16)  # the same in 8 bits
    write_png(tmp_path / "a.png", deep, GREY, transparent=struct.pack(">H", 40001))
    assert np.asarray(open_photograph(tmp_path / "a.png"))[0].tolist() == [[156] * 3, white]


def test_images_that_cannot_be_read(tmp_path):
    image = save_rings(tmp_path / "cut.jpg")
    image.write_bytes(image.read_bytes()[:400])
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "empty.jpg").touch()
    for name in ("cut.jpg", "text.png", "empty.jpg", "absent.jpg"):
        with pytest.raises(VideoError, match=name):
            read_frames(Clip("x", (tmp_path / name,), ("x",)), 2)
    mixed = Clip("mixed", (image, tmp_path / "a.mp4"), ("x",))
    with pytest.raises(VideoError, match="mixed has 2 files, which are not all images"):
        read_frames(mixed, 2)


def test_a_video_is_read(msvd):
    write_clip(msvd / "YouTubeClips" / "d_3_4.avi", codec="mpeg4")
    read = read_frames(read_corpus("msvd", msvd, "test").clips[0], 5)
    assert read.pixels.shape == (5, 64, 96, 3)
    assert read.shown == (0, 0, 0, 0, 0)
    shown = read.pixels.mean((1, 2, 3)) / LEVEL
    assert shown == pytest.approx([5, 15, 25, 35, 45], abs=0.6)
    with pytest.raises(VideoError, match=r"c_0_9\.avi"):  # an empty file
        read_frames(read_corpus("msvd", msvd, "validation").clips[0], 5)
