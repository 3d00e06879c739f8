"""The command that searches: a folder or an archive, what it prints, writes and refuses."""

from __future__ import annotations

import json
import re
import zipfile

import pytest

from hbi_core.search import main
from support.demo import CAFE

CLIPS = CAFE.parent
QUERY = "a cup of coffee on a table beside a cat"


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("features")


def names(printed):
    return re.findall(r" s  (.+)$", printed, re.M)


def test_a_folder_is_searched(tmp_path, cache, capsys):
    numbers, sheet = tmp_path / "new" / "search.json", tmp_path / "sheet.html"
    ranking = tmp_path / "ranking.csv"
    typed = [str(CLIPS), QUERY, "--top", "2", "--cache", str(cache)]
    assert main([*typed, "--json", str(numbers), "--sheet", str(sheet), "--csv", str(ranking)]) == 0
    printed = capsys.readouterr().out
    assert "2 of 3 clips (encoder lite" in printed
    told = json.loads(numbers.read_text())
    best, second = told["hits"]
    assert best["score"] >= second["score"]
    assert names(printed) == [best["name"], second["name"]]
    assert {best["name"], second["name"]} < {path.name for path in CLIPS.glob("*.mp4")}
    assert list(told["hits"][0]["levels"]) == ["entity", "action", "event"]
    assert told["query"] == QUERY
    lines = ranking.read_text(encoding="utf-8-sig").splitlines()
    assert lines[0] == "rank,name,score,entity,action,event,frame,time,duration_seconds"
    assert [line.split(",")[1] for line in lines[1:]] == [best["name"], second["name"]]
    assert sheet.read_text().count("data:image/jpeg") == 2


def test_an_archive_is_searched(tmp_path, cache, capsys):
    with zipfile.ZipFile(tmp_path / "clips.zip", "w") as bundle:
        bundle.write(CAFE, "in/a folder/cafe.mp4")
        bundle.writestr("broken.mp4", b"This is no video.")
        bundle.writestr("notes.txt", b"")
    assert main([str(tmp_path / "clips.zip"), QUERY, "--cache", str(cache)]) == 0
    said = capsys.readouterr()
    assert names(said.out) == ["in/a folder/cafe.mp4"]
    assert "left out: broken.mp4: " in said.err
    assert "left out: notes.txt: It is no video by its name." in said.err


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (["nowhere", "a cat"], "There is no folder nowhere"),
        ([str(CLIPS), "..."], "only punctuation"),
        ([str(CLIPS), "a cat", "--top", "0"], "0 hits were asked for"),
        ([str(CLIPS), "a cat", "--frames", "65"], "65 frames"),
        ([str(CAFE), "a cat"], "no zip archive"),
        ([str(CLIPS), "a cat", "--json", str(CLIPS)], "is a folder"),
    ],
)
def test_what_cannot_be_used(typed, message, capsys):
    assert main(typed) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
