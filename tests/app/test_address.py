"""The address of the page: what is written is read again, and what is wrong is told."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from app.address import read_address, write_address
from hbi_core.errors import InputError
from hbi_core.figures.view import FigureView
from support.demo import CAFE

VIEW = FigureView(levels=("action",), top=5, sign="positive", fade=True)


def asked_by(query):
    return read_address(dict(parse_qsl(query, keep_blank_values=True)))


def test_what_is_written_is_read_again():
    caption = "a=b & c#d? “é”\n100 %+"
    texts = {"question": "what & where?", "other_caption": ""}
    query, has_video = write_address(str(CAFE), caption, "lite", 7, "fixed", VIEW, texts=texts)
    asked = asked_by(query)
    assert has_video
    assert asked.video == CAFE
    assert not asked.own_video
    assert (asked.caption, asked.encoder, asked.frames, asked.weighting) == (
        caption,
        "lite",
        7,
        "fixed",
    )
    assert asked.view == VIEW
    assert asked.texts == texts


def test_a_visitors_own_video_is_not_in_it(tmp_path, monkeypatch):
    """A copy of one of ours is told by its content, whatever it is called; and the reverse."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    copy, own = tmp_path / "x.mp4", tmp_path / "cafe.mp4"
    shutil.copy(CAFE, copy)
    own.write_bytes(CAFE.read_bytes() + b"\0")
    query, has_video = write_address({"path": str(own)}, "a cat", "auto", 12, "fixed", VIEW)
    assert not has_video
    assert "cafe" not in query
    assert "explain=" not in query
    asked = asked_by(query)
    assert (asked.own_video, asked.video) == (True, None)
    assert asked_by(write_address(str(copy), "", "auto", 12, "fixed", VIEW)[0]).video == CAFE
    assert asked_by(write_address(None, "a cat", "auto", 12, "fixed", VIEW)[0]).own_video
    with pytest.raises(InputError, match="uploaded"):
        write_address(str(Path(__file__)), "a cat", "auto", 12, "fixed", VIEW)


def test_an_address_need_say_nothing():
    assert read_address({}) == read_address({"__theme": "dark", "tab": "search", "other": "1"})
    asked = read_address({"top": "3"})
    assert asked.view == FigureView(top=3)
    assert asked.video is asked.caption is asked.frames is None


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("video=../../etc/passwd", "no video '../../etc/passwd': use one of cafe, day, space"),
        ("encoder=open_clip:ViT-B-32:/etc/passwd", "no encoder"),
        ("weighting=softmax", "use one of renormalised, fixed"),
        ("frames=0", "asks for 0 frames; use a whole number, 1 to 24"),
        ("frames=1e9", "'1e9' frames"),
        ("frames=" + "9" * 5000, "frames"),
        ("top=-1", "top"),
        ("measure=beauty", "measure"),
        ("caption=" + "a" * 20_001, "20,000"),
        ("question=" + "a" * 20_001, "The question of the address has more than 20,000"),
    ],
)
def test_what_is_wrong_is_told(query, message):
    with pytest.raises(InputError, match=message) as refused:
        asked_by(query)
    assert len(str(refused.value)) < 300
