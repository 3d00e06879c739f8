"""Questions from Python and from a shell: the answers, why, and what they are without a part."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace

import pytest
import torch

from explainers import BilinearGame, closed_form, shapley_values
from hbi_core import pipeline
from hbi_core.answering import Answerer
from hbi_core.ask import main
from hbi_core.chosen_model import choose_model
from hbi_core.encoders import encode_frames
from hbi_core.encoders.tokens import frame_tokens
from hbi_core.errors import CaptionError, CheckpointError, InputError
from hbi_core.explanation import Explanation
from hbi_core.inputs.text import parse_caption
from hbi_core.inputs.video import Video
from hbi_core.pipeline import ask
from hbi_core.predictor import Predictor
from hbi_core.recent import RecentVideos
from hbi_core.task_model import ANSWERS as SHIPPED
from hbi_core.tasks import load_task
from support.answerers import ANSWERS, QUESTION, write_answerer
from support.demo import CAFE

LEVELS = ["entity", "action", "event"]


def predicted(answerer, video, question):
    """The logits of a video and a question, from the task itself in single precision."""
    encoder, heads = choose_model(answerer)
    features = encode_frames(encoder, video.frames)
    tokens = frame_tokens(encoder, [features], len(features))
    predictor = Predictor(encoder, heads)
    text = predictor.text_players(predictor.encode_caption(parse_caption(question)))
    with torch.no_grad():
        videos = heads.hierarchy.players("video", tokens)
        texts = [
            players.map(lambda x: x.float() if x.is_floating_point() else x) for players in text
        ]
        return load_task(heads).logits(heads.hierarchy.pair(videos, texts))[0]


def test_the_answers_are_those_of_the_task(answerer, answered):
    logits = predicted(answerer, answered.explanation.video, QUESTION)
    order = logits.argsort(descending=True)[:5]
    assert [answer.text for answer in answered.answers] == [ANSWERS[number] for number in order]
    for answer, number in zip(answered.answers, order, strict=True):
        assert answer.logit == pytest.approx(float(logits[number]), abs=1e-4)
        assert answer.probability == pytest.approx(float(logits.softmax(-1)[number]), abs=1e-4)


def test_the_explanation_is_the_game_of_the_logit(answered):
    explanation, first = answered.explanation, answered.first
    assert [level.name for level in explanation.levels] == LEVELS
    assert explanation.worth.name == f"logit of the answer “{first.text}”"
    said = [level.score for level in explanation.levels]
    assert first.bias + math.fsum(said) / len(said) == pytest.approx(first.logit, abs=1e-10)
    for level in explanation.levels:
        game = level.game(explanation.weighting)
        assert isinstance(game, BilinearGame)
        assert float(shapley_values(game).sum()) == pytest.approx(level.score, abs=1e-10)
        assert (closed_form(game).values - level.interactions.values).abs().max() < 1e-12


def test_the_change_is_the_game_of_the_difference(answerer, answered):
    first, second = answered.answers[:2]
    change = answered.change
    assert change.worth.name == f"logit of “{first.text}” less that of “{second.text}”"
    said = math.fsum(level.score for level in change.levels) / len(change.levels)
    assert said == pytest.approx(first.logit - first.bias - second.logit + second.bias, abs=1e-10)
    for level, own in zip(change.levels, answered.explanation.levels, strict=True):
        assert level.text_tokens == own.text_tokens
        assert not torch.equal(level.similarity, own.similarity)


def test_what_is_left_out_is_left_out_of_the_input(answerer, answered):
    """As the same question about the other frames, and the other words about all frames."""
    video, words = answered.explanation.video, ["what", "animal", "is", "there"]
    assert [one.label for one in answered.left_out] == ["frame 1", "frame 2", "frame 3", *words]
    for one in answered.left_out:
        seen, asked = video, QUESTION
        if one.side == "video":
            kept = [frame for frame in range(3) if frame != one.index]
            times = tuple(video.times[frame] for frame in kept)
            seen = Video(video.frames[kept], times, video.duration, video.name)
        else:
            asked = " ".join(word for word in words if word != one.label) + "?"
        share = predicted(answerer, seen, asked).softmax(-1)
        assert one.answer == ANSWERS[int(share.argmax())]
        assert one.probability == pytest.approx(float(share.max()), abs=1e-4)
        first = ANSWERS.index(answered.first.text)
        assert one.of_first == pytest.approx(float(share[first]), abs=1e-4)


def test_the_weighting_is_of_the_game_and_not_of_the_answer(answerer, answered):
    fixed = ask(CAFE, QUESTION, frames=3, checkpoint=answerer, weighting="fixed")
    assert fixed.answers == answered.answers
    one, other = (found.explanation.levels[0] for found in (fixed, answered))
    assert one.score == pytest.approx(other.score, abs=1e-12)
    assert not torch.allclose(one.interactions.values, other.interactions.values)


def test_one_frame_and_one_word_have_nothing_to_be_left_out(answerer):
    found = ask(CAFE, "animal?", frames=1, checkpoint=answerer)
    assert found.left_out == ()
    assert found.sentence.count("without") == 0
    some = ask(CAFE, "animal 猫?", frames=2, checkpoint=answerer)
    assert [one.label for one in some.left_out] == ["frame 1", "frame 2"]  # 猫 was not read
    assert some.explanation.words_unreadable == ("猫",)


def test_a_vocabulary_of_one_has_no_change(tmp_path):
    alone = write_answerer(tmp_path / "yes.safetensors", ["yes"])
    found = ask(CAFE, QUESTION, frames=2, checkpoint=alone)
    assert found.change is None
    assert [answer.text for answer in found.answers] == ["yes"]
    assert "gives one of 1 answer that" in found.limits[0]
    assert "no frame and no word changes it" in found.sentence
    assert {file.name for file in found.save(tmp_path / "out")} >= {"answer.json", "figure.pdf"}


def test_the_sentence_names_what_the_answer_hangs_on(answered):
    others = [replace(one, answer="cow") for one in answered.left_out]
    told = replace(answered, left_out=tuple(others)).sentence
    assert "would be another one without frame 1 (“cow”), frame 2 (“cow”), frame 3 (“cow”)" in told
    assert told.endswith("“what” (“cow”) and 3 more.")


def test_limits_tell_what_was_measured(answered):
    assert "gives one of 7 answers" in answered.limits[0]
    assert "answered 62 % right (animal 71 %)" in answered.limits[1]
    assert len(answered.limits) == 2


def test_a_second_question_reads_no_video(answerer):
    recent = RecentVideos()
    first = ask(CAFE, QUESTION, frames=2, checkpoint=answerer, recent=recent)
    second = ask(CAFE, "who is there?", frames=2, checkpoint=answerer, recent=recent)
    assert "decoding" in first.explanation.seconds
    assert "decoding" not in second.explanation.seconds
    assert second.explanation.video is first.explanation.video


def test_files(answered, tmp_path):
    written = answered.save(tmp_path, "column")
    names = {file.relative_to(tmp_path).as_posix() for file in written}
    assert {"answer.json", "left_out.csv", "explanation.json", "figure.pdf"} <= names
    assert {"change/explanation.json", "change/figure.svg"} <= names
    told = json.loads((tmp_path / "answer.json").read_text(encoding="utf-8"))
    assert told == json.loads(answered.to_json())
    assert told["answers"][0]["text"] == answered.first.text
    with (tmp_path / "left_out.csv").open(newline="", encoding="utf-8-sig") as opened:
        rows = list(csv.DictReader(opened))
    assert [row["label"] for row in rows] == [one.label for one in answered.left_out]
    again = Explanation.from_file(tmp_path / "change" / "explanation.json")
    assert again.worth == answered.change.worth
    assert again.levels[2].score == answered.change.levels[2].score


def test_from_a_shell(answerer, tmp_path, capsys):
    arguments = [str(CAFE), QUESTION, "--frames", "3", "--checkpoint", str(answerer)]
    assert main([*arguments, "--out", str(tmp_path / "out"), "--view", "levels=entity"]) == 0
    out = capsys.readouterr().out
    assert " %  " in out.splitlines()[0]
    assert "The model always gives one of 7 answers" in out
    assert (tmp_path / "out" / "change" / "figure.pdf").is_file()
    assert main([*arguments, "--out", str(tmp_path), "--view", "top=0"]) == 2
    assert "top is 0" in capsys.readouterr().err


def test_what_cannot_be_answered_is_told(answerer, monkeypatch, tmp_path):
    with pytest.raises(CaptionError, match=r"The question has no words, .* Type a question"):
        ask(CAFE, "?", checkpoint=answerer)
    with pytest.raises(InputError, match="weighting is 'equal'"):
        ask(CAFE, QUESTION, checkpoint=answerer, weighting="equal")
    with pytest.raises(CheckpointError, match="trained for retrieval: give a checkpoint of the"):
        Answerer(Predictor(*choose_model()))
    missing = replace(SHIPPED, file=tmp_path / "lite_answers.safetensors")
    monkeypatch.setattr(pipeline, "ANSWERS", missing)
    with pytest.raises(CheckpointError, match=r"lite_answers\.safetensors, is not here\. Train"):
        ask(CAFE, QUESTION)
