"""What a model is trained for: a task turns a batch into named losses."""

from typing import Any

from hbi_core.checkpoints.checkpoint import Checkpoint
from hbi_core.encoders import Encoder
from hbi_core.errors import CheckpointError, SettingsError
from hbi_core.losses import LossConfig
from hbi_core.settings import from_plain
from hbi_core.tasks.base import Task
from hbi_core.tasks.captioning import CaptioningTask
from hbi_core.tasks.question_answering import QuestionAnsweringTask
from hbi_core.tasks.retrieval import RetrievalTask

TASKS: dict[str, type[Task]] = {
    task.name: task for task in (RetrievalTask, QuestionAnsweringTask, CaptioningTask)
}


def task_named(name: str) -> type[Task]:
    """The task of a configuration.

    Raises:
        SettingsError: there is none of this name.
    """
    if name not in TASKS:
        raise SettingsError(f"There is no task {name!r}. Choose one of {', '.join(TASKS)}.")
    return TASKS[name]


def load_task(heads: Checkpoint, encoder: Encoder | None = None) -> Task:
    """The task that a model was trained for, with its settings and tensors, in evaluation mode.

    Args:
        heads: a checkpoint, as `hbi_core.checkpoints.checkpoint.load_checkpoint` gives it.
        encoder: one for batches of pixels and captions; None where they hold features.

    Raises:
        CheckpointError: this program has no such task, or what the checkpoint tells of it does not
            fit.
    """
    try:
        kind = task_named(heads.task.name)
    except SettingsError as error:
        raise CheckpointError(f"The task of {heads.name} cannot be loaded: {error}") from error
    task = kind(heads, LossConfig(), encoder, settings_of(heads, kind))
    fill_task(task, heads)
    return task.eval()


def settings_of(heads: Checkpoint, kind: type[Task]) -> Any:
    """What a checkpoint knows of the settings of its task, which is of this kind.

    Raises:
        CheckpointError: they do not fit.
    """
    try:
        return from_plain(kind.Settings, heads.task.settings)
    except SettingsError as error:
        raise CheckpointError(f"The task of {heads.name} cannot be loaded: {error}") from error


def fill_task(task: Task, heads: Checkpoint) -> None:
    """Copy what a checkpoint adds to the model for its task, which is of the same kind.

    Raises:
        CheckpointError: it does not fit.
    """
    try:
        task.own.load_state_dict(heads.task.tensors)
    except RuntimeError as error:
        raise CheckpointError(f"The task of {heads.name} cannot be loaded: {error}") from error
