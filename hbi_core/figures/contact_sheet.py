"""The clips that a search found, as a contact sheet in HTML: pictures, names, scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from typing import Protocol

from hbi_core.shipped import ASSETS


class _Hit(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def score(self) -> float: ...
    @property
    def levels(self) -> Mapping[str, float]: ...
    @property
    def time(self) -> float: ...
    @property
    def thumbnail(self) -> str: ...


class Found(Protocol):
    """What is shown: the result of a search."""

    @property
    def query(self) -> str: ...
    @property
    def hits(self) -> Sequence[_Hit]: ...
    @property
    def clips(self) -> int: ...


def contact_sheet(found: Found, clickable: bool = False) -> str:
    """A list of cards, the best clip first, with its style.

    Args:
        found: hits with their scores and pictures.
        clickable: each card is a button with its rank from 1 as `data-rank`, for a page that knows
            what to do then.

    Returns:
        HTML without scripts; names and the query are escaped.
    """
    highest = max((score for hit in found.hits for score in hit.levels.values()), default=0.0)
    cards = [_card(rank, hit, highest, clickable) for rank, hit in enumerate(found.hits, 1)]
    return (
        f"<style>{_style()}</style>"
        f'<ol class="hbi-contact-sheet" aria-label="Clips for {escape(found.query)}">'
        f"{''.join(cards)}</ol>"
    )


def contact_sheet_page(found: Found) -> str:
    """The contact sheet as a page of its own, which opens without a network."""
    query = escape(found.query)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{query}</title>"
        "<style>body { margin: 2rem; font-family: system-ui, sans-serif; }</style></head>\n"
        f"<body><h1>{query}</h1><p>The best {len(found.hits)} of {found.clips:,} clips, with their "
        "similarity at three levels, ranked by the mean of these. The picture is the frame that "
        f"fits best.</p>{contact_sheet(found)}</body></html>\n"
    )


def _card(rank: int, hit: _Hit, highest: float, clickable: bool) -> str:
    name = escape(hit.name)
    levels = "".join(_level(level, score, highest) for level, score in hit.levels.items())
    picture = '<span class="picture"></span>'  # a result of the endpoint has none
    if hit.thumbnail:
        alternative = f"Its frame at {hit.time:.1f} seconds"
        picture = f'<img class="picture" src="{escape(hit.thumbnail)}" alt="{alternative}">'
    inside = (
        f"{picture}"
        f'<span class="time">{hit.time:.1f} s</span>'
        f'<span class="title"><span class="name" title="{name}">{rank}. {name}</span>'
        f'<span class="score">{_number(hit.score)}</span></span>'
        f'<span class="levels">{levels}</span>'
    )
    if clickable:
        return f'<li><button type="button" class="card" data-rank="{rank}">{inside}</button></li>'
    return f'<li><div class="card">{inside}</div></li>'


def _level(name: str, score: float, highest: float) -> str:
    """A bar from zero, of a length that compares with all others of the sheet."""
    share = max(score, 0.0) / highest if highest > 0 else 0.0
    return (
        f'<span class="level">{escape(name)}</span>'
        f'<span class="bar"><span style="width: {100 * share:.1f}%"></span></span>'
        f'<span class="number">{_number(score)}</span>'
    )


def _number(score: float) -> str:
    return f"{score:.3f}".replace("-", "−")


@cache
def _style() -> str:
    return (ASSETS / "contact_sheet.css").read_text(encoding="utf-8")
