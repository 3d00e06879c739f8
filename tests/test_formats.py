"""docs/formats.md tells what is written and read."""

from __future__ import annotations

import re
from pathlib import Path

from explainers import coalition_graph, compare
from hbi_core import contrast_tables, explanation_tables
from hbi_core.answered import LEFT_OUT_COLUMNS
from hbi_core.contrast_graph import contrast_graph
from hbi_core.data.readers import DATA_SETS
from hbi_core.data.synthetic import SYNTHETIC
from hbi_core.described import CAPTION_COLUMNS, WORD_COLUMNS
from hbi_core.search_result import Hit, SearchResult
from hbi_core.summary import COLUMNS
from support.demo import ROOT

FORMATS = (ROOT / "docs" / "formats.md").read_text()


def row_of(name: str) -> list[str]:
    """The names in code of the row of a table in docs/formats.md."""
    (row,) = re.findall(rf"^\| {re.escape(name)} \|(.*)\|$", FORMATS, re.M)
    return re.findall(r"`(\w+)`", row.partition(":")[0])


def keys_of(value: object) -> set[str]:
    """Of all dictionaries in a value, however deep."""
    if isinstance(value, dict):
        return set(value).union(*map(keys_of, value.values()))
    return set().union(*map(keys_of, value)) if isinstance(value, list) else set()


def block_of(schema: str) -> str:
    """The block in which a schema is told."""
    (block,) = re.findall(rf'^```\n(\{{"schema": "{schema}".*?)^```$', FORMATS, re.M | re.S)
    return block


def attributes_of(graph) -> set[str]:
    """Of all nodes and edges."""
    return {key for *_, data in [*graph.nodes.data(), *graph.edges.data()] for key in data}


def test_what_a_search_writes():
    hit = Hit("cat.mp4", Path("cat.mp4"), 0.5, {"entity": 0.5}, 0, 1.5, 9.0, "data:")
    result = SearchResult(
        "a cat",
        ("a",),
        (),
        (),
        (hit,),
        1,
        {"a.txt": "no video"},
        "lite",
        "heads",
        12,
        {"entity": 1},
    )
    told = set(re.findall(r'"(\w+)":', block_of("hbi-search/1")))
    assert told - {"action", "event"} == keys_of(result.to_dict())
    columns = [name for name in row_of("search.csv") if name not in ("action", "event")]
    assert result.to_csv().splitlines()[0].split(",") == columns


def test_the_formats_are_those_that_are_written(explanation):
    block = block_of("hbi-explanation/1")
    assert set(re.findall(r'"(\w+)":', block)) == keys_of(explanation.to_dict())
    assert explanation.to_dict()["schema"] in block

    assert row_of("interactions.csv") == list(explanation_tables.INTERACTION_COLUMNS)
    assert row_of("figure.csv") == list(explanation_tables.FIGURE_COLUMNS)
    assert row_of("summary.csv") == list(COLUMNS)
    assert row_of("players.csv") == list(explanation_tables.PLAYER_COLUMNS)
    assert row_of("levels.csv") == list(explanation_tables.LEVEL_COLUMNS)
    game = explanation.levels[2].game(explanation.weighting)
    assert row_of("comparison.csv") == list(compare(game, ["closed_form"]).table()[0])

    graph = coalition_graph(explanation.levels)
    attributes = attributes_of(graph)
    section = FORMATS.partition("## graph.graphml")[2].partition("\n## ")[0]
    assert attributes <= set(re.findall(r"`(\w+)`", section))


def test_the_format_of_a_contrast_is_the_one_that_is_written(contrast):
    (block,) = re.findall(r'^```\n(\{"schema": "hbi-contrast.*?)^```$', FORMATS, re.M | re.S)
    written = contrast.to_dict()
    assert written["schema"] in block
    own = {**written, "a": {}, "b": {}}  # explanations, which have a section of their own
    assert set(re.findall(r'"(\w+)":', block)) == keys_of(own)
    assert row_of("contrast.csv") == list(contrast_tables.PLAYER_COLUMNS)
    assert row_of("contrast_links.csv") == list(contrast_tables.LINK_COLUMNS)
    section = FORMATS.partition("## contrast.graphml")[2].partition("\n## ")[0]
    told = set(re.findall(r"`(\w+)`", section))
    assert attributes_of(contrast_graph(written["levels"])) <= told


def test_the_format_of_an_answer_is_the_one_that_is_written(answered):
    own = {**answered.to_dict(), "explanation": {}, "change": {}}
    block = block_of("hbi-answer/1")
    assert set(re.findall(r'"(\w+)":', block)) - {"schema"} == keys_of(own) - {"schema"}
    assert row_of("left_out.csv") == list(LEFT_OUT_COLUMNS)


def test_the_format_of_a_description_is_the_one_that_is_written(described):
    own = {**described.to_dict(), "explanation": {}}
    block = block_of("hbi-description/1")
    assert set(re.findall(r'"(\w+)":', block)) - {"schema"} == keys_of(own) - {"schema"}
    assert row_of("words.csv") == list(WORD_COLUMNS)
    assert row_of("captions.csv") == list(CAPTION_COLUMNS)


def test_every_data_set_has_a_row():
    section = FORMATS.partition("## Data sets")[2]
    assert set(re.findall(r"^\| `(\w+)`", section, re.M)) == {*DATA_SETS, *SYNTHETIC}
