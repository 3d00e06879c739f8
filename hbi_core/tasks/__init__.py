"""What a model is trained for: a task turns a batch into named losses."""

from hbi_core.checkpoints.checkpoint import Checkpoint
from hbi_core.encoders import Encoder
from hbi_core.errors import CheckpointError, SettingsError
from hbi_core.losses import LossConfig
from hbi_core.settings import from_plain
from hbi_core.tasks.base import Task
from hbi_core.tasks.retrieval import RetrievalTask

TASKS: dict[str, type[Task]] = {task.name: task for task in (RetrievalTask,)}


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
    state = heads.task
    try:
        kind = task_named(state.name)
        task = kind(heads, LossConfig(), encoder, from_plain(kind.Settings, state.settings))
        task.own.load_state_dict(state.tensors)
    except (SettingsError, RuntimeError) as error:
        raise CheckpointError(f"The task of {heads.name} cannot be loaded: {error}") from error
    return task.eval()
