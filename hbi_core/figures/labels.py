"""How much room a label takes, and how it is made to fit."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Sequence

_LONGEST_LABEL = 18  # characters


def length_in_em(label: str) -> float:
    """Width of a label in em; wide (East Asian, emoji) characters take a whole one."""
    return sum(1.0 if unicodedata.east_asian_width(c) in "WF" else 0.56 for c in label)


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
