"""Seconds in words."""

from __future__ import annotations

import pytest

from explainers.timing import seconds_in_words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.00214, "2.1 ms"),
        (0.0994, "99 ms"),
        (0.0996, "0.1 s"),
        (1.52, "1.5 s"),
        (9.96, "10 s"),
        (119, "119 s"),
        (125, "2.1 minutes"),
        (8000, "2.2 hours"),
        (2e5, "2.3 days"),
        (1e9, "32 years"),
        (1e12, "31,686 years"),
    ],
)
def test_seconds_in_words(seconds, words):
    assert seconds_in_words(seconds) == words
