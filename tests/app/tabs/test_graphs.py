"""The tab "Coalition graphs"."""

from __future__ import annotations

import numpy as np
import pytest

from app.tabs.graphs import Graphs
from support.demo import CAFE


@pytest.fixture(scope="module")
def tab(laid_out):
    return laid_out(Graphs)


@pytest.mark.parametrize(("frames", "count"), [(3.0, 3), (np.int64(3), 3), (None, 12)])
def test_whole_numbers_of_any_type_and_none(tab, frames, count):
    shown = tab.explain_and_draw(str(CAFE), "a cat", "auto", frames, "fixed")
    assert len(shown[tab.explanation].video.times) == count
    assert not shown[tab.message]


def test_drawing_leaves_the_explanation_as_it_was(tab):
    shown = tab.explain_and_draw(str(CAFE), "a 猫 *cat*", "auto", 1, "fixed")
    assert set(shown[tab.explanation].seconds) == {"decoding", "encoding", "merging", "game"}
    notes = shown[tab.notes]
    assert "drawing" in notes
    assert "Words that the encoder lite cannot read, left out: “猫”" in notes
    assert "beyond the limit" not in notes


def test_input_that_cannot_be_used_changes_the_message_only(tab):
    shown = tab.explain_and_draw(str(CAFE), "?*", "auto", 1, "fixed")
    assert list(shown) == [tab.message]
    assert shown[tab.message].startswith("**")
    assert "only punctuation" in shown[tab.message]
