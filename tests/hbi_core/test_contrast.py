"""A contrast from Python and from a shell, and its files."""

from __future__ import annotations

import csv
import json
from itertools import pairwise

import networkx as nx
import pytest

from hbi_core.contrast import main
from hbi_core.contrasted import Contrast
from hbi_core.errors import InputError
from hbi_core.figures.view import FigureView
from hbi_core.pipeline import contrast as contrast_of
from support.contrasts import drawn_video, made_up
from support.demo import CAFE, ROOT
from support.printed import assert_for_print

SAVED = {
    "contrast.json",
    "contrast.pdf",
    "contrast.svg",
    "contrast.png",
    "contrast.html",
    "contrast.csv",
    "contrast_links.csv",
    "contrast.graphml",
    "contrast.tex",
    "references.bib",
}

TWO_VIDEOS = Contrast(
    made_up("a red cat", drawn_video(3), [(None, None), ([(0, 1), (2,)], [(0, 1, 2)])]),
    made_up("a cat", drawn_video(2, seed=1), [(None, None), ([(0, 1)], [(0,), (1,)])], seed=1),
)


@pytest.fixture(scope="module")
def saved(contrast, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    assert {file.name for file in contrast.save(folder)} == SAVED
    return folder


def rows(file):
    with file.open(newline="", encoding="utf-8-sig") as opened:
        return list(csv.DictReader(opened))


def test_the_halves_are_what_explain_gives(contrast):
    assert contrast.differs == ("caption",)
    assert contrast.a.video is contrast.b.video  # decoded and encoded once
    assert "decoding" not in contrast.b.seconds
    assert (contrast.a.caption, contrast.b.caption) == ("a tabby cat", "a cup of espresso")


def test_json_tells_all(contrast, saved):
    data = json.loads((saved / "contrast.json").read_text(encoding="utf-8"))
    assert data == json.loads(contrast.to_json())
    assert data["a"] == contrast.a.to_dict()
    for level in data["levels"]:
        shares = [
            player["share_difference"]
            for side in ("video", "text")
            for player in level[f"{side}_players"]
        ]
        assert sum(shares) + level["rest"] == pytest.approx(level["score_difference"], abs=1e-12)


def test_tables(contrast, saved):
    players = rows(saved / "contrast.csv")
    assert len(players) == sum(len(level.players) for level in contrast.levels)
    for row, player in zip(players, contrast.levels[0].players, strict=False):
        assert (row["side"], row["player"]) == (player.side, player.label)
        assert float(row["share_difference"]) == player.difference
        assert row["b"] == ("" if player.b is None else str(player.b))
    a, b = contrast.a.levels[0].interactions.values, contrast.b.levels[0].interactions.values
    links = [row for row in rows(saved / "contrast_links.csv") if row["level"] == "entity"]
    found = [
        [float(row[f"interaction_{of}"]) for row in links if row[f"interaction_{of}"]]
        for of in "ab"
    ]
    assert sorted(found[0]) == sorted(a.flatten().tolist())
    assert sorted(found[1]) == sorted(b.flatten().tolist())


@pytest.mark.parametrize("made", ["contrast", "two_videos"])
def test_the_graph_is_that_of_the_json(made, request, tmp_path):
    """Every player with its numbers, every pair that A or B has, every merge."""
    result = TWO_VIDEOS if made == "two_videos" else request.getfixturevalue(made)
    result.save(tmp_path, "column", view=FigureView(levels=("entity",)))
    data = json.loads((tmp_path / "contrast.json").read_text(encoding="utf-8"))
    graph = nx.read_graphml(tmp_path / "contrast.graphml")
    edges = {frozenset(ends[:2]): ends[2] for ends in graph.edges(data=True)}
    known = set()
    for level in data["levels"]:
        for side in ("video", "text"):
            for index, player in enumerate(level[f"{side}_players"]):
                node = dict(graph.nodes[f"{level['name']}/{side}/{index}"])
                assert (node.pop("level"), node.pop("modality")) == (level["name"], side)
                members = [int(member) for member in node.pop("members").split(",")]
                told = {name: one for name, one in player.items() if one is not None}
                assert {**node, "members": members, "name": player["name"]} == told
        for row, video in enumerate(level["video_players"]):
            for column, text in enumerate(level["text_players"]):
                ends = {f"{level['name']}/video/{row}", f"{level['name']}/text/{column}"}
                edge = {}
                for of in "ab":
                    if video[of] is not None and text[of] is not None:
                        edge[f"interaction_{of}"] = level[f"interactions_{of}"][row][column]
                assert bool(edge) == (frozenset(ends) in edges)
                if edge:
                    known.add(frozenset(ends))
                    difference = edge.get("interaction_a", 0) - edge.get("interaction_b", 0)
                    edge |= {"relation": "interaction", "interaction_difference": difference}
                    assert edges[frozenset(ends)] == edge
    for lower, upper in pairwise(data["levels"]):
        for side in ("video", "text"):
            for index, one in enumerate(lower[f"{side}_players"]):
                for place, other in enumerate(upper[f"{side}_players"]):
                    if set(one["members"]) <= set(other["members"]):
                        ends = {
                            f"{level}/{side}/{number}"
                            for level, number in ((lower["name"], index), (upper["name"], place))
                        }
                        assert edges[frozenset(ends)] == {"relation": "membership"}
                        known.add(frozenset(ends))
    assert known == set(edges)
    assert len(graph) == sum(len(level.players) for level in result.levels)


def test_pairs_of_neither_are_left_out(tmp_path):
    """A frame of A and a word of B were never together."""
    Contrast(
        made_up("one", drawn_video(2)), made_up("two three", drawn_video(3, seed=1), seed=1)
    ).save(tmp_path)
    links = rows(tmp_path / "contrast_links.csv")
    assert len(links) == 2 * 1 + 3 * 2
    assert all((row["interaction_a"] == "") != (row["interaction_b"] == "") for row in links)


@pytest.mark.parametrize(("width", "inches"), [("text", 6.875), ("column", 3.25)])
def test_figures_are_for_print(contrast, saved, tmp_path, width, inches):
    contrast.save(tmp_path, width)
    assert_for_print(tmp_path / "contrast", inches)
    if width == "text":  # the same every time
        for name in SAVED:
            assert (tmp_path / name).read_bytes() == (saved / name).read_bytes(), name
    with pytest.raises(InputError, match="width"):
        contrast.save(tmp_path, "page")


def test_one_caption_of_two_videos():
    clip = ROOT / "assets" / "clips" / "day.mp4"
    result = contrast_of(CAFE, "a cat", other_video=clip, frames=2)
    assert result.differs == ("video",)
    assert all(word.both for word in result.words)
    assert not any(frame.both for frame in result.frames)
    assert result.title == "cafe-day-contrast"


def test_two_models_of_one_input():
    told = []
    result = contrast_of(
        CAFE,
        "a cat",
        other_encoder="lite",
        other_checkpoint="untrained",
        frames=2,
        progress=lambda done, step: told.append((done, step)),
    )
    assert result.differs == ("model",)
    assert [frame.both for frame in result.frames] == [True, True]
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert {step[:2] for _, step in told} == {"A:", "B:"}


def test_nothing_to_contrast():
    with pytest.raises(InputError, match="another caption, another video or another model"):
        contrast_of(CAFE, "a cat", frames=1)


def test_command(tmp_path, capsys):
    out = tmp_path / "out"
    assert not main([str(CAFE), "a cat", "a cup $1_000", "--frames", "2", "--out", str(out)])
    assert {file.name for file in out.iterdir()} == SAVED
    said = capsys.readouterr().out.splitlines()
    assert said[0] == json.loads((out / "contrast.json").read_text())["sentence"]
    assert said[1].startswith("Entity level: A scores ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([str(CAFE), "a cat"], "A and B are the same"),
        ([str(CAFE), "a cat", "a cat"], "A and B are the same"),
        ([str(CAFE), "a cat", "--other-video", "nothing.mp4"], "no video file nothing.mp4"),
        ([str(CAFE), "a cat", "  "], "The caption is empty"),
        ([str(CAFE)], "CAPTION_A"),
        ([str(CAFE), "a cat", "a cup", "--view", "top=0"], "top is 0"),
    ],
)
def test_command_with_unusable_input(arguments, message, tmp_path, capsys):
    assert main([*arguments, "--frames", "1", "--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
