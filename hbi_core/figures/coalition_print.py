"""The coalition figure for print: vector, at the width of a page or a column.

In SVG, elements have the names of the coalition graph as their `id`: lines that of their link, and
players their own, on their box, or on their word or thumbnail where there is none.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from explainers import player_id
from explainers.coalition_graph import GameLevel
from hbi_core.figures.bars import Scale, draw_bars
from hbi_core.figures.chosen import chosen_of, seen_at
from hbi_core.figures.explained import Explained
from hbi_core.figures.grades import KEY_TITLE, OUTLIER, Grade
from hbi_core.figures.labels import told_lines
from hbi_core.figures.layout import LevelLayout, lay_out
from hbi_core.figures.lines import Link, links_of
from hbi_core.figures.print_level import (
    LEFT_OUT,
    draw_links,
    draw_numbers,
    draw_players,
    link_style,
)
from hbi_core.figures.print_style import EM, POINTS, WIDTHS, drawn_in_em, print_style
from hbi_core.figures.shown_links import left_out_of
from hbi_core.figures.view import FigureView, faded_words, shown_levels
from hbi_core.figures.view_in_words import KEY, in_words, key_of, key_title, players_in_words

_SMALLEST_FONT = 5.0
_BAR_PAD = 0.7  # em between bars and players
_LINE = 1.5  # em between lines below the key
_CHARACTER = 0.52  # em, the mean width of one in these lines


def coalition_print(
    explanation: Explained,
    width: str = "text",
    view: FigureView | None = None,
    font: str = "sans",
    pairs: Mapping[str, Tensor] | None = None,
    values: Mapping[str, Sequence[Tensor]] | None = None,
    left: Mapping[str, Tensor] | None = None,
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
        left: of each level that the view leaves players out of, likewise, as `shown_links` needs
            them.

    Raises:
        InputError: the explanation has none of the levels.
    """
    view = view or FigureView()
    inches, em = WIDTHS[width], EM[width]
    layout = lay_out(
        explanation, inches * POINTS, em, _SMALLEST_FONT, view, turned_length=drawn_in_em
    )
    pairs, left = pairs or {}, left or {}
    drawn = [
        (
            level,
            placed,
            links_of(level, placed, view, pairs.get(level.name), left=left.get(level.name)),
        )
        for level, placed in zip(shown_levels(explanation.levels, view), layout.levels, strict=True)
    ]
    shown = {level.name: links for level, _, links in drawn}
    small = 0.8 * em
    room = layout.width / small - 1
    told = told_lines([*in_words(view, explanation.worth), *_outliers(shown)], room, _CHARACTER)
    told += told_lines(players_in_words(view, explanation.levels), room)
    height = layout.height + _LINE * small * len(told)
    figure = Figure(figsize=(inches, height / POINTS))
    words = faded_words(explanation.words) if view.fade else ()
    chosen, pictures = chosen_of(view.chosen, explanation.levels), explanation.video.pictures
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
            shown_at, out = seen_at(level, chosen, explanation.levels), left_out_of(level, view)
            draw_links(axes, links, em, faded_players(level, words), shown_at)
            draw_players(axes, placed, layout, pictures, None, words, shown_at, out)
            draw_numbers(axes, placed, links, shown_at, em)
            if view.values:
                _draw_values(axes, placed, (values or {})[level.name], em, out)
        y = layout.height - 0.8 * em
        draw_key(axes, layout.width, y, em, key_title(view), key_of(view, chosen is not None))
        for number, line in enumerate(told, 1):
            axes.text(
                0.4 * em,
                y + number * _LINE * small,
                line.replace("$", r"\$"),
                va="center",
                fontsize=small,
                color="0.25",
            )
    return figure


def _draw_values(
    axes: Axes,
    level: LevelLayout,
    values: Sequence[Tensor],
    em: float,
    left_out: Collection[str],
) -> None:
    """The values of a level as bars: above its words and below its frames, on one scale."""
    video, text = (some.tolist() for some in values)
    height = level.bars - _BAR_PAD * em
    scale = Scale([*video, *text], height)
    for tokens, some, top in (
        (level.text_tokens, text, level.top),
        (level.video_tokens, video, level.bottom - height),
    ):
        draw_bars(axes, tokens, some, scale, top, em, _bar, dict.fromkeys(left_out, LEFT_OUT))


def _bar(value: float) -> dict[str, Any]:
    """Filled, or hatched where it is negative."""
    if value > 0:
        return {"facecolor": "0.45", "edgecolor": "0.45"}
    return {"facecolor": "white", "edgecolor": "0.25", "hatch": "/////"}


def _outliers(links: Mapping[str, Sequence[Link]]) -> list[str]:
    """How many links lie above the scale: a phrase, or none."""
    outliers = {
        name: count
        for name, shown in links.items()
        if (count := sum(link.grade.name == OUTLIER.name for link in shown))
    }
    counts = ", ".join(f"{count} at the {name} level" for name, count in outliers.items())
    return [f"darkest: above the scale ({counts})"] if outliers else []


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
            ls=link_style(grade),
            solid_capstyle="round",
        )
        axes.text(x + 2.2 * small, y, label, **style)
