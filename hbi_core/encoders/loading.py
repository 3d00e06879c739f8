"""How an encoder is chosen and loaded."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from threading import Lock

from hbi_core.encoders.base import Encoder
from hbi_core.encoders.open_clip import DEFAULT_MODEL, DEFAULT_WEIGHTS, load_open_clip
from hbi_core.encoders.open_clip_files import IN_CHECKPOINT, files_of
from hbi_core.errors import CheckpointError, InputError, WeightsError
from hbi_core.tensor_file import read_tensors

_LOADING = Lock()
ENCODER_PREFIX = "encoder."  # of an encoder's tensors inside a checkpoint


def load_encoder(
    name: str = "lite", device: str = "cpu", checkpoint: str | Path | None = None
) -> Encoder:
    """Load an encoder for inference; the same arguments give the same object.

    A file that was written anew since then is read anew.

    Args:
        name: "lite"; or "open_clip", "open_clip:MODEL" or "open_clip:MODEL:WEIGHTS", where
            WEIGHTS is a pretrained tag of open_clip or a file, or "checkpoint".
        device: a torch device.
        checkpoint: a checkpoint file that holds the encoder's weights too.

    Raises:
        WeightsError: weights are missing; the message says how to get them.
        CheckpointError: the checkpoint's weights do not fit the encoder.
        InputError: no encoder has this name.
    """
    if checkpoint is None and str(name).endswith(f":{IN_CHECKPOINT}"):
        raise WeightsError(
            f"The weights of {name} lie in a checkpoint: give the checkpoint too, or a pretrained "
            "tag or a file of weights in place of the last part."
        )
    path = Path(checkpoint) if checkpoint else None
    files = (path, weights_file(name))
    with _LOADING:  # a second request waits for the first instead of loading once more
        return _load_encoder(name, device, path, tuple(map(file_identity, files)))


def file_identity(file: Path | None) -> tuple[int, int, int] | None:
    """Tells a file from one that is written to the same path later; None where there is none."""
    if file is None or not file.is_file():
        return None
    status = file.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def weights_file(name: str) -> Path | None:
    """What follows the model in the name of an encoder: perhaps a file, perhaps a tag."""
    parts = name.split(":", 2) if isinstance(name, str) else []
    return Path(parts[2]) if len(parts) == 3 else None


@lru_cache(maxsize=2)
def _load_encoder(name: str, device: str, checkpoint: Path | None, files: tuple) -> Encoder:
    encoder = build_encoder(name)
    if checkpoint:
        fill_encoder(encoder, checkpoint)
    return encoder.eval().requires_grad_(False).to(device)


def full_name(name: str) -> str:
    """The name of an encoder with the model and the weights that a shorter name stands for."""
    family, *options = name.split(":", 2)
    if family != "open_clip":
        return name
    return ":".join([family, *options, *(DEFAULT_MODEL, DEFAULT_WEIGHTS)[len(options) :]])


def build_encoder(name: str) -> Encoder:
    """A new encoder, for training. Arguments and errors as `load_encoder`."""
    family, *options = name.split(":", 2) if isinstance(name, str) else [None]
    if family == "lite" and not options:
        from hbi_core.encoders.lite import LiteEncoder

        return LiteEncoder()
    if family == "open_clip":
        return load_open_clip(*options)
    raise InputError(
        f"There is no encoder {name!r}. Use 'lite', 'open_clip' or 'open_clip:MODEL:WEIGHTS', "
        "for example 'open_clip:ViT-B-16-quickgelu:openai'."
    )


def download_encoder(name: str) -> None:
    """Fetch what an encoder lacks on this machine, once, with a progress bar.

    Weights, tokenizer and configuration go to the local cache of the Hugging Face hub, where
    `load_encoder` finds them. The encoder lite lacks nothing.

    Args:
        name: as `load_encoder` takes it, or "auto".

    Raises:
        WeightsError: there is no network, which is told within seconds; the hub does not give a
            file; or open_clip knows no such model or weights.
    """
    family, *options = name.split(":", 2)
    if family == "open_clip":
        files_of(*options, *(DEFAULT_MODEL, DEFAULT_WEIGHTS)[len(options) :]).fetch()


def fill_encoder(encoder: Encoder, checkpoint: Path) -> None:
    """Copy the encoder's weights out of a checkpoint; every tensor must fit."""
    tensors, _ = read_tensors(checkpoint, prefix=ENCODER_PREFIX)
    try:
        encoder.load_state_dict(tensors)
    except RuntimeError as error:
        raise CheckpointError(f"The encoder in {checkpoint.name} does not fit: {error}") from error
