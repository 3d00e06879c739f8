"""Questions about videos, with their answers as classes."""

from __future__ import annotations

import pytest

from hbi_core.data import read_questions
from hbi_core.data.questions import CLASSES
from hbi_core.errors import DataError
from support.releases import write_json


def test_questions_and_classes(qa):
    train = read_questions(qa, "train", missing="stop")
    assert train.answers == {"man": 0, "dog": 1, "couch": 2, "rare": 3}
    assert [question.label for question in train.questions] == [2, 1, 1, 0, 0, 0, 3]
    test = read_questions(qa, "test")
    assert [question.label for question in test.questions] == [2, None]
    first = test.questions[0]
    assert (first.video_id, first.question, first.answer, first.answer_type) == (
        "test0",
        "what is 0?",
        "couch",
        "what",
    )
    assert first.file == qa / "videos" / "test0.mp4"


def test_only_the_most_frequent_answers_of_train_are_classes(qa):
    validation = read_questions(qa, "validation", classes=2)
    assert validation.answers == {"man": 0, "dog": 1}
    assert [question.label for question in validation.questions] == [None, 0]
    # Numbered without gaps whatever the labels of the file are; those decide between equals.
    path = qa / "msrvtt_qa" / "train_ans2label.json"
    write_json(path, {"couch": 9, "rare": 8, "man": 70})
    assert read_questions(qa, "validation", classes=2).answers == {"rare": 0, "man": 1}
    assert CLASSES == 1000


def test_missing_videos_of_questions(qa):
    (qa / "videos" / "test0.mp4").unlink()
    found = read_questions(qa, "test")
    assert [question.video_id for question in found.questions] == ["test1"]
    assert found.missing == ("test0",)
    with pytest.raises(DataError, match=r"1 of 2 .*test0"):
        read_questions(qa, "test", missing="stop")
