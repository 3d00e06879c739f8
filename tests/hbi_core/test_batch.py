"""A table of videos and captions: every pair is explained once, and a broken one stops no other."""

from __future__ import annotations

import csv
import json
import shutil

import pytest

from hbi_core.batch import Asked, explain_pairs, read_pairs
from hbi_core.errors import CheckpointError, DataError, SettingsError
from hbi_core.explain import main
from hbi_core.explanation import Explanation
from hbi_core.pipeline import explain
from hbi_core.summary import COLUMNS, SUMMARY, Pair
from support.demo import CAFE, SAVED

FEW = Asked(frames=2)
CAT, CUP = Pair(str(CAFE), "a tabby cat"), Pair(str(CAFE), "=a cup, of espresso")
NONE, EMPTY = Pair("none.mp4", "a cat"), Pair(str(CAFE), "")


def summary(folder):
    with (folder / SUMMARY).open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def counted(monkeypatch):
    """The captions that were explained."""
    captions = []

    def counting(video, caption, **more):
        captions.append(caption)
        return explain(video, caption, **more)

    monkeypatch.setattr("hbi_core.batch.explain", counting)
    return captions


def test_every_pair_has_a_folder_and_a_line(tmp_path):
    pairs = [CAT, NONE, CUP, EMPTY]
    rows = list(explain_pairs(pairs, tmp_path, FEW))
    assert [row.pair for row in rows] == pairs
    lines = summary(tmp_path)
    assert list(lines[0]) == list(COLUMNS)
    assert [line["video"] for line in lines] == [pair.video for pair in pairs]
    for pair, line in ((CAT, lines[0]), (CUP, lines[2])):
        folder = tmp_path / line["folder"]
        assert {file.name for file in folder.iterdir()} == SAVED
        expected = explain(pair.video, pair.caption, frames=2)
        assert Explanation.from_file(folder / "explanation.json").to_json() == expected.to_json()
        for level in expected.levels:
            assert float(line[f"{level.name}_score"]) == level.score
            best = float(line[f"{level.name}_interaction"])
            assert best == float(level.interactions.values.max())
            frames = tuple(map(int, line[f"{level.name}_frames"].split()))
            at = [
                (level.video_tokens[v].frames, level.text_tokens[t].text)
                for v, t in (level.interactions.values == best).nonzero().tolist()
            ]
            assert (frames, line[f"{level.name}_text"]) in at
        assert line["error"] == ""
    assert lines[2]["caption"] == "'=a cup, of espresso"  # a spreadsheet runs no formula
    assert "no video file none.mp4" in lines[1]["error"]
    assert "caption is empty" in lines[3]["error"]
    assert {lines[1]["folder"], lines[1]["entity_score"]} == {""}
    folders = {path.name for path in tmp_path.iterdir()}
    assert folders == {SUMMARY, lines[0]["folder"], lines[2]["folder"]}


def test_a_batch_that_was_stopped_goes_on(tmp_path, counted):
    rows = explain_pairs([CAT, CUP], tmp_path, FEW)
    next(rows)
    rows.close()
    assert len(summary(tmp_path)) == 1
    (tmp_path / ".partial-killed" / "x").mkdir(parents=True)
    again = list(explain_pairs([CAT, CUP], tmp_path, FEW))
    assert counted == [CAT.caption, CUP.caption]
    assert [row.before for row in again] == [True, False]
    first = summary(tmp_path)
    list(explain_pairs([CAT, CUP], tmp_path, FEW))
    assert len(counted) == 2
    assert summary(tmp_path) == first


def test_what_is_another_pair_is_explained_anew(tmp_path, counted):
    """Other settings, another caption, or another content of the file; not another name."""
    clip, copy = tmp_path / "clip.mp4", tmp_path / "copy" / "clip.mp4"
    shutil.copyfile(CAFE, clip)
    copy.parent.mkdir()
    shutil.copyfile(CAFE, copy)
    out = tmp_path / "out"

    def explained(path, caption="a cat", asked=FEW):
        counted.clear()
        (row,) = explain_pairs([Pair(str(path), caption)], out, asked)
        assert not row.error
        return bool(counted)

    assert explained(clip)
    assert not explained(copy)
    assert not explained(clip, asked=Asked(frames=2.0, encoder="lite"))
    assert explained(clip, "a dog")
    assert explained(clip, asked=Asked(frames=2, weighting="fixed"))
    assert explained(clip, asked=Asked(frames=2, checkpoint="untrained"))
    shutil.copyfile(CAFE.with_name("day.mp4"), clip)
    assert explained(clip)


def test_what_is_wrong_with_all_pairs_stops_the_batch(tmp_path):
    with pytest.raises(CheckpointError):
        list(explain_pairs([CAT, CUP], tmp_path / "a", Asked(checkpoint="nothing")))
    assert not (tmp_path / "a").exists()
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="cannot be written"):
        list(explain_pairs([CAT], tmp_path / "file" / "out", FEW))


def test_a_damaged_folder_is_told(tmp_path):
    (row,) = explain_pairs([CAT], tmp_path, FEW)
    (tmp_path / row.folder / "explanation.json").write_text("{")
    (row,) = explain_pairs([CAT], tmp_path, FEW)
    assert "explanation.json cannot be opened" in row.error


@pytest.mark.parametrize(
    "text",
    [
        "video,caption\ncafe.mp4,a cat\n,\n",
        "\ufeffName;Video;Text\r\n1;cafe.mp4;a cat\r\n",
        "caption\tfile\na cat\tcafe.mp4\n",
    ],
)
def test_tables_as_people_write_them(tmp_path, text):
    (tmp_path / "pairs.csv").write_text(text, encoding="utf-8", newline="")
    assert read_pairs(tmp_path / "pairs.csv") == [Pair("cafe.mp4", "a cat")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("video,caption\n", "has no rows"),
        ("video,words\na,b\n", "no column caption"),
        ("video,caption\na.mp4,a cat, a dog\n", "line 2: .* needs quotes"),
        ("", "no column video"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path, text, message):
    (tmp_path / "pairs.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read_pairs(tmp_path / "pairs.csv")


def test_the_command(tmp_path, capsys):
    """Videos are found beside the table; the second run explains nothing anew."""
    shutil.copyfile(CAFE, tmp_path / "cafe.mp4")
    table = tmp_path / "pairs.csv"
    table.write_text("video,caption\ncafe.mp4,a cat\nnone.mp4,a dog\n")
    typed = ["--batch", str(table), "--out", str(tmp_path / "out"), "--frames", "2"]
    assert main(typed) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("1/2 cafe.mp4: entity ")
    assert "There is no video file" in said[1]
    assert said[2].startswith("2 pairs: 1 explained, 1 could not be explained: ")
    (line, _) = summary(tmp_path / "out")
    data = json.loads((tmp_path / "out" / line["folder"] / "explanation.json").read_text())
    assert data["caption"] == "a cat"
    assert main(typed) == 0
    assert "2 pairs: 1 explained before, 1 could not" in capsys.readouterr().out

    table.write_text("video,caption\nnone.mp4,a dog\n")
    assert main(typed) == 2
    assert "No pair of" in capsys.readouterr().err
    assert main(["cafe.mp4", *typed]) == 2
    assert "leave out VIDEO" in capsys.readouterr().err
    assert main(["--out", str(tmp_path)]) == 2
    assert "VIDEO and CAPTION are missing" in capsys.readouterr().err
