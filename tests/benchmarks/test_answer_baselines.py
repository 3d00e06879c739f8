"""What needs no frames to answer, and what is counted."""

from __future__ import annotations

import pytest
import torch

from benchmarks.question_answering import (
    BLIND,
    FREQUENT,
    MODEL,
    OTHER,
    QuestionOnly,
    another_photograph,
    frequent_ranks,
    gain,
    table,
    units,
)
from hbi_core.data import Clip, read_corpus
from hbi_core.data.encoding import encode_corpus
from hbi_core.losses import LossConfig
from hbi_core.tasks.question_answering import AnswerSettings
from support.small_runs import toy_heads
from support.toy import ToyEncoder


def asked(id, *questions):
    return Clip(id, (), *zip(*questions, strict=True))


KNOWN = [
    asked("a", ("who runs?", "man", "who"), ("who runs?", "dog", "who"), ("who?", "cat", "who")),
    asked("b", ("who runs?", "man", "who"), ("who?", "cat", "who"), ("where?", "snow", "where")),
]


def test_the_most_frequent_answers():
    """To the same question; where it was never asked, to one of its kind. Ties are against."""
    asking = [
        asked("c", ("who runs?", "man", "who"), ("who runs?", "dog", "who")),
        asked("d", ("who runs?", "cat", "who"), ("who sits?", "man", "who")),
        asked("e", ("who sits?", "dog", "who"), ("why?", "so", "why")),
    ]
    assert frequent_ranks(KNOWN, asking).tolist() == [1, 2, 3, 2, 3, 1]
    assert frequent_ranks(KNOWN, asking, by_text=False).tolist() == [2, 3, 2, 2, 3, 1]


@pytest.fixture
def features(small):
    corpus = read_corpus("synthetic_questions", small, "validation").subset(4)
    return encode_corpus(ToyEncoder(), corpus, 8)


def test_rows_are_counted_by_photograph(features):
    ranks = torch.tensor([1, 2, 6] * 3 + [1, 1, 1])
    assert units(ranks, features, 1) == [(1, 3), (1, 3), (1, 3), (3, 3)]
    assert units(ranks, features, 5, "direction") == [(0, 1), (0, 1), (0, 1), (1, 1)]
    rows = table({MODEL: ranks, BLIND: torch.full((12,), 2)}, features)
    assert [row[:3] for row in rows[:2]] == [["all", MODEL, "50.0 %"], ["all", BLIND, "0.0 %"]]
    assert [row[-2:] for row in rows[:2]] == [["75.0 %", "12"], ["100.0 %", "12"]]
    assert {row[0] for row in rows} == {"all", "colour", "shape", "direction"}
    found = gain({MODEL: ranks, FREQUENT: torch.full((12,), 9)}, features, FREQUENT)
    assert found.value == 0.5
    assert found.low < 0.5 < found.high


def test_what_does_not_see_the_photograph_answers_the_same_about_another(features):
    settings = AnswerSettings(hidden=8, vocabulary=("red", "left", "square", "up"))
    task = QuestionOnly(toy_heads(), LossConfig(), None, settings).eval()
    for video in (features, another_photograph(features)):
        levels = task.read(video.videos(slice(None)), features.texts([0] * 4, 24))
        logits = task.logits(levels)
        assert torch.allclose(logits, logits[:1].expand_as(logits), atol=1e-5)
    other = another_photograph(features)
    assert torch.equal(other.frames[1], features.frames[0])
    assert OTHER != BLIND
