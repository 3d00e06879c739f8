"""Random views of a photograph, for training: crops, mirrored, in other colours; as in a video."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from hbi_core.data.frames import SIZE, open_photograph

_SMALLEST_AREA = 0.4  # share of the photograph that a crop shows at least
_LOWEST_RESOLUTION = 120  # side of a degraded view in pixels, before it is enlarged again
_COLOURS = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)


def random_views(
    path: Path, views: int, chosen: np.random.Generator, degraded: float = 0.0
) -> np.ndarray:
    """uint8 [views, SIZE, SIZE, 3].

    Args:
        path: of the photograph.
        views: how many.
        chosen: draws them; the first views are the same whatever share of them is degraded.
        degraded: this share of them, rounded to a whole number, the last ones, are as frames of a
            video: one shot, in which the camera moves evenly from one part of the photograph to
            another, of low resolution, blurred and compressed.

    Raises:
        VideoError: the file is missing or broken.
    """
    photograph = open_photograph(path)
    good = views - round(degraded * views)
    drawn = [
        _shown(photograph, _window(photograph, chosen), _Look.drawn(chosen)) for _ in range(good)
    ]
    if good < views:
        drawn += _shot(photograph, views - good, chosen)
    return np.stack([np.asarray(view) for view in drawn])


@dataclass(frozen=True)
class _Look:
    """Whether a view is mirrored, and how strong its brightness, contrast and colours are."""

    mirrored: bool
    strengths: tuple[float, ...]

    @classmethod
    def drawn(cls, chosen: np.random.Generator) -> _Look:
        return cls(chosen.random() < 0.5, tuple(chosen.uniform(0.8, 1.2) for _ in _COLOURS))


def _window(photograph: Image.Image, chosen: np.random.Generator) -> np.ndarray:
    """Left, top, right, bottom in pixels: float [4]."""
    width, height = photograph.size
    scale = np.sqrt(chosen.uniform(_SMALLEST_AREA, 1.0))
    stretch = np.exp(chosen.uniform(-0.25, 0.25))
    w, h = min(width, width * scale * stretch), min(height, height * scale / stretch)
    x, y = chosen.uniform(0, width - w), chosen.uniform(0, height - h)
    return np.array([x, y, x + w, y + h])


def _shown(photograph: Image.Image, window: np.ndarray, look: _Look) -> Image.Image:
    view = photograph.resize((SIZE, SIZE), Image.Resampling.BICUBIC, tuple(window.tolist()))
    if look.mirrored:
        view = view.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    for enhance, strength in zip(_COLOURS, look.strengths, strict=True):
        view = enhance(view).enhance(strength)
    return view


def _shot(photograph: Image.Image, views: int, chosen: np.random.Generator) -> list[Image.Image]:
    """A pan, a zoom or both, with the faults of one recording."""
    first, last = _window(photograph, chosen), _window(photograph, chosen)
    look, faults = _Look.drawn(chosen), _Faults.drawn(chosen)
    return [
        faults.in_view(_shown(photograph, (1 - part) * first + part * last, look))
        for part in np.linspace(0.0, 1.0, views)
    ]


@dataclass(frozen=True)
class _Faults:
    """Of a recording: each by chance, so that few have all and few have none; None without.

    Attributes:
        side: of the picture in pixels, before it is enlarged again.
        blur: radius in pixels.
        quality: of its compression, as JPEG counts it.
    """

    side: int | None
    blur: float | None
    quality: int | None

    @classmethod
    def drawn(cls, chosen: np.random.Generator) -> _Faults:
        return cls(
            int(chosen.integers(_LOWEST_RESOLUTION, SIZE)) if chosen.random() < 0.5 else None,
            chosen.uniform(0.5, 1.5) if chosen.random() < 0.4 else None,
            int(chosen.integers(15, 60)) if chosen.random() < 0.6 else None,
        )

    def in_view(self, view: Image.Image) -> Image.Image:
        if self.side is not None:
            view = view.resize((self.side, self.side), Image.Resampling.BILINEAR)
        if self.blur is not None:
            view = view.filter(ImageFilter.GaussianBlur(self.blur))
        if self.quality is not None:
            file = io.BytesIO()
            view.save(file, "JPEG", quality=self.quality)
            view = Image.open(file).convert("RGB")
        return view.resize((SIZE, SIZE), Image.Resampling.BILINEAR)
