"""The interactions of all levels as one networkx graph."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

import networkx as nx
import numpy as np
from torch import Tensor

from explainers.interactions import Interactions


class VideoPlayer(Protocol):
    """A player of the video's side."""

    @property
    def frames(self) -> Sequence[int]:
        """The frames it stands for."""


class TextPlayer(Protocol):
    """A player of the text's side."""

    @property
    def words(self) -> Sequence[int]:
        """The words it stands for."""

    @property
    def text(self) -> str:
        """These words."""


class GameLevel(Protocol):
    """A level with its players and their interactions."""

    @property
    def name(self) -> str:
        """Of the level, no other level has it."""

    @property
    def score(self) -> float:
        """The value of all players together."""

    @property
    def video_tokens(self) -> Sequence[VideoPlayer]:
        """V players."""

    @property
    def text_tokens(self) -> Sequence[TextPlayer]:
        """T players."""

    @property
    def similarity(self) -> Tensor:
        """Cosine similarities [V, T]."""

    @property
    def interactions(self) -> Interactions:
        """With values [V, T]."""


def player_id(level: str, modality: str, index: int) -> str:
    """Name of a player in graph, figures and files.

    Args:
        level: name of its level.
        modality: "video" or "text".
        index: among the players of its side, from 0.

    Returns:
        The name.

    Example:
        >>> from explainers import player_id
        >>> player_id("action", "text", 2)
        'action/text/2'
    """
    return f"{level}/{modality}/{index}"


def ranks(interactions: Tensor) -> np.ndarray:
    """Rank of every pair of one level.

    Args:
        interactions: float [V, T].

    Returns:
        int [V, T]; 1 is the strongest interaction. Equal ones are ranked in reading order, so that
        the ranks are always the same.

    Example:
        >>> import torch
        >>> from explainers import ranks
        >>> ranks(torch.tensor([[0.6, -0.1], [0.0, 0.4]]))
        array([[1, 4],
               [3, 2]])
    """
    flat = interactions.detach().cpu().double().numpy().ravel()
    rank = np.empty(flat.size, dtype=np.int64)
    rank[np.argsort(-flat, kind="stable")] = np.arange(1, flat.size + 1)
    return rank.reshape(tuple(interactions.shape))


def coalition_graph(levels: Sequence[GameLevel]) -> nx.Graph:
    """Players of all levels, their interactions, and who was merged into whom.

    Nodes are named by `player_id`, and carry `level`, `modality` ("video" or
    "text"), `members` (indices of frames or words, comma separated) and `label`. Edges carry
    `relation`:

    - "interaction" joins a video and a text player of one level, with `interaction`,
      `similarity` (cosine) and `rank` (1 is the strongest of its level);
    - "membership" joins a player to the player of the next level that it was merged into.

    All attributes are strings or numbers, so that the graph can be written as GraphML.

    Args:
        levels: from the finest to the coarsest, e.g. `Explanation.levels`.

    Returns:
        An undirected graph.

    Example:
        >>> from types import SimpleNamespace as Some
        >>> import torch
        >>> from explainers import SimilarityGame, closed_form, coalition_graph
        >>> similarity = torch.tensor([[0.9, 0.1]])
        >>> game = SimilarityGame(similarity, torch.zeros(1), torch.zeros(2))
        >>> level = Some(
        ...     name="entity",
        ...     video_tokens=[Some(frames=[0])],
        ...     text_tokens=[Some(words=[0], text="a"), Some(words=[1], text="cat")],
        ...     similarity=similarity,
        ...     interactions=closed_form(game),
        ... )
        >>> graph = coalition_graph([level])
        >>> list(graph)
        ['entity/video/0', 'entity/text/0', 'entity/text/1']
        >>> graph.edges["entity/video/0", "entity/text/0"]["rank"]
        1
    """
    graph = nx.Graph()
    for level in levels:
        for modality, players in _players(level).items():
            for index, (members, label) in enumerate(players):
                graph.add_node(
                    player_id(level.name, modality, index),
                    level=level.name,
                    modality=modality,
                    members=",".join(map(str, members)),
                    label=label,
                )
        similarity = level.similarity.tolist()
        interactions = level.interactions.values.tolist()
        for (video, text), rank in np.ndenumerate(ranks(level.interactions.values)):
            graph.add_edge(
                player_id(level.name, "video", video),
                player_id(level.name, "text", text),
                relation="interaction",
                interaction=interactions[video][text],
                similarity=similarity[video][text],
                rank=int(rank),
            )
    for lower, upper in pairwise(levels):
        uppers = _players(upper)
        for modality, players in _players(lower).items():
            for index, (members, _) in enumerate(players):
                for parent, (merged, _) in enumerate(uppers[modality]):
                    if set(members) <= set(merged):
                        graph.add_edge(
                            player_id(lower.name, modality, index),
                            player_id(upper.name, modality, parent),
                            relation="membership",
                        )
    return graph


def _players(level: GameLevel) -> dict[str, list[tuple[Sequence[int], str]]]:
    return {
        "video": [(t.frames, "frame " + spans(t.frames)) for t in level.video_tokens],
        "text": [(t.words, t.text) for t in level.text_tokens],
    }


def spans(indices: Sequence[int]) -> str:
    """Indices as a reader counts.

    Example:
        >>> spans([0, 1, 2, 5])
        '1-3, 6'
    """
    runs: list[list[int]] = []
    for index in sorted(indices):
        if runs and index == runs[-1][-1] + 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    return ", ".join(f"{r[0] + 1}-{r[-1] + 1}" if len(r) > 1 else f"{r[0] + 1}" for r in runs)
