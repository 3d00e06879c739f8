"""What was made last is held, and told apart by content."""

from __future__ import annotations

import os

import pytest

from hbi_core.latest import Latest, content_of


def test_what_nobody_asked_for_longest_gives_way():
    kept, made = Latest(most=2), []

    def get(key):
        return kept.get(key, lambda: made.append(key) or key)

    assert [get(key) for key in "aba"] == [("a", True), ("b", True), ("a", False)]
    assert get("c") == ("c", True)
    assert [get(key)[1] for key in "acb"] == [False, False, True]
    assert made == ["a", "b", "c", "b"]


def test_the_latest_is_held_however_much_it_is():
    kept = Latest(most=9, too_much=lambda values: sum(values) > 5)
    assert [kept.get(key, key.__int__)[1] for key in (9, 9, 2, 9)] == [True, False, True, True]


def test_nothing_is_held_of_what_failed():
    kept = Latest(most=1)
    with pytest.raises(ZeroDivisionError):
        kept.get("a", lambda: 1 // 0)
    assert kept.get("a", lambda: 1) == (1, True)


def test_what_nobody_asks_for_is_dropped():
    now = [0.0]
    kept = Latest(most=9, clock=lambda: now[0])
    for key in "ab":
        kept.get(key, str)
        now[0] += 5
    kept.drop(6)  # at 10: a was asked for at 0, b at 5
    assert [kept.get(key, str)[1] for key in "ba"] == [False, True]
    kept.drop(0)
    assert kept.get("b", str)[1]


def test_content_is_told_from_another_one(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(b"a" * 3_000_000)
    other.write_bytes(b"a" * 3_000_000)
    same = content_of(one)
    assert content_of(other) == same
    other.write_bytes(b"a" * 2_999_999 + b"b")
    assert content_of(other) != same
    os.utime(one, ns=(0, 0))
    assert content_of(one) == same
