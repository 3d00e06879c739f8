"""The document with the graph that answers; tests/assets uses it in a browser."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace

import pytest

from explainers import closed_form
from hbi_core.figures.coalition_html import coalition_html, view_data
from hbi_core.figures.view import FigureView
from hbi_core.worth import FUNCTION


def data_of(document: str) -> dict:
    return json.loads(re.search(r'type="application/json">(.*)</script>', document).group(1))


def test_the_data_are_the_explanation_and_the_pairs_within_a_side(explanation):
    view = FigureView(top=4)
    data = data_of(coalition_html(explanation, view))
    assert data == view_data(explanation, view)
    assert data["explanation"] == explanation.to_dict()
    assert data["view"] == view.to_dict()
    for level in explanation.levels:
        pairs = closed_form(level.game(explanation.weighting), pairs="all").values
        videos = len(level.video_tokens)
        assert data["pairs"][level.name]["video"] == pairs[:videos, :videos].tolist()
        assert data["pairs"][level.name]["text"] == pairs[videos:, videos:].tolist()


def test_a_game_that_only_its_model_can_play_has_no_pairs(explanation):
    assert view_data(replace(explanation, weighting=FUNCTION))["pairs"] is None


def test_nothing_is_fetched(explanation):
    document = coalition_html(explanation)
    addresses = set(re.findall(r"https?://[^\s\"'<]+", document))
    assert addresses == {"http://www.w3.org/2000/svg"}  # a name, which nobody fetches
    assert not re.search(r"<(script|link|img)[^>]*\b(src|href)=", document)


@pytest.mark.parametrize("text", ["</script><script>alert(1)</script>", "<!--<script>", 'a & "b"'])
def test_a_caption_stays_text(explanation, text):
    document = coalition_html(replace(explanation, caption=text))
    assert data_of(document)["explanation"]["caption"] == text
    assert document.count("</script>") == coalition_html(explanation).count("</script>")
    assert f"<title>{html.escape(text)}</title>" in document


@pytest.mark.parametrize("view", [FigureView(), FigureView(top=3, levels=("action",))])
def test_a_notebook_shows_the_same_document(explanation, view):
    frame = replace(explanation, view=view)._repr_html_()
    document = html.unescape(re.search(r'srcdoc="([^"]*)"', frame).group(1))
    assert document == coalition_html(replace(explanation, view=view), view)
