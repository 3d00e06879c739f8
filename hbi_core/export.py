"""Explanations and comparisons as files: numbers, graph and figure."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import networkx as nx

from explainers import coalition_graph, ranks
from hbi_core.comparison import LevelComparison
from hbi_core.errors import InputError
from hbi_core.explanation import Explanation
from hbi_core.figures.coalition_print import coalition_print
from hbi_core.figures.methods_print import methods_print
from hbi_core.figures.print_style import WIDTHS, save_figure

CSV_COLUMNS = (
    "level", "video_token", "frames", "text_token", "text",
    "interaction", "similarity", "rank",
)  # fmt: skip


def save_explanation(explanation: Explanation, directory: str | Path, width: str) -> list[Path]:
    """Write all files of `Explanation.save`; see there."""
    with _folder(directory, width) as directory:
        numbers = directory / "explanation.json"
        numbers.write_text(explanation.to_json() + "\n", encoding="utf-8")
        table = directory / "interactions.csv"
        write_csv(explanation, table)
        graph = directory / "graph.graphml"
        nx.write_graphml(coalition_graph(explanation.levels), graph)
        figures = save_figure(coalition_print(explanation, width), directory / "figure")
    return [numbers, *figures, table, graph]


def save_comparison(comparison: LevelComparison, directory: str | Path, width: str) -> list[Path]:
    """Write all files of `LevelComparison.save`; see there."""
    with _folder(directory, width) as directory:
        numbers = directory / "comparison.json"
        numbers.write_text(comparison.to_json() + "\n", encoding="utf-8")
        table = directory / "comparison.csv"
        table.write_text(comparison.to_csv(), encoding="utf-8")
        figure = methods_print(comparison, width)
        figures = save_figure(figure, directory / "comparison")
    return [numbers, *figures, table]


@contextmanager
def _folder(directory: str | Path, width: str) -> Iterator[Path]:
    """The directory, made if it is not there; what cannot be written is the user's to mend."""
    if width not in WIDTHS:
        raise InputError(f"The figure's width is {width!r}; use one of {', '.join(WIDTHS)}.")
    directory = Path(directory)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        yield directory
    except OSError as error:
        raise InputError(f"Cannot write to {directory}: {error.strerror or error}.") from error


def write_csv(explanation: Explanation, path: Path) -> None:
    """One row per pair of a video and a text token, level by level, the strongest first.

    Frames are indices into the chosen frames, separated by spaces; both tokens count from 0.
    """
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(CSV_COLUMNS)
        for level in explanation.levels:
            rank = ranks(level.interactions.values)
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
                )
                for video, video_token in enumerate(level.video_tokens)
                for text, text_token in enumerate(level.text_tokens)
            ]
            writer.writerows(sorted(rows, key=lambda row: row[-1]))
