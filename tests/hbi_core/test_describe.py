"""Captions from Python and from a shell: what is written, and the game of frames behind it."""

from __future__ import annotations

import csv
import json
import math
import re
from dataclasses import replace

import pytest
import torch

from explainers import enumerate_coalitions
from hbi_core import pipeline
from hbi_core.chosen_model import choose_model
from hbi_core.describe import main
from hbi_core.describing import Describer
from hbi_core.encoders import encode_frames
from hbi_core.errors import CheckpointError, InputError, NotFiniteError
from hbi_core.explanation import Explanation
from hbi_core.model import Tokens
from hbi_core.model.decoder import END, Memory
from hbi_core.pipeline import describe
from hbi_core.predictor import Predictor
from hbi_core.recent import RecentVideos
from hbi_core.task_model import CAPTIONS
from hbi_core.tasks import load_task
from support.captioners import write_captioner
from support.demo import CAFE, ROOT

LEVELS = ["entity", "action", "event"]


@pytest.fixture(scope="module")
def model(captioner, described):
    """The task itself, and the features of the frames that were described."""
    encoder, heads = choose_model(captioner)
    features = encode_frames(encoder, described.explanation.video.frames)
    return load_task(heads), features


def log_probabilities(model, words, kept):
    """Of the words, from a video that has these frames alone, one word after another."""
    task, features = model
    numbers = torch.tensor([task.numbers[word] for word in words])
    with torch.no_grad():
        memory = task.memory(Tokens.original(features[None, list(kept) or [0]]))
        if not kept:  # the token that is always there is the only one
            memory = Memory(memory.features[:, :1], memory.mask[:, :1])
        found = []
        for place, number in enumerate(numbers):  # each after those before it
            following = task.own(memory, numbers[None, :place])
            found.append(float(following[0, -1, number]))
    return torch.tensor(found, dtype=torch.float64)


def gains(model, words):
    """g of all words for all sets of frames: {set: [L]}."""
    count = len(model[1])
    sets = [tuple(f for f in range(count) if code >> f & 1) for code in range(2**count)]
    return {
        kept: log_probabilities(model, words, kept) - log_probabilities(model, words, ())
        for kept in sets
    }


@pytest.fixture(scope="module")
def known(model, described):
    return gains(model, described.explanation.words)


def brute(level, known):
    """The whole game of a level, by all coalitions of its frames, clips and words."""
    videos, texts = level.video_tokens, level.text_tokens

    def value(members):
        values = []
        for row in members.tolist():
            shown = [t.frames for t, there in zip(videos, row, strict=False) if there]
            kept = tuple(sorted(frame for frames in shown for frame in frames))
            said = [t.words for t, there in zip(texts, row[len(videos) :], strict=True) if there]
            values.append(sum(float(known[kept][word]) for words in said for word in words))
        return torch.tensor(values, dtype=torch.float64)

    return enumerate_coalitions(value, players=len(videos) + len(texts))


def test_the_caption_is_the_best_of_the_beam(model, described):
    task, features = model
    with torch.no_grad():
        written = task.write(task.memory(Tokens.original(features[None])))
    assert [caption.text for caption in described.captions] == [
        task.text(row) for row in written.words[0]
    ]
    assert described.caption == described.captions[0].text
    for number, caption in enumerate(described.captions):
        expected = float(written.log_probabilities[0, number].sum())
        assert caption.log_probability == pytest.approx(expected, abs=1e-4)
        assert caption.score == pytest.approx(float(written.scores[0, number]), abs=1e-4)
    scores = [caption.score for caption in described.captions]
    assert scores == sorted(scores, reverse=True)
    assert END not in written.words[0, 0, : len(described.words)]


def test_each_word_has_its_probability_with_and_without_the_video(model, described):
    words = described.explanation.words
    assert [word.text for word in described.words] == list(words)
    frames = range(len(model[1]))
    for kept, name in ((frames, "probability"), ((), "without_video")):
        expected = log_probabilities(model, words, kept).exp()
        found = torch.tensor([getattr(word, name) for word in described.words])
        assert (found - expected).abs().max() < 1e-5


@pytest.mark.parametrize("number", range(3))
def test_interactions_are_those_of_the_whole_game(described, known, number):
    """Eq. 3 of frames and words in φ(A, B) = Σ_{w in B} log p(w | frames A) less that of no frame.

    Against all coalitions of both sides, for which the model reads videos without some frames.
    """
    level = described.explanation.levels[number]
    assert level.name == LEVELS[number]
    found = brute(level, known)
    videos = len(level.video_tokens)
    assert (level.interactions.values - found.values[:videos, videos:]).abs().max() < 1e-4
    assert (level.video_values - found.player_values[:videos]).abs().max() < 1e-4
    assert (level.text_values - found.player_values[videos:]).abs().max() < 1e-4
    assert level.interactions.method == "enumeration"


def test_the_interaction_is_that_of_the_log_probability_itself(described, known, model):
    """What is taken away, the value without frames, changes no interaction."""
    level = described.explanation.levels[0]
    base = log_probabilities(model, described.explanation.words, ())
    found = brute(level, {kept: gain + base for kept, gain in known.items()})
    videos = len(level.video_tokens)
    assert (level.interactions.values - found.values[:videos, videos:]).abs().max() < 1e-4


def test_scores_and_pairs_are_gains(described, known):
    everyone = tuple(range(3))
    for level in described.explanation.levels:
        assert level.score == pytest.approx(float(known[everyone].sum()), abs=1e-4)
        for video, clip in enumerate(level.video_tokens):
            for text, phrase in enumerate(level.text_tokens):
                expected = sum(float(known[clip.frames][word]) for word in phrase.words)
                assert float(level.similarity[video, text]) == pytest.approx(expected, abs=1e-4)
    told = described.explanation.worth
    assert (told.game, told.symbol) == ("function", "gain")
    assert told.title == "Gain in log-probability of the caption"
    gain = sum(math.log(word.probability / word.without_video) for word in described.words)
    assert described.explanation.levels[0].score == pytest.approx(gain, abs=1e-4)


def test_players_are_words_phrases_and_the_caption(described):
    entity, action, event = described.explanation.levels
    words = range(len(described.words))
    assert [token.words for token in entity.text_tokens] == [(word,) for word in words]
    assert [token.words for token in event.text_tokens] == [tuple(words)]
    assert [word for token in action.text_tokens for word in token.words] == list(words)
    for level in (entity, action, event):
        frames = sorted(frame for token in level.video_tokens for frame in token.frames)
        assert frames == [0, 1, 2]


def test_phrases_are_english(captioner, tmp_path):
    english = write_captioner(tmp_path / "english.safetensors", ["the", "of", "with", "cup"])
    level = describe(CAFE, frames=2, checkpoint=english).explanation.levels[1]
    assert max(len(token.words) for token in level.text_tokens) > 1
    other = write_captioner(tmp_path / "german.safetensors", ["der", "und", "Hund"])
    level = describe(CAFE, frames=2, checkpoint=other).explanation.levels[1]
    assert {len(token.words) for token in level.text_tokens} == {1}


def test_more_frames_are_sampled_and_told_so(captioner, model, described):
    predictor = Predictor(*choose_model(captioner))
    predictor.set_video(CAFE, frames=14)
    found = Describer(predictor).describe(coalitions=512, seed=3)
    entity, action, _ = found.explanation.levels
    assert entity.interactions.method == "sample_coalitions"
    assert entity.interactions.standard_error.shape == entity.interactions.values.shape
    assert entity.explained is None
    assert action.interactions.exact
    (note,) = found.explanation.notes
    assert re.search(r"5\d\d at the entity level, 64 at the action level", note)
    assert "a sample, with standard errors of up to" in note
    assert "exact" in described.explanation.notes[0]
    again = Explanation.from_json(found.explanation.to_json())
    assert not again.levels[0].interactions.exact
    assert again.levels[1].interactions.exact
    errors = [level.interactions.standard_error for level in again.levels]
    assert torch.equal(errors[0], entity.interactions.standard_error)
    assert errors[1:] == [None, None]


def test_files_of_a_sample_tell_how_sure_each_number_is(captioner, tmp_path):
    predictor = Predictor(*choose_model(captioner))
    predictor.set_video(CAFE, frames=13)
    explanation = Describer(predictor).describe(coalitions=256).explanation
    explanation.save(tmp_path)
    with (tmp_path / "interactions.csv").open(newline="", encoding="utf-8-sig") as opened:
        rows = list(csv.DictReader(opened))
    error = explanation.levels[0].interactions.standard_error
    for row in rows:
        place = int(row["video_token"]), int(row["text_token"])
        assert row["standard_error"] == (
            str(float(error[place])) if row["level"] == "entity" else ""
        )
    latex = " ".join((tmp_path / "figure.tex").read_text(encoding="utf-8").split())
    assert "(estimated at the entity level, exact at the others); colours" in latex
    told = json.loads(explanation.to_json())
    told["levels"][0]["standard_error"][2][0] = -1.0
    with pytest.raises(InputError, match=r"standard_error\[2\]\[0\] \(-1.0\) is less than 0"):
        Explanation.from_json(json.dumps(told))


def test_the_model_reads_in_chunks_of_bounded_size_and_tells(captioner, monkeypatch):
    """As many sets of frames at once as are allowed, and not one more."""
    read = []
    forward = Memory.__init__

    def counted(self, features, mask):
        read.append(len(features))
        forward(self, features, mask)

    monkeypatch.setattr(Memory, "__init__", counted)
    told = []
    found = describe(
        CAFE, frames=10, checkpoint=captioner, progress=lambda *step: told.append(step)
    )
    assert max(read) == 3072 // 10
    assert sum(read) > 1024
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert shares[-1] <= 1
    steps = [step for _, step in told]
    assert "Writing the caption" in steps
    assert sum("sets of frames" in step for step in steps) > 4
    assert found.explanation.levels[0].interactions.coalitions_evaluated == 1024


def test_it_can_be_stopped(captioner):
    class StoppedError(InputError):
        pass

    def stop(share, step):
        if "sets of frames" in step:
            raise StoppedError("Stopped.")

    with pytest.raises(StoppedError):
        describe(CAFE, frames=4, checkpoint=captioner, progress=stop)


def test_beams_are_chosen(captioner, described):
    one = describe(CAFE, frames=3, checkpoint=captioner, beams=1)
    assert len(one.captions) == 1
    assert len(described.captions) == 3
    for beams in (0, 33, 1.5):
        with pytest.raises(InputError, match="beams were asked for"):
            describe(CAFE, frames=3, checkpoint=captioner, beams=beams)


def test_a_vocabulary_of_one_word_has_few_captions(tmp_path):
    alone = write_captioner(tmp_path / "cat.safetensors", ["cat"], beams=9)
    found = describe(CAFE, frames=1, checkpoint=alone)
    assert {word for caption in found.captions for word in caption.text.split()} == {"cat"}
    assert len(found.captions) == 6  # of one to six words, and no more
    assert {file.name for file in found.save(tmp_path / "out")} >= {"figure.pdf"}


def test_limits_tell_what_was_learnt_and_measured(described):
    known, measured = described.limits
    assert "with the 10 words that it has learnt" in known
    assert "trained on flickr8k" in measured
    assert measured.endswith("BLEU-4 16.2, CIDEr 44.5.")


def test_the_model_that_we_ship_has_its_own_limits():
    """Those of its card, to the word."""
    found = describe(CAFE, frames=2)
    assert found.limits[1] == CAPTIONS.limits
    assert found.limits[2].endswith(" (tokenizer of ours).")  # its numbers are those of training
    card = (ROOT / "assets" / "README.md").read_text(encoding="utf-8")
    (section,) = [part for part in card.split("\n## ") if part.startswith("Model card: lite_capt")]
    for sentence in CAPTIONS.limits.split(". "):
        assert sentence.removesuffix(".") in " ".join(section.split())
    assert found.explanation.checkpoint == "lite_captions.safetensors"


def test_a_second_time_no_video_is_read(captioner):
    recent = RecentVideos()
    first = describe(CAFE, frames=2, checkpoint=captioner, recent=recent)
    second = describe(CAFE, frames=2, checkpoint=captioner, beams=2, recent=recent)
    assert list(first.explanation.seconds) == ["decoding", "encoding", "merging", "writing", "game"]
    assert list(second.explanation.seconds) == ["writing", "game"]
    assert second.explanation.to_json() == first.explanation.to_json()


def test_files(described, tmp_path):
    names = {file.name for file in described.save(tmp_path, "column")}
    assert {"description.json", "words.csv", "captions.csv", "explanation.json"} <= names
    told = json.loads((tmp_path / "description.json").read_text(encoding="utf-8"))
    assert told == json.loads(described.to_json())
    with (tmp_path / "words.csv").open(newline="", encoding="utf-8-sig") as opened:
        rows = list(csv.DictReader(opened))
    assert [row["text"] for row in rows] == [word.text for word in described.words]
    again = Explanation.from_file(tmp_path / "explanation.json")
    assert again.to_json() == described.explanation.to_json()
    latex = " ".join((tmp_path / "figure.tex").read_text(encoding="utf-8").split())
    assert "in the game of the gain in log-probability of the caption" in latex
    assert "Lines are exact Banzhaf interactions" in latex
    assert "function" not in latex
    figure = (tmp_path / "figure.svg").read_text(encoding="utf-8")
    assert f"gain = {described.explanation.levels[0].score:.3f}" in figure


def test_from_a_shell(captioner, tmp_path, capsys):
    arguments = [str(CAFE), "--frames", "2", "--checkpoint", str(captioner)]
    assert main([*arguments, "--out", str(tmp_path / "out"), "--view", "levels=entity"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0].startswith(" ")
    assert "%, without the video" in out
    assert "The model writes a caption of any video" in out
    assert (tmp_path / "out" / "figure.pdf").is_file()
    assert main([*arguments, "--out", str(tmp_path), "--view", "top=0"]) == 2
    assert "top is 0" in capsys.readouterr().err
    assert main([*arguments, "--out", str(tmp_path), "--view", "sides=1"]) == 2
    assert "which only its model can play" in capsys.readouterr().err


def test_what_cannot_be_described_is_told(answerer, monkeypatch, tmp_path):
    with pytest.raises(CheckpointError, match="trained for question_answering: give"):
        describe(CAFE, frames=2, checkpoint=answerer)
    gone = replace(CAPTIONS, file=tmp_path / "lite_captions.safetensors")
    monkeypatch.setattr(pipeline, "CAPTIONS", gone)
    with pytest.raises(CheckpointError, match=r"lite_captions\.safetensors, is not here. Train"):
        describe(CAFE)


def test_a_model_that_diverged_is_told(tmp_path):
    file = write_captioner(tmp_path / "nan.safetensors")
    encoder, heads = choose_model(file)
    for tensor in heads.task.tensors.values():
        tensor.fill_(math.nan)
    predictor = Predictor(encoder, heads)
    predictor.set_video(CAFE, frames=2)
    with pytest.raises(NotFiniteError, match="are not finite"):
        Describer(predictor).describe()


def test_a_file_of_a_function_has_no_game_of_tokens(described):
    told = json.loads(described.explanation.to_json())
    told["model"]["weighting"] = "fixed"
    with pytest.raises(InputError, match="of a game of tokens, but worth is of a function"):
        Explanation.from_json(json.dumps(told))
    with pytest.raises(InputError, match="only its model can play"):
        described.explanation.levels[0].game("function")
