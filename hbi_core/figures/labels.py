"""How much room a label takes, and how it is made to fit."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Sequence

from matplotlib.font_manager import findfont, get_font

_LONGEST_LABEL = 18  # characters
_SIZE = 100.0  # points, at which letters are measured


def length_in_em(label: str) -> float:
    """Width of a label in em; wide (East Asian, emoji) characters take a whole one."""
    return sum(1.0 if unicodedata.east_asian_width(c) in "WF" else 0.56 for c in label)


def drawn_in_em(label: str) -> float:
    """Width of a label in em as print draws it, letter by letter, in the widest of its fonts."""
    font = get_font(findfont("DejaVu Sans"))
    font.set_size(_SIZE, 72)
    return sum(
        font.load_char(ord(c)).linearHoriAdvance / 65536 / _SIZE
        if font.get_char_index(ord(c))
        else length_in_em(c)
        for c in label
    )


def told_lines(said: Sequence[str], room: float) -> list[str]:
    """Phrases as one sentence, in lines of this many em at most."""
    if not said:
        return []
    text = "; ".join(said)
    widest = max(map(length_in_em, text))
    return textwrap.wrap(f"{text[0].upper()}{text[1:]}.", int(room / widest))


def shortened(label: str) -> str:
    """A label of 18 characters at most."""
    return label if len(label) <= _LONGEST_LABEL else label[: _LONGEST_LABEL - 1] + "…"
