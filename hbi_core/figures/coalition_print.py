"""The coalition figure for print: vector, at the width of a page or a column.

In SVG, elements have the names of the coalition graph as their `id`: lines that of their link, and
players their own, on their box, or on their word or thumbnail where there is none.
"""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, PathPatch
from matplotlib.path import Path
from PIL import Image, ImageOps
from torch import Tensor

from explainers import player_id
from explainers.coalition_graph import GameLevel
from hbi_core.figures.bars import Scale, draw_bars
from hbi_core.figures.explained import Explained
from hbi_core.figures.grades import GRADES, KEY_TITLE, OUTLIER, Grade
from hbi_core.figures.layout import FigureLayout, LevelLayout, lay_out
from hbi_core.figures.lines import Link, links_of
from hbi_core.figures.print_style import EM, POINTS, WIDTHS, print_style
from hbi_core.figures.view import FigureView, faded_words, shown_levels
from hbi_core.figures.view_in_words import KEY, in_words, key_of, key_title

_SMALLEST_FONT = 5.0
_THUMBNAIL_DPI = 300
_FADED = 0.35  # of the opacity of a link
_FADED_WORD = "0.6"
_BAR_PAD = 0.7  # em between bars and players
_LINE = 1.5  # em between lines below the key
_CHARACTER = 0.52  # em, the mean width of one in these lines
_ARC_AGAINST = {
    "edgecolor": "0.55",
    "linewidth": 0.6,
}  # negative ones: most arcs are, and stand alone


def coalition_print(
    explanation: Explained,
    width: str = "text",
    view: FigureView | None = None,
    font: str = "sans",
    pairs: Mapping[str, Tensor] | None = None,
    values: Mapping[str, Sequence[Tensor]] | None = None,
) -> Figure:
    """Draw an explanation.

    Args:
        explanation: what to draw.
        width: "text" (6.875 in) or "column" (3.25 in).
        view: which levels and links are shown; None shows all links across the sides.
        font: "sans" or "serif".
        pairs: of each level that is shown, by its name, as `shown_links` needs them for the links
            within a side.
        values: of each level that is shown, by its name, those of its V video players and of its T
            text players, which a view with `values` draws as bars.

    Raises:
        InputError: the explanation has none of the levels.
    """
    view = view or FigureView()
    inches, em = WIDTHS[width], EM[width]
    layout = lay_out(explanation, inches * POINTS, em, _SMALLEST_FONT, view)
    drawn = [
        (level, placed, links_of(level, placed, view, (pairs or {}).get(level.name)))
        for level, placed in zip(shown_levels(explanation.levels, view), layout.levels, strict=True)
    ]
    shown = {level.name: links for level, _, links in drawn}
    told = _told(in_words(view, explanation.worth), shown, layout.width, 0.8 * em)
    height = layout.height + _LINE * 0.8 * em * len(told)
    figure = Figure(figsize=(inches, height / POINTS))
    words = faded_words(explanation.words) if view.fade else ()
    with print_style(font):
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, layout.width), ylim=(height, 0))
        axes.axis("off")
        for level, placed, links in drawn:
            if placed is not layout.levels[0]:
                y = placed.top - 0.8 * em
                axes.axhline(y, color="0.25", lw=0.8, dashes=(5, 3))
            score = f"{explanation.worth.symbol} = {level.score:.3f}".replace("-", "−")
            title = f"{level.name.capitalize()} level", score
            draw_title(axes, placed, title, em)
            draw_links(axes, links, em, faded_players(level, words))
            draw_players(axes, placed, layout, explanation.video.pictures, faded=words)
            if view.values:
                _draw_values(axes, placed, (values or {})[level.name], em)
        y = layout.height - 0.8 * em
        draw_key(axes, layout.width, y, em, key_title(view), key_of(view))
        for number, line in enumerate(told, 1):
            axes.text(
                0.4 * em,
                y + number * _LINE * 0.8 * em,
                line,
                va="center",
                fontsize=0.8 * em,
                color="0.25",
            )
    return figure


def _draw_values(axes: Axes, level: LevelLayout, values: Sequence[Tensor], em: float) -> None:
    """The values of a level as bars: above its words and below its frames, on one scale."""
    video, text = (some.tolist() for some in values)
    height = level.bars - _BAR_PAD * em
    scale = Scale([*video, *text], height)
    for tokens, some, top in (
        (level.text_tokens, text, level.top),
        (level.video_tokens, video, level.bottom - height),
    ):
        draw_bars(axes, tokens, some, scale, top, em, _bar)


def _bar(value: float) -> dict[str, Any]:
    """Filled, or hatched where it is negative."""
    if value > 0:
        return {"facecolor": "0.45", "edgecolor": "0.45"}
    return {"facecolor": "white", "edgecolor": "0.25", "hatch": "/////"}


def _told(
    said: Sequence[str], links: Mapping[str, Sequence[Link]], width: float, em: float
) -> list[str]:
    """Lines below the key: what is said of the view, and how many links lie above the scale."""
    told = list(said)
    outliers = {
        name: count
        for name, shown in links.items()
        if (count := sum(link.grade.name == OUTLIER.name for link in shown))
    }
    if outliers:
        counts = ", ".join(f"{count} at the {name} level" for name, count in outliers.items())
        told.append(f"darkest: above the scale ({counts})")
    if not told:
        return []
    text = "; ".join(told)
    characters = int((width - em) / (_CHARACTER * em))
    return textwrap.wrap(text[0].upper() + text[1:] + ".", characters)


def faded_players(level: GameLevel, words: Collection[int]) -> frozenset[str]:
    """The text players of a level that are faded words alone, by their names."""
    return frozenset(
        player_id(level.name, "text", number)
        for number, token in enumerate(level.text_tokens)
        if words and set(token.words) <= set(words)
    )


def draw_title(axes: Axes, level: LevelLayout, lines: tuple[str, str], em: float) -> None:
    """Two lines left of a level, turned by 90 degrees: its name and its score."""
    middle = (level.top + level.bottom) / 2
    styles: tuple[dict[str, Any], ...] = (
        {"fontsize": 1.05 * em},
        {"fontsize": 0.85 * em, "color": "0.25"},
    )
    for x, line, style in zip((0.9 * em, 2.3 * em), lines, styles, strict=True):
        told = line.replace("$", r"\$")
        axes.text(x, middle, told, rotation=90, ha="center", va="center", **style)


def draw_links(axes: Axes, links: Iterable[Link], em: float, faded: Collection[str] = ()) -> None:
    """The lines of a level, in their order; those of faded players, by name, are lighter."""
    for link in links:
        style: dict[str, Any] = {
            "linestyle": _style(link.grade),
            "linewidth": link.grade.width * em / EM["text"],
            "alpha": link.grade.opacity * (_FADED if {*link.ends} & {*faded} else 1.0),
            "capstyle": "round",
            "gid": link.id,
        }
        colour = link.grade.colour
        if link.kind == "cross":
            style["linestyle"] = [style["linestyle"]]
            axes.add_collection(LineCollection([(link.start, link.end)], colors=colour, **style))
        else:
            (left, y), (right, _) = link.start, link.end
            over = ((left + right) / 2, y + 2 * link.bend)  # the arc goes half as far
            path = Path([link.start, over, link.end], [Path.MOVETO, Path.CURVE3, Path.CURVE3])
            style |= {"edgecolor": colour} | (_ARC_AGAINST if link.grade is GRADES[-1] else {})
            axes.add_patch(PathPatch(path, fill=False, **style))


def draw_players(
    axes: Axes,
    level: LevelLayout,
    layout: FigureLayout,
    pictures: np.ndarray,
    colours: Mapping[str, str] | None = None,
    faded: Collection[int] = (),
) -> None:
    """The words, thumbnails and boxes of a level.

    Args:
        axes: in points, y downwards.
        level: of the layout.
        layout: the whole one.
        pictures: of the frames, uint8 [F, h, w, 3].
        colours: of words and of boxes, by the player's name; others are black, and grey.
        faded: words that are drawn lighter, as indices.
    """
    colours, em = colours or {}, layout.em
    boxed = {token.id for token in level.boxes}
    for cell in level.frames:
        axes.imshow(
            thumbnail(pictures[cell.index], cell.width, cell.height, _THUMBNAIL_DPI),
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
            color=colours.get(cell.id, _FADED_WORD if cell.index in faded else "black"),
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


def draw_key(
    axes: Axes,
    width: float,
    y: float,
    em: float,
    title: str = KEY_TITLE,
    grades: Sequence[tuple[Grade, str]] = KEY,
) -> None:
    """What the colours mean, in one line around y: grades with their labels."""
    small = 0.8 * em
    style: dict[str, Any] = {"va": "center", "fontsize": small, "color": "0.25"}
    axes.text(0.5 * small, y, title, **style)
    start = max(10.0, 2.0 + 0.53 * len(title)) * small
    step = (width - start) / len(grades)
    for number, (grade, label) in enumerate(grades):
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
        axes.text(x + 2.2 * small, y, label, **style)


def thumbnail(frame: np.ndarray, width: float, height: float, dpi: float) -> np.ndarray:
    """A frame cut to the shape of its cell (in points) and reduced to its resolution."""
    size = (max(1, round(width / POINTS * dpi)), max(1, round(height / POINTS * dpi)))
    return np.asarray(ImageOps.fit(Image.fromarray(frame), size, Image.Resampling.LANCZOS))
