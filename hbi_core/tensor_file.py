"""safetensors files with metadata: written at once or not at all, read with clear errors.

No tensor in them is infinite or no number: such weights are those of a run that diverged.
"""

from __future__ import annotations

import os
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from hbi_core.errors import CheckpointError, NotFiniteError


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a safetensors file; a reader never sees half of it.

    Raises:
        NotFiniteError: a tensor has a value that is not finite. Nothing is written then.
    """
    if name := _not_finite(tensors):
        raise NotFiniteError(f"{path.name} is not written: {name} has values that are not finite.")
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")  # another may write it too
    save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, partial, metadata)
    give_usual_mode(partial)
    partial.replace(path)


def give_usual_mode(file: Path) -> None:
    """Let those read a file who can read any other new one; safetensors lets only its owner."""
    other = file.with_name(file.name + ".mode")
    other.touch()
    file.chmod(other.stat().st_mode)
    other.unlink()


def read_tensors(
    path: Path, prefix: str = "", without: str | None = None
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read a safetensors file: tensors by name, and the metadata.

    Args:
        path: the file.
        prefix: only tensors whose name starts with this, which is taken off.
        without: no tensors whose name starts with this.

    Raises:
        CheckpointError: the file is missing or damaged, or a tensor has a value that is not finite.
    """
    if not path.is_file():
        raise CheckpointError(f"There is no checkpoint {path}.")
    try:
        with safe_open(path, framework="pt") as file:
            names = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118
            if without is not None:
                names = [name for name in names if not name.startswith(without)]
            tensors = {name.removeprefix(prefix): file.get_tensor(name) for name in names}
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path.name} is not a readable safetensors file ({error}). A checkpoint is a file "
            "written by hbi_core.train or hbi_core.convert."
        ) from error
    if name := _not_finite(tensors):
        raise CheckpointError(
            f"{path.name} cannot be used: {prefix}{name} has values that are not finite (infinite, "
            "or no numbers), as after a training run that diverged. Take an earlier checkpoint."
        )
    return tensors, metadata


def _not_finite(tensors: dict[str, Tensor]) -> str | None:
    """The name of the first tensor with a value that is not finite."""
    return next((name for name, value in tensors.items() if not value.isfinite().all()), None)
