"""Saved results are opened again on the page, each in its tab."""

from __future__ import annotations

import json
from dataclasses import replace

import gradio as gr
import pytest

from app.opening import Opening
from app.page import TABS, ask
from app.session import Opens
from app.tabs.ask import Ask
from app.tabs.contrast import ContrastTab
from app.tabs.describe import Describe
from app.tabs.graphs import Graphs
from app.tabs.search import Search
from hbi_core.contrasted import Contrast
from hbi_core.figures.view import FigureView
from hbi_core.pipeline import search
from support.browser import address_has, exported, new_page, told
from support.contrasts import drawn_video, made_up
from support.demo import ROOT

VIEW = FigureView(levels=("entity",), top=5)


@pytest.fixture(scope="module")
def opening():
    with gr.Blocks():
        session = ask()
        tabs = [tab(session) for tab in TABS]
        return Opening(session, [tab for tab in tabs if isinstance(tab, Opens)])


@pytest.fixture
def uploaded(tmp_path, monkeypatch):
    """Writes what was uploaded; its path."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))

    def upload(text):
        (tmp_path / "saved.json").write_text(text, encoding="utf-8")
        return str(tmp_path / "saved.json")

    return upload


def tab_of(opening, kind):
    (tab,) = [tab for tab in opening.tabs if isinstance(tab, kind)]
    return tab


def test_whatever_is_filled_is_known_before(opening, uploaded, explanation, described):
    """Gradio takes values of no other components than those that an event named."""
    for result in (explanation, described):
        shown = opening.open(uploaded(result.to_json()))
        kind = Graphs if result is explanation else Describe
        named = {*tab_of(opening, kind).filled, opening.message, opening.tab}
        assert {*shown} <= named


def test_an_explanation(opening, uploaded, explanation):
    """Its caption is asked next; the player is emptied, for there is no video in it."""
    tab, session = tab_of(opening, Graphs), tab_of(opening, Graphs).session
    fixed = replace(explanation, weighting="fixed", encoder="<b>*my*")
    shown = opening.open(uploaded(fixed.to_json()))
    assert shown[opening.tab] == "graphs"
    assert shown[tab.explanation].to_json() == fixed.to_json()
    assert shown[session.caption] == explanation.caption
    assert shown[session.weighting] == "fixed"
    assert shown[session.video] is None
    assert r"\<b\>\*my\*" in shown[tab.notes]
    assert "are the thumbnails in it" in shown[tab.notes]
    grey = opening.open(uploaded(explanation.to_json(thumbnails=False)))
    assert "are grey" in grey[tab.notes]


def test_a_contrast(opening, uploaded):
    tab = tab_of(opening, ContrastTab)
    a = made_up("a cat", drawn_video(name="<b>.mp4"), weighting="fixed")
    for b, other in (
        (made_up("a dog", drawn_video(), seed=1), "a dog"),
        (made_up("a cat", drawn_video(seed=2), seed=1), ""),
    ):
        contrast = Contrast(a, b, VIEW)
        shown = opening.open(uploaded(contrast.to_json()))
        assert shown[opening.tab] == "contrasts"
        assert {*shown} <= {*tab.filled, opening.message, opening.tab}
        assert json.loads(shown[tab.figure])["contrast"] == json.loads(contrast.to_json())
        assert (shown[tab.session.caption], shown[tab.other_caption]) == ("a cat", other)
        assert shown[tab.session.video] is shown[tab.other_video] is None
        assert shown[tab.session.weighting] == "fixed"
        assert shown[tab.view] == VIEW
        assert shown[tab.contrast].to_json() == contrast.to_json()
        assert "opened from a file" in shown[tab.notes]


def test_an_answer(opening, uploaded, answered):
    """Filters of the file are those of the figure until others are chosen, whatever it explains."""
    tab = tab_of(opening, Ask)
    shown = opening.open(uploaded(answered.showing(VIEW).to_json()))
    assert shown[opening.tab] == "ask"
    assert {*shown} <= {*tab.filled, opening.message, opening.tab}
    assert shown[tab.question] == answered.question
    assert shown[tab.session.video] is None
    assert shown[tab.view] == VIEW
    assert FigureView.from_dict(json.loads(shown[tab.figure])["explanation"]["view"]) == VIEW
    assert shown[tab.answers]["value"] == {one.text: one.probability for one in answered.answers}
    assert "opened from a file" in shown[tab.notes]
    change = tab.explain(shown[tab.answered], "change")
    drawn = json.loads(change[tab.figure])["explanation"]
    assert drawn == json.loads(replace(answered.change, video=answered.explanation.video).to_json())
    assert "view" not in drawn


def test_a_description(opening, uploaded, described):
    tab = tab_of(opening, Describe)
    shown = opening.open(uploaded(described.showing(VIEW).to_json()))
    assert shown[opening.tab] == "describe"
    assert shown[tab.view] == VIEW
    assert len(shown[tab.captions]["samples"]) == len(described.captions)
    chosen = tab.take_over(shown[tab.described], 1)
    assert chosen == {tab.session.caption: described.captions[1].text}


def test_a_search(opening, uploaded):
    """The sheet is there, and a card leads nowhere, whatever the file calls a clip."""
    tab = tab_of(opening, Search)
    told = search(ROOT / "assets" / "clips", "a cup", frames=2).to_dict()
    told["hits"][0]["name"] = "/etc/passwd<b>"
    shown = opening.open(uploaded(json.dumps(told)))
    assert shown[opening.tab] == "search"
    assert {*shown} <= {*tab.filled, opening.message, opening.tab}
    assert shown[tab.query] == "a cup"
    assert shown[tab.sheet].count("data:image/jpeg") == 3
    assert "data-rank" not in shown[tab.sheet]
    assert "<b>" not in shown[tab.sheet]
    assert "opened from a file" in shown[tab.notes]
    with pytest.raises(gr.Error, match="Search again"):
        tab.open_hit(shown[tab.result], gr.EventData(None, {"rank": 1}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '{"schema": 1}',
            "saved.json cannot be opened: schema (1) is not one of hbi-explanation/1",
        ),
        ("video,caption", "it is no JSON"),
        ('{"schema": "hbi-answer/1"}', "saved.json cannot be opened: answers is missing"),
    ],
)
def test_what_cannot_be_opened_is_told(opening, uploaded, text, message):
    shown = opening.open(uploaded(text))
    assert list(shown) == [opening.message]
    told = shown[opening.message].replace("\\", "")
    assert message in told
    assert "explanation.json, contrast.json, answer.json, description.json, search.json" in told


def test_only_what_was_uploaded_is_opened(opening, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    shown = opening.open(str(tmp_path.parent / "other.json"))
    assert "was uploaded" in shown[opening.message]


def test_in_a_browser(browser, server, tmp_path):
    """What was filtered and exported is opened in its tab, and exported to the same bytes."""
    page = new_page(browser, 1440, 1000)
    wrong = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    archive = tmp_path / "hbi-space-contrast.zip"
    page.goto(f"{server}/?frames=3&tab=contrasts", wait_until="domcontentloaded")
    page.wait_for_selector("#contrast:visible")
    page.click("#contrast")
    page.wait_for_selector("#contrast-figure .hbi-level")
    page.fill("#contrast-figure [name=top_per_word]", "2")
    page.locator("#contrast-figure [name=top_per_word]").blur()
    address_has(page, {"contrasts.top_per_word": "2"})
    drawn = page.locator("#contrast-figure .hbi-figure").first.inner_text()
    with exported(page, "#contrast-export", archive) as first:
        file = first.extract("contrast.json", tmp_path)
        known = {name: first.read(name) for name in first.namelist()}
    assert json.loads(known["contrast.json"])["view"]["top_per_word"] == 2

    page.goto(server, wait_until="domcontentloaded")
    page.wait_for_selector("#figure .hbi-level")
    page.set_input_files("input[type=file][accept='.json']", file)
    page.wait_for_selector("#contrast-figure .hbi-level:visible")
    assert page.locator("#contrast-figure .hbi-figure").first.inner_text() == drawn
    assert page.input_value("#contrast-figure [name=top_per_word]") == "2"
    told(page, "#contrast-notes", "opened from a file")
    with exported(page, "#contrast-export", archive) as second:
        assert {name: second.read(name) for name in second.namelist()} == known

    (tmp_path / "broken.json").write_text("{")
    page.set_input_files("input[type=file][accept='.json']", tmp_path / "broken.json")
    told(page, "#message", "broken.json cannot be opened")
    assert page.locator("#contrast-figure").is_visible()
    assert wrong == []
    page.close()
