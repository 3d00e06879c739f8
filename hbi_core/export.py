"""Explanations and comparisons as files: numbers, graph and figure."""

from __future__ import annotations

import csv
import io
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import networkx as nx
from torch import Tensor

from explainers import ExplainedVariance, TokenGame, closed_form, coalition_graph, ranks
from explainers.coalition_graph import GameLevel
from hbi_core import contrast_tables
from hbi_core.errors import InputError
from hbi_core.figures.coalition_html import Shown, coalition_html
from hbi_core.figures.coalition_print import coalition_print
from hbi_core.figures.contrast_html import ShownContrast, contrast_html
from hbi_core.figures.contrast_print import contrast_print
from hbi_core.figures.explained import Explained
from hbi_core.figures.latex import Told, ToldContrast, latex_contrast, latex_figure
from hbi_core.figures.methods_print import methods_print
from hbi_core.figures.methods_view import Compared
from hbi_core.figures.print_style import FONTS, WIDTHS, save_figure
from hbi_core.figures.shown_links import shown_links
from hbi_core.figures.view import FigureView, shown_levels
from hbi_core.json_document import JsonDocument
from hbi_core.shipped import ASSETS

CSV_COLUMNS = (
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
LEFT_OUT_COLUMNS = ("side", "index", "label", "answer", "probability", "of_first")
WORD_COLUMNS = ("text", "probability", "without_video")
CAPTION_COLUMNS = ("text", "log_probability", "score")
_REFERENCES = "references.bib"
# How formulas begin, in full width too, and what a spreadsheet skips before one.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


class _Level(GameLevel, Protocol):
    @property
    def video_values(self) -> Tensor: ...

    @property
    def text_values(self) -> Tensor: ...

    @property
    def explained(self) -> ExplainedVariance | None: ...

    def game(self, weighting: str) -> TokenGame: ...


class _Explanation(Told, Shown, Protocol):
    @property
    def levels(self) -> Sequence[_Level]: ...

    @property
    def view(self) -> FigureView: ...

    def to_json(self) -> str: ...


class _Comparison(Compared, Protocol):
    def to_json(self) -> str: ...

    def to_csv(self) -> str: ...


class _Contrast(ShownContrast, ToldContrast, Protocol):
    @property
    def a(self) -> _Explanation: ...

    @property
    def b(self) -> _Explanation: ...

    def to_json(self) -> str: ...


def save_explanation(
    explanation: _Explanation, directory: str | Path, width: str, font: str
) -> list[Path]:
    """Write all files of `Explanation.save`; see there."""
    view = explanation.view
    pairs = _pairs(explanation, view)
    with _folder(directory, width, font) as (folder, written):
        numbers = folder / "explanation.json"
        numbers.write_text(explanation.to_json() + "\n", encoding="utf-8")
        values = {
            level.name: (level.video_values, level.text_values) for level in explanation.levels
        }
        figure = coalition_print(explanation, width, view, font, pairs, values)
        figures = save_figure(figure, folder / "figure", _settings(explanation, width, font), font)
        links, table = folder / "figure.csv", folder / "interactions.csv"
        write_csv(links, to_csv(FIGURE_COLUMNS, _links(explanation, pairs)))
        write_csv(table, to_csv(CSV_COLUMNS, _interactions(explanation)))
        players = folder / "players.csv"
        write_csv(players, to_csv(PLAYER_COLUMNS, _players(explanation)))
        levels = folder / "levels.csv"
        write_csv(levels, to_csv(LEVEL_COLUMNS, _levels(explanation)))
        graph = folder / "graph.graphml"
        nx.write_graphml(coalition_graph(explanation.levels), graph)
        snippet = _for_latex(folder, "figure", latex_figure(explanation, view, width))
        document = folder / "figure.html"
        document.write_text(coalition_html(explanation, view), encoding="utf-8")
        written += [numbers, *figures, document, links, table, players, levels, graph]
        written += snippet
    return written


def _pairs(explanation: Shown, view: FigureView) -> dict[str, Tensor]:
    """The interactions of all pairs, of each level that a view shows links within a side of.

    Raises:
        InputError: only its model can play the game of the explanation.
    """
    return {
        level.name: closed_form(level.game(explanation.weighting), pairs="all").values
        for level in explanation.levels
        if view.shows_sides and level.name in view.levels
    }


def _settings(explanation: _Explanation, width: str, font: str) -> str:
    """What the figure was made of and with, for the metadata of its files: JSON in ASCII."""
    settings = {
        "video": explanation.video.name,
        "caption": explanation.caption,
        "frames": len(explanation.video.times),
        "encoder": explanation.encoder,
        "checkpoint": explanation.checkpoint,
        "weighting": explanation.weighting,
        "width": width,
        "font": font,
        "view": explanation.view.to_dict(),
    }
    return json.dumps(settings)


def save_comparison(
    comparison: _Comparison, directory: str | Path, width: str, font: str
) -> list[Path]:
    """Write all files of `LevelComparison.save`; see there."""
    with _folder(directory, width, font) as (folder, written):
        numbers = folder / "comparison.json"
        numbers.write_text(comparison.to_json() + "\n", encoding="utf-8")
        table = folder / "comparison.csv"
        write_csv(table, comparison.to_csv())
        figures = save_figure(
            methods_print(comparison, width, font), folder / "comparison", font=font
        )
        written += [numbers, *figures, table]
    return written


def save_contrast(
    contrast: _Contrast, directory: str | Path, width: str, font: str, view: FigureView
) -> list[Path]:
    """Write all files of `Contrast.save`; see there."""
    pairs = [_pairs(one, view) for one in (contrast.a, contrast.b)]
    with _folder(directory, width, font) as (folder, written):
        numbers = folder / "contrast.json"
        numbers.write_text(contrast.to_json() + "\n", encoding="utf-8")
        levels = contrast.to_dict()["levels"]
        players, links = folder / "contrast.csv", folder / "contrast_links.csv"
        write_csv(players, to_csv(contrast_tables.PLAYER_COLUMNS, contrast_tables.players(levels)))
        write_csv(links, to_csv(contrast_tables.LINK_COLUMNS, contrast_tables.links(levels)))
        figure = contrast_print(contrast, width, font, view, pairs)
        figures = save_figure(figure, folder / "contrast", font=font)
        document = folder / "contrast.html"
        document.write_text(contrast_html(contrast, view), encoding="utf-8")
        snippet = _for_latex(folder, "contrast", latex_contrast(contrast, view, width))
        written += [numbers, *figures, document, players, links, *snippet]
    return written


def _for_latex(folder: Path, name: str, environment: str) -> list[Path]:
    """Write what shows a figure in a paper, and what it cites."""
    snippet, references = folder / f"{name}.tex", folder / _REFERENCES
    snippet.write_text(environment, encoding="utf-8")
    shutil.copyfile(ASSETS / _REFERENCES, references)
    return [snippet, references]


def save_result(
    result: JsonDocument,
    name: str,
    tables: Mapping[str, Sequence[str]],
    directory: str | Path,
    width: str,
    font: str,
) -> list[Path]:
    """Write what `ask` or `describe` returned, beside the files of its explanations.

    Args:
        result: what to write.
        name: of the JSON file.
        tables: names of the lists in it that become tables too, and the columns of each.
        directory, width, font: as of `Explanation.save`.
    """
    told = result.to_dict()
    with _folder(directory, width, font) as (folder, written):
        written.append(folder / f"{name}.json")
        written[0].write_text(result.to_json() + "\n", encoding="utf-8")
        for table, columns in tables.items():
            written.append(folder / f"{table}.csv")
            rows = [[row[column] for column in columns] for row in told[table]]
            write_csv(written[-1], to_csv(columns, rows))
    return written


@contextmanager
def _folder(directory: str | Path, width: str, font: str) -> Iterator[tuple[Path, list[Path]]]:
    """A folder to write to and a list of what was written; all of it is moved to the directory.

    The directory is made if it is not there. What cannot be written is the user's to mend; the
    directory then has none of the files.
    """
    if width not in WIDTHS:
        raise InputError(f"The figure's width is {width!r}; use one of {', '.join(WIDTHS)}.")
    if font not in FONTS:
        raise InputError(f"The figure's font is {font!r}; use one of {', '.join(FONTS)}.")
    directory = Path(directory)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=directory) as partial:
            written: list[Path] = []
            yield Path(partial), written
            written[:] = [file.replace(directory / file.name) for file in written]
    except OSError as error:
        raise InputError(f"Cannot write to {directory}: {error.strerror or error}.") from error


def to_csv(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table as CSV, with a line of names first.

    Spreadsheets take a cell that begins with one of = + - @ for a formula and run it. A text that
    does so gets an apostrophe before it; numbers stay as they are.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([[_as_text(cell) for cell in row] for row in rows])
    return text.getvalue()


def _as_text(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def write_csv(file: Path, text: str) -> None:
    """As UTF-8 with a byte order mark, without which Excel reads letters beyond ASCII wrongly."""
    file.write_text(text, encoding="utf-8-sig", newline="")


def _interactions(explanation: Explained) -> list[tuple]:
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
        table += sorted(rows, key=lambda row: row[CSV_COLUMNS.index("rank")])
    return table


def _players(explanation: _Explanation) -> list[tuple]:
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


def _levels(explanation: _Explanation) -> list[tuple]:
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


def _links(explanation: _Explanation, pairs: Mapping[str, Tensor]) -> list[tuple]:
    """One row per line of the figure, level by level, the strongest first."""
    table = []
    for level in shown_levels(explanation.levels, explanation.view):
        texts = [token.text for token in level.text_tokens]
        videos = [
            "frames " + " ".join(str(frame) for frame in token.frames)
            for token in level.video_tokens
        ]
        sides = {"cross": (videos, texts), "video": (videos, videos), "text": (texts, texts)}
        links = shown_links(level, explanation.view, pairs.get(level.name))
        for link in sorted(links, key=lambda link: -link.share):
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
                )
            )
    return table
