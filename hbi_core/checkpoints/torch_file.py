"""Files of torch.save, torch.jit.save and safetensors, read without running anything in them."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import torch
from torch import Tensor

from hbi_core.encoders.open_clip_files import is_torchscript
from hbi_core.errors import CheckpointError
from hbi_core.tensor_file import check_stored, read_tensors

_USUAL = ("model", "state_dict", "model_state_dict", "module")  # keys of a model's state dict
_WRAPPERS = ("module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
_STORAGES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "BoolStorage": torch.bool,
}


def read_torch_file(path: Path) -> tuple[dict[str, Tensor], list[str]]:
    """The state dict in a file of torch.save, torch.jit.save or safetensors; nothing is run.

    Returns:
        Tensors by name, and the names of what else is in it.

    Raises:
        CheckpointError: there is no such file, it holds more than tensors in containers, a tensor
            is no dense array of usual numbers, or the file is one of this program.
    """
    if not path.is_file():
        raise CheckpointError(f"There is no file {path}.")
    with path.open("rb") as file:
        if file.read(9)[8:] == b"{":
            return _safetensors(path), []
    try:
        if is_torchscript(path):
            return _read_archive(path), []
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path.name} is not read: it holds more than tensors, which could run code. Save the "
            "state_dict() alone."
        ) from error
    except Exception as error:  # a damaged file makes the unpicklers raise nearly anything
        raise CheckpointError(
            f"{path.name} is no file of PyTorch, or damaged: {type(error).__name__}: {error}"
        ) from error
    return _state_dict(loaded, path.name)


def _safetensors(path: Path) -> dict[str, Tensor]:
    """What somebody has saved anew, by the names of the PyTorch file."""
    tensors, metadata = read_tensors(path)
    if "schema" in metadata or "converted_from" in metadata:
        raise CheckpointError(
            f"{path.name} is a file of this program already: use it as it is, as a checkpoint or "
            "as an encoder open_clip:MODEL:FILE."
        )
    return tensors


def without_wrappers(tensors: dict[str, Tensor], file: str) -> tuple[dict[str, Tensor], list[str]]:
    """Tensors by the names that they have without what runs their modules, anywhere in a name.

    That is DataParallel, torch.compile, FSDP and activation checkpointing.

    Returns:
        The tensors, and what was taken off.

    Raises:
        CheckpointError: two tensors have the same name then.
    """
    bare: dict[str, Tensor] = {}
    for name, value in tensors.items():
        short = ".".join(part for part in name.split(".") if part not in _WRAPPERS)
        if short in bare:
            raise CheckpointError(
                f"{file} has {short} twice, wrapped and not: save one of the two."
            )
        bare[short] = value
    found = {part for name in tensors for part in name.split(".")}
    return bare, [f"{wrapper}." for wrapper in _WRAPPERS if wrapper in found]


def _state_dict(loaded: object, name: str) -> tuple[dict[str, Tensor], list[str]]:
    """The tensors under whatever training scripts wrap them in, and what else there is."""
    others: list[str] = []
    while isinstance(loaded, dict) and (inner := _inner(loaded, name)) is not None:
        others += [str(key) for key in loaded if key != inner]
        loaded = loaded[inner]
    if not isinstance(loaded, dict):
        raise CheckpointError(f"{name} holds a {type(loaded).__name__}, not a state dict.")
    tensors = {str(key): value for key, value in loaded.items() if isinstance(value, Tensor)}
    others += [str(key) for key, value in loaded.items() if not isinstance(value, Tensor)]
    check_stored(tensors, name)
    return tensors, others


def _inner(loaded: dict, name: str) -> str | None:
    """The key of the state dict in a dictionary; None where that is one itself."""
    if any(isinstance(value, Tensor) and "." in str(key) for key, value in loaded.items()):
        return None
    inside = [key for key, value in loaded.items() if _has_tensors(value)]
    usual = [key for key in _USUAL if key in inside]
    if len(inside) > 1 and not usual:
        raise CheckpointError(
            f"{name} holds several state dicts ({', '.join(map(str, inside))}): save one alone."
        )
    return next(iter((*usual, *inside)), None)


def _has_tensors(value: object) -> bool:
    """Whether it is a state dict, or holds one. An optimiser's names its tensors by numbers."""
    return (
        isinstance(value, dict)
        and all(isinstance(key, str) for key in value)
        and any(isinstance(inner, Tensor) or _has_tensors(inner) for inner in value.values())
    )


def _read_archive(path: Path) -> dict[str, Tensor]:
    """Parameters, buffers and other tensors of the modules in a TorchScript archive."""
    with zipfile.ZipFile(path) as archive:
        return dict(_tensors_of(_ArchiveUnpickler(archive).load()))


def _tensors_of(module: SimpleNamespace, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    for name, value in vars(module).items():
        if isinstance(value, Tensor):
            yield prefix + name, value
        elif isinstance(value, SimpleNamespace):
            yield from _tensors_of(value, f"{prefix}{name}.")


class _ArchiveUnpickler(pickle.Unpickler):
    """Reads the modules of a TorchScript archive as plain namespaces of their attributes.

    The archive's code is never opened. All that its pickle can call is `find_class`'s: builders of
    namespaces, dictionaries and tensors.
    """

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        pickled = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
        self._folder = pickled.removesuffix(".pkl")
        super().__init__(io.BytesIO(archive.read(pickled)))

    def find_class(self, module: str, name: str) -> object:
        if module.split(".")[0] == "__torch__":
            return SimpleNamespace
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        if module == "torch.jit._pickle":  # lists of numbers, marked with their type
            return self._unmarked
        known = {
            "collections.OrderedDict": OrderedDict,
            "torch._utils._rebuild_tensor_v2": self._tensor,
            "torch._utils._rebuild_parameter": self._unmarked,
        }
        if f"{module}.{name}" not in known:
            raise pickle.UnpicklingError(f"{module}.{name}")
        return known[f"{module}.{name}"]

    def persistent_load(self, key: tuple) -> Tensor:
        _, dtype, record, _, _ = key  # "storage", type, name, device, length
        data = bytearray(self._archive.read(f"{self._folder}/{record}"))
        return torch.frombuffer(data, dtype=dtype)

    def _tensor(self, storage: Tensor, offset: int, size: tuple, stride: tuple, *_) -> Tensor:
        return storage.as_strided(size, stride, offset)

    def _unmarked(self, value: object, *_) -> object:
        return value
