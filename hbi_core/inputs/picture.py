"""A decoded frame as a viewer sees it: upright, with square pixels, in SDR RGB."""

from __future__ import annotations

import numpy as np
from PIL import Image

_PQ, _HLG = 16, 18  # transfer characteristics, ITU-T H.273 Table 3
_REFERENCE_WHITE = 203.0  # cd/m², ITU-R BT.2408
_HLG_WHITE = 0.75  # the HLG signal of that white
_KNEE = 0.9  # of SDR white; brighter light is compressed
# Chromaticities x, y of red, green, blue by H.273 Table 2: BT.709, BT.2020, P3 with D65.
_PRIMARIES = {
    1: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
_D65 = (0.3127, 0.3290)
_WIDEST_PIXEL = 16  # a pixel aspect beyond this is no shape but damage


def picture(frame, pixel_aspect: float, short_side: int) -> np.ndarray:
    """uint8 [H, W, 3] in [0, 255], as it is shown.

    Args:
        frame: a frame of PyAV. It may be in HDR (PQ or HLG), which is mapped to BT.709 so that
            HDR's reference white of 203 cd/m² becomes white.
        pixel_aspect: width by height of a pixel as it is stored.
        short_side: larger pictures are scaled down to this many pixels.
    """
    matrix = _display_matrix(frame)
    is_turned = abs(matrix[0, 0]) + abs(matrix[1, 1]) < abs(matrix[0, 1]) + abs(matrix[1, 0])
    size = _shown_size(frame.width, frame.height, pixel_aspect, short_side)
    if frame.color_trc in (_PQ, _HLG):
        code = frame.reformat(*size, format="rgb48le", interpolation="AREA", threads=1).to_ndarray()
        pixels = _to_sdr(code / np.float32(65535), frame.color_trc, frame.color_primaries)
    else:
        pixels = frame.to_ndarray(format="rgb24", threads=1)
    if is_turned:
        pixels, size = pixels.transpose(1, 0, 2), size[::-1]
    across, down = (matrix[1, 0], matrix[0, 1]) if is_turned else (matrix[0, 0], matrix[1, 1])
    pixels = np.ascontiguousarray(pixels[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1])
    if (pixels.shape[1], pixels.shape[0]) == size:
        return pixels
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR))


def as_one_size(pictures: list[np.ndarray]) -> np.ndarray:
    """uint8 [F, H, W, 3]: all in the shape of the largest, smaller ones with black around them."""
    height, width = max((picture.shape[:2] for picture in pictures), key=np.prod)
    canvas = np.zeros((len(pictures), height, width, 3), np.uint8)
    for target, pixels in zip(canvas, pictures, strict=True):
        if pixels.shape[:2] != (height, width):
            scale = min(height / pixels.shape[0], width / pixels.shape[1])
            size = [max(1, round(side * scale)) for side in pixels.shape[1::-1]]
            pixels = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR))
        top, left = (height - pixels.shape[0]) // 2, (width - pixels.shape[1]) // 2
        target[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
    return canvas


def _shown_size(width: int, height: int, pixel_aspect: float, short_side: int) -> tuple[int, int]:
    """Width and height with square pixels; none of those that are stored is lost by that."""
    if not 1 / _WIDEST_PIXEL <= pixel_aspect <= _WIDEST_PIXEL:
        pixel_aspect = 1.0
    wide, high = width * max(pixel_aspect, 1.0), height / min(pixel_aspect, 1.0)
    scale = min(1.0, short_side / min(wide, high))
    return max(1, round(wide * scale)), max(1, round(high * scale))


def _display_matrix(frame) -> np.ndarray:
    """int64 [2, 2]: the picture's x and y axes as the viewer's; the identity if there is none.

    ISO/IEC 14496-12, 8.3.2; FFmpeg hands that of every container on with the frames.
    """
    stored = frame.side_data.get("DISPLAYMATRIX")
    if stored is not None:
        matrix = np.frombuffer(bytes(stored), "=i4").reshape(3, 3)[:2, :2].astype(np.int64)
        if matrix[0, 0] * matrix[1, 1] != matrix[0, 1] * matrix[1, 0]:
            return matrix
    return np.eye(2, dtype=np.int64)


def _to_sdr(code: np.ndarray, transfer: int, primaries: int) -> np.ndarray:
    """uint8: HDR code values in [0, 1] as BT.709's, [..., 3].

    ITU-R BT.2100: the inverses of PQ (as display light) and of HLG's OETF (as scene light, which
    is how SDR pictures are put into HLG by BT.2408).
    """
    if transfer == _PQ:
        m1, m2 = 2610 / 16384, 2523 / 4096 * 128
        c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
        root = code ** (1 / m2)
        light = (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)
        light = light * (10_000 / _REFERENCE_WHITE)
    else:
        light = _hlg_light(code) / _hlg_light(np.float32(_HLG_WHITE))
    light = light @ _to_bt709(primaries).T.astype(np.float32)
    brightest = light.max(-1, keepdims=True)
    span = 1 - _KNEE
    bent = _KNEE + span * (1 - np.exp(-np.maximum(brightest - _KNEE, 0) / span))
    light = light * np.where(brightest > _KNEE, bent / np.maximum(brightest, _KNEE), 1)
    light = light.clip(0, 1)
    signal = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.rint(signal * 255).astype(np.uint8)


def _hlg_light(signal: np.ndarray | np.floating) -> np.ndarray:
    a = 0.17883277
    b, c = 1 - 4 * a, 0.5 - a * np.log(4 * a)
    return np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)


def _to_bt709(primaries: int) -> np.ndarray:
    """float [3, 3], for linear light; BT.2020 is what HDR is in where nothing else is said."""
    return np.linalg.solve(
        _to_xyz(_PRIMARIES[1]), _to_xyz(_PRIMARIES.get(primaries, _PRIMARIES[9]))
    )


def _to_xyz(primaries: tuple) -> np.ndarray:
    def column(x: float, y: float) -> list[float]:
        return [x / y, 1.0, (1 - x - y) / y]

    columns = np.array([column(x, y) for x, y in primaries]).T
    return columns * np.linalg.solve(columns, column(*_D65))
