"""Pickled annotations are read, and run nothing."""

from __future__ import annotations

import codecs
import os
import pickle

import pytest

from hbi_core.data import read_corpus
from hbi_core.data.annotations import read_pickle
from hbi_core.errors import DataError
from support.releases import texts


@pytest.mark.parametrize(
    "content",
    [
        b"(dS'd_3_4'\n((lS'a'\naS'caf\\xe9'\nals.",  # protocol 0
        b"\x80\x02}U\x05d_3_4]](U\x01aU\x04caf\xe9eas.",  # protocol 2
        b"(dS'd_3_4'\n((lS'a'\naS'caf\\xc3\\xa9'\nals.",
        b"\x80\x02}U\x05d_3_4]](U\x01aU\x05caf\xc3\xa9eas.",
        b"\x80\x02}X\x05\x00\x00\x00d_3_4]](U\x01aX\x05\x00\x00\x00caf\xc3\xa9eas.",  # unicode
    ],
)
def test_msvd_captions_pickled_by_python_2(msvd, content):
    (msvd / "raw-captions.pkl").write_bytes(content)
    assert texts(read_corpus("msvd", msvd, "test")) == {"d_3_4": ("a café",)}


@pytest.mark.parametrize(
    ("word", "read"),
    [
        ("don’t".encode(), "don’t"),
        (b"don\x92t", "don’t"),
        ("猫".encode(), "猫"),
        ("Ã©".encode(), "Ã©"),
        (b"na\xefve", "naïve"),
        (b"don't", "don't"),
    ],
)
def test_strings_of_python_2_are_utf8_or_windows_1252(msvd, word, read):
    assert len(word) < 256
    string = b"U" + bytes([len(word)]) + word
    content = b"\x80\x02}U\x05d_3_4]](" + string + b"U\x04caf\xe9eas."
    (msvd / "raw-captions.pkl").write_bytes(content)
    assert texts(read_corpus("msvd", msvd, "test")) == {"d_3_4": (f"{read} café",)}


def test_a_pickle_that_holds_itself_or_is_deep(msvd):
    own, deep = [], []
    own.append(own)
    for _ in range(100_000):
        deep = [deep]
    shared = ["a"]
    for _ in range(60):  # 2 ** 60 words, in a few hundred bytes
        shared = [shared, shared]
    for value in (own, shared):
        (msvd / "raw-captions.pkl").write_bytes(pickle.dumps({"d_3_4": value}))
        with pytest.raises(DataError, match="d_3_4, caption 0"):
            read_corpus("msvd", msvd, "test")
    nested = b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b"."
    (msvd / "raw-captions.pkl").write_bytes(nested)
    with pytest.raises(DataError, match="not a readable pickle"):
        read_corpus("msvd", msvd, "test")


class Attack:
    def __init__(self, call, *arguments):
        self.called = call, arguments

    def __reduce__(self):
        return self.called


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_runs_nothing(msvd, protocol):
    marks = [msvd / "by_system", msvd / "by_open", msvd / "by_eval"]
    attacks = [
        Attack(os.system, f"touch {marks[0]}"),
        Attack(open, str(marks[1]), "w"),
        Attack(eval, f"open({str(marks[2])!r}, 'w')"),
        Attack(os.mkdir, str(marks[0])),
    ]
    for attack in attacks:
        data = pickle.dumps({"d_3_4": [["snow"]], "x": attack}, protocol)
        (msvd / "raw-captions.pkl").write_bytes(data)
        with pytest.raises(DataError, match="could run a program"):
            read_corpus("msvd", msvd, "test")
        assert not any(mark.exists() for mark in marks)
    pickle.loads(data)  # the attack is one: without protection it does what it says
    assert marks[0].exists()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_bytes_of_python_3_in_any_protocol(msvd, protocol):
    """Up to 2 there is no opcode for them: they ask for _codecs.encode, empty ones for bytes."""
    known = {b"d_3_4": [["caf\xe9".encode(), b""], [b"na\xefve", "snow"]], "a_1_2": b""}
    (msvd / "raw-captions.pkl").write_bytes(pickle.dumps(known, protocol))
    assert read_pickle(msvd / "raw-captions.pkl") == {
        "d_3_4": [["café", ""], ["naïve", "snow"]],
        "a_1_2": "",
    }


@pytest.mark.parametrize(
    "arguments",
    [
        ("snow", "rot13"),
        ("snow", "utf-8"),
        ("snow", "latin1", "ignore"),
        (b"snow", "latin1"),
        (b"eJw=", "zlib"),
        ("snow",),
        (),
        ("猫", "latin1"),
    ],
)
def test_nothing_else_can_be_asked_of_a_codec(msvd, arguments):
    data = pickle.dumps({"d_3_4": [Attack(codecs.encode, *arguments)]}, 2)
    (msvd / "raw-captions.pkl").write_bytes(data)
    with pytest.raises(DataError, match=r"could run a program|not a readable pickle"):
        read_pickle(msvd / "raw-captions.pkl")


@pytest.mark.parametrize(
    "call", [codecs.decode, codecs.lookup, bytearray, getattr, str.encode, os.system]
)
def test_no_other_function_is_near_enough(msvd, call):
    data = pickle.dumps({"d_3_4": [Attack(call, "snow", "latin1")]}, 2)
    (msvd / "raw-captions.pkl").write_bytes(data)
    with pytest.raises(DataError, match="could run a program"):
        read_pickle(msvd / "raw-captions.pkl")


def test_no_bytes_are_made_by_their_number(msvd):
    for name in (b"__builtin__", b"builtins"):
        (msvd / "raw-captions.pkl").write_bytes(b"\x80\x02c" + name + b"\nbytes\nK\x05\x85R.")
        with pytest.raises(DataError):
            read_pickle(msvd / "raw-captions.pkl")
