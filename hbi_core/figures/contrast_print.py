"""The figure of a contrast for print: A and B on one scale, and below them who speaks for which.

Level by level, two coalition graphs side by side, whose colours are shares of the highest
interaction of both; and the difference game below: a bar for each player, its Shapley value, which
over all bars add up to the difference of the scores, and lines where interactions differ most.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hbi_core.figures.bars import Scale, draw_bars
from hbi_core.figures.chosen import seen_at
from hbi_core.figures.coalition_print import draw_key, draw_title, faded_players
from hbi_core.figures.contrast_chosen import chosen_in_both, said_of_both
from hbi_core.figures.contrast_view import (
    FOR_A,
    FOR_B,
    MOST,
    WEAKEST,
    Contrasted,
    DifferenceLevel,
    Pairs,
    colours_of,
    difference_links,
    difference_view,
    faded_of_both,
    graded_alike,
    joined,
    line_of,
    links_renamed,
    renamed,
)
from hbi_core.figures.explained import Explained
from hbi_core.figures.labels import told_lines
from hbi_core.figures.layout import FigureLayout, LevelLayout, Rows, lay_out
from hbi_core.figures.print_level import draw_links, draw_numbers, draw_players, link_style
from hbi_core.figures.print_style import EM, POINTS, WIDTHS, drawn_in_em, print_style
from hbi_core.figures.view import FigureView, faded_words, shown_levels
from hbi_core.figures.view_in_words import in_words, key_of

_SMALLEST_FONT = 5.0
_UNIT = EM["column"]  # of all three graphs, points
_BARS = 2.1  # em, height of the bars of a level from the lowest to the highest
_PAD = 0.4  # em between bars and players
_GAP = 0.5  # em between the graphs and the bars of the difference
_BETWEEN = 1.0  # em between levels, and between A and B
# The difference has the frames of both as pictures, so strips of them tell which is which above.
_ROWS = Rows(links=3.5, frames=0.8, cut=True, pad=0.25)
_ROWS_OF_DIFFERENCE = Rows(links=3.8, frames=2.2, pad=0.25)
_LINES = 2  # of a caption
_LINE = 1.2  # em between lines of the keys and below them
_SMALL = 0.8  # em, letters of these
_CHARACTER = 0.5  # of their size, the mean width of one
_KEY = "Lines, of the highest of A and B:"
_BARS_KEY = (
    "A − B. Bars: how much a player speaks for A (up) or B (down), its Shapley value; the bars of "
    "a level add up to its difference of S."
)
_LINES_KEY = f"({MOST} widest, from {100 * WEAKEST:.0f} % on)"


def contrast_print(
    contrast: Contrasted,
    width: str = "text",
    font: str = "sans",
    view: FigureView | None = None,
    pairs: Sequence[Pairs] = ({}, {}),
) -> Figure:
    """Draw a contrast.

    Args:
        contrast: what to draw.
        width: "text" (6.875 in); or "column" (3.25 in), which has room for the differences only.
        font: "sans" or "serif".
        view: which levels and links are shown; None shows all of A and of B across the sides. Of
            the differences `difference_view` of it.
        pairs: of A and of B, by the level's name, as `shown_links` needs them for the links within
            a side.

    Raises:
        InputError: the contrast has none of the levels.
    """
    view = replace(view or FigureView(), values=False, left_out=())  # all play, and have bars below
    beside = width == "text"
    drawing = _Drawing(contrast, WIDTHS[width] * POINTS, beside, view, pairs)
    with print_style(font):
        return drawing.figure()


@dataclass
class _Panel:
    """One of the graphs: what it draws, and where its left end is."""

    name: str
    layout: FigureLayout
    left: float


class _Drawing:
    """A figure that grows downwards, in points."""

    def __init__(
        self,
        contrast: Contrasted,
        width: float,
        beside: bool,
        view: FigureView,
        pairs: Sequence[Pairs],
    ) -> None:
        self.contrast, self.width, self.view, self.pairs = contrast, width, view, pairs
        self.levels = shown_levels(contrast.levels, view)
        view = replace(view, levels=tuple(level.name for level in self.levels))
        self.joined, self.chosen = joined(contrast), chosen_in_both(contrast, view)
        # It reads the players of the levels and nothing else of them.
        self.difference = lay_out(
            cast(Explained, self.joined),
            width,
            _UNIT,
            _SMALLEST_FONT,
            difference_view(view),
            _ROWS_OF_DIFFERENCE,
            drawn_in_em,
        )
        self.panels: list[_Panel] = []
        if beside:
            half = (width - _BETWEEN * _UNIT) / 2
            self.panels = [
                _Panel(
                    name, lay_out(one, half, _UNIT, _SMALLEST_FONT, view, _ROWS, drawn_in_em), left
                )
                for name, one, left in (
                    ("a", contrast.a, 0.0),
                    ("b", contrast.b, half + _BETWEEN * _UNIT),
                )
            ]

    def figure(self) -> Figure:
        heads = [
            textwrap.wrap(f"{name}: {told}", self._letters(), max_lines=_LINES, placeholder=" …")
            for name, told in zip("AB", self.contrast.told, strict=True)
        ]
        head_height = (max(map(len, heads)) * 1.25 + 0.6) * _UNIT
        heights = [self._height(level) for level in self.levels]
        lines = 1 if self.panels else len(self._bars_key())
        key_height = (1.2 + _LINE * (lines + len(self._told()))) * _UNIT
        height = head_height + sum(heights) + key_height
        if not self.panels:
            height += head_height + _GAP * _UNIT
        self.height = height
        figure = Figure(figsize=(self.width / POINTS, height / POINTS))
        page = self._axes(figure, 0.0, 0.0, self.width, (0.0, height))
        top = self._draw_heads(page, heads, head_height)
        for number, (level, band) in enumerate(zip(self.levels, heights, strict=True)):
            if number:
                y = top - _BETWEEN / 2 * _UNIT
                page.plot([0, self.width], [y, y], color="0.25", lw=0.8, dashes=(5, 3))
            self._draw_level(figure, level, top)
            top += band
        self._draw_keys(page, top)
        return figure

    def _told(self) -> list[str]:
        """Lines below the keys: what the view changes."""
        room = self.width / (_SMALL * _UNIT)
        lines = told_lines(in_words(self.view, self.contrast.a.worth), room, _CHARACTER)
        return lines + told_lines(said_of_both(self.contrast, self.view), room - 1)

    def _letters(self) -> int:
        """Of a line of a head."""
        width = (self.width - _BETWEEN * _UNIT) / 2 if self.panels else self.width
        return int(width / (0.55 * _UNIT)) - 3

    def _height(self, level: DifferenceLevel) -> float:
        """Of a level: the graphs, the difference with its bars, and what is between."""
        graphs = [_band(_level(one.layout, level.name)) for one in self.panels]
        height = _band(_level(self.difference, level.name)) + _BETWEEN * _UNIT
        height += sum(scale.height + _PAD * _UNIT for scale in _scales(level))
        return height + (max(graphs) + _GAP * _UNIT if graphs else 0.0)

    def _axes(
        self, figure: Figure, left: float, top: float, width: float, ends: tuple[float, float]
    ) -> Axes:
        """Axes in points, y downwards, that show what is between the ends."""
        height = ends[1] - ends[0]
        axes = figure.add_axes(
            (
                left / self.width,
                1 - (top + height) / self.height,
                width / self.width,
                height / self.height,
            )
        )
        axes.set(xlim=(0, width), ylim=(ends[1], ends[0]))
        axes.axis("off")
        return axes

    def _draw_heads(self, page: Axes, heads: Sequence[Sequence[str]], height: float) -> float:
        """What A and B are, side by side or one below the other; returns where they end."""
        top = 0.0
        for number, lines in enumerate(heads):
            left = self.panels[number].left if self.panels else 0.0
            if not self.panels and number:
                top += height
            for row, line in enumerate(lines):
                page.text(
                    left + 0.3 * _UNIT,
                    top + (1.0 + 1.25 * row) * _UNIT,
                    line.replace("$", r"\$"),
                    va="center",
                    fontsize=1.05 * _UNIT,
                    color=(FOR_A, FOR_B)[number],
                )
        return top + height + (0.0 if self.panels else _GAP * _UNIT)

    def _draw_level(self, figure: Figure, level: DifferenceLevel, top: float) -> None:
        name = level.name
        placed = [_level(panel.layout, name) for panel in self.panels]
        links = graded_alike(self.contrast, name, placed, self.view, self.pairs) if placed else []
        below = top
        for panel, place, lines, one in zip(
            self.panels, placed, links, (self.contrast.a, self.contrast.b), strict=False
        ):
            axes = self._axes(
                figure, panel.left, top, panel.layout.width, (place.top, place.bottom)
            )
            played = next(played for played in one.levels if played.name == name)
            faded = faded_words(one.words) if self.view.fade else ()
            title = f"{name.capitalize()} level", f"{one.worth.symbol} = {played.score:.3f}"
            draw_title(axes, place, title, _UNIT)
            lighter = [f"{panel.name}/{player}" for player in faded_players(played, faded)]
            chosen = seen_at(played, *self.chosen[panel.name])
            draw_links(axes, links_renamed(lines, panel.name), _UNIT, lighter, chosen)
            named, pictures = renamed(place, panel.name), one.video.pictures
            draw_players(axes, named, panel.layout, pictures, None, faded, chosen)
            draw_numbers(axes, place, lines, chosen, _UNIT)
            below = max(below, top + _band(place) + _GAP * _UNIT)
        self._draw_difference(figure, level, below)

    def _draw_difference(self, figure: Figure, level: DifferenceLevel, top: float) -> None:
        placed = renamed(_level(self.difference, level.name), "difference")
        above, below = _scales(level)
        first, last = placed.top - above.height - _PAD * _UNIT, placed.bottom + _PAD * _UNIT
        axes = self._axes(figure, 0.0, top, self.width, (first, last + below.height))
        title = (
            f"{'' if self.panels else level.name.capitalize() + ', '}A − B",
            f"{self.contrast.a.worth.symbol} {_signed(level.difference)}",
        )
        draw_title(axes, placed, title, _UNIT)
        faded = faded_of_both(self.contrast) if self.view.fade else ()
        lighter = [
            token.id
            for token, player in zip(placed.text_tokens, level.text_players, strict=True)
            if faded and set(player.members) <= set(faded)
        ]
        lines = difference_links(level, placed, self.view)
        played = next(one for one in self.joined.levels if one.name == level.name)
        chosen = seen_at(played, *self.chosen["difference"])
        draw_links(axes, links_renamed(lines, "difference"), _UNIT, lighter, chosen)
        colours = colours_of(level, placed)
        pictures = self.joined.video.pictures
        draw_players(axes, placed, self.difference, pictures, colours, faded, chosen)
        draw_numbers(axes, placed, lines, chosen, _UNIT)
        for tokens, scale, start in (
            (placed.text_tokens, above, first),
            (placed.video_tokens, below, last),
        ):
            draw_bars(axes, tokens, scale.values, scale, start, _UNIT, _style)

    def _bars_key(self) -> list[str]:
        return textwrap.wrap(_BARS_KEY, int(self.width / (_CHARACTER * _SMALL * _UNIT)))

    def _draw_keys(self, page: Axes, top: float) -> None:
        small = _SMALL * _UNIT
        style: dict[str, Any] = {"va": "center", "fontsize": small, "color": "0.25"}
        start, y = 0.5 * small, top + 0.6 * _UNIT
        if self.panels:
            title = _KEY.replace("highest", "lowest") if self.view.sign == "negative" else _KEY
            kept = self.chosen["difference"][0] is not None
            draw_key(page, self.width, y, _UNIT, title, key_of(self.view, kept))
            y += _LINE * _UNIT
        for line in (bars := self._bars_key()):
            page.text(start, y, line, **style)
            y += _LINE * _UNIT
        if self.panels:  # on the line of the bars
            start, y = 0.5 * small * len(bars[0]), y - _LINE * _UNIT
        for x, for_a, text in ((0.0, True, "stronger in A"), (11.0, False, "stronger in B")):
            left, grade = start + x * small, line_of(for_a, 0.5)
            dashes = link_style(grade)
            ends = [left, left + 3 * small]
            page.plot(ends, [y, y], color=grade.colour, lw=grade.width, linestyle=dashes)
            page.text(left + 3.5 * small, y, text, **style)
        page.text(start + 22.0 * small, y, _LINES_KEY, **style)
        for line in self._told():
            y += _LINE * _UNIT
            page.text(0.5 * small, y, line.replace("$", r"\$"), **style)


def _scales(level: DifferenceLevel) -> tuple[Scale, Scale]:
    """Of the bars of the text players and of the video players, which are those of one scale."""
    text, video = (
        [player.difference for player in players]
        for players in (level.text_players, level.video_players)
    )
    scale = Scale([*text, *video], _BARS * _UNIT)
    return scale.of(text), scale.of(video)


def _style(value: float) -> dict[str, Any]:
    """Filled for A, hatched for B."""
    if value > 0:
        return {"facecolor": FOR_A, "edgecolor": FOR_A}
    return {"facecolor": "white", "edgecolor": FOR_B, "hatch": "/////"}


def _level(layout: FigureLayout, name: str) -> LevelLayout:
    return next(one for one in layout.levels if one.name == name)


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")


def _band(placed: LevelLayout) -> float:
    return placed.bottom - placed.top
