"""Questions about videos, with their answers."""

from __future__ import annotations

import json

import pytest

from hbi_core.data import Clip, read_corpus
from hbi_core.data.clips import digest
from hbi_core.errors import DataError
from support.releases import write_lines


def test_questions_with_their_answers(qa):
    train = read_corpus("msrvtt_qa", qa, "train", missing="stop")
    answers = ["couch", "dog", "dog", "man", "man", "man", "rare"]
    assert train.clips == tuple(
        Clip(
            f"train{number}",
            (qa / "videos" / f"train{number}.mp4",),
            (f"what is {number}?",),
            (answer,),
            ("what",),
        )
        for number, answer in enumerate(answers)
    )
    both = read_corpus("msrvtt_qa", qa, "train+validation")
    assert [clip.answers for clip in both.clips] == [(a,) for a in [*answers, "rare", "man"]]


def test_several_questions_about_a_video_are_one_clip(qa):
    """In the order of the file; without those that have no word, or no answer."""
    asked = [
        ("v1", "what  is it?", "cat", "what"),
        ("v2", "who is it?", "man", "who"),
        ("v1", "???", "cat", "what"),
        ("v1", "when?", " ", "when"),
        ("v1.mp4", "how is it?", "fast", "how"),
    ]
    names = ("video_id", "question", "answer", "answer_type")
    records = [json.dumps(dict(zip(names, one, strict=True))) for one in asked]
    write_lines(qa / "msrvtt_qa" / "val.jsonl", *records)
    for id in ("v1", "v2"):
        (qa / f"{id}.mp4").touch()
    first, second = read_corpus("msrvtt_qa", qa, "validation").clips
    assert first.captions == ("what is it?", "how is it?")
    assert (first.answers, first.kinds) == (("cat", "fast"), ("what", "how"))
    assert (second.id, second.captions, second.answers) == ("v2", ("who is it?",), ("man",))


def test_missing_videos_of_questions(qa):
    (qa / "videos" / "test0.mp4").unlink()
    found = read_corpus("msrvtt_qa", qa, "test")
    assert [clip.id for clip in found.clips] == ["test1"]
    assert found.missing == ("test0",)
    with pytest.raises(DataError, match=r"1 of 2 .*test0"):
        read_corpus("msrvtt_qa", qa, "test", missing="stop")


def test_a_digest_changes_with_an_answer():
    clips = [Clip("a", (), ("what is it?",), (answer,), ("what",)) for answer in ("cat", "dog")]
    told = [Clip("a", (), ("what is it?",))]
    assert len({digest(clips[:1]), digest(clips[1:]), digest(told)}) == 3
    assert digest(told) == "aad38e81699cef5f"  # as before there were questions, so that runs go on


def test_questions_about_drawings(tmp_path):
    (tmp_path / "drawing.json").write_text(
        json.dumps({"frames": 2, "size": 16, "colours": ["red"], "shapes": ["cross"], "train": 1})
    )
    told = read_corpus("synthetic", tmp_path, "validation")
    asked = read_corpus("synthetic_questions", tmp_path, "validation")
    assert [clip.files for clip in asked.clips] == [clip.files for clip in told.clips]
    for caption, question in zip(told.clips, asked.clips, strict=True):
        colour, shape, direction = question.answers
        assert caption.captions == (f"a {colour} {shape} moves {direction}",)
        assert question.kinds == ("colour", "shape", "direction")
        assert len(question.captions) == 3
