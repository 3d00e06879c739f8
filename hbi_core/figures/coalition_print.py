"""The coalition figure for print: vector, at the width of a page or a column.

In SVG, elements have the names of the coalition graph as their `id`: lines that of their link, and
players their own, on their box, or on their word or thumbnail where there is none.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from PIL import Image, ImageOps

from hbi_core.figures.explained import Explained
from hbi_core.figures.grades import GRADES, KEY_TITLE, Grade, key_label
from hbi_core.figures.layout import (
    FigureLayout,
    LevelLayout,
    Link,
    lay_out,
    links_of,
)
from hbi_core.figures.print_style import EM, POINTS, WIDTHS, print_style

_SMALLEST_FONT = 5.0
_THUMBNAIL_DPI = 300


def coalition_print(explanation: Explained, width: str = "text") -> Figure:
    """Draw an explanation.

    Args:
        explanation: what to draw.
        width: "text" (6.875 in) or "column" (3.25 in).
    """
    inches = WIDTHS[width]
    layout = lay_out(explanation, inches * POINTS, EM[width], _SMALLEST_FONT)
    figure = Figure(figsize=(inches, layout.height / POINTS))
    with print_style():
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, layout.width), ylim=(layout.height, 0))
        axes.axis("off")
        for level, placed in zip(explanation.levels, layout.levels, strict=True):
            _draw_level(axes, placed, links_of(level, placed), layout, explanation.video.frames)
        _draw_key(axes, layout)
    return figure


def _draw_level(
    axes: Axes,
    level: LevelLayout,
    links: tuple[Link, ...],
    layout: FigureLayout,
    frames: np.ndarray,
) -> None:
    first = level is layout.levels[0]
    if not first:
        axes.axhline(level.top - 0.8 * layout.em, color="0.25", lw=0.8, dashes=(5, 3))
    middle, em = (level.top + level.bottom) / 2, layout.em
    axes.text(
        0.9 * em,
        middle,
        f"{level.name.capitalize()} level",
        rotation=90,
        ha="center",
        va="center",
        fontsize=1.05 * em,
    )
    axes.text(
        2.3 * em,
        middle,
        f"S = {level.score:.3f}",
        rotation=90,
        ha="center",
        va="center",
        fontsize=0.85 * em,
        color="0.25",
    )
    for link in links:
        axes.add_collection(
            LineCollection(
                [(link.start, link.end)],
                colors=link.grade.colour,
                linewidths=link.grade.width * em / EM["text"],
                alpha=link.grade.opacity,
                linestyles=[_style(link.grade)],
                capstyle="round",
                gid=link.id,
            )
        )
    boxed = {token.id for token in level.boxes}
    for cell in level.frames:
        axes.imshow(
            thumbnail(frames[cell.index], cell.width, cell.height, _THUMBNAIL_DPI),
            extent=(cell.left, cell.left + cell.width, cell.top + cell.height, cell.top),
            aspect="auto",
            interpolation="none",
            gid=None if cell.id in boxed else cell.id,
        )
    upright: dict[str, Any] = {"va": "center"}
    if layout.vertical_words:
        upright = {"rotation": 90, "va": "bottom"}
    for cell in level.words:
        y = cell.top + cell.height - 0.3 * em if layout.vertical_words else cell.centre[1]
        axes.text(
            cell.centre[0],
            y,
            cell.label.replace("$", r"\$"),
            ha="center",
            fontsize=layout.font,
            gid=None if cell.id in boxed else cell.id,
            **upright,
        )
    for token in level.boxes:
        axes.add_patch(
            FancyBboxPatch(
                (token.left, token.top),
                token.width,
                token.height,
                boxstyle="square,pad=0",
                fill=False,
                edgecolor="0.45",
                linewidth=1.2,
                gid=token.id,
            )
        )


def _style(grade: Grade) -> str | tuple:
    return (0, (3, 3)) if grade.dotted else "solid"


def _draw_key(axes: Axes, layout: FigureLayout) -> None:
    em = 0.8 * layout.em
    y = layout.height - em
    style: dict[str, Any] = {"va": "center", "fontsize": em, "color": "0.25"}
    axes.text(0.5 * em, y, KEY_TITLE, **style)
    step = (layout.width - 10 * em) / len(GRADES)
    for number, grade in enumerate(GRADES):
        x = 10 * em + number * step
        width = grade.width * layout.em / EM["text"]
        axes.plot(
            [x, x + 1.5 * em],
            [y, y],
            color=grade.colour,
            alpha=grade.opacity,
            lw=width,
            ls=_style(grade),
            solid_capstyle="round",
        )
        axes.text(x + 2.2 * em, y, key_label(number), **style)


def thumbnail(frame: np.ndarray, width: float, height: float, dpi: float) -> np.ndarray:
    """A frame cut to the shape of its cell (in points) and reduced to its resolution."""
    size = (max(1, round(width / POINTS * dpi)), max(1, round(height / POINTS * dpi)))
    return np.asarray(ImageOps.fit(Image.fromarray(frame), size, Image.Resampling.LANCZOS))
