"""The model of another task than retrieval: its file, and the task for the video of a predictor."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import torch

from hbi_core.errors import CheckpointError
from hbi_core.predictor import Predictor
from hbi_core.shipped import ASSETS
from hbi_core.tasks import Task, load_task

_Task = TypeVar("_Task", bound=Task)


@dataclass(frozen=True)
class TaskModel:
    """The model that we ship for a task.

    Attributes:
        file: of its weights.
        does: what it does, as in "the model that describes videos".
        configuration: what it is trained with.
        limits: of it, in a sentence or two.

    Example:
        >>> TaskModel(Path("captions.safetensors"), "describes", "captions", "It errs.").train
        'python -m hbi_core.train --config configs/captions.yaml --data.root DIR'
    """

    file: Path
    does: str
    configuration: str
    limits: str

    @property
    def train(self) -> str:
        """The command that trains one.

        Example:
            >>> CAPTIONS.train
            'python -m hbi_core.train --config configs/lite_captions.yaml --data.root DIR'
        """
        return (
            f"python -m hbi_core.train --config configs/{self.configuration}.yaml --data.root DIR"
        )

    def chosen(self, checkpoint: str | Path | None) -> Path:
        """The file that is meant.

        Args:
            checkpoint: one; None takes the one that we ship.

        Returns:
            Its path.

        Raises:
            CheckpointError: it is the one that we ship, and not there.

        Example:
            >>> CAPTIONS.chosen("mine.safetensors").name
            'mine.safetensors'
        """
        file = self.file if checkpoint is None else Path(checkpoint)
        if file == self.file and not file.is_file():
            raise CheckpointError(
                f"The model that {self.does}, assets/{file.name}, is not here. Train one: "
                f"{self.train}, and put its best.safetensors there, or give it as the checkpoint."
            )
        return file


ANSWERS = TaskModel(
    file=ASSETS / "lite_answers.safetensors",
    does="answers questions",
    configuration="lite_questions",
    limits="It learnt from photographs of Flickr8k: people, dogs, sports, outdoors. It cannot say "
    "yes or no, counts badly, and has seen no motion; its probabilities are often too high.",
)
CAPTIONS = TaskModel(
    file=ASSETS / "lite_captions.safetensors",
    does="describes videos",
    configuration="lite_captions",
    limits="It names what is frequent in Flickr8k: people in shirts of some colour, dogs, grass, "
    "water, snow. Numbers, colours and what somebody does are often wrong, and who is a woman is "
    "often called a man. One sentence is all that it says of a video, whatever follows.",
)


def task_of(predictor: Predictor, kind: type[_Task], dtype: torch.dtype) -> _Task:
    """The task that the model of a predictor was trained for, as a copy.

    Args:
        predictor: with its checkpoint.
        kind: of the task.
        dtype: that it computes in.

    Returns:
        The task on the device of the predictor, in evaluation mode.

    Raises:
        CheckpointError: it was trained for something else, or does not fit.

    Example:
        >>> from hbi_core.chosen_model import choose_model
        >>> from hbi_core.tasks.retrieval import RetrievalTask
        >>> task_of(Predictor(*choose_model()), RetrievalTask, torch.float32).name
        'retrieval'
    """
    heads = predictor.heads
    if heads.task.name != kind.name:
        raise CheckpointError(
            f"{heads.name} was trained for {heads.task.name}: give a checkpoint of the task "
            f"{kind.name}."
        )
    task = load_task(replace(heads, hierarchy=copy.deepcopy(heads.hierarchy)))
    assert isinstance(task, kind), "by its name"
    return task.to(next(predictor.encoder.parameters()).device, dtype)
