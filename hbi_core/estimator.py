"""The file of the paper's tiny estimator (safetensors): its weights, and what its error is."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from explainers import Estimator
from hbi_core.errors import CheckpointError
from hbi_core.shipped import ASSETS
from hbi_core.tensor_file import read_tensors, write_tensors

_LOG = logging.getLogger(__name__)
_SCHEMA = "hbi-estimator/1"
SHIPPED_ESTIMATOR = ASSETS / "estimator.safetensors"


def save_estimator(path: str | Path, estimator: Estimator, training: dict | None = None) -> None:
    """Write an estimator; a reader never sees half of it.

    Args:
        path: the file, NAME.safetensors.
        estimator: what to write.
        training: the settings that it was trained with, to be read by people.
    """
    settings = {
        "channels": estimator.channels,
        "unit": estimator.unit,
        "input_scale": estimator.input_scale,
        "error": estimator.error,
        "note": estimator.note,
        "training": training or {},
    }
    metadata = {"schema": _SCHEMA, "settings": json.dumps(settings)}
    write_tensors(Path(path), estimator.state_dict(), metadata)


def load_estimator(path: str | Path = SHIPPED_ESTIMATOR) -> Estimator:
    """Read what `save_estimator` wrote; every tensor must fit. A note on it is logged.

    Raises:
        CheckpointError: the file is missing, damaged, or not an estimator.
    """
    path = Path(path)
    tensors, metadata = read_tensors(path)
    if metadata.get("schema") != _SCHEMA:
        raise CheckpointError(f"{path.name} is no estimator: its metadata lacks {_SCHEMA}.")
    try:
        settings = json.loads(metadata["settings"])
        estimator = Estimator(settings["channels"], settings["unit"], settings["input_scale"])
        estimator.load_state_dict(tensors)
        estimator.error = settings["error"] or {}  # of one whose error was not measured
        estimator.note = settings.get("note", "")
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"{path.name} does not fit this version of the program: {error}"
        ) from error
    if estimator.note:
        _LOG.warning("%s: %s", path.name, estimator.note)
    return estimator.eval().requires_grad_(False)
