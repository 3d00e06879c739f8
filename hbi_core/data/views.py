"""Random views of a photograph, for training: crops, mirrored, in other colours; as in a video."""

from __future__ import annotations

import io
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
        chosen: draws them; the same views whatever share of them is degraded.
        degraded: this share of them, rounded to a whole number, the last ones, look like frames of
            a video: of low resolution, blurred and compressed.

    Raises:
        VideoError: the file is missing or broken.
    """
    photograph = open_photograph(path)
    drawn = [_view(photograph, chosen) for _ in range(views)]
    good = views - round(degraded * views)
    drawn[good:] = [_degrade(view, chosen) for view in drawn[good:]]
    return np.stack([np.asarray(view) for view in drawn])


def _view(photograph: Image.Image, chosen: np.random.Generator) -> Image.Image:
    width, height = photograph.size
    scale = np.sqrt(chosen.uniform(_SMALLEST_AREA, 1.0))
    stretch = np.exp(chosen.uniform(-0.25, 0.25))
    w, h = min(width, width * scale * stretch), min(height, height * scale / stretch)
    x, y = chosen.uniform(0, width - w), chosen.uniform(0, height - h)
    view = photograph.resize((SIZE, SIZE), Image.Resampling.BICUBIC, (x, y, x + w, y + h))
    if chosen.random() < 0.5:
        view = view.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    for enhance in _COLOURS:
        view = enhance(view).enhance(chosen.uniform(0.8, 1.2))
    return view


def _degrade(view: Image.Image, chosen: np.random.Generator) -> Image.Image:
    """As a frame of a video: each fault by chance, so that few views have all and few have none."""
    if chosen.random() < 0.5:
        side = int(chosen.integers(_LOWEST_RESOLUTION, SIZE))
        view = view.resize((side, side), Image.Resampling.BILINEAR)
    if chosen.random() < 0.4:
        view = view.filter(ImageFilter.GaussianBlur(chosen.uniform(0.5, 1.5)))
    if chosen.random() < 0.6:
        file = io.BytesIO()
        view.save(file, "JPEG", quality=int(chosen.integers(15, 60)))
        view = Image.open(file).convert("RGB")
    return view.resize((SIZE, SIZE), Image.Resampling.BILINEAR)
