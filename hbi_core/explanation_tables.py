"""The tables of an explanation; docs/formats.md tells the columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from torch import Tensor

from explainers import ExplainedVariance, ranks
from explainers.coalition_graph import GameLevel
from hbi_core.figures.chosen import chosen_of, seen_at
from hbi_core.figures.explained import Explained
from hbi_core.figures.shown_links import shown_links
from hbi_core.figures.view import FigureView, shown_levels

INTERACTION_COLUMNS = (
    "level",
    "video_token",
    "frames",
    "text_token",
    "text",
    "interaction",
    "similarity",
    "rank",
    "standard_error",
)
PLAYER_COLUMNS = ("level", "side", "token", "members", "text", "value")
LEVEL_COLUMNS = (
    "level",
    "score",
    "video_singles",
    "text_singles",
    "cross_pairs",
    "video_pairs",
    "text_pairs",
    "rest",
    "r_squared",
    "variance",
)
FIGURE_COLUMNS = (
    "level",
    "kind",
    "first",
    "first_text",
    "second",
    "second_text",
    "value",
    "interaction",
    "similarity",
    "rank",
    "share",
    "grade",
)
CHOSEN_COLUMN = "chosen"


class TabledLevel(GameLevel, Protocol):
    """A level, its values, and how much of its game is explained."""

    @property
    def video_values(self) -> Tensor: ...

    @property
    def text_values(self) -> Tensor: ...

    @property
    def explained(self) -> ExplainedVariance | None: ...


class Tabled(Explained, Protocol):
    """An explanation and what its figure shows."""

    @property
    def levels(self) -> Sequence[TabledLevel]: ...

    @property
    def view(self) -> FigureView: ...


def interactions(explanation: Explained) -> list[tuple]:
    """One row per pair of a video and a text token, level by level, the strongest first.

    Frames are indices into the chosen frames, separated by spaces; both tokens count from 0. The
    standard error is empty where interactions are exact.
    """
    table = []
    for level in explanation.levels:
        rank, error = ranks(level.interactions.values), level.interactions.standard_error
        rows = [
            (
                level.name,
                video,
                " ".join(map(str, video_token.frames)),
                text,
                text_token.text,
                float(level.interactions.values[video, text]),
                float(level.similarity[video, text]),
                int(rank[video, text]),
                "" if error is None else float(error[video, text]),
            )
            for video, video_token in enumerate(level.video_tokens)
            for text, text_token in enumerate(level.text_tokens)
        ]
        table += sorted(rows, key=lambda row: row[INTERACTION_COLUMNS.index("rank")])
    return table


def players(explanation: Tabled) -> list[tuple]:
    """One row per player, level by level, video tokens first; members are frames or words."""
    table = []
    for level in explanation.levels:
        videos = [(token.frames, "") for token in level.video_tokens]
        texts = [(token.words, token.text) for token in level.text_tokens]
        sides = (("video", videos, level.video_values), ("text", texts, level.text_values))
        for side, tokens, values in sides:
            table += [
                (level.name, side, index, " ".join(map(str, members)), text, float(value))
                for index, ((members, text), value) in enumerate(zip(tokens, values, strict=True))
            ]
    return table


def levels(explanation: Tabled) -> list[tuple]:
    """One row per level: its score, and how much of its game is explained."""
    return [
        (
            level.name,
            level.score,
            *(
                float(getattr(level.explained, name)) if level.explained else ""
                for name in LEVEL_COLUMNS[2:]
            ),
        )
        for level in explanation.levels
    ]


def figure(
    explanation: Tabled, pairs: Mapping[str, Tensor], left: Mapping[str, Tensor]
) -> tuple[tuple[str, ...], list[tuple]]:
    """The columns, and one row per line of the figure, level by level, the strongest first.

    Where players are chosen, a last column says which lines stay: 1, or 0 of those that fade.

    Args:
        explanation: with its view.
        pairs, left: of its levels by name, as `shown_links` needs them.
    """
    chosen = chosen_of(explanation.view.chosen, explanation.levels)
    table = []
    for level in shown_levels(explanation.levels, explanation.view):
        texts = [token.text for token in level.text_tokens]
        videos = [
            "frames " + " ".join(str(frame) for frame in token.frames)
            for token in level.video_tokens
        ]
        sides = {"cross": (videos, texts), "video": (videos, videos), "text": (texts, texts)}
        shown = shown_links(
            level, explanation.view, pairs.get(level.name), left=left.get(level.name)
        )
        kept = seen_at(level, chosen, explanation.levels)
        for link in sorted(shown, key=lambda link: -link.share):
            first, second = sides[link.kind]
            table.append(
                (
                    level.name,
                    link.kind,
                    link.first,
                    first[link.first],
                    link.second,
                    second[link.second],
                    link.value,
                    link.interaction,
                    link.similarity,
                    link.rank,
                    link.share,
                    link.grade.name,
                    *([] if chosen is None else [int(kept is None or kept.keeps(link))]),
                )
            )
    return FIGURE_COLUMNS if chosen is None else (*FIGURE_COLUMNS, CHOSEN_COLUMN), table
