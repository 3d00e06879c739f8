"""The tab "Batch": a table is explained row by row, goes on later, and is packed."""

from __future__ import annotations

import zipfile
from types import SimpleNamespace

import gradio as gr
import pytest
from gradio.context import LocalContext

from app.stopping import end_work
from app.tabs.batch import HEADERS, MOST_PAIRS, Batch, cells, pack
from hbi_core.explanation import Explanation
from hbi_core.pipeline import explain
from hbi_core.summary import Link, Pair, Row
from support.demo import CAFE

LEVELS = ("entity", "action", "event")


@pytest.fixture
def tab(laid_out):
    return laid_out(Batch)


@pytest.fixture
def uploaded(tmp_path, monkeypatch):
    """Writes a table to where uploads are."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))

    def write(text):
        path = tmp_path / "pairs.csv"
        path.write_text(text)
        return str(path)

    return write


def run(tab, table, work=None, frames=2):
    """All that the page is told, and what it is told at last."""
    told = list(tab.explain_all(table, None, work, "auto", frames, "renormalised"))
    return told, {name: value for one in told for name, value in one.items()}


def test_rows_come_one_by_one_and_the_batch_goes_on(tab, uploaded):
    table = uploaded("video,caption\nCAFE.mp4,a *tabby* cat\nnone.mp4,a dog\n")
    told, shown = run(tab, table)
    assert [len(one[tab.summary]) for one in told if tab.summary in one] == [0, 1, 2]
    first, second = shown[tab.summary]
    assert len(first) == len(HEADERS)
    expected = explain(CAFE, "a *tabby* cat", frames=2)
    assert first[2:5] == [f"{level.score:.3f}" for level in expected.levels]
    assert "none.mp4 is not among the videos" in second[-1]
    assert shown[tab.message] == "**2 pairs: 1 explained, 1 could not be explained**"
    _, shown_again = run(tab, table, shown[tab.work])
    assert "1 explained before" in shown_again[tab.message]
    assert shown_again[tab.work].folder == shown[tab.work].folder

    with zipfile.ZipFile(pack(shown[tab.work])) as archive:
        names = archive.namelist()
    folder = shown[tab.work].rows[0].folder
    assert "summary.csv" in names
    assert f"{folder}/explanation.json" in names
    assert f"{folder}/figure.pdf" in names


def test_stop_tells_how_far_it_came(tab, uploaded):
    table = uploaded("video,caption\ncafe.mp4,a cat\ncafe.mp4,a cup\n")
    visitor = SimpleNamespace(session_hash="me")
    token = LocalContext.request.set(visitor)
    try:
        steps = tab.explain_all(table, None, None, "auto", 2, "renormalised")
        assert not next(steps)[tab.start]["interactive"]
        work = next(steps)[tab.work]
        end_work(visitor.session_hash)
        (last,) = steps
    finally:
        LocalContext.request.reset(token)
    assert "Stopped after 1 pair" in last[tab.message]
    assert last[tab.start]["interactive"]
    with zipfile.ZipFile(pack(work)) as archive:
        assert len(archive.read("summary.csv").splitlines()) == 2
    _, shown = run(tab, table, work)
    assert "1 explained, 1 explained before" in shown[tab.message]


def test_a_zip_of_videos_and_their_table(tab, tmp_path, monkeypatch):
    """Of clips with one name, the table says which; a click on a row opens its explanation."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    day = CAFE.with_name("day.mp4")
    archive = tmp_path / "all.zip"
    with zipfile.ZipFile(archive, "w") as bundle:
        bundle.write(CAFE, "one/clip.mp4")
        bundle.write(day, "two/clip.mp4")
        lines = ["video,caption", "one/clip.mp4,a cat", "two/clip.mp4,a cat", "no.mp4,a cat"]
        bundle.writestr("pairs.csv", "\n".join(lines))
    _, shown = run(tab, str(archive))
    assert shown[tab.message] == "**3 pairs: 2 explained, 1 could not be explained**"
    work = shown[tab.work]
    for number, clip in enumerate((CAFE, day)):
        event = gr.EventData(None, {"row_value": shown[tab.summary][number]})
        opened = tab.open_row(work, event)
        assert opened.video.read_bytes() == clip.read_bytes()
        assert Explanation.from_file(opened.file).caption == "a cat"
    _, again = run(tab, str(archive), work)
    assert again[tab.work].uploads is work.uploads  # not unpacked again
    for data in ({"row_value": shown[tab.summary][2]}, {"row_value": ["x"]}, {}, None):
        with pytest.raises(gr.Error, match=r"not among the videos|no such row"):
            tab.open_row(work, gr.EventData(None, data))
    with pytest.raises(gr.Error, match="deleted"):
        tab.open_row(None, gr.EventData(None, {"row_value": []}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("video,caption\n", "pairs.csv has no rows"),
        ("video\n", "no column caption"),
        ("video,caption\n" + "a.mp4,a\n" * (MOST_PAIRS + 1), "this page takes"),
        ("video,caption\na.mp4," + "a" * 20_001, "more than 20,000 characters"),
    ],
)
def test_tables_that_the_page_does_not_take(tab, uploaded, text, message):
    (told,), _ = run(tab, uploaded(text))
    assert message in told[tab.message]
    assert "/" not in told[tab.message].partition(":")[0]


def test_what_cannot_be_used_is_told(tab, uploaded):
    assert "Choose a table first" in run(tab, None)[1][tab.message]
    assert "was uploaded" in run(tab, "/etc/passwd")[1][tab.message]
    table = uploaded("video,caption\ncafe.mp4,a cat\n")
    assert "0 frames" in run(tab, table, frames=0)[1][tab.message]
    with pytest.raises(gr.Error, match="press Explain all first"):
        pack(None)


def test_links_in_words():
    def told(*frames):
        link = Link("a cat", frames, -0.5)
        row = Row(
            Pair("a", "b"), "c", False, dict.fromkeys(LEVELS, 0.0), dict.fromkeys(LEVELS, link)
        )
        return cells(row)[5]

    assert told(3) == "“a cat” – frame 4 (-0.500)"
    assert told(3, 4, 5) == "“a cat” – frames 4–6 (-0.500)"
    assert told(3, 5) == "“a cat” – frames 4, 6 (-0.500)"
