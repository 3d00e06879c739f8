"""Videos that were asked about last are kept, and read once."""

from __future__ import annotations

import os
import shutil

import pytest

from hbi_core.checkpoints.checkpoint import SHIPPED
from hbi_core.errors import InputError
from hbi_core.inputs.video import VideoLimits, read_video
from hbi_core.pipeline import ask, describe, explain
from hbi_core.recent import RecentVideos
from support.answerers import QUESTION
from support.demo import CAFE
from support.toy import Counted


@pytest.fixture
def counted(monkeypatch):
    """The encoder that `explain` gets, and the videos that are read."""
    encoder, read = Counted(), []

    def reading(*arguments):
        read.append(arguments[0])
        return read_video(*arguments)

    monkeypatch.setattr("hbi_core.chosen_model.load_encoder", lambda *_: encoder)
    monkeypatch.setattr("hbi_core.predictor.read_video", reading)
    return encoder, read


def test_a_video_counts_where_it_was_read(counted):
    """Whatever came of the captions before."""
    recent, options = RecentVideos(), {"frames": 2, "encoder": "toy"}
    whole = explain(CAFE, "a cat", recent=recent, **options)
    with pytest.raises(InputError, match="weighting"):
        explain(CAFE, "a cat", weighting="softmax", recent=recent, **options | {"frames": 1})
    second = explain(CAFE, "a cat", recent=recent, **options)
    other = explain(CAFE, "a cat", recent=recent, **options | {"frames": 1})
    assert ["decoding" in told.seconds for told in (whole, second, other)] == [True, False, True]


def test_recent_videos_are_read_once(counted, tmp_path):
    """Until its content, or how it is looked at, is another; a weighting or a caption is not."""
    encoder, read = counted
    path = tmp_path / "clip.mp4"
    shutil.copy(CAFE, path)
    recent = RecentVideos()

    def encodings(caption="a cat", **options):
        explain(path, caption, **{"frames": 2, "encoder": "toy", "recent": recent} | options)
        assert len(read) == encoder.calls
        return encoder.calls

    assert encodings() == 1
    assert encodings("a cup") == 1
    assert encodings(weighting="fixed") == 1
    assert encodings(frames=2.0) == 1
    assert encodings(frames=3) == 2
    assert encodings(frames=2) == 2
    assert encodings(recent=None) == 3
    path.write_bytes(CAFE.read_bytes())
    os.utime(path, ns=(0, 0))  # uploaded again
    assert encodings() == 3
    path.write_bytes(CAFE.read_bytes() + bytes(8))
    assert encodings() == 4


def test_only_so_many_videos_are_kept(counted):
    """The one that was not asked about for longest gives way."""
    encoder, _ = counted
    recent = RecentVideos(videos=2)

    def encodings(frames):
        explain(CAFE, "a cat", frames=frames, encoder="toy", recent=recent)
        return encoder.calls

    assert [encodings(frames) for frames in (1, 2, 1, 3, 1, 2)] == [1, 2, 2, 3, 3, 4]


def test_videos_that_nobody_asks_about_are_forgotten(counted):
    encoder, _ = counted
    recent = RecentVideos()
    for unused_seconds, calls in ((3600, 1), (0, 2)):
        explain(CAFE, "a cat", frames=1, encoder="toy", recent=recent)
        recent.forget(unused_seconds)
        explain(CAFE, "a cat", frames=1, encoder="toy", recent=recent)
        assert encoder.calls == calls


def test_nothing_costly_comes_before_what_is_refused(counted):
    encoder, read = counted
    for caption, options in [
        ("...", {}),
        ("a cat", {"weighting": []}),
        ("a cat", {"frames": []}),
    ]:
        with pytest.raises(InputError):
            explain(CAFE, caption, recent=RecentVideos(), **options)
    assert (encoder.calls, read) == (0, [])


def test_the_same_video_asked_for_in_other_words():
    recent = RecentVideos()
    first = explain(CAFE, "a cat", frames=12, recent=recent)
    for options in ({}, {"encoder": "lite"}, {"limits": VideoLimits()}, {"checkpoint": SHIPPED}):
        assert explain(CAFE, "a cup", recent=recent, **options).video is first.video


@pytest.mark.parametrize(
    ("limits", "kept"),
    [
        ({}, True),
        ({"videos": 1}, False),
        ({"most_bytes": 1}, False),
        ({"unused_seconds": 9}, False),
    ],
)
def test_recent_videos_are_few_small_and_young(counted, limits, kept):
    now = iter(range(0, 1000, 5))
    recent = RecentVideos(**limits, clock=lambda: next(now))
    videos = [
        explain(CAFE, "a cat", frames=frames, encoder="toy", recent=recent).video
        for frames in (1, 2, 2, 1)
    ]
    assert videos[2] is videos[1]  # the latest is held, however large it is
    assert (videos[3] is videos[0]) == kept


def test_a_video_that_is_held_loads_no_model(monkeypatch):
    """Not even where other models have taken the place of its own."""
    loaded = []

    def load(name, *_):
        loaded.append(name)
        return Counted()

    monkeypatch.setattr("hbi_core.chosen_model.load_encoder", load)
    recent = RecentVideos(models=1)
    for encoder in ("toy", "other", "toy"):
        explain(CAFE, "a cat", frames=2, encoder=encoder, recent=recent)
    assert loaded == ["toy", "other"]


def test_a_caption_is_explained_once(counted):
    """As long as its video is held; with another weighting it is another answer."""
    recent, options = RecentVideos(), {"frames": 2, "encoder": "toy"}
    first = explain(CAFE, "a cat", recent=recent, **options)
    again = explain(CAFE, "a cat", recent=recent, **options)
    assert again.levels is first.levels
    assert (again.video, again.seconds) == (first.video, {})
    assert again.to_json() == first.to_json()
    for caption, more in (("a cup", {}), ("a cat", {"weighting": "fixed"}), ("a cat", {})):
        if not more:
            recent.forget(0)
        other = explain(CAFE, caption, recent=recent, **options | more)
        assert other.levels is not first.levels
        assert other.seconds


def test_a_question_is_answered_once(answerer, tmp_path):
    """As long as the model is the same; other words or another weighting are another question."""
    file = tmp_path / "answers.safetensors"
    shutil.copy(answerer, file)
    recent, options = RecentVideos(), {"frames": 2, "checkpoint": file}
    first = ask(CAFE, QUESTION, recent=recent, **options)
    again = ask(CAFE, QUESTION, recent=recent, **options)
    assert first.explanation.seconds
    assert (again.explanation.seconds, again.left_out) == ({}, first.left_out)
    assert again.change is first.change
    assert again.to_json() == first.to_json()
    for question, more in (
        ("who is there?", {}),
        (QUESTION, {"weighting": "fixed"}),
        (QUESTION, {"frames": 3}),
    ):
        assert ask(CAFE, question, recent=recent, **options | more).explanation.seconds
    os.utime(file, ns=(0, 0))  # another model, for all that is known
    assert ask(CAFE, QUESTION, recent=recent, **options).explanation.seconds


def test_a_video_is_described_once(captioner):
    """With the same beams, frames and model; it is no answer to a caption."""
    recent, options = RecentVideos(), {"frames": 2, "checkpoint": captioner}
    first = describe(CAFE, recent=recent, **options)
    again = describe(CAFE, recent=recent, **options)
    assert first.explanation.seconds
    assert again.explanation.seconds == {}
    assert again.explanation.levels is first.explanation.levels
    assert again.to_json() == first.to_json()
    for more in ({"beams": 1}, {"frames": 3}):
        other = describe(CAFE, recent=recent, **options | more)
        assert other.explanation.seconds
    assert len(describe(CAFE, recent=recent, **options).captions) == len(first.captions)


def test_what_is_stopped_is_not_held(captioner):
    recent = RecentVideos()

    def stopping(share, step):
        if share > 0.75:
            raise InputError("Stopped.")

    with pytest.raises(InputError, match="Stopped"):
        describe(CAFE, frames=2, checkpoint=captioner, progress=stopping, recent=recent)
    assert describe(CAFE, frames=2, checkpoint=captioner, recent=recent).explanation.seconds
