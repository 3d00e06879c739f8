"""The tab "Contrast", without a server."""

from __future__ import annotations

import json

import pytest

from app.tabs.contrast import ContrastTab
from support.demo import CAFE, ROOT

DAY = str(ROOT / "assets" / "clips" / "day.mp4")
ASKED = (str(CAFE), "a <b>cat</b>", "auto", 2, "fixed")


@pytest.fixture(scope="module")
def tab(laid_out):
    return laid_out(ContrastTab)


def test_two_captions(tab):
    shown = tab.contrast_both(*ASKED, 'a "cup" 猫', None, "same")
    contrast = shown[tab.contrast]
    assert contrast.differs == ("caption",)
    assert shown[tab.sentence].startswith("**A scores ")
    assert "<b>" not in shown[tab.sentence].replace(r"\<b\>", "")
    assert json.loads(shown[tab.figure])["contrast"] == json.loads(contrast.to_json())
    assert "B: Words that the encoder lite cannot read, left out: “猫”" in shown[tab.notes]
    assert len(shown[tab.table]) == sum(len(level.players) for level in contrast.levels)
    assert not shown[tab.message]


def test_two_videos(tab):
    shown = tab.contrast_both(*ASKED, "", DAY, "same")
    assert shown[tab.contrast].differs == ("video",)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (("", None, "same"), "A and B are the same"),
        (("?", None, "same"), "only punctuation"),
        ((5, None, "same"), "no text"),
        (("a cup", {"path": "/etc/passwd"}, "same"), "Only a file that was uploaded"),
        (("a cup", None, "light"), "no encoder"),
    ],
)
def test_what_cannot_be_contrasted_is_told(tab, other, message):
    shown = tab.contrast_both(*ASKED, *other)
    assert message in shown[tab.message]
    assert set(shown) == {tab.message}
