"""What is drawn has the names of the coalition graph; tests/assets has those of the page."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter

import pytest

from explainers import coalition_graph
from hbi_core.figures.coalition_print import coalition_print
from hbi_core.figures.print_style import save_figure


@pytest.fixture(scope="module")
def graph(explanation):
    return coalition_graph(explanation.levels)


@pytest.fixture(scope="module")
def links(graph):
    """Edges of the graph by the name of their line: the video player comes first."""
    return {
        f"{video}--{text}": edge
        for video, text, edge in graph.edges(data=True)
        if edge["relation"] == "interaction"
    }


@pytest.fixture(scope="module")
def merged(graph, explanation):
    """Players of the upper levels, and phrases, which have boxes."""
    boxed = {player for player, level in graph.nodes(data="level") if level != "entity"}
    phrases = len(explanation.levels[0].text_tokens) < len(explanation.words)
    return boxed | {player for player in graph if phrases and player.startswith("entity/text/")}


def test_ids_in_print(explanation, graph, links, tmp_path):
    _, svg, _ = save_figure(coalition_print(explanation), tmp_path / "figure")
    ids = Counter(element.get("id") for element in ET.parse(svg).iter() if element.get("id"))
    assert set(ids.values()) == {1}
    assert {id for id in ids if "/" in id} == {*links, *graph}


def test_the_lines_of_print_join_the_boxes_that_they_name(explanation, links, merged):
    (axes,) = coalition_print(explanation).axes
    boxes = {box.get_gid(): box for box in axes.patches}
    assert set(boxes) == merged
    for line in axes.collections:
        assert line.get_gid() in links
        (segment,) = line.get_segments()
        video, text = line.get_gid().split("--")
        if video in boxes:
            for box, (x, y) in zip((boxes[text], boxes[video]), segment, strict=True):
                assert x == pytest.approx(box.get_x() + box.get_width() / 2)
                assert y in (box.get_y(), box.get_y() + box.get_height())
