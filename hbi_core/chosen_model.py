"""The model that somebody asks for: an encoder, and the heads that go with it."""

from __future__ import annotations

from pathlib import Path

from explainers.timing import Progress, or_silence
from hbi_core.checkpoints.checkpoint import (
    SHIPPED,
    UNTRAINED,
    Checkpoint,
    load_checkpoint,
    untrained,
)
from hbi_core.encoders import Encoder, load_encoder
from hbi_core.encoders.loading import file_identity
from hbi_core.errors import CheckpointError


def choose_model(
    checkpoint: str | Path | None = None,
    encoder: str = "auto",
    device: str = "cpu",
    progress: Progress | None = None,
) -> tuple[Encoder, Checkpoint]:
    """The encoder on its device, and the heads that go with it.

    Args:
        checkpoint: trained heads; None takes the ones we ship for lite and runs other encoders
            without; "untrained" runs every encoder without.
        encoder: "lite", "open_clip[:MODEL[:WEIGHTS]]", or "auto": the one that the checkpoint
            was trained with, lite without a checkpoint.
        device: a torch device.
        progress: called with a fraction in [0, 1] and what is being done.

    Returns:
        The encoder in evaluation mode, the same object for the same arguments; and new heads.

    Raises:
        CheckpointError: it cannot be loaded, or was trained with another encoder.
        WeightsError: the encoder's weights are missing.
        InputError: no encoder has this name.

    Example:
        >>> encoder, heads = choose_model()
        >>> encoder.name, heads.name
        ('lite', 'lite_heads.safetensors')
    """
    checkpoint, encoder = in_full(checkpoint, encoder)
    file = None if checkpoint is None or str(checkpoint) == UNTRAINED else Path(checkpoint)
    before = file_identity(file)
    heads = load_checkpoint(file) if file else None
    if heads and encoder not in ("auto", heads.encoder):
        raise CheckpointError(
            f"{heads.name} was trained with the encoder {heads.encoder}, not {encoder}: use that "
            "or 'auto'."
        )
    name = heads.encoder if heads else "lite" if encoder == "auto" else encoder
    or_silence(progress)(0.05, f"Loading the encoder {name}")
    network = load_encoder(name, device, heads.path if heads else None)
    if heads and heads.path and file_identity(heads.path) != before:
        raise CheckpointError(
            f"{heads.name} was written anew while it was read, so its heads and its encoder may be "
            "of different runs. Try again."
        )
    return network, heads or untrained(network.name, network.widths)


def in_full(checkpoint: str | Path | None, encoder: str) -> tuple[str | Path | None, str]:
    """The same model by one name: lite without a checkpoint is the checkpoint that we ship.

    Args:
        checkpoint, encoder: see `choose_model`.

    Returns:
        What to ask `choose_model` for.

    Raises:
        Nothing: whether there is such a model, `choose_model` says.

    Example:
        >>> in_full(None, "lite") == in_full(None, "auto") == in_full(SHIPPED, "auto")
        True
    """
    if checkpoint is None and encoder in ("auto", "lite"):
        return SHIPPED, "auto"
    return checkpoint, encoder
