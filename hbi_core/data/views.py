"""Random views of a photograph, for training: crops, mirrored, in other colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

from hbi_core.data.frames import SIZE, open_photograph

_SMALLEST_AREA = 0.4  # share of the photograph that a crop shows at least
_COLOURS = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)


def random_views(path: Path, views: int, chosen: np.random.Generator) -> np.ndarray:
    """uint8 [views, SIZE, SIZE, 3].

    Raises:
        VideoError: the file is missing or broken.
    """
    photograph = open_photograph(path)
    return np.stack([np.asarray(_view(photograph, chosen)) for _ in range(views)])


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
