"""The tables of a contrast, from the levels of contrast.json; docs/formats.md tells the columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

PLAYER_COLUMNS = (
    "level",
    "side",
    "player",
    "a",
    "b",
    *(f"{name}_{of}" for name in ("share", "value", "links") for of in ("a", "b", "difference")),
)
LINK_COLUMNS = (
    "level",
    "video_player",
    "frames",
    "text_player",
    "text",
    "interaction_a",
    "interaction_b",
    "interaction_difference",
)
_Levels = Sequence[dict[str, Any]]


def players(levels: _Levels) -> list[tuple]:
    """One row per player; its index is None where A or B has no such player."""
    return [
        (level["name"], side, player["label"], *(player[column] for column in PLAYER_COLUMNS[3:]))
        for level in levels
        for side in ("video", "text")
        for player in level[f"{side}_players"]
    ]


def links(levels: _Levels) -> list[tuple]:
    """One row per pair that A or B has; its interaction is None where the other has not."""
    return [row for level in levels for row in _links(level)]


def _links(level: dict[str, Any]) -> Iterator[tuple]:
    for row, video in enumerate(level["video_players"]):
        for column, text in enumerate(level["text_players"]):
            there = [video[of] is not None and text[of] is not None for of in ("a", "b")]
            if any(there):
                a, b = (level[f"interactions_{of}"][row][column] for of in ("a", "b"))
                values = (a if there[0] else None, b if there[1] else None, a - b)
                yield level["name"], row, video["label"], column, text["label"], *values
