"""The lines of a coalition figure: the links that a view shows, between players that are placed."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from hbi_core.figures.layout import LevelLayout
from hbi_core.figures.shown_links import Beside, Linked, ShownLink, shown_links
from hbi_core.figures.view import FigureView

_FLATTEST = 0.2  # part of the room for arcs
_HIGHEST = 0.94
_RISE = 0.1  # of an arc, by its width


@dataclass(frozen=True, kw_only=True)
class Link(ShownLink):
    """The line of a link that is shown; one within a side is an arc that goes down by `bend`."""

    start: tuple[float, float]
    end: tuple[float, float]
    bend: float = 0.0


def links_of(
    level: Linked,
    layout: LevelLayout,
    view: FigureView | None = None,
    pairs: Tensor | None = None,
    beside: Beside | None = None,
    left: Tensor | None = None,
) -> tuple[Link, ...]:
    """The lines between the players of a level, the weakest first: the order to draw them in.

    Args:
        level: with its interactions.
        layout: where its players stand.
        view, pairs, beside, left: as for `shown_links`; without a view, all cross links.
    """
    links = shown_links(level, view or FigureView(), pairs, beside, left)
    return tuple(_line(link, layout) for link in links)


def _line(link: ShownLink, layout: LevelLayout) -> Link:
    if link.kind == "cross":
        text, video = layout.text_tokens[link.second], layout.video_tokens[link.first]
        start = (text.middle, text.top + text.height)
        return Link(**vars(link), start=start, end=(video.middle, video.top))
    above = link.kind == "text"
    row = layout.text_tokens if above else layout.video_tokens
    one, other = row[link.first], row[link.second]
    y = one.top if above else one.top + one.height
    rise = _FLATTEST * layout.arcs + _RISE * (other.middle - one.middle)
    bend = min(rise, _HIGHEST * layout.arcs) * (-1 if above else 1)
    return Link(**vars(link), start=(one.middle, y), end=(other.middle, y), bend=bend)
