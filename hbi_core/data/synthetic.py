"""Drawn shapes that move, with captions or questions: data sets that need no download."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from hbi_core.data.annotations import fields, read_json, strings
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
_TOP, _RIGHT = ((-0.3, -1.0), (0.3, -1.0), (0.3, -0.3)), ((1.0, -0.3), (1.0, 0.3), (0.3, 0.3))
_BOTTOM, _LEFT = ((0.3, 1.0), (-0.3, 1.0), (-0.3, 0.3)), ((-1.0, 0.3), (-1.0, -0.3), (-0.3, -0.3))
SHAPES: dict[str, tuple[tuple[float, float], ...]] = {
    "circle": (),  # corners in [-1, 1] around the middle; a circle has none
    "square": ((-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)),
    "triangle": ((0, -1), (1, 0.9), (-1, 0.9)),
    "cross": _TOP + _RIGHT + _BOTTOM + _LEFT,
}
DIRECTIONS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
SPLITS = ("train", "validation", "test")
DRAWING = "drawing.json"
QUESTIONS = "synthetic_questions"
SYNTHETIC = ("synthetic", QUESTIONS)  # names of the data sets
_ASKED = {
    "colour": "what colour is the shape?",
    "shape": "what moves?",
    "direction": "where does the shape move?",
}


@dataclass(frozen=True)
class Drawing:
    """What is drawn: each colour with each shape in each direction.

    Attributes:
        frames: of a clip; at least 2, to see a movement.
        size: side of a frame in pixels, at least 16.
        colours: names, of COLOURS.
        shapes: names, of SHAPES.
        train: how often each combination is in the train split; in the others it is once.

    Raises:
        DataError: too few of something, or a name that is not known.
    """

    frames: int = 8
    size: int = 64
    colours: tuple[str, ...] = tuple(COLOURS)
    shapes: tuple[str, ...] = tuple(SHAPES)
    train: int = 4

    def __post_init__(self) -> None:
        if self.frames < 2 or self.size < 16:
            raise DataError(
                f"{self.frames} frames of {self.size} pixels: at least 2 and 16 are needed."
            )
        if self.train < 1:
            raise DataError(f"Each combination {self.train} times in the train split: at least 1.")
        for names, known in ((self.colours, COLOURS), (self.shapes, SHAPES)):
            if not names or not set(names) <= set(known):
                told, choice = ", ".join(names), ", ".join(known)
                raise DataError(f"{told!r} cannot be drawn. Choose names of {choice}.")

    @property
    def combinations(self) -> list[tuple[str, str, str]]:
        """Colour, shape and direction."""
        return list(itertools.product(self.colours, self.shapes, DIRECTIONS))

    def clips_of(self, split: str) -> list[tuple[np.ndarray, str]]:
        """The clips of a split, see `synthetic_clips`."""
        count = len(self.combinations) * (self.train if split == "train" else 1)
        seed = SPLITS.index(split)
        return synthetic_clips(count, seed, self.frames, self.size, self.colours, self.shapes)


def synthetic_clips(
    count: int,
    seed: int = 0,
    frames: int = 8,
    size: int = 64,
    colours: Sequence[str] = tuple(COLOURS),
    shapes: Sequence[str] = tuple(SHAPES),
) -> list[tuple[np.ndarray, str]]:
    """Clips of one shape that moves, as (uint8 [F, H, W, 3], "a red circle moves left").

    All combinations of colour, shape and direction come once before any comes again. Size,
    background and track differ from clip to clip.

    Args:
        count: clips wanted. The first ones do not depend on it.
        seed: the same clips for the same seed.
        frames, size, colours, shapes: see `Drawing`.

    Raises:
        DataError: too few frames or pixels, or a name that is not known.
    """
    combinations = Drawing(frames, size, tuple(colours), tuple(shapes)).combinations
    order = np.random.default_rng(seed).permutation(len(combinations))
    clips = []
    for number in range(count):
        colour, shape, direction = combinations[order[number % len(order)]]
        chosen = np.random.default_rng([seed, number])
        pixels = _draw(COLOURS[colour], SHAPES[shape], DIRECTIONS[direction], chosen, frames, size)
        clips.append((pixels, f"a {colour} {shape} moves {direction}"))
    return clips


def synthetic_corpus(root: Path, split: str, asked: bool = False) -> Corpus:
    """A split of drawn clips, as the images of their frames; drawn where it is not there yet.

    Every combination is in every split, in another size, place and track.

    Args:
        root: folder of the images. A drawing.json in it has the attributes of a `Drawing`; where
            there is none, the usual clips are drawn.
        split: one of SPLITS.
        asked: whether the texts are three questions about each clip, instead of its caption.

    Raises:
        DataError: drawing.json is broken, or what it asks for cannot be drawn.
    """
    drawing = _read_drawing(root / DRAWING) if (root / DRAWING).is_file() else Drawing()
    clips = []
    for number, (frames, caption) in enumerate(drawing.clips_of(split)):
        files = [root / split / f"{number:03}-{frame}.png" for frame in range(len(frames))]
        if not all(file.is_file() for file in files):
            files[0].parent.mkdir(parents=True, exist_ok=True)
            for file, pixels in zip(files, frames, strict=True):
                Image.fromarray(pixels).save(file)
        clip = Clip(f"{split}-{number}", tuple(files), (caption,))
        clips.append(_questioned(clip) if asked else clip)
    return Corpus(SYNTHETIC[asked], split, tuple(clips))


def _questioned(clip: Clip) -> Clip:
    """A clip with the caption "a red circle moves left" -> with questions and their answers."""
    _, colour, shape, _, direction = clip.captions[0].split()
    return replace(
        clip,
        captions=tuple(_ASKED.values()),
        answers=(colour, shape, direction),
        kinds=tuple(_ASKED),
    )


def _read_drawing(path: Path) -> Drawing:
    types = {"frames": int, "size": int, "colours": list, "shapes": list, "train": int}
    frames, size, colours, shapes, train = fields(read_json(path), types, str(path))
    return Drawing(
        frames,
        size,
        tuple(strings(colours, f"{path}, colours")),
        tuple(strings(shapes, f"{path}, shapes")),
        train,
    )


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
