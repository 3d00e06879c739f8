"""The tab "Coalition graphs"."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from app.examples import EXAMPLES
from app.session import KEPT_SECONDS
from app.tabs.graphs import Graphs, describe
from hbi_core import predictor
from hbi_core.encoders import encode_frames
from hbi_core.inputs.video import read_video
from hbi_core.own_model import TokenSimilarities, explain_answer
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
    tab.recent.forget(0)
    shown = tab.explain_and_draw(str(CAFE), "a 猫 *cat*", "auto", 1, "fixed")
    assert set(shown[tab.explanation].seconds) == {"decoding", "encoding", "merging", "game"}
    notes = shown[tab.notes]
    assert re.search(r"\n[\d.]+ m?s: decoding [\d.]+ m?s, .*, drawing [\d.]+ m?s\.", notes)
    assert "Words that the encoder lite cannot read, left out: “猫”" in notes
    assert "beyond the limit" not in notes
    assert "; 1 frame of cafe.mp4; " in notes


def test_how_a_caption_was_read_is_said(explanation):
    told = replace(explanation, notes=("Each word is a *player*.",))
    assert "Each word is a" in describe(told).splitlines()[-1]
    assert "*player*" not in describe(told)
    assert "player" not in describe(explanation)


def test_a_model_of_ones_own_has_no_heads(explanation):
    answer = TokenSimilarities(similarity=np.eye(12, 2))
    own = explain_answer(answer, explanation.video, ["a", "cat"], "*tiny* CLIP")
    said = describe(own).splitlines()[0]
    assert said.startswith(
        r"Model **\*tiny\* CLIP** in place of our encoder and heads, renormalised weights; "
    )
    assert describe(explanation).startswith("Encoder **lite**, heads lite\\_heads.safetensors, ")


def test_input_that_cannot_be_used_changes_the_message_only(tab):
    shown = tab.explain_and_draw(str(CAFE), "?*", "auto", 1, "fixed")
    assert list(shown) == [tab.message]
    assert shown[tab.message].startswith("**")
    assert "only punctuation" in shown[tab.message]


def test_a_second_caption_neither_reads_nor_encodes_the_video_again(tab, monkeypatch):
    """Whoever asks it; other frames are another video, and what is kept is not for ever."""
    done = []

    def counted(step, work):
        def counting(*arguments):
            done.append(step)
            return work(*arguments)

        return counting

    monkeypatch.setattr(predictor, "read_video", counted("read", read_video))
    monkeypatch.setattr(predictor, "encode_frames", counted("encode", encode_frames))
    tab.recent.forget(0)

    def steps(caption, frames=2, weighting="fixed"):
        done.clear()
        shown = tab.explain_and_draw(str(CAFE), caption, "auto", frames, weighting)
        assert ("The video was read before." in shown[tab.notes]) == (not done)
        return shown[tab.explanation], [*done]

    both = ["read", "encode"]
    first, needed = steps("a cat")
    assert needed == both
    second, needed = steps("a cup of espresso")
    assert needed == []
    assert second.video is first.video  # its pixels are kept once
    assert second.words == ("a", "cup", "of", "espresso")
    assert steps("a cat", weighting="renormalised")[1] == []
    assert steps("a cat", frames=1)[1] == both
    tab.recent.forget(0)
    again, needed = steps("a cat")
    assert needed == both
    assert again.to_json() == first.to_json()


def test_videos_are_forgotten_with_the_explanations(tab, monkeypatch):
    asked = []
    monkeypatch.setattr(tab.recent, "forget", asked.append)
    assert tab.explanation.time_to_live == KEPT_SECONDS
    tab.explanation.delete_callback(None)  # as gradio calls it when that time is over
    assert asked == [KEPT_SECONDS]


def test_examples_are_answered_without_a_model(laid_out, monkeypatch):
    """The first one before anything is asked."""

    def none(*_):
        raise AssertionError("a model was loaded")

    monkeypatch.setattr("hbi_core.chosen_model.load_encoder", none)
    tab = laid_out(Graphs)
    assert tab.explanation.value.caption == EXAMPLES[0].caption
    assert "opened from a file" in tab.notes.value
    for number, example in enumerate(EXAMPLES):
        shown = tab.show_example(number)
        assert shown[tab.session.caption] == shown[tab.explanation].caption == example.caption
        assert shown[tab.session.video] == str(example.clip)
        assert shown[tab.session.frames] == len(shown[tab.explanation].video.times)
        assert not shown[tab.message]
    assert list(tab.show_example(99)) == [tab.message]
