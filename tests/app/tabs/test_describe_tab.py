"""The tab "Describe", without a server and in a browser."""

from __future__ import annotations

from dataclasses import replace
from html import unescape

import gradio as gr
import pytest

from app.page import ask
from app.tabs import describe
from app.tabs.describe import Describe
from hbi_core import pipeline
from support.browser import exported, new_page, told
from support.demo import CAFE


def tab_of(captioner):
    with gr.Blocks():
        return Describe(ask(captioner=captioner and str(captioner)))


@pytest.fixture(scope="module")
def tab(captioner):
    return tab_of(captioner)


@pytest.fixture(scope="module")
def shown(tab):
    return tab.describe(str(CAFE), 3)


def test_a_caption_and_its_alternatives(tab, shown, described):
    assert not shown[tab.message]
    found = shown[tab.described]
    assert found.captions == described.captions
    for (label,), caption in zip(shown[tab.captions]["samples"], described.captions, strict=True):
        assert unescape(label).startswith(f"{caption.text} (−")
        assert "<" not in label
    words = shown[tab.words]["value"]
    assert [row[0] for row in words] == [word.text for word in described.words]
    assert all(row[1].endswith(" %") and row[2].endswith(" %") for row in words)


def test_limits_stand_beside_the_caption(tab, shown):
    assert shown[tab.limits].startswith("**What this model can do.** The model writes a caption")
    assert r"BLEU-4 16.2" in shown[tab.limits].replace("\\", "")


def test_what_is_shown_is_escaped(tab, described):
    harmful = replace(described, explanation=replace(described.explanation, caption="<b>x</b>"))
    assert harmful.caption == "<b>x</b>"
    told = describe.describe(harmful)
    assert "<b>" not in told.replace(r"\<b\>", "")


def test_notes_tell_what_the_numbers_are(tab, shown, described):
    notes = shown[tab.notes]
    assert "Gain in log" in notes
    assert "8 at the entity level" in notes
    assert f"{described.explanation.levels[0].score:.2f}".lstrip("-") in notes
    assert '"game": "function"' in shown[tab.figure]


def test_a_caption_is_taken_over(tab, shown):
    found = shown[tab.described]
    assert tab.take_over(found, 1) == {tab.session.caption: found.captions[1].text}
    for number in (-1, 3, None, "1", [0]):
        with pytest.raises(gr.Error, match="was chosen"):
            tab.take_over(found, number)
    with pytest.raises(gr.Error, match="Describe again"):
        tab.take_over(None, 0)


def test_what_cannot_be_described_is_told(tab):
    for asked, message in [
        ((None, 3), "Choose a video first"),
        (({"path": "/etc/passwd"}, 3), "Only a file that was uploaded"),
        ((str(CAFE), 0), "0 frames were asked for"),
    ]:
        told = tab.describe(*asked)
        assert set(told) == {tab.message}
        assert message in told[tab.message]


def test_a_model_that_is_missing_is_told_at_once(monkeypatch, tmp_path):
    gone = replace(describe.CAPTIONS, file=tmp_path / "lite_captions.safetensors")
    monkeypatch.setattr(describe, "CAPTIONS", gone)
    monkeypatch.setattr(pipeline, "CAPTIONS", gone)
    tab = tab_of(None)
    assert "is not here. Train one" in tab.message.value.replace("\\", "")
    assert "is not here. Train one" in tab.describe(str(CAFE), 3)[tab.message].replace("\\", "")


def test_in_a_browser(browser, server, tmp_path):
    """The model that we ship; a caption that is chosen is explained above."""
    page = new_page(browser, 1440, 1000)
    wrong = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(f"{server}/?frames=4&tab=describe", wait_until="domcontentloaded")
    page.click("#describe-start")
    page.wait_for_selector("#description-figure .hbi-level")
    level = page.locator("#description-figure [data-level=entity]")
    assert level.locator(".hbi-score").inner_text().startswith("gain = ")
    told(page, "#describe-limits", "What this model can do.")
    caption = told(page, "#described h3", "“").strip("“”")
    for word in caption.split():
        told(page, "#described-words", word)
    assert "takes the model" in page.locator("#description-figure .hbi-what-if").text_content()
    names = exported(page, "#describe-export", tmp_path / "hbi-space-description.zip").namelist()
    assert {"description.json", "words.csv", "captions.csv", "figure.pdf"} <= set(names)

    rows = page.locator("#captions button")
    assert rows.first.inner_text().startswith(caption)
    other = rows.nth(1).inner_text().rpartition(" (")[0]
    rows.nth(1).press("Enter")
    page.wait_for_function(
        "words => document.querySelector('#figure')?.textContent.includes(words)"
        " && document.querySelector('#notes')?.textContent.includes('drawing')",
        arg=other.split()[-1],
    )
    page.wait_for_selector("#graphs:visible")
    assert other in [area.input_value() for area in page.locator("textarea").all()]
    assert wrong == []
    page.close()
