"""A frame as a viewer sees it: the right way up, in its display shape, in SDR colours."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from hbi_core.inputs.picture import as_one_size
from hbi_core.inputs.video import Decoder, VideoLimits
from support.clips import rotate, write_clip


@pytest.fixture(scope="module")
def decoder():
    with Decoder() as decoder:
        yield decoder


@pytest.mark.parametrize(
    ("matrix", "turned"),
    [
        ((1, 0, 0, 1), None),
        ((0, 1, -1, 0), Image.Transpose.ROTATE_270),  # PIL counts anti-clockwise
        ((-1, 0, 0, -1), Image.Transpose.ROTATE_180),
        ((0, -1, 1, 0), Image.Transpose.ROTATE_90),
        ((-1, 0, 0, 1), Image.Transpose.FLIP_LEFT_RIGHT),
        ((1, 0, 0, -1), Image.Transpose.FLIP_TOP_BOTTOM),
        ((0, 1, 1, 0), Image.Transpose.TRANSPOSE),
        ((0, -1, -1, 0), Image.Transpose.TRANSVERSE),
        ((0, 0, 0, 0), None),  # none at all
        ((1, 1, 1, 1), None),
    ],
)
def test_orientations(decoder, tmp_path, matrix, turned):
    upright = write_clip(tmp_path / "a.mp4", 2, size=(96, 64), marked=True)
    stored = Image.fromarray(decoder.read(upright, 1).frames[0])
    expected = np.asarray(stored if turned is None else stored.transpose(turned))
    shown = decoder.read(rotate(upright, tmp_path / "b.mp4", matrix), 1).frames[0]
    assert shown.shape == expected.shape
    assert (shown == expected).all()


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
@pytest.mark.parametrize(
    ("aspect", "size"),
    [
        (Fraction(2), (192, 64)),
        (Fraction(1, 2), (96, 128)),
        (Fraction(64, 45), (137, 64)),
        (Fraction(1, 500), (96, 64)),  # this is damage
    ],
)
def test_pixels_become_square(decoder, tmp_path, name, aspect, size):
    path = write_clip(tmp_path / name, 20, size=(96, 64), pixel_aspect=aspect, marked=True)
    shown = decoder.read(path, 1).frames[0]
    assert shown.shape == (size[1], size[0], 3)
    assert shown[: size[1] // 5, : size[0] // 5].mean() > 200  # the mark goes along
    assert shown[:, size[0] // 3 :].mean() < 50


def test_wide_pixels_of_a_turned_and_large_picture(decoder, tmp_path):
    wide = write_clip(tmp_path / "a.mp4", 2, size=(96, 64), pixel_aspect=Fraction(2))
    turned = rotate(wide, tmp_path / "b.mp4")
    assert decoder.read(turned, 1).frames.shape == (1, 192, 64, 3)
    assert decoder.read(turned, 1, VideoLimits(short_side=32)).frames.shape == (1, 96, 32, 3)


def test_pictures_of_several_sizes():
    tall, wide = np.full((60, 20, 3), 1, np.uint8), np.full((30, 60, 3), 2, np.uint8)
    both = as_one_size([tall, wide, tall])
    assert both.shape == (3, 30, 60, 3)
    assert (both[1] == 2).all()
    assert (both[0, :, 25:35] == 1).all()
    assert (both[0, :, :25] == 0).all()
    assert (both[0, :, 35:] == 0).all()


PATCHES = [(200, 30, 30), (30, 160, 60), (40, 60, 190), (128, 128, 128), (20, 20, 20)]
BT2020 = np.array(  # of linear BT.709, ITU-R BT.2087
    [[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]]
)


def pq(light):
    """ITU-R BT.2100 Table 4: the signal of light in units of 203 cd/m²."""
    y = (light * 203 / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * y) / (1 + 18.6875 * y)) ** 78.84375


def hlg(light):
    """ITU-R BT.2100 Table 5: the signal of scene light, whose 75 % is 1."""
    e = light * 0.26496256
    upper = 0.17883277 * np.log(np.maximum(12 * e - 0.28466892, 1e-9)) + 0.55991073
    return np.where(e <= 1 / 12, np.sqrt(3 * e), upper)


def write_hdr(path, signals, transfer, told_by_container=False):
    """Patches side by side: signals in [0, 1], R'G'B' of BT.2020, as 10-bit HEVC."""
    red, green, blue = np.repeat(signals, 32, axis=0).T
    luma = 0.2627 * red + 0.6780 * green + 0.0593 * blue
    planes = [
        64 + 876 * luma,
        512 + 896 * (blue - luma) / 1.8814,
        512 + 896 * (red - luma) / 1.4746,
    ]
    frame = av.VideoFrame(len(luma), 64, "yuv420p10le")
    for plane, row in zip(frame.planes, planes, strict=True):
        row = row[:: len(row) // plane.width].round().astype("<u2")
        rows = np.zeros((plane.height, plane.line_size // 2), "<u2")
        rows[:, : plane.width] = row
        plane.update(rows.tobytes())
    with av.open(path, "w") as container:
        told = (
            ("unknown", "unknown", "unknown")
            if told_by_container
            else ("bt2020", "bt2020nc", transfer)
        )
        parameters = "crf=4:log-level=none:range=limited:colorprim={}:colormatrix={}:transfer={}"
        options = {"x265-params": parameters.format(*told)}
        stream = container.add_stream("libx265", rate=25, options=options)
        if told_by_container:
            context = stream.codec_context
            context.color_primaries, context.colorspace = 9, 9
            context.color_trc = {"smpte2084": 16, "arib-std-b67": 18}[transfer]
        stream.width, stream.height, stream.pix_fmt = len(luma), 64, "yuv420p10le"
        for number in range(10):
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize(("transfer", "signal"), [("smpte2084", pq), ("arib-std-b67", hlg)])
@pytest.mark.parametrize("name", ["told by the stream.ts", "told by the container.mkv"])
def test_hdr_is_shown_as_sdr(decoder, tmp_path, transfer, signal, name):
    """SDR colours put into HDR come back."""
    code = np.array(PATCHES) / 255
    light = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    path = write_hdr(tmp_path / name, signal(light @ BT2020.T), transfer, "container" in name)
    shown = decoder.read(path, 1).frames[0]
    patches = shown.reshape(64, len(PATCHES), 32, 3)[24:40, :, 12:20].mean((0, 2))
    assert patches == pytest.approx(np.array(PATCHES), abs=6)


@pytest.mark.parametrize(("transfer", "signal"), [("smpte2084", pq), ("arib-std-b67", hlg)])
def test_highlights_keep_their_colour_and_order(decoder, tmp_path, transfer, signal):
    light = np.outer([0.9, 1.0, 1.5, 3.0], [1.0, 0.8, 0.6])
    path = write_hdr(tmp_path / "a.ts", signal(light), transfer)
    shown = decoder.read(path, 1).frames[0].reshape(64, 4, 32, 3)[24:40, :, 12:20].mean((0, 2))
    assert (np.diff(shown.sum(1)) >= 0).all()
    assert (shown[:, 0] > shown[:, 1] + 10).all()
    assert (shown[:, 1] > shown[:, 2] + 10).all()
