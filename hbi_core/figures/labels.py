"""How much room a label takes, and how it is made to fit."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Sequence

from explainers.coalition_graph import spans

_LONGEST_LABEL = 18  # characters


def length_in_em(label: str) -> float:
    """Width of a label in em; wide (East Asian, emoji) characters take a whole one."""
    return sum(1.0 if unicodedata.east_asian_width(c) in "WF" else 0.56 for c in label)


def told_lines(said: Sequence[str], room: float, character: float | None = None) -> list[str]:
    """Phrases as one sentence, in lines of this many em at most.

    Args:
        said: the phrases.
        room: em of a line.
        character: em of one on average, where that is known; None takes the widest there is.
    """
    if not said:
        return []
    text = "; ".join(said)
    width = character or max(map(length_in_em, text))
    return textwrap.wrap(f"{text[0].upper()}{text[1:]}.", int(room / width))


def frames_in_words(frames: Sequence[int]) -> str:
    """Frames as a reader counts them: "frame 3", "frames 1–4"."""
    return f"frame{'s' * (len(frames) > 1)} {spans(frames).replace('-', '–')}"


def shortened(label: str) -> str:
    """A label of 18 characters at most."""
    return label if len(label) <= _LONGEST_LABEL else label[: _LONGEST_LABEL - 1] + "…"
