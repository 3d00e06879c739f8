"""The coalition figure for print: vector, at the width of a page or a column.

In SVG, elements have the names of the coalition graph as their `id`: lines that of their link, and
players their own, on their box, or on their word or thumbnail where there is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
            if placed is not layout.levels[0]:
                y = placed.top - 0.8 * layout.em
                axes.axhline(y, color="0.25", lw=0.8, dashes=(5, 3))
            title = f"{level.name.capitalize()} level", f"S = {level.score:.3f}"
            draw_title(axes, placed, title, layout.em)
            draw_links(axes, links_of(level, placed), layout.em)
            draw_players(axes, placed, layout, explanation.video.frames)
        draw_key(axes, layout.width, layout.height - 0.8 * layout.em, layout.em)
    return figure


def draw_title(axes: Axes, level: LevelLayout, lines: tuple[str, str], em: float) -> None:
    """Two lines left of a level, turned by 90 degrees: its name and its score."""
    middle = (level.top + level.bottom) / 2
    styles: tuple[dict[str, Any], ...] = (
        {"fontsize": 1.05 * em},
        {"fontsize": 0.85 * em, "color": "0.25"},
    )
    for x, line, style in zip((0.9 * em, 2.3 * em), lines, styles, strict=True):
        axes.text(x, middle, line, rotation=90, ha="center", va="center", **style)


def draw_links(axes: Axes, links: Iterable[Link], em: float) -> None:
    """The lines of a level, in their order."""
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


def draw_players(
    axes: Axes,
    level: LevelLayout,
    layout: FigureLayout,
    frames: np.ndarray,
    colours: Mapping[str, str] | None = None,
) -> None:
    """The words, thumbnails and boxes of a level.

    Args:
        axes: in points, y downwards.
        level: of the layout.
        layout: the whole one.
        frames: uint8 [F, H, W, 3].
        colours: of words and of boxes, by the player's name; others are black, and grey.
    """
    colours, em = colours or {}, layout.em
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
            color=colours.get(cell.id, "black"),
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
                edgecolor=colours.get(token.id, "0.45"),
                linewidth=1.2,
                gid=token.id,
            )
        )


def _style(grade: Grade) -> str | tuple:
    return (0, (3, 3)) if grade.dotted else "solid"


def draw_key(axes: Axes, width: float, y: float, em: float, title: str = KEY_TITLE) -> None:
    """What the colours mean, in one line around y."""
    small = 0.8 * em
    style: dict[str, Any] = {"va": "center", "fontsize": small, "color": "0.25"}
    axes.text(0.5 * small, y, title, **style)
    start = (2.0 + 0.53 * len(title)) * small
    step = (width - start) / len(GRADES)
    for number, grade in enumerate(GRADES):
        x = start + number * step
        axes.plot(
            [x, x + 1.5 * small],
            [y, y],
            color=grade.colour,
            alpha=grade.opacity,
            lw=grade.width * em / EM["text"],
            ls=_style(grade),
            solid_capstyle="round",
        )
        axes.text(x + 2.2 * small, y, key_label(number), **style)


def thumbnail(frame: np.ndarray, width: float, height: float, dpi: float) -> np.ndarray:
    """A frame cut to the shape of its cell (in points) and reduced to its resolution."""
    size = (max(1, round(width / POINTS * dpi)), max(1, round(height / POINTS * dpi)))
    return np.asarray(ImageOps.fit(Image.fromarray(frame), size, Image.Resampling.LANCZOS))
