"""The difference game of a contrast as one graph, from the levels of contrast.json."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import networkx as nx

from explainers import player_id
from hbi_core.contrast_tables import pairs_of

_NUMBERS = tuple(
    f"{name}_{of}" for name in ("share", "value", "links") for of in ("a", "b", "difference")
)


def contrast_graph(levels: Sequence[dict[str, Any]]) -> nx.Graph:
    """Players of A and B, their interactions in both, and who was merged into whom.

    Nodes are named as in `explainers.coalition_graph`, by their place among the players of A and B
    together. They carry `level`, `modality`, `label`, `members` (indices of frames or words of A
    and B in one row, comma separated), `a` and `b` (the place in A and in B, where it is one), and
    the numbers that contrast.json has of a player, as `share_difference`. Edges carry `relation`:

    - "interaction" joins a video and a text player that A has, or B, with `interaction_a` and
      `interaction_b`, as far as these have both, and `interaction_difference`;
    - "membership" joins a player with that of the next level whose members contain all of its.

    Args:
        levels: as contrast.json has them, from the lowest.

    Returns:
        An undirected graph.
    """
    graph = nx.Graph()
    for level in levels:
        for side, index, player in _players(level):
            graph.add_node(
                player_id(level["name"], side, index),
                level=level["name"],
                modality=side,
                label=player["label"],
                members=",".join(map(str, player["members"])),
                **{of: player[of] for of in ("a", "b") if player[of] is not None},
                **{name: player[name] for name in _NUMBERS},
            )
        for row, column, numbers in pairs_of(level):
            graph.add_edge(
                player_id(level["name"], "video", row),
                player_id(level["name"], "text", column),
                relation="interaction",
                **{f"interaction_{of}": number for of, number in numbers.items()},
            )
    for lower, upper in pairwise(levels):
        for side, index, player in _players(lower):
            for parent, merged in enumerate(upper[f"{side}_players"]):
                if set(player["members"]) <= set(merged["members"]):
                    graph.add_edge(
                        player_id(lower["name"], side, index),
                        player_id(upper["name"], side, parent),
                        relation="membership",
                    )
    return graph


def _players(level: dict[str, Any]) -> Iterator[tuple[str, int, dict[str, Any]]]:
    for side in ("video", "text"):
        for index, player in enumerate(level[f"{side}_players"]):
            yield side, index, player
