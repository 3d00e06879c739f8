"""safetensors files with metadata: written at once or not at all, read with clear errors.

No tensor in them is infinite or no number: such weights are those of a run that diverged.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from hbi_core.errors import CheckpointError, NotFiniteError
from hbi_core.written import at_once

_TYPES = {
    *(torch.float64, torch.float32, torch.float16, torch.bfloat16),
    *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool),
}


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a safetensors file; a reader never sees half of it.

    Raises:
        NotFiniteError: a tensor has a value that is not finite. Nothing is written then.
    """
    if name := _not_finite(tensors):
        raise NotFiniteError(f"{path.name} is not written: {name} has values that are not finite.")
    with at_once(path) as partial:
        save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, partial, metadata)
        give_usual_mode(partial)


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
        CheckpointError: the file is missing or damaged, or a tensor is of an unusual type or has a
            value that is not finite.
    """
    with _opened(path) as file:
        names = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118
        if without is not None:
            names = [name for name in names if not name.startswith(without)]
        tensors = {name.removeprefix(prefix): file.get_tensor(name) for name in names}
        metadata = file.metadata() or {}
    check_stored(tensors, path.name)
    if name := _not_finite(tensors):
        raise CheckpointError(
            f"{path.name} cannot be used: {prefix}{name} has values that are not finite (infinite, "
            "or no numbers), as after a training run that diverged. Take an earlier checkpoint."
        )
    return tensors, metadata


@contextmanager
def _opened(path: Path) -> Iterator[safe_open]:
    if not path.is_file():
        raise CheckpointError(f"There is no checkpoint {path}.")
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path.name} is not a readable safetensors file ({error}). A checkpoint is a file "
            "written by hbi_core.train or hbi_core.convert."
        ) from error


def check_stored(tensors: dict[str, Tensor], file: str) -> None:
    """That tensors from a file are dense, with values of a type that is computed with.

    Raises:
        CheckpointError: one is sparse, nested, complex, quantised or the like, or has no values.
    """
    for name, value in tensors.items():
        if kind := _unusual(value):
            raise CheckpointError(
                f"{file} cannot be used: {name} is {kind}. Save it as a dense tensor, in float32."
            )


def _unusual(value: Tensor) -> str | None:
    """What a tensor is, where it is not an array of usual numbers."""
    if value.is_meta:
        return "without values (meta)"
    if value.is_nested:
        return "nested"
    if value.layout != torch.strided:
        return str(value.layout).removeprefix("torch.")
    return None if value.dtype in _TYPES else str(value.dtype).removeprefix("torch.")


def _not_finite(tensors: dict[str, Tensor]) -> str | None:
    """The name of the first tensor with a value that is not finite."""
    return next((name for name, value in tensors.items() if not value.isfinite().all()), None)
