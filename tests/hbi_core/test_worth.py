"""An explanation of an answer: its game, its files, and what they call its numbers."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import pytest
import torch

from explainers import BilinearGame, closed_form
from hbi_core.contrasted import Contrast
from hbi_core.errors import ExplanationError
from hbi_core.exact_vs_estimated import compare_level
from hbi_core.explain import main
from hbi_core.explanation import Explanation
from hbi_core.figures.view import FigureView
from hbi_core.worth import Worth
from support.contrasts import DOG, drawn_video, made_up

GROUPS = ((None, None), ([(0, 1), (2,)], [(0, 1), (2, 3)]))
COSINE = FigureView(measure="cosine")


@pytest.fixture(scope="module")
def answered():
    return made_up("what animal is there", drawn_video(), GROUPS, worth=DOG)


def text_of(file):
    return file.read_text(encoding="utf-8")


def test_its_levels_play_the_game_of_an_answer(answered):
    for level in answered.levels:
        game = level.game(answered.weighting)
        assert isinstance(game, BilinearGame)
        assert torch.equal(closed_form(game).values, level.interactions.values)
        assert float(game.grand_value()) == level.score


def test_a_file_says_which_game_it_is(answered):
    told = json.loads(answered.to_json())
    assert told["worth"] == {
        "game": "bilinear",
        "symbol": "logit",
        "name": "logit of the answer “dog”",
    }
    again = Explanation.from_json(answered.to_json())
    assert again.to_json() == answered.to_json()
    assert isinstance(again.levels[1].game("renormalised"), BilinearGame)


def test_a_file_without_the_key_is_of_a_similarity_and_has_none(answered):
    told = json.loads(answered.to_json())
    del told["worth"]
    again = Explanation.from_json(json.dumps(told))
    assert again.worth == Worth()
    assert "worth" not in again.to_dict()


@pytest.mark.parametrize("name", ["values", "explained"])
def test_what_older_files_lack_is_of_the_right_game(answered, name):
    told = json.loads(answered.to_json())
    for level in told["levels"]:
        del level[name]
    found = Explanation.from_json(json.dumps(told)).to_dict()["levels"][0][name]
    assert json.dumps(found) == json.dumps(answered.levels[0].to_dict()[name])


@pytest.mark.parametrize(
    ("worth", "message"),
    [
        ({"game": "cubic", "symbol": "x", "name": "x"}, "worth.game .'cubic'. is not one of"),
        ({"game": "bilinear", "name": "x"}, "worth.symbol is missing"),
        ({"game": "bilinear", "symbol": "x", "name": ""}, "worth.name .*is empty"),
        (7, "worth .7. is no object"),
    ],
)
def test_a_broken_key_is_refused(answered, worth, message):
    told = json.loads(answered.to_json()) | {"worth": worth}
    with pytest.raises(ExplanationError, match=message):
        Explanation.from_json(json.dumps(told))


def test_its_files_speak_of_the_logit_and_no_similarity(answered, tmp_path):
    answered.save(tmp_path, view=COSINE)
    figure, latex = text_of(tmp_path / "figure.svg"), text_of(tmp_path / "figure.tex")
    assert f"logit = {answered.levels[0].score:.3f}" in figure
    assert "Lines are values of the pairs alone" in figure
    told = " ".join(latex.split())
    assert "and the question ``what animal is there'', in the game of the logit of the" in told
    assert "Lines are values of the pairs alone" in told
    for document in (figure, latex):
        assert "cosine similarit" not in document
    with (tmp_path / "interactions.csv").open(newline="", encoding="utf-8-sig") as opened:
        first = next(csv.DictReader(opened))
    level = answered.levels[0]
    place = int(first["video_token"]), int(first["text_token"])
    assert float(first["similarity"]) == pytest.approx(float(level.similarity[place]), abs=1e-5)


def test_the_command_that_opens_it_names_the_logit(answered, tmp_path, capsys):
    file = tmp_path / "explanation.json"
    file.write_text(answered.to_json(), encoding="utf-8")
    assert main([str(file), "--out", str(tmp_path / "again")]) in (None, 0)
    assert capsys.readouterr().out.startswith("Logit of the answer “dog”: entity ")


def test_methods_are_compared_but_the_estimator(answered, tmp_path):
    compared = compare_level(answered, budgets=[256], seeds=[0])
    methods = [row.method for row in compared.comparison.rows]
    assert methods == ["closed_form", "enumeration", "sampling"]
    assert compared.known_error is None
    assert {file.suffix for file in compared.save(tmp_path)} >= {".pdf", ".json", ".csv"}


def test_two_answers_are_contrasted(answered, tmp_path):
    cat = replace(DOG, name="logit of the answer “cat”")
    other = made_up("what animal is there", drawn_video(), GROUPS, seed=9, worth=cat)
    contrast = Contrast(replace(answered, video=other.video), other)
    assert contrast.differs == ("answer",)
    assert contrast.told == ("logit of the answer “dog”", "logit of the answer “cat”")
    assert contrast.notes == ()
    for level in contrast.levels:
        shares = sum(player.difference for player in level.players)
        assert shares == pytest.approx(level.difference, abs=1e-12)
    contrast.save(tmp_path)
    told = (tmp_path / "contrast.tex").read_text()
    assert "A is the logit of the answer" in told
    assert "; both are with the video" in told
    assert "logit = " in text_of(tmp_path / "contrast.svg")
    similar = made_up("what animal is there", other.video, GROUPS)
    assert "on no common scale" in " ".join(Contrast(answered, similar).notes)
