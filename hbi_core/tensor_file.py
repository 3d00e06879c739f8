"""safetensors files with metadata: written at once or not at all, read with clear errors."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from hbi_core.errors import CheckpointError


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a safetensors file; a reader never sees half of it."""
    partial = path.with_name(path.name + ".partial")
    save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, partial, metadata)
    partial.replace(path)


def read_tensors(
    path: Path, prefix: str = "", without: str | None = None
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read a safetensors file: tensors by name, and the metadata.

    Args:
        path: the file.
        prefix: only tensors whose name starts with this, which is taken off.
        without: no tensors whose name starts with this.

    Raises:
        CheckpointError: the file is missing or damaged.
    """
    if not path.is_file():
        raise CheckpointError(f"There is no checkpoint {path}.")
    try:
        with safe_open(path, framework="pt") as file:
            names = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118
            if without is not None:
                names = [name for name in names if not name.startswith(without)]
            tensors = {name.removeprefix(prefix): file.get_tensor(name) for name in names}
            return tensors, file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path.name} is not a readable safetensors file ({error}). A checkpoint is a file "
            "written by hbi_core.train or hbi_core.convert."
        ) from error
