"""The contact sheet says what the search found, and nothing that a name makes up."""

from __future__ import annotations

import re
from pathlib import Path

from hbi_core.figures.contact_sheet import contact_sheet, contact_sheet_page
from hbi_core.search_result import Hit, SearchResult

NASTY = '</script><img src=x onerror="alert(1)">.mp4'
PICTURE = "data:image/jpeg;base64,AAAA"


def hit(name, *scores):
    levels = dict(zip(("entity", "action", "event"), scores, strict=True))
    return Hit(name, Path("a"), sum(scores) / 3, levels, 1, 2.5, 9.0, PICTURE)


def found(*hits, query="a cat"):
    return SearchResult(query, ("a",), (), (), hits, 7, {}, "lite", "heads", 12, {})


def bars(html):
    return re.findall(r'style="width: ([\d.]+)%', html)


def test_cards_have_scores_and_bars_that_compare():
    html = contact_sheet(found(hit("a.mp4", 0.5, 0.25, 0.0), hit("b.mp4", 0.1, -0.2, 0.4)))
    assert re.findall(r'style="width: ([\d.]+)%', html) == [
        "100.0",
        "50.0",
        "0.0",
        "20.0",
        "0.0",
        "80.0",
    ]
    assert re.findall(r'number">([^<]+)<', html) == [
        *("0.500", "0.250", "0.000"),
        *("0.100", "−0.200", "0.400"),
    ]
    assert html.count(">2.5 s<") == 2
    assert "<button" not in html


def test_cards_that_can_be_clicked_have_their_rank():
    html = contact_sheet(found(hit("a.mp4", 0.5, 0.2, 0.1), hit("b.mp4", 0.1, 0.2, 0.4)), True)
    assert re.findall(r'<button [^>]*data-rank="(\d)"', html) == ["1", "2"]


def test_names_and_query_are_text():
    for html in (
        contact_sheet(found(hit(NASTY, 0.1, 0.2, 0.3), query=NASTY), True),
        contact_sheet_page(found(hit(NASTY, 0.1, 0.2, 0.3), query=NASTY)),
    ):
        assert "<img src=x" not in html
        assert "</script>" not in html
        assert html.count("&lt;img src=x") >= 2


def test_no_score_above_zero_and_no_hit():
    assert bars(contact_sheet(found(hit("a", -0.1, -0.2, 0.0)))) == ["0.0"] * 3
    assert "<li>" not in contact_sheet(found())
