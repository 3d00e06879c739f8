"""Times of pictures from stamps that repeat, jump or start anew."""

from __future__ import annotations

import numpy as np
import pytest

from hbi_core.inputs.timeline import choose_frames, join_parts, without_ties


def test_times_without_ties():
    told = np.array([0.0, 1.0, 1.0, 2.0, 2.0, 2.0, 4.0])
    assert without_ties(told, 7 / 5) == pytest.approx(np.arange(7) * 5 / 7)  # even, and as long
    assert without_ties(told, 25) == pytest.approx([0, 1, 1.5, 2, 2 + 2 / 3, 2 + 4 / 3, 4])
    assert without_ties(np.array([0.0, 1.0, 1.0]), 25) == pytest.approx([0, 1, 1.5])
    assert without_ties(np.zeros(2), 25) == pytest.approx([0, 1 / 25])


def test_a_clock_that_starts_anew_within_a_file():
    shown = np.array([0, 1, 3, 2, 4, 5, 6, 7, 0, 2, 1, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4.0])
    joined = [*shown[:8], *(shown[8:17] + 8), *(shown[17:] + 16)]
    assert join_parts(shown, shown, None) == pytest.approx(joined)


def test_an_order_of_decoding_is_no_join():
    """A pyramid of bidirectional pictures, some of them shown for long; and one wrong stamp."""
    order = np.array([0, 8, 4, 2, 1, 3, 6, 5, 7, 16, 12, 10, 9, 11, 14, 13, 15])
    shown = np.cumsum([0, 1, 30, 1, 1, 1, 60, 1, 1, 1, 1, 90, 1, 1, 1, 1, 1])[order]
    assert (join_parts(shown, shown, None) == shown).all()
    stamps = np.arange(20.0)
    stamps[12] = 3.0
    assert (join_parts(stamps, stamps, None) == stamps).all()


def test_a_pause_of_the_picture_while_sound_goes_on():
    shown = np.array([0, 0.04, 0.08, 30.0, 30.04])
    assert join_parts(shown, shown, np.arange(0, 30, 0.5)) == pytest.approx(shown)
    joined = np.array([0, 0.04, 0.08, 0.12, 0.16])
    assert join_parts(shown, shown, np.array([0, 0.1, 29.9])) == pytest.approx(joined)


@pytest.mark.parametrize("count", [1, 3, 7, 20, 30])
def test_choice_is_increasing_and_complete(count):
    starts = np.array([0.0, 0.1, 0.2, 5.0, 9.0, 9.1, *np.arange(9.2, 10.6, 0.1)])
    chosen = choose_frames(starts, 11.0, count)
    assert len(chosen) == min(count, len(starts))
    assert (np.diff(chosen) > 0).all()
    assert chosen.min() >= 0
    assert chosen.max() < len(starts)
