"""The tab "Ask", without a server and in a browser."""

from __future__ import annotations

import re
from dataclasses import replace

import gradio as gr
import pytest

from app.page import ask
from app.tabs import ask as ask_tab
from app.tabs.ask import Ask, changes
from hbi_core import pipeline
from hbi_core.task_model import ANSWERS as SHIPPED
from support.answerers import ANSWERS, QUESTION, write_answerer
from support.browser import exported, new_page, told
from support.demo import CAFE

ASKED = (str(CAFE), QUESTION, 3, "renormalised")


def tab_of(answerer):
    with gr.Blocks():
        return Ask(ask(answerer and str(answerer)))


@pytest.fixture(scope="module")
def tab(answerer):
    return tab_of(answerer)


@pytest.fixture(scope="module")
def shown(tab):
    return tab.ask(*ASKED, "first")


def test_answers_and_what_they_hang_on(tab, shown, answered):
    assert not shown[tab.message]
    found = shown[tab.answered]
    assert found.answers == answered.answers
    assert list(shown[tab.answers]["value"].values()) == [
        answer.probability for answer in found.answers
    ]
    rows = shown[tab.left_out]["value"]
    labels = [f"frame {number}" for number in (1, 2, 3)]
    labels += [f"“{word}”" for word in ("what", "animal", "is", "there")]
    assert sorted(row[0] for row in rows) == sorted(labels)
    assert all(row[1].partition(" (")[0] in ANSWERS for row in rows)


def test_an_answer_says_what_it_is_of(tab, shown):
    """The video and the question above may be others by now."""
    assert shown[tab.sentence].endswith(f"Asked of cafe.mp4: “{QUESTION}”")


def test_what_changes_the_answer_most_is_told_first(tab, answered):
    first = answered.first
    kept = replace(answered.left_out[0], of_first=0.0, answer=first.text)
    slightly = replace(kept, label="frame 2", of_first=first.probability - 0.01)
    another = replace(slightly, label="frame 3", answer="cow", probability=0.9)
    rows = changes(replace(answered, left_out=(slightly, kept, another)))
    assert [row[0] for row in rows] == ["frame 3", "frame 1", "frame 2"]
    assert rows[0][1] == "cow (90.0\N{NO-BREAK SPACE}%)"
    assert rows[1][2].endswith(" → 0.0\N{NO-BREAK SPACE}%")


def test_limits_stand_beside_the_answers(tab, shown):
    assert shown[tab.limits].startswith("**What this model can do.** The model always gives one of")
    assert "answered 62 % right" in shown[tab.limits]


def test_what_is_shown_is_escaped(tab, shown):
    for part in (tab.sentence, tab.notes):
        assert "<b>" not in shown[part].replace(r"\<b\>", "")


def test_the_graph_is_of_the_answer_or_of_the_change(tab, shown):
    found = shown[tab.answered]
    assert '"logit of the answer' in shown[tab.figure]
    change = tab.explain(found, "change")
    assert f"“{found.answers[1].text}”".replace("<", "\\u003c") in change[tab.figure]
    assert "logit difference" in change[tab.figure]
    assert "whatever is asked and seen." in change[tab.notes]
    assert set(tab.ask(*ASKED, "change")) == set(shown)


def test_what_cannot_be_asked_is_told(tab, shown, tmp_path):
    for asked, message in [
        ((None, *ASKED[1:]), "Choose a video first"),
        ((ASKED[0], "?!", *ASKED[2:]), "only punctuation"),
        ((ASKED[0], 7, *ASKED[2:]), "no text"),
        ((ASKED[0], "a" * 20_001, *ASKED[2:]), "The question has 20,001 characters"),
        (({"path": "/etc/passwd"}, *ASKED[1:]), "Only a file that was uploaded"),
        ((*ASKED[:2], 0, ASKED[3]), "0 frames were asked for"),
    ]:
        told = tab.ask(*asked, "first")
        assert set(told) == {tab.message}
        assert message in told[tab.message]
    assert "Press Ask first" in tab.explain(None, "first")[tab.message]
    one = tab_of(write_answerer(tmp_path / "one.safetensors", ["yes"]))
    found = one.ask(*ASKED, "first")[one.answered]
    assert "one answer only" in one.explain(found, "change")[one.message]


def test_a_model_that_is_missing_is_told_at_once(monkeypatch, tmp_path):
    missing = replace(SHIPPED, file=tmp_path / "lite_answers.safetensors")
    for module in (pipeline, ask_tab):
        monkeypatch.setattr(module, "ANSWERS", missing)
    tab = tab_of(None)
    assert "is not here. Train one" in tab.message.value
    assert "is not here. Train one" in tab.ask(*ASKED, "first")[tab.message]


@pytest.fixture(scope="module")
def served(serve, answerer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("answers") / "gradio"
    with serve(folder, options=("--answers", str(answerer))) as address:
        yield address


def number_of(page):
    """The logit of the entity level in the panel What if, before and after."""
    told = page.locator("#answer-figure .hbi-what-if-number").first.inner_text()
    return [float(x.replace("−", "-")) for x in re.findall(r"[−-]?\d+\.\d+", told)]


def test_in_a_browser(browser, served, tmp_path):
    page = new_page(browser, 1440, 1000)
    wrong = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(served, wait_until="domcontentloaded")
    page.click("#ask-button")
    page.fill("#question textarea", QUESTION)
    page.press("#question textarea", "Enter")
    page.wait_for_selector("#answer-figure .hbi-level")
    level = page.locator("#answer-figure [data-level=entity]")
    assert level.locator(".hbi-score").inner_text().startswith("logit = ")
    assert "similarity" not in page.locator("#answer-figure").inner_text()
    told(page, "#ask-limits", "What this model can do.")
    page.wait_for_function(
        "document.querySelector('#answers')?.innerText.split('%').length === 1 + 5"
        " && document.querySelector('#left-out')?.innerText.split('frame ').length > 3"
    )

    page.click("#answer-figure .hbi-what-if summary")
    before = number_of(page)
    page.locator("#answer-figure .hbi-what-if-tables input[type=checkbox]").first.click()
    whole, left, change = number_of(page)
    assert [whole] == before
    assert left - whole == pytest.approx(change, abs=2e-4)
    assert "the logit" in page.locator("#answer-figure .hbi-what-if-answers").inner_text()
    assert "hbi_core.ask VIDEO QUESTION" in page.locator("#answer-figure").inner_text()

    page.click("#ask-why label:has-text('and not')")
    page.wait_for_selector("#answer-figure .hbi-score:has-text('logit difference = ')")
    names = exported(page, "#ask-export", tmp_path / "hbi-space-answer.zip").namelist()
    assert {"answer.json", "left_out.csv", "figure.pdf", "change/figure.pdf"} <= set(names)
    assert wrong == []
    page.close()
