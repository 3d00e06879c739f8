"""Models of one's own: their answers become what the same games become with our models."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from explainers import SimilarityGame, closed_form
from hbi_core.errors import CaptionError, InputError
from hbi_core.explanation import Explanation
from hbi_core.inputs.video import Video
from hbi_core.level import Level
from hbi_core.own_model import (
    CoalitionValues,
    OwnModelError,
    TokenFeatures,
    TokenSimilarities,
    explain_answer,
    load_own_model,
)
from hbi_core.own_predictor import OwnPredictor
from hbi_core.pipeline import explain
from hbi_core.recent import RecentVideos
from support.demo import CAFE, ROOT, SAVED
from support.documents import BLOCK
from support.oracles import random_game

WORDS = ("red", "green", "blue")


def video_of(frames):
    pictures = np.arange(frames * 8 * 8 * 3, dtype=np.uint8).reshape(frames, 8, 8, 3)
    return Video(pictures, tuple(map(float, range(frames))), float(frames), "made.mp4")


def as_function(game, **settings):
    """The game as one whose inside is not known."""
    return CoalitionValues(value=game.coalition_values, **settings)


def test_features_make_the_game_of_their_cosines():
    generator = torch.Generator().manual_seed(0)
    video, text = (torch.randn(n, 5, generator=generator) for n in (4, 3))
    logits = torch.tensor([0.0, 1.0, 2.0])
    answer = TokenFeatures(video=video.numpy(), text=text, text_logits=logits)
    level = explain_answer(answer, video_of(4), WORDS, "mine").levels[0]
    cosines = torch.cosine_similarity(video.double()[:, None], text.double(), dim=-1)
    assert (level.similarity - cosines).abs().max() < 1e-12
    game = SimilarityGame(cosines, torch.zeros(4).double(), logits.double())
    played = closed_form(game, pairs="all")
    assert (level.interactions.values - played.values[:4, 4:]).abs().max() < 1e-12
    values = torch.cat([level.video_values, level.text_values])
    assert (values - played.player_values).abs().max() < 1e-12
    assert level.score == pytest.approx(float(game.grand_value()))
    assert [token.text for token in level.text_tokens] == list(WORDS)


@pytest.mark.parametrize("weighting", ["renormalised", "fixed"])
def test_a_function_gives_what_the_same_game_gives_in_closed_form(weighting):
    game = random_game(4, 3, weighting)
    answer = TokenSimilarities(
        similarity=game.similarity, video_logits=game.video_logits, text_logits=game.text_logits
    )
    known = explain_answer(answer, video_of(4), WORDS, "mine", weighting=weighting).levels[0]
    explanation = explain_answer(as_function(game), video_of(4), WORDS, "mine")
    level = explanation.levels[0]
    assert level.interactions.method == "enumeration"
    assert level.score == pytest.approx(known.score)
    for name in ("video_values", "text_values"):
        assert (getattr(level, name) - getattr(known, name)).abs().max() < 1e-12
    assert (level.interactions.values - known.interactions.values).abs().max() < 1e-12
    for name, share in known.explained.shares().items():
        assert float(level.explained.shares()[name]) == pytest.approx(float(share), abs=1e-9)
    if weighting == "renormalised":  # two alone are worth their similarity
        assert (level.similarity - known.similarity).abs().max() < 1e-12


def test_many_players_are_sampled_and_what_is_not_known_is_not_told(tmp_path):
    game = random_game(12, 6)
    words = tuple("abcdef")
    explanation = explain_answer(as_function(game, coalitions=8192), video_of(12), words, "mine")
    level = explanation.levels[0]
    exact = closed_form(game).values
    error = level.interactions.standard_error
    assert ((level.interactions.values - exact).abs() < 5 * error).all()
    assert level.explained is None
    again = Explanation.from_json(explanation.to_json())
    assert again.to_json() == explanation.to_json()
    assert "explained" not in json.loads(explanation.to_json())["levels"][0]
    assert {file.name for file in explanation.save(tmp_path)} == SAVED
    with (tmp_path / "levels.csv").open(encoding="utf-8-sig") as file:
        (row,) = csv.DictReader(file)
    assert (row["level"], row["rest"], row["r_squared"]) == ("entity", "", "")


def test_only_its_model_plays_a_function():
    explanation = explain_answer(as_function(random_game(2, 3)), video_of(2), WORDS, "mine")
    with pytest.raises(InputError, match="only its model"):
        explanation.levels[0].game(explanation.weighting)
    data = json.loads(explanation.to_json())
    del data["levels"][0]["values"]
    with pytest.raises(InputError, match="values is missing"):
        Explanation.from_json(json.dumps(data))


def test_the_labels_may_be_the_models_own():
    answer = TokenSimilarities(similarity=np.eye(2), labels=("red gr", "een"))
    explanation = explain_answer(answer, video_of(2), WORDS, "mine")
    assert explanation.words == ("red gr", "een")
    assert explanation.caption == "red green blue"


def nothing(members):
    return torch.full((len(members),), torch.nan)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (TokenSimilarities(similarity=np.eye(2)), r"\[2, 2\] for 2 frames and 3 words"),
        (TokenSimilarities(similarity=np.full((2, 3), np.nan)), "not finite"),
        (TokenSimilarities(similarity=np.eye(2, 3), text_logits=np.zeros(2)), "text_logits"),
        (
            TokenFeatures(video=np.ones((2, 4)), text=np.ones((3, 5))),
            r"must be \[V, D\] and \[T, D\]",
        ),
        (CoalitionValues(value=nothing), "not finite"),
        (CoalitionValues(value=lambda members: members), "must be real numbers"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused(answer, message):
    with pytest.raises(OwnModelError, match=f"What mine answered cannot be explained: .*{message}"):
        explain_answer(answer, video_of(2), WORDS, "mine")


class Counting:
    """A model that counts how often it encodes."""

    name = "counting"

    def __init__(self):
        self.encoded = 0

    def encode(self, frames):
        self.encoded += 1
        return frames.mean((1, 2))

    def answer(self, encoded, words):
        return TokenFeatures(video=encoded, text=np.ones((len(words), 3)))


def test_a_video_is_encoded_once_for_all_captions():
    model = Counting()
    predictor = OwnPredictor(model)
    with pytest.raises(RuntimeError, match="set_video comes before"):
        predictor.explain("a cat")
    predictor.set_video(CAFE, frames=2)
    first = predictor.explain("a cat", with_video=True)
    second = predictor.explain(" ".join(["word"] * 70))
    assert model.encoded == 1
    assert (list(first.seconds), list(second.seconds)) == (
        ["decoding", "encoding", "answering", "game"],
        ["answering", "game"],
    )
    assert len(second.words_left_out) == 6
    with pytest.raises(CaptionError):
        predictor.explain("...")


@pytest.mark.parametrize("factory", ["tiny_clip", "masked_clip"])
def test_the_example_is_explained_drawn_and_saved(factory, tmp_path):
    recent = RecentVideos()
    encoder = f"own:examples.own_model:{factory}"
    explanation = explain(CAFE, "A tabby cat", frames=3, encoder=encoder, recent=recent)
    assert explanation.encoder.startswith("a tiny CLIP")
    assert [level.name for level in explanation.levels] == ["entity"]
    assert isinstance(explanation.levels[0], Level)
    assert {file.name for file in explanation.save(tmp_path)} == SAVED
    said = " ".join((tmp_path / "figure.tex").read_text().split())
    assert f" Model {explanation.encoder}" in said  # and no heads
    assert "heads" not in said
    again = explain(CAFE, "A tabby cat", frames=3, encoder=encoder, recent=recent)
    assert again.video is explanation.video
    assert replace(again, seconds={}).to_json() == explanation.to_json()
    with pytest.raises(InputError, match="one video and one caption"):
        recent.model(encoder=encoder)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("no.such.module:model", "cannot be loaded: No module named"),
        ("json:no_such_function", "cannot be loaded: .*no_such_function"),
        ("json", "cannot be loaded"),
        ("", "cannot be loaded"),
        ("builtins:list", "makes list, which lacks name"),
    ],
)
def test_a_model_that_is_not_there_is_told(place, message):
    with pytest.raises(OwnModelError, match=message):
        load_own_model(place)


def test_it_takes_no_checkpoint():
    with pytest.raises(OwnModelError, match="leave the checkpoint out"):
        explain(CAFE, "a cat", encoder="own:builtins:list", checkpoint="best.safetensors")


def test_the_document_says_what_is_so(tmp_path, monkeypatch):
    text = (ROOT / "docs" / "own_model.md").read_text()
    of_class, without_video = (code for kind, code in BLOCK.findall(text) if kind == "python")
    (tmp_path / "my_module.py").write_text(of_class)
    monkeypatch.syspath_prepend(tmp_path)
    explanation = explain(CAFE, "green blur", frames=2, encoder="own:my_module:Colours")
    assert (explanation.encoder, explanation.words) == ("colours", ("green", "blur"))
    monkeypatch.chdir(tmp_path)
    exec(compile(without_video, "own_model.md", "exec"), {})
    assert {file.name for file in (tmp_path / "out").iterdir()} == SAVED
