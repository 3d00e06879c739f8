"""A model that answers questions, drawn at random on top of the heads that we ship."""

from __future__ import annotations

from dataclasses import replace

import torch

from hbi_core.checkpoints.checkpoint import SHIPPED, load_checkpoint, save_checkpoint
from hbi_core.losses import LossConfig
from hbi_core.tasks.question_answering import AnswerSettings, QuestionAnsweringTask

ANSWERS = ("dog", "cat", "coffee", "a <b>man</b>", "astronaut", "rocket", "$3")
QUESTION = "what animal is there?"


def write_answerer(file, answers=ANSWERS):
    """A checkpoint in which frames and words have a say in the answer, however senseless."""
    heads = load_checkpoint(SHIPPED)
    torch.manual_seed(0)
    settings = AnswerSettings(hidden=8, vocabulary=tuple(answers))
    loss = LossConfig(target="none", distillation=())
    task = QuestionAnsweringTask(heads, loss, None, settings)
    for level in task.own.levels.values():
        torch.nn.init.normal_(level.answers.weight)
    torch.nn.init.normal_(task.own.bias, std=0.3)
    measured = {"all": {"top-1": 62.5, "top-5": 90.0}, "animal": {"top-1": 71.0, "top-5": 95.0}}
    training = {"validation": measured}
    save_checkpoint(file, replace(heads, task=task.state(), training=training))
    return file
