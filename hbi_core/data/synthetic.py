"""Drawn shapes that move, with captions: a data set that needs no download."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from hbi_core.data.clips import Clip, Corpus
from hbi_core.errors import DataError

COLOURS = {
    "red": (220, 40, 40),
    "green": (40, 180, 60),
    "blue": (50, 80, 230),
    "yellow": (240, 220, 40),
    "purple": (160, 50, 190),
    "white": (250, 250, 250),
}
SHAPES = {  # corners in [-1, 1] around the middle; a circle has none
    "circle": (),
    "square": ((-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)),
    "triangle": ((0, -1), (1, 0.9), (-1, 0.9)),
    "cross": ((-0.3, -1), (0.3, -1), (0.3, -0.3), (1, -0.3), (1, 0.3), (0.3, 0.3),
              (0.3, 1), (-0.3, 1), (-0.3, 0.3), (-1, 0.3), (-1, -0.3), (-0.3, -0.3)),
}  # fmt: skip
DIRECTIONS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
_SPLITS = {"train": 4, "validation": 1, "test": 1}  # how often each combination is in it
SPLITS = tuple(_SPLITS)
COMBINATIONS = tuple(itertools.product(COLOURS, SHAPES, DIRECTIONS))


def synthetic_clips(
    count: int, seed: int = 0, frames: int = 8, size: int = 64
) -> list[tuple[np.ndarray, str]]:
    """Clips of one shape that moves, as (uint8 [F, H, W, 3], "a red circle moves left").

    All combinations of colour, shape and direction come once before any comes again. Size,
    background and track differ from clip to clip.

    Args:
        count: clips wanted. The first ones do not depend on it.
        seed: the same clips for the same seed.
        frames: at least 2, to see a movement.
        size: side of a frame in pixels, at least 16.

    Raises:
        DataError: too few frames or pixels.
    """
    if frames < 2 or size < 16:
        raise DataError(f"{frames} frames of {size} pixels: at least 2 and 16 are needed.")
    order = np.random.default_rng(seed).permutation(len(COMBINATIONS))
    clips = []
    for number in range(count):
        colour, shape, direction = COMBINATIONS[order[number % len(order)]]
        chosen = np.random.default_rng([seed, number])
        pixels = _draw(COLOURS[colour], SHAPES[shape], DIRECTIONS[direction], chosen, frames, size)
        clips.append((pixels, f"a {colour} {shape} moves {direction}"))
    return clips


def synthetic_corpus(root: Path, split: str) -> Corpus:
    """A split of drawn clips, as the images of their frames; drawn where it is not there yet.

    Every combination is in every split, in another size, place and track.

    Args:
        split: one of SPLITS.
    """
    count = _SPLITS[split] * len(COMBINATIONS)
    clips = []
    for number, (frames, caption) in enumerate(synthetic_clips(count, list(_SPLITS).index(split))):
        files = [root / split / f"{number:03}-{frame}.png" for frame in range(len(frames))]
        if not all(file.is_file() for file in files):
            files[0].parent.mkdir(parents=True, exist_ok=True)
            for file, pixels in zip(files, frames, strict=True):
                Image.fromarray(pixels).save(file)
        clips.append(Clip(f"{split}-{number}", tuple(files), (caption,)))
    return Corpus("synthetic", split, tuple(clips))


def _draw(
    colour: tuple[int, int, int],
    corners: tuple[tuple[float, float], ...],
    direction: tuple[int, int],
    chosen: np.random.Generator,
    frames: int,
    size: int,
) -> np.ndarray:
    """uint8 [F, H, W, 3]: the shape crosses the middle of the frame in its direction."""
    radius = size * chosen.uniform(0.12, 0.2)
    background = tuple(chosen.integers(0, 60, 3).tolist())
    along = np.array(direction)
    aside = along[::-1] * chosen.uniform(-0.2, 0.2) * size
    images = []
    for step in np.linspace(-0.28, 0.28, frames) * size:
        x, y = size / 2 + along * step + aside
        image = Image.new("RGB", (size, size), background)
        draw = ImageDraw.Draw(image)
        if corners:
            draw.polygon([(x + radius * dx, y + radius * dy) for dx, dy in corners], fill=colour)
        else:
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
        images.append(np.asarray(image))
    return np.stack(images)
