"""The answerer that we ship: its file, and what it says of clips that everybody can look at."""

from __future__ import annotations

import pytest

from hbi_core.answering import Answerer
from hbi_core.checkpoints.checkpoint import SHIPPED, load_checkpoint
from hbi_core.chosen_model import choose_model
from hbi_core.inputs.text import parse_caption
from hbi_core.predictor import Predictor
from hbi_core.task_model import ANSWERS
from hbi_core.training.config import TrainConfig
from hbi_core.training.config_file import read_config
from support.demo import CAFE, ROOT


def test_the_file_is_that_of_its_configuration():
    heads = load_checkpoint(ANSWERS.file)
    assert ANSWERS.file.stat().st_size < 10_000_000
    assert heads.task.name == "question_answering"
    assert 100 < len(heads.task.settings["vocabulary"]) <= 200
    file = ROOT / "configs" / "lite_questions.yaml"
    config = read_config(TrainConfig, ["--config", str(file), f"start={SHIPPED}"])
    told = heads.training["settings"]
    assert told["task_settings"] == config.task_settings
    assert told["optimiser"] == vars(config.optimiser)
    assert told["data"]["dataset"] == config.data.dataset == "flickr8k_questions"
    assert heads.training["validation"]["all"]["top-1"] > 55


@pytest.fixture(scope="module")
def cafe():
    predictor = Predictor(*choose_model(ANSWERS.file))
    predictor.set_video(CAFE, frames=6)
    return Answerer(predictor)


def test_it_answers(cafe):
    """What it was seen to answer rightly, and numbers where a number is asked for."""
    found = cafe.answer(parse_caption("what animal is this?"))
    assert found.answers[0].text == "cat"
    counted = cafe.answer(parse_caption("how many people are there?"))
    numbers = {"one", "two", "three", "four", "five", "six"}
    assert {answer.text for answer in counted.answers[:3]} <= numbers
