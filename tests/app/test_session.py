"""What the tabs share, and the shape that they have."""

from __future__ import annotations

import ast
import inspect
import sys
from pathlib import Path

import gradio as gr
import pytest
from gradio import FileData

import app
from app.__main__ import main
from app.page import TABS, build_page
from app.session import ENCODERS, answered, escaped, explained, offer
from hbi_core.errors import InputError
from support.demo import CAFE

FOLDER = Path(app.__file__).parent


def modules(path):
    """The modules of the page that this one imports."""
    nodes = ast.walk(ast.parse(path.read_text()))
    names = (node.module for node in nodes if isinstance(node, ast.ImportFrom))
    return {name for name in names if name.startswith("app.")}


def test_every_file_of_tabs_is_one_tab_on_the_page():
    files = {path for path in (FOLDER / "tabs").glob("*.py") if path.stem != "__init__"}
    assert {Path(inspect.getfile(tab)) for tab in TABS} == files
    assert len(TABS) == len(files)
    for each in ("title", "elem_id"):
        assert len({getattr(tab, each) for tab in TABS}) == len(TABS)


@pytest.mark.parametrize("tab", TABS)
def test_a_tab_tells_its_errors(tab, laid_out):
    assert isinstance(laid_out(tab).message, gr.Markdown)


def test_the_page_imports_its_tabs_and_a_tab_no_other():
    for path in FOLDER.glob("tabs/*.py"):
        assert not any(name.startswith(("app.tabs", "app.page")) for name in modules(path)), path
    for path in FOLDER.glob("*.py"):
        if path.stem not in ("page", "__main__"):
            assert not any(name.startswith(("app.tabs", "app.page")) for name in modules(path))


def test_what_a_click_changes_and_what_it_leaves():
    class Tab:
        def __init__(self):
            with gr.Blocks():
                self.message, self.figure, self.notes = gr.Markdown(), gr.Plot(), gr.Markdown()

        @answered
        def draw(self, number):
            if number < 0:
                raise InputError(f"The number is {number}*; use one of 0, 1.")
            return {self.figure: number}

    tab = Tab()
    assert tab.draw(1) == {tab.figure: 1, tab.message: ""}
    assert tab.draw(number=-1) == {tab.message: r"**The number is -1\*; use one of 0, 1.**"}
    assert list(inspect.signature(tab.draw).parameters) == ["number"]  # gradio counts them


def test_text_of_users_is_text_in_markdown():
    assert escaped("a_b *c* <i> [x](y)") == r"a\_b \*c\* \<i\> \[x\]\(y\)"


@pytest.fixture
def encoders():
    """Those that are offered, as they were before when the test is over."""
    before = dict(ENCODERS)
    yield ENCODERS
    ENCODERS.clear()
    ENCODERS.update(before)


def test_a_model_of_ones_own_is_the_first_choice_and_is_explained(encoders):
    ours = list(encoders.values())
    name = "own:examples.own_model:tiny_clip"
    asked = (FileData(path=str(CAFE)).model_dump(), "a cat", name, 2, "fixed")
    with pytest.raises(InputError, match="There is no encoder"):
        explained(*asked)
    offer("a tiny CLIP", name)
    assert list(encoders.values()) == [name, *ours]
    explanation = explained(*asked)
    assert (explanation.encoder, explanation.weighting) == ("a tiny CLIP", "fixed")


def test_endpoints_tell_a_model_of_ones_own(encoders):
    offer("a tiny CLIP", "own:examples.own_model:tiny_clip")
    told = build_page().get_api_info()["named_endpoints"]["/contrast"]["parameters"]
    types = {argument["parameter_name"]: argument["type"] for argument in told}
    names = list(encoders.values())
    assert types["encoder"]["enum"] == names
    assert types["other_encoder"]["enum"] == ["same", *names]


def test_a_model_that_cannot_be_loaded_ends_the_start(encoders, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["app.py", "--model", "no.such.module:model"])
    with pytest.raises(SystemExit, match="cannot be loaded"):
        main()
    assert "own:no.such.module:model" not in encoders.values()
