"""Explanations and comparisons as files: numbers, graph and figure."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import networkx as nx
import torch
from torch import Tensor

from explainers import TokenGame, closed_form, coalition_graph
from hbi_core import contrast_tables, explanation_tables
from hbi_core.contrast_graph import contrast_graph
from hbi_core.errors import InputError
from hbi_core.explanation_tables import TabledLevel
from hbi_core.figures.chosen import players_of
from hbi_core.figures.coalition_html import Shown, coalition_html
from hbi_core.figures.coalition_print import coalition_print
from hbi_core.figures.contact_sheet import Found, contact_sheet_page
from hbi_core.figures.contrast_html import ShownContrast, contrast_html
from hbi_core.figures.contrast_print import contrast_print
from hbi_core.figures.latex import Told, ToldContrast, latex_contrast, latex_figure
from hbi_core.figures.methods_print import methods_print
from hbi_core.figures.methods_view import Compared
from hbi_core.figures.print_style import FONTS, WIDTHS, save_figure
from hbi_core.figures.view import FigureView
from hbi_core.json_document import JsonDocument
from hbi_core.shipped import ASSETS
from hbi_core.tables import to_csv, write_csv
from hbi_core.what_if import interactions_of_others

_REFERENCES = "references.bib"


class _Level(TabledLevel, Protocol):
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

    @property
    def view(self) -> FigureView: ...

    def to_json(self) -> str: ...


def save_explanation(
    explanation: _Explanation, directory: str | Path, width: str, font: str
) -> list[Path]:
    """Write all files of `Explanation.save`; see there."""
    view = explanation.view
    pairs, left = _pairs(explanation, view), _left(explanation, view)
    with _folder(directory, width, font) as (folder, written):
        numbers = folder / "explanation.json"
        numbers.write_text(explanation.to_json() + "\n", encoding="utf-8")
        values = {
            level.name: (level.video_values, level.text_values) for level in explanation.levels
        }
        figure = coalition_print(explanation, width, view, font, pairs, values, left)
        figures = save_figure(figure, folder / "figure", _settings(explanation, width, font), font)
        tables = {
            "figure": explanation_tables.figure(explanation, pairs, left),
            "interactions": (
                explanation_tables.INTERACTION_COLUMNS,
                explanation_tables.interactions(explanation),
            ),
            "players": (explanation_tables.PLAYER_COLUMNS, explanation_tables.players(explanation)),
            "levels": (explanation_tables.LEVEL_COLUMNS, explanation_tables.levels(explanation)),
        }
        graph = folder / "graph.graphml"
        nx.write_graphml(coalition_graph(explanation.levels), graph)
        snippet = _for_latex(folder, "figure", latex_figure(explanation, view, width))
        document = folder / "figure.html"
        document.write_text(coalition_html(explanation, view), encoding="utf-8")
        written += [numbers, *figures, document, *_tables(folder, tables), graph, *snippet]
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


def _left(explanation: Shown, view: FigureView) -> dict[str, Tensor]:
    """The interactions of the others, of each level that a view leaves players out of.

    Raises:
        InputError: only its model can play the game of the explanation.
    """
    left = {}
    for level in explanation.levels:
        out = players_of(view.left_out, level)
        if out is not None and level.name in view.levels:
            sides = zip((out.video, out.text), level.similarity.shape, strict=True)
            plays = [~torch.isin(torch.arange(count), torch.tensor(own)) for own, count in sides]
            left[level.name] = interactions_of_others(level.game(explanation.weighting), *plays)
    return left


def _settings(explanation: _Explanation, width: str, font: str) -> str:
    """What the figure was made of and with, for the metadata of its files: JSON in ASCII."""
    return json.dumps(_made_of(explanation) | _drawn_with(explanation.view, width, font))


def _settings_of_both(contrast: _Contrast, width: str, font: str) -> str:
    """Likewise, of a contrast."""
    made_of = {"a": _made_of(contrast.a), "b": _made_of(contrast.b)}
    return json.dumps(made_of | _drawn_with(contrast.view, width, font))


def _made_of(explanation: _Explanation) -> dict[str, Any]:
    return {
        "video": explanation.video.name,
        "caption": explanation.caption,
        "frames": len(explanation.video.times),
        "encoder": explanation.encoder,
        "checkpoint": explanation.checkpoint,
        "weighting": explanation.weighting,
    }


def _drawn_with(view: FigureView, width: str, font: str) -> dict[str, Any]:
    return {"width": width, "font": font, "view": view.to_dict()}


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


def save_contrast(contrast: _Contrast, directory: str | Path, width: str, font: str) -> list[Path]:
    """Write all files of `Contrast.save`; see there."""
    view = contrast.view
    pairs = [_pairs(one, view) for one in (contrast.a, contrast.b)]
    with _folder(directory, width, font) as (folder, written):
        numbers = folder / "contrast.json"
        numbers.write_text(contrast.to_json() + "\n", encoding="utf-8")
        levels = contrast.to_dict()["levels"]
        tables = {
            "contrast": (contrast_tables.PLAYER_COLUMNS, contrast_tables.players(levels)),
            "contrast_links": (contrast_tables.LINK_COLUMNS, contrast_tables.links(levels)),
        }
        graph = folder / "contrast.graphml"
        nx.write_graphml(contrast_graph(levels), graph)
        figure = contrast_print(contrast, width, font, view, pairs)
        settings = _settings_of_both(contrast, width, font)
        figures = save_figure(figure, folder / "contrast", settings, font)
        document = folder / "contrast.html"
        document.write_text(contrast_html(contrast, view), encoding="utf-8")
        snippet = _for_latex(folder, "contrast", latex_contrast(contrast, view, width))
        written += [numbers, *figures, document, *_tables(folder, tables), graph, *snippet]
    return written


def _tables(folder: Path, tables: Mapping[str, tuple[Sequence[str], Sequence]]) -> list[Path]:
    """Write tables by their names: columns and rows of each."""
    written = []
    for name, (columns, rows) in tables.items():
        written.append(folder / f"{name}.csv")
        write_csv(written[-1], to_csv(columns, rows))
    return written


def _for_latex(folder: Path, name: str, environment: str) -> list[Path]:
    """Write what shows a figure in a paper, and what it cites."""
    snippet, references = folder / f"{name}.tex", folder / _REFERENCES
    snippet.write_text(environment, encoding="utf-8")
    shutil.copyfile(ASSETS / _REFERENCES, references)
    return [snippet, references]


def save_result(
    result: JsonDocument,
    tables: Mapping[str, Sequence[str]],
    directory: str | Path,
    width: str,
    font: str,
) -> list[Path]:
    """Write what `ask` or `describe` returned, beside the files of its explanations.

    Args:
        result: what to write.
        tables: names of the lists in it that become tables too, and the columns of each.
        directory, width, font: as of `Explanation.save`.
    """
    told = result.to_dict()
    rows = {
        table: (columns, [[row[column] for column in columns] for row in told[table]])
        for table, columns in tables.items()
    }
    with _folder(directory, width, font) as (folder, written):
        numbers = folder / result.file_name
        numbers.write_text(result.to_json() + "\n", encoding="utf-8")
        written += [numbers, *_tables(folder, rows)]
    return written


class _Found(Found, Protocol):
    def to_json(self) -> str: ...

    def to_csv(self) -> str: ...


def save_search(found: _Found, directory: str | Path) -> list[Path]:
    """Write all files of `SearchResult.save`; see there."""
    with _folder(directory) as (folder, written):
        numbers, table, sheet = (folder / f"search.{kind}" for kind in ("json", "csv", "html"))
        numbers.write_text(found.to_json() + "\n", encoding="utf-8")
        write_csv(table, found.to_csv())
        sheet.write_text(contact_sheet_page(found), encoding="utf-8")
        written += [numbers, table, sheet]
    return written


@contextmanager
def _folder(
    directory: str | Path, width: str = "text", font: str = "sans"
) -> Iterator[tuple[Path, list[Path]]]:
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
