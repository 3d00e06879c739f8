"""The tab "Search": uploads, archives, progress, what is told, and the clip that is chosen."""

from __future__ import annotations

import csv
import io
import shutil
import zipfile
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest

from app.export import export_data, kept_folder
from app.stopping import StoppedError
from app.tabs.search import Search, describe
from app.uploads import CLIPS
from hbi_core.search_result import SearchResult
from support.clips import write_clip

QUERY = "a cup of coffee beside a cat"


@pytest.fixture(scope="module")
def tab(laid_out):
    return laid_out(Search)


@pytest.fixture(autouse=True)
def uploads(tmp_path, monkeypatch):
    """The folder of what is uploaded to the server."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    return tmp_path


def shown(tab, files=None, uploaded=None, query=QUERY, top=12, encoder="auto", frames=2):
    """What a search shows."""
    return tab.search(files, uploaded, query, top, encoder, frames, lambda *told: None)


def names(page, tab):
    return [hit.name for hit in page[tab.result].hits]


def test_the_demo_clips_are_searched_without_uploads(tab):
    page = shown(tab)
    assert sorted(names(page, tab)) == ["cafe.mp4", "day.mp4", "space.mp4"]
    scores = [hit.score for hit in page[tab.result].hits]
    assert scores == sorted(scores, reverse=True)
    assert page[tab.message] == ""
    assert "**3 of 3 clips** for “a cup of coffee beside a cat”" in page[tab.notes]
    assert page[tab.sheet].count('data-rank="') == 3
    assert names(shown(tab, top=2), tab) == names(page, tab)[:2]


def test_uploads_and_archives_and_what_is_left_out(tab, uploads):
    cafe = shutil.copy(CLIPS / "cafe.mp4", uploads / "cafe.mp4")
    with zipfile.ZipFile(uploads / "clips.zip", "w") as bundle:
        bundle.write(CLIPS / "space.mp4", "in/space.mp4")
        bundle.write(CLIPS / "day.mp4", "cafe.mp4")
        bundle.writestr("../../broken.mp4", b"This is no video.")
        bundle.writestr("*notes*.txt", b"")
    before = set(uploads.iterdir())
    files = [str(cafe), str(uploads / "clips.zip")]
    page = shown(tab, files)
    assert sorted(names(page, tab)) == ["cafe.mp4", "cafe.mp4 (2)", "in/space.mp4"]
    assert "Left out: ../../broken.mp4" in page[tab.notes]
    assert r"Left out: \*notes\*.txt. It is no video by its name." in page[tab.notes]
    made = set(uploads.iterdir()) - before
    assert [folder.name.startswith("hbi-exports-") for folder in made] in ([True], [])
    for hit in page[tab.result].hits:
        assert hit.file.is_file()

    kept = page[tab.uploaded]
    (uploads / "clips.zip").unlink()  # known: not unpacked again
    assert shown(tab, files, kept)[tab.uploaded] is kept
    assert "cannot be read" in shown(tab, files)[tab.message]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"query": "..."}, "only punctuation"),
        ({"query": None}, "query is empty"),
        ({"query": "a" * 20_001}, "The query has 20,001 characters"),
        ({"top": 0}, "0 hits were asked for"),
        ({"frames": 2.5}, r"2.5 frames"),
        ({"encoder": "none"}, "no encoder"),
        ({"files": ["/etc/passwd"]}, "Only a file that was uploaded"),
        ({"files": [5]}, "Only a file that was uploaded"),
        ({"files": "/etc/passwd"}, "Only a file that was uploaded"),
    ],
)
def test_what_cannot_be_asked_is_told(tab, asked, message):
    page = shown(tab, **asked)
    assert message in page[tab.message]
    assert tab.result not in page
    assert tab.sheet not in page


def test_a_search_that_was_stopped_goes_on(tab, uploads):
    files = [str(write_clip(uploads / f"{n}.mp4", 6, first=9 * n)) for n in range(3)]

    def stopping(fraction, step):
        if "2 of 3" in step:
            raise StoppedError

    def kept():
        return {file: file.stat().st_mtime_ns for file in kept_folder().glob("features/*.safe*")}

    before = kept()
    page = tab.search(files, None, QUERY, 12, "auto", 2, stopping)
    assert "Search goes on from there" in page[tab.message]
    assert list(page) == [tab.message]
    stopped = kept()
    assert len(stopped) == len(before) + 2
    assert len(names(shown(tab, files), tab)) == 3
    assert len(kept()) == len(before) + 3
    assert kept().items() >= stopped.items()


def test_the_clip_that_is_chosen_becomes_what_is_asked(tab, uploads):
    cafe = shutil.copy(CLIPS / "cafe.mp4", uploads / "cafe.mp4")
    result = shown(tab, [str(cafe)])[tab.result]

    def chosen(rank, result=result):
        return tab.open_hit(result, SimpleNamespace(_data={"rank": rank}))

    asked = chosen(1)
    assert asked == {tab.session.video: str(cafe), tab.session.caption: QUERY}
    for rank in (0, 2, "1", None, [1], 1.5):
        with pytest.raises(gr.Error, match="was chosen"):
            chosen(rank)
    with pytest.raises(gr.Error, match="Search again"):
        chosen(1, None)
    cafe.unlink()
    with pytest.raises(gr.Error, match=r"cafe\.mp4 was deleted"):
        chosen(1)


def files_in(archive):
    with zipfile.ZipFile(archive) as bundle:
        return {name: bundle.read(name) for name in bundle.namelist()}


def test_what_was_found_is_exported_and_opened_again(tab):
    page = shown(tab)
    result = page[tab.shown]
    archive = export_data(result)
    assert Path(archive).name == "hbi-search-a-cup-of-coffee-beside-a-cat.zip"
    files = files_in(archive)
    assert set(files) == {"search.json", "search.csv", "search.html"}
    assert Path(archive).read_bytes() == Path(export_data(result)).read_bytes()
    rows = list(csv.DictReader(io.StringIO(files["search.csv"].decode("utf-8-sig"))))
    assert [row["name"] for row in rows] == names(page, tab)
    for rank, (row, hit) in enumerate(zip(rows, result.hits, strict=True), 1):
        assert (int(row["rank"]), float(row["score"])) == (rank, hit.score)
        assert {level: float(row[level]) for level in hit.levels} == hit.levels
    assert files["search.html"].count(b"data:image/jpeg") == 3

    opened = tab.open(SearchResult.from_json(files["search.json"]))
    assert opened[tab.result] is None  # its clips are not here
    assert files_in(export_data(opened[tab.shown])) == files
    with pytest.raises(gr.Error, match="Nothing to export yet"):
        export_data(None)


def test_a_clip_whose_name_is_a_formula_is_text(tab, uploads):
    shutil.copy(CLIPS / "cafe.mp4", uploads / "=cafe.mp4")
    page = shown(tab, [str(uploads / "=cafe.mp4")])
    (_, line) = page[tab.shown].to_csv().splitlines()
    assert line.startswith("1,'=cafe.mp4,")


def test_many_that_are_left_out_are_counted():
    skipped = {f"{n}.txt": "no video" for n in range(30)}
    result = SearchResult("*a*", ("a",), ("猫",), (), (), 7, skipped, "lite", "heads", 12, {})
    told = describe(result, 0.5)
    assert told.count("Left out:") == 10
    assert "20 more were left out." in told
    assert r"\*a\*" in told
    assert "猫" in told
