"""The address of the page: what is written is read again, and what is wrong is told."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl

import gradio as gr
import pytest

from app.address import has_own, read_choices, read_view, write_address
from app.linking import Linking
from app.page import TABS, ask
from hbi_core.errors import InputError
from hbi_core.figures.view import FigureView
from support.demo import CAFE

VIEW = FigureView(levels=("action",), top=5, sign="positive", fade=True)
CHOSEN = FigureView(chosen=("entity/text/2", "entity/video/0"))
# Of each name in the address something that is not there at first.
OTHERS = {
    "video": str(CAFE),
    "caption": "a=b & c#d? “é”\n100 %+",
    "encoder": "lite",
    "frames": 7,
    "weighting": "fixed",
    "other_caption": "",
    "other_video": str(CAFE),
    "other_encoder": "open_clip",
    "question": "what & where?",
    "why": "change",
    "query": "own",
    "hits": 50,
    "level": "event",
    "budgets": [4096, 262144],
    "seeds": 10,
    "first_seed": 2**62,
    "limit_seconds": 0,
}


@pytest.fixture(scope="module")
def session():
    """What there is to choose on the page."""
    with gr.Blocks():
        session = ask()
        for tab in TABS:
            tab(session)
    return session


@pytest.fixture(scope="module")
def first(session):
    """What everybody finds."""
    values = {name: choice.component.value for name, choice in session.choices.items()}
    return values | {"video": str(CAFE.with_name("space.mp4"))}


@pytest.fixture
def write(session, first):
    """The query of these values, of other names the first ones, and whether files are missing."""

    def write(views=None, answered=(), **values):
        return write_address(first | values, session.choices, views or {}, answered)

    return write


@pytest.fixture
def read(session):
    def read(query):
        return read_choices(dict(parse_qsl(query, keep_blank_values=True)), session.choices)

    return read


def test_what_is_written_is_read_again(session, write, read):
    assert set(OTHERS) == set(session.choices) - {"clips"}
    query, needs_own = write(**OTHERS)
    assert not needs_own
    assert "explain=1" in query
    assert read(query) == OTHERS


def test_each_choice_is_said_by_itself(session, first, write, read):
    """And nothing that is chosen on the page is left out of the address."""
    always = {"video", "caption", "encoder", "frames", "weighting"}
    query, _ = write()
    assert set(parse_qs(query)) == {*always, "explain"}
    for name in set(OTHERS) - always:
        query, _ = write(**{name: OTHERS[name]})
        assert read(query) == {**{key: first[key] for key in always}, name: OTHERS[name]}


def test_what_figures_show_is_said_by_their_tabs(session, write):
    views = {"": VIEW, "contrasts.": CHOSEN, "ask.": FigureView(), "describe.": FigureView(top=9)}
    assert list(session.figures) == list(views)
    query, _ = write(views)
    parameters = dict(parse_qsl(query, keep_blank_values=True))
    assert {prefix: read_view(parameters, prefix) for prefix in views} == views
    assert not any(name.startswith("ask.") for name in parameters)


def test_tabs_that_have_an_answer_are_said(session, write):
    assert list(session.answers) == ["contrasts", "ask", "describe", "search", "comparison"]
    assert "answered=ask,search" in write(answered=["ask", "search"])[0]
    assert "answered" not in write()[0]


def test_a_visitors_own_files_are_not_in_it(session, tmp_path, monkeypatch, write, read):
    """A copy of one of ours is told by its content, whatever it is called; and the reverse."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    copy, own = tmp_path / "x.mp4", tmp_path / "cafe.mp4"
    shutil.copy(CAFE, copy)
    own.write_bytes(CAFE.read_bytes() + b"\0")
    assert read(write(video=str(copy))[0])["video"] == str(CAFE)
    for asked, explains in (
        ({"video": {"path": str(own)}}, False),
        ({"video": None}, False),  # an explanation was opened without it
        ({"other_video": str(own)}, True),
        ({"clips": [str(own)]}, True),
    ):
        query, needs_own = write(answered=["ask"], **asked)
        assert needs_own
        assert "cafe" not in query
        assert "answered" not in query
        assert ("explain=1" in query) == explains
        (name,) = asked
        assert read(query)[name] is None
        assert has_own(dict(parse_qsl(query)), session.choices)
    assert not has_own({"caption": "own", "video": "cafe"}, session.choices)
    with pytest.raises(InputError, match="uploaded"):
        write(video=str(Path(__file__)))


def test_an_address_need_say_nothing(read):
    assert read("") == read("__theme=dark&tab=search&other=1&top=3&contrasts.top=x") == {}
    assert read_view({"top": "3", "contrasts.top": "4", "level": "x"}, "") == FigureView(top=3)


def test_links_of_before_open_the_same(read):
    """As they were copied when less stood in them."""
    query = (
        "video=day&caption=a+cat&encoder=auto&frames=2&weighting=fixed&question=who%3F&query="
        "&explain=1&levels=entity&top=5&left_out=entity/text/2&tab=ask"
    )
    assert read(query) == {
        "video": str(CAFE.with_name("day.mp4")),
        "caption": "a cat",
        "encoder": "auto",
        "frames": 2,
        "weighting": "fixed",
        "question": "who?",
        "query": "",
    }
    assert read_view(dict(parse_qsl(query)), "") == FigureView(
        levels=("entity",), top=5, left_out=("entity/text/2",)
    )


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("video=../../etc/passwd", "no video '../../etc/passwd': use one of cafe, day, space, own"),
        ("other_video=/etc/passwd", "no other video '/etc/passwd'"),
        ("clips=cafe", "no clips 'cafe': use one of own"),
        ("encoder=open_clip:ViT-B-32:/etc/passwd", "encoder is '.*'; use one of auto|in the"),
        ("other_encoder=none", "other_encoder is 'none' in the address; use one of same, auto"),
        ("weighting=softmax", "use one of renormalised, fixed"),
        ("why=<b>", "use one of first, change"),
        ("level=levels", "use one of entity, action, event"),
        ("budgets=256,257", "budgets is '257' in the address; use one of 256, 1024"),
        ("frames=0", "frames is 0 in the address; use a whole number, 1 to 24"),
        ("frames=1e9", "frames is '1e9'"),
        ("frames=" + "9" * 5000, "frames is '9"),
        ("frames=²", "frames is '²'"),
        ("hits=51", "1 to 50"),
        ("seeds=-1", "seeds is '-1'"),
        ("first_seed=" + "9" * 19, "first_seed"),
        ("limit_seconds=121", "0 to 120"),
        ("caption=" + "a" * 20_001, "20,000"),
        ("question=" + "a" * 20_001, "The question of the address has more than 20,000"),
    ],
)
def test_what_is_wrong_is_told(read, query, message):
    with pytest.raises(InputError, match=message) as refused:
        read(query)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(("query", "message"), [("top=-1", "top"), ("measure=beauty", "measure")])
def test_a_view_that_is_wrong_is_told(query, message):
    for prefix in ("", "ask."):
        with pytest.raises(InputError, match=message):
            read_view(dict(parse_qsl(prefix + query)), prefix)


@pytest.mark.parametrize(
    "values",
    [{"frames": 0}, {"first_seed": 0.5}, {"encoder": []}, {"budgets": [3]}, {"why": {"a": 1}}],
)
def test_a_request_writes_no_value_that_cannot_be(write, values):
    with pytest.raises(InputError, match="in the address; use"):
        write(**values)


def test_an_empty_field_is_not_said(write):
    assert "seed" not in write(first_seed=None)[0]


def test_all_that_is_chosen_is_listened_to(session):
    """A field that is no choice is none of what is asked: width and letters of exported files."""
    with gr.Blocks() as page:
        session = ask()
        linking = Linking(session)
        for tab in TABS:
            tab(session)
        linking.listen(page, {})
    fields = (gr.Textbox, gr.Dropdown, gr.Slider, gr.Radio, gr.Number, gr.Video, gr.Checkbox)
    chosen = [choice.component for choice in session.choices.values()]
    others = {
        block.label
        for block in page.blocks.values()
        if isinstance(block, fields) and block.visible and block not in chosen
    }
    assert others <= {"Figure for papers", "Letters"}
