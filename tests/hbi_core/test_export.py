"""The files of an explanation: the numbers of all, and any caption."""

from __future__ import annotations

import csv
import json
import xml.etree.ElementTree as ET
from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
from PIL import Image
from pypdf import PdfReader

from explainers import closed_form, coalition_graph
from hbi_core.errors import InputError
from hbi_core.explanation import Explanation
from hbi_core.export import to_csv
from hbi_core.figures.coalition_print import coalition_print
from hbi_core.figures.layout import lay_out
from hbi_core.figures.print_style import EM
from hbi_core.figures.shown_links import shown_links
from hbi_core.figures.view import FigureView
from hbi_core.inputs.video import Video
from hbi_core.pipeline import explain
from support.contrasts import made_up
from support.demo import CAFE, CAFE_CAPTION, SAVED
from support.printed import assert_for_print


@pytest.fixture(scope="module")
def saved(explanation, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    explanation.save(folder)
    return folder


def test_the_same_input_gives_the_same_answer(explanation, saved, tmp_path):
    explain(CAFE, CAFE_CAPTION).save(tmp_path)
    for name in SAVED:
        assert (tmp_path / name).read_bytes() == (saved / name).read_bytes(), name


def test_json(explanation, saved):
    data = json.loads((saved / "explanation.json").read_text(encoding="utf-8"))
    assert data == json.loads(explanation.to_json())


def test_what_is_opened_again_writes_the_same_files(saved, tmp_path):
    """Figures too: they are drawn of the thumbnails, also where the video is there."""
    Explanation.from_file(saved / "explanation.json").save(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == SAVED
    for name in SAVED:
        assert (tmp_path / name).read_bytes() == (saved / name).read_bytes(), name


def test_csv(explanation, saved):
    with (saved / "interactions.csv").open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == sum(level.similarity.numel() for level in explanation.levels)
    for row in rows:
        level = next(level for level in explanation.levels if level.name == row["level"])
        cell = int(row["video_token"]), int(row["text_token"])
        assert float(row["interaction"]) == float(level.interactions.values[cell])
        assert float(row["similarity"]) == float(level.similarity[cell])
        assert row["text"] == level.text_tokens[cell[1]].text
    actions = [row for row in rows if row["level"] == "action"]
    pairs = explanation.levels[1].similarity.numel()
    assert [int(row["rank"]) for row in actions] == list(range(1, pairs + 1))
    interactions = [float(row["interaction"]) for row in actions]
    assert interactions == sorted(interactions, reverse=True)


def rows_of(file):
    with file.open(newline="", encoding="utf-8-sig") as opened:
        return list(csv.DictReader(opened))


def test_players_and_levels_have_their_lines(explanation, saved):
    players, levels = rows_of(saved / "players.csv"), rows_of(saved / "levels.csv")
    counts = [len(level.video_tokens) + len(level.text_tokens) for level in explanation.levels]
    assert len(players) == sum(counts)
    for row in players:
        level = next(level for level in explanation.levels if level.name == row["level"])
        index, members = int(row["token"]), tuple(map(int, row["members"].split()))
        if row["side"] == "video":
            assert members == level.video_tokens[index].frames
            assert float(row["value"]) == float(level.video_values[index])
        else:
            token = level.text_tokens[index]
            assert (members, row["text"]) == (token.words, token.text)
            assert float(row["value"]) == float(level.text_values[index])
    for row, level in zip(levels, explanation.levels, strict=True):
        assert (row["level"], float(row["score"])) == (level.name, level.score)
        assert float(row["r_squared"]) == pytest.approx(1 - float(row["rest"]))
        for name, share in level.explained.shares().items():
            assert float(row[name]) == float(share)


def test_csv_is_safe_in_spreadsheets(explanation, tmp_path):
    """Excel takes it for UTF-8, runs nothing of it, and has numbers where there are numbers."""
    texts = ["=1+1", "+5 猫", "-2", "@sum", "＝A1", "two = 2", "it's", "5"]
    first = explanation.levels[0]
    tokens = list(first.text_tokens)
    tokens[: len(texts)] = [replace(tokens[0], text=text) for text in texts]
    level = replace(first, text_tokens=tuple(tokens))
    replace(explanation, levels=(level,)).save(tmp_path)
    data = (tmp_path / "interactions.csv").read_bytes()
    assert data.startswith(b"\xef\xbb\xbflevel,")
    rows = list(csv.DictReader(data.decode("utf-8-sig").splitlines()))
    shown = {int(row["text_token"]): row["text"] for row in rows}
    assert [shown[i] for i in range(len(texts))] == [
        "'=1+1",
        "'+5 猫",
        "'-2",
        "'@sum",
        "'＝A1",
        "two = 2",
        "it's",
        "5",
    ]
    values = [float(row["interaction"]) for row in rows]
    assert min(values) < 0
    assert sorted(values) == sorted(first.interactions.values.flatten().tolist())
    assert to_csv(["a"], [["\t=1"], ["\r=1"], [-1.5], [None]]).splitlines()[1:] == [
        "'\t=1",
        "\"'",
        '=1"',
        "-1.5",
        '""',
    ]


def test_all_files_or_none(explanation, tmp_path, monkeypatch):
    """What was there stays as it was when the disk is full at the last file."""

    def full(*_):
        raise OSError(28, "No space left on device")

    (tmp_path / "explanation.json").write_text("old")
    monkeypatch.setattr("hbi_core.export.save_figure", full)
    with pytest.raises(InputError, match=r"Cannot write to .*No space left"):
        explanation.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["explanation.json"]
    assert (tmp_path / "explanation.json").read_text() == "old"


def test_graph(explanation, saved):
    graph = nx.read_graphml(saved / "graph.graphml")
    made = coalition_graph(explanation.levels)
    assert graph.nodes == made.nodes
    assert graph.adj == made.adj
    players = [sum(level.similarity.shape) for level in explanation.levels]
    assert len(graph) == sum(players)
    action = explanation.levels[1]
    edge = graph.edges["action/video/1", "action/text/2"]
    assert edge["relation"] == "interaction"
    assert edge["interaction"] == float(action.interactions.values[1, 2])
    assert edge["similarity"] == float(action.similarity[1, 2])
    kinds = [kind for _, _, kind in graph.edges(data="relation")]
    pairs = [level.similarity.numel() for level in explanation.levels]
    assert kinds.count("interaction") == sum(pairs)
    assert kinds.count("membership") == sum(players[:-1])  # each but those of the top level
    for index, token in enumerate(action.video_tokens):
        for frame in token.frames:
            assert graph.has_edge(f"entity/video/{frame}", f"action/video/{index}")


@pytest.mark.parametrize("font", ["sans", "serif"])
@pytest.mark.parametrize(("width", "inches"), [("text", 6.875), ("column", 3.25)])
def test_figure_for_papers(explanation, tmp_path, width, inches, font):
    explanation.save(tmp_path, width, font=font)
    assert_for_print(tmp_path / "figure", inches)


VIEW = FigureView(levels=("entity", "action"), top=12, scale="word", sides=True)


@pytest.fixture(scope="module")
def viewed(explanation, tmp_path_factory):
    """Saved with a view, and letters that files of no format like."""
    folder = tmp_path_factory.mktemp("viewed")
    replace(explanation, caption="<a> & é\x00 \U0001f600").save(folder, "column", VIEW, "serif")
    return folder


def test_the_links_of_the_figure_are_a_table(explanation, viewed):
    with (viewed / "figure.csv").open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    expected = {}
    for level in explanation.levels[:2]:
        pairs = closed_form(level.game(explanation.weighting), pairs="all").values
        for link in shown_links(level, VIEW, pairs):
            expected[level.name, link.kind, str(link.first), str(link.second)] = link
    assert len(rows) == len(expected)
    for row in rows:
        link = expected[row["level"], row["kind"], row["first"], row["second"]]
        assert (float(row["value"]), float(row["share"])) == (link.value, link.share)
        assert row["grade"] == link.grade.name
        assert row["rank"] == ("" if link.rank is None else str(link.rank))


def test_the_figure_says_what_it_was_made_of(explanation, viewed):
    """In the metadata of each of its files; and the same files of the same once more."""
    subject = PdfReader(viewed / "figure.pdf").metadata["/Subject"]
    settings = json.loads(subject)
    assert FigureView.from_dict(settings["view"]) == VIEW
    assert settings["caption"] == "<a> & é\x00 \U0001f600"
    assert settings["weighting"] == explanation.weighting
    assert (settings["width"], settings["font"]) == ("column", "serif")
    assert Image.open(viewed / "figure.png").text["Description"] == subject
    description = "{http://purl.org/dc/elements/1.1/}description"
    (told,) = ET.parse(viewed / "figure.svg").iter(description)
    assert told.text == subject


def test_a_view_is_kept_in_the_explanation(viewed, tmp_path):
    opened = Explanation.from_file(viewed / "explanation.json")
    assert opened.view == VIEW
    opened.save(tmp_path, "column", font="serif")
    for name in SAVED:
        assert (tmp_path / name).read_bytes() == (viewed / name).read_bytes(), name


@pytest.mark.parametrize(("width", "font"), [("page", "sans"), ("text", "gothic")])
def test_a_figure_that_cannot_be_is_told(explanation, tmp_path, width, font):
    with pytest.raises(InputError, match="use one of"):
        explanation.save(tmp_path / "new", width, font=font)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("width", ["text", "column"])
def test_thumbnails_have_300_pixels_an_inch(explanation, tmp_path, width):
    """As the PDF has them, at the size at which they are printed."""
    explanation.save(tmp_path, width)
    pixels = {one.image.width for one in PdfReader(tmp_path / "figure.pdf").pages[0].images}
    (axes,) = coalition_print(explanation, width).axes
    extents = [image.get_extent() for image in axes.images]
    assert {round((right - left) / 72 * 300) for left, right, _, _ in extents} == pixels


@pytest.mark.parametrize("shape", [(360, 640), (360, 480), (640, 360)])
@pytest.mark.parametrize("count", [1, 3, 7, 12, 24, 64])
def test_no_thumbnail_is_printed_larger_than_it_is(shape, count):
    """Upright videos neither: a thumbnail is cut to at most 1.2 times its width."""
    frames = np.zeros((count, *shape, 3), np.uint8)
    video = Video(frames, tuple(map(float, range(count))), float(count), "drawn.mp4")
    layout = lay_out(made_up("a cat", video), 6.875 * 72, EM["text"], 5.0)
    height, width = video.pictures.shape[1:3]
    for cell in layout.levels[0].frames:
        assert cell.width / 72 * 300 <= width + 1
        assert cell.height / 72 * 300 <= height + 1


@pytest.mark.parametrize(
    ("caption", "width"),
    [
        ("日 $x^2$ & <b> ∞", "text"),
        ("one", "column"),
        ("w" * 3000, "column"),
        ("\udcff ok", "text"),
        (" ".join(f"word{i}" for i in range(80)), "column"),
    ],
)
def test_any_caption_is_drawn_and_written(tmp_path, caption, width):
    result = explain(CAFE, caption, frames=2)
    written = result.save(tmp_path, width)
    assert {path.name for path in written} == SAVED
    assert all(path.stat().st_size > 0 for path in written)
    nx.read_graphml(tmp_path / "graph.graphml")
    unread = caption.count("\udcff") + max(0, len(caption.split()) - 64)
    assert len(result.words_left_out) == unread
