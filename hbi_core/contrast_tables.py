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
    videos, texts = level["video_players"], level["text_players"]
    for row, column, numbers in pairs_of(level):
        labels = row, videos[row]["label"], column, texts[column]["label"]
        yield level["name"], *labels, *(numbers.get(of) for of in ("a", "b", "difference"))


def pairs_of(level: dict[str, Any]) -> Iterator[tuple[int, int, dict[str, float]]]:
    """The pairs of a video and a text player that A or B has, with their interactions.

    Args:
        level: as contrast.json has it.

    Returns:
        Of each its row, its column, and the interactions "a" and "b", as far as it is there, and
        their "difference", where a pair that is not there has 0.
    """
    for row, video in enumerate(level["video_players"]):
        for column, text in enumerate(level["text_players"]):
            numbers = {
                of: level[f"interactions_{of}"][row][column]
                for of in ("a", "b")
                if video[of] is not None and text[of] is not None
            }
            if numbers:
                difference = numbers.get("a", 0.0) - numbers.get("b", 0.0)
                yield row, column, numbers | {"difference": difference}
