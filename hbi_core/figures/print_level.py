"""The lines and the players of one level in a figure for print.

Where players are chosen, their links stay and others fade, as in the browser (coalition_view.js and
coalition_view.css, whose opacities these are).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patches import FancyBboxPatch, PathPatch
from matplotlib.path import Path
from PIL import Image, ImageOps

from hbi_core.figures.chosen import Chosen
from hbi_core.figures.grades import GRADES, KEPT_AGAINST, Grade
from hbi_core.figures.layout import TURNED_PAD, FigureLayout, LevelLayout, Token
from hbi_core.figures.lines import Link
from hbi_core.figures.print_style import EM, POINTS

_THUMBNAIL_DPI = 300
_FADED = 0.35  # of the opacity of a link of a function word
_OTHER_LINK = 0.07  # of that of a link that is not of the chosen players
_OTHER_FRAME = 0.75  # opacity of a frame that is not of them
LEFT_OUT = 0.2  # opacity of a player who is left out
_FADED_WORD = "0.6"
_ARC_AGAINST = {
    "edgecolor": "0.55",
    "linewidth": 0.6,
}  # negative ones: most arcs are, and stand alone
_BOX: dict[str, Any] = {"edgecolor": "0.45", "linewidth": 1.2}
_OTHER_BOX: dict[str, Any] = {"edgecolor": "0.75", "linewidth": 0.8}  # beside chosen players
_CHOSEN_BOX: dict[str, Any] = {"edgecolor": "black", "linewidth": 1.8}
_SHARING_BOX: dict[str, Any] = {"edgecolor": "black", "linewidth": 1.4}  # of another level
_NUMBER = 0.7  # em
_CHARACTER = 0.62  # of the size of a number, the width of one
_AWAY = 0.2  # em between a number and its player
_MOST_NUMBER = 0.55  # of the length of a line


def link_style(grade: Grade) -> str | tuple:
    """The dashes of a grade."""
    return (0, (3, 3)) if grade.dotted else "solid"


def draw_links(
    axes: Axes,
    links: Iterable[Link],
    em: float,
    faded: Collection[str] = (),
    chosen: Chosen | None = None,
) -> None:
    """The lines of a level, in their order.

    Args:
        axes: in points, y downwards.
        links: of the level.
        em: the unit of the figure.
        faded: players by name, whose links are lighter.
        chosen: whose links stay where all others fade; None where all stay.
    """
    for link in links:
        kept = chosen is not None and chosen.keeps(link)
        against = link.grade is GRADES[-1]
        grade = KEPT_AGAINST if kept and against else link.grade
        opacity = grade.opacity
        if chosen is not None and not kept:
            opacity *= _OTHER_LINK
        elif {*link.ends} & {*faded}:
            opacity *= _FADED
        style: dict[str, Any] = {
            "linestyle": link_style(grade),
            "linewidth": grade.width * em / EM["text"],
            "alpha": opacity,
            "capstyle": "round",
            "gid": link.id,
        }
        if link.kind == "cross":
            style["linestyle"] = [style["linestyle"]]
            axes.add_collection(
                LineCollection([(link.start, link.end)], colors=grade.colour, **style)
            )
        else:
            (left, y), (right, _) = link.start, link.end
            over = ((left + right) / 2, y + 2 * link.bend)  # the arc goes half as far
            path = Path([link.start, over, link.end], [Path.MOVETO, Path.CURVE3, Path.CURVE3])
            style |= {"edgecolor": grade.colour} | (_ARC_AGAINST if against and not kept else {})
            axes.add_patch(PathPatch(path, fill=False, **style))


def draw_players(
    axes: Axes,
    level: LevelLayout,
    layout: FigureLayout,
    pictures: np.ndarray,
    colours: Mapping[str, str] | None = None,
    faded: Collection[int] = (),
    chosen: Chosen | None = None,
    left_out: Collection[str] = (),
) -> None:
    """The words, thumbnails and boxes of a level.

    Args:
        axes: in points, y downwards.
        level: of the layout.
        layout: the whole one.
        pictures: of the frames, uint8 [F, h, w, 3].
        colours: of words and of boxes, by the player's name; others are black, and grey.
        faded: words that are drawn lighter, as indices.
        chosen: players that have a black box; frames of others are lighter.
        left_out: players by name, who are much lighter.
    """
    colours, em = colours or {}, layout.em
    marked = _marked(level, chosen)
    boxes = [*level.boxes, *(one for one in marked if one not in level.boxes)]
    boxed = {token.id for token in boxes}
    lit = {token.id for token in marked}
    for cell in level.frames:
        opacity = 1.0 if chosen is None or cell.id in lit else _OTHER_FRAME
        picture = thumbnail(pictures[cell.index], cell.width, cell.height, _THUMBNAIL_DPI)
        axes.imshow(
            _lighter(picture, LEFT_OUT if cell.id in left_out else opacity),
            extent=(cell.left, cell.left + cell.width, cell.top + cell.height, cell.top),
            aspect="auto",
            interpolation="none",
            gid=None if cell.id in boxed else cell.id,
        )
    upright: dict[str, Any] = {"va": "center"}
    if layout.vertical_words:
        upright = {"rotation": 90, "va": "bottom"}
    for cell in level.words:
        foot = cell.top + cell.height - TURNED_PAD * em
        plain = _FADED_WORD if cell.index in faded and cell.id not in lit else "black"
        axes.text(
            cell.centre[0],
            foot if layout.vertical_words else cell.centre[1],
            cell.label.replace("$", r"\$"),
            ha="center",
            fontsize=layout.font,
            color=f"{1 - LEFT_OUT}" if cell.id in left_out else colours.get(cell.id, plain),
            gid=None if cell.id in boxed else cell.id,
            **upright,
        )
    for token in boxes:
        style = _BOX if chosen is None else _OTHER_BOX
        if chosen is not None and token.id in lit:
            style = _CHOSEN_BOX if chosen.own else _SHARING_BOX
        elif token.id in left_out:
            style = _BOX | {"edgecolor": "0.9"}
        if token.id in colours:
            style = style | {"edgecolor": colours[token.id]}
        axes.add_patch(
            FancyBboxPatch(
                (token.left, token.top),
                token.width,
                token.height,
                boxstyle="square,pad=0",
                fill=False,
                gid=token.id,
                **style,
            )
        )


def _marked(level: LevelLayout, chosen: Chosen | None) -> list[Token]:
    if chosen is None:
        return []
    videos = [level.video_tokens[index] for index in chosen.video]
    return videos + [level.text_tokens[index] for index in chosen.text]


def draw_numbers(
    axes: Axes, level: LevelLayout, links: Iterable[Link], chosen: Chosen | None, em: float
) -> None:
    """The values of the links of one chosen player, at their other ends, where there is room."""
    if chosen is None or not chosen.alone:
        return
    at_frames = len(chosen.text) == 1
    tokens = level.video_tokens if at_frames else level.text_tokens
    numbers = [
        (tokens[link.first if at_frames else link.second], _signed(link.value), link)
        for link in links
        if link.kind == "cross" and chosen.keeps(link)
    ]
    size = min(_NUMBER * em, 0.8 * min(token.width for token in tokens))
    length = _CHARACTER * size * max((len(text) for _, text, _ in numbers), default=0)
    turned = any(length > place.width for place, _, _ in numbers)
    if turned and any(
        length > _MOST_NUMBER * (link.end[1] - link.start[1]) for _, _, link in numbers
    ):
        return  # they would cover the lines
    for place, text, _ in numbers:
        axes.text(
            place.middle,
            place.top - _AWAY * em if at_frames else place.top + place.height + _AWAY * em,
            text,
            ha="center",
            va="bottom" if at_frames else "top",
            rotation=90 if turned else 0,
            fontsize=size,
            color="black",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.1 * em},
        )


def _signed(value: float) -> str:
    text = f"{abs(value):.4f}"
    return text if float(text) == 0 else f"{'−' if value < 0 else '+'}{text}"


def _lighter(picture: np.ndarray, opacity: float) -> np.ndarray:
    """A picture on white paper, uint8."""
    if opacity == 1.0:
        return picture
    return np.rint(255 - opacity * (255.0 - picture)).astype(np.uint8)


def thumbnail(frame: np.ndarray, width: float, height: float, dpi: float) -> np.ndarray:
    """A frame cut to the shape of its cell (in points) and reduced to its resolution."""
    size = (max(1, round(width / POINTS * dpi)), max(1, round(height / POINTS * dpi)))
    return np.asarray(ImageOps.fit(Image.fromarray(frame), size, Image.Resampling.LANCZOS))
