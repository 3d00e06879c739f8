"""ZeroGPU, where Hugging Face hosts Gradio Spaces: a GPU is lent for the length of a call.

The server has no GPU there. A task that needs one runs in a forked process; its arguments and its
result are pickled. Elsewhere it is called as it stands.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import gradio as gr
import numpy as np
import torch
from torch import Tensor

from app import SPACES
from explainers.timing import Progress
from hbi_core import chosen_model
from hbi_core.checkpoints.checkpoint import Checkpoint
from hbi_core.devices import DEVICE_VARIABLE
from hbi_core.encoders import Encoder, TextFeatures, build_encoder
from hbi_core.errors import InputError, WeightsError
from hbi_core.inputs.text import Caption

# Declared: 64 frames take less than one, the weights' way to the GPU most of the others.
ENCODING_SECONDS = 15
_ENCODERS: dict[str, Encoder] = {}  # whose weights go to the GPU that is lent, by name

_Task = TypeVar("_Task", bound=Callable)

if SPACES:
    os.environ[DEVICE_VARIABLE] = "cpu"  # of all that is not lent a GPU


def with_gpu(duration: int | Callable[..., int]) -> Callable[[_Task], _Task]:
    """Decorate a task that needs a GPU. What it takes and returns has to be picklable, on the CPU.

    Args:
        duration: seconds that it takes at most, or a function of its arguments that tells them.
            ZeroGPU ends what takes longer, and weighs it against the visitor's quota beforehand.

    Returns:
        A decorator. On ZeroGPU the task runs in another process, where `choose_device` takes the
        GPU; there an InputError of the task is raised as one here, and so is the answer that no GPU
        is to be had. Elsewhere the task itself.
    """

    def decorated(task: _Task) -> _Task:
        if SPACES is None:
            return task
        lent = SPACES.GPU(duration=duration)(_with_errors_returned(task))

        @functools.wraps(task)
        def asked(*inputs: Any, **more: Any) -> Any:
            try:
                outcome = lent(*inputs, **more)
            except gr.Error as error:
                raise InputError(refusal(error)) from error
            if isinstance(outcome, InputError):
                raise outcome
            return outcome

        return cast(_Task, asked)

    return decorated


def _with_errors_returned(task: Callable) -> Callable:
    """Of an exception, ZeroGPU tells the name only."""

    @functools.wraps(task)
    def outcome(*inputs: Any, **more: Any) -> Any:
        os.environ[DEVICE_VARIABLE] = "cuda"
        torch.set_num_threads(1)  # the threads of the process that was forked are not here
        try:
            return task(*inputs, **more)
        except InputError as error:
            return error

    return outcome


def refusal(error: gr.Error) -> str:
    """What ZeroGPU answers where it lends no GPU, and what a visitor can do."""
    title, told = str(error.title).lower(), str(error.message).strip().rstrip(".")
    if "worker" in title:  # of what failed there, the name only
        return f"The task on the GPU that was lent failed: {told}. Try again in a minute."
    if "quota" in f"{title} {told}".lower():
        return (
            f"{told}. Sign in at huggingface.co, which gives more of it, and reload this page; the "
            "examples and videos that were looked at before need no GPU."
        )
    return f"{told}. Try again in a minute."


def place_models(names: Sequence[str]) -> None:
    """Put encoders where ZeroGPU finds them: in the main thread, before the page is launched.

    Args:
        names: of encoders; those whose weights are not on this machine are left out. The page tells
            whoever asks for one.
    """
    if SPACES is None:
        return
    for name in names:
        try:
            encoder = build_encoder(name)
        except WeightsError:
            continue
        _ENCODERS[encoder.name] = encoder.eval().requires_grad_(False).to("cuda")


def choose_model(
    checkpoint: str | Path | None = None,
    encoder: str = "auto",
    device: str = "cpu",
    progress: Progress | None = None,
) -> tuple[Encoder, Checkpoint]:
    """As `hbi_core.chosen_model.choose_model`; on ZeroGPU frames are encoded on the GPU lent.

    Words, heads and games stay on the CPU, where they take milliseconds: another caption on a
    video costs no quota.
    """
    network, heads = chosen_model.choose_model(checkpoint, encoder, device, progress)
    return (_FramesOnGpu(network) if network.name in _ENCODERS else network), heads


class _FramesOnGpu(Encoder):
    """An encoder of `_ENCODERS` that borrows a GPU for frames."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.name, self.widths = encoder.name, encoder.widths
        self.architecture = encoder.architecture

    def prepare_frames(self, frames: np.ndarray) -> Tensor:
        return self.encoder.prepare_frames(frames)

    def frame_features(self, pixels: Tensor) -> Tensor:
        return _frame_features(self.name, pixels)

    def frame_padding(self) -> Tensor:
        return self.encoder.frame_padding()

    def text_features(
        self,
        captions: Sequence[Caption],
        players: str = "words",
        limit: int | None = None,
        padded: bool = False,
    ) -> list[TextFeatures]:
        return self.encoder.text_features(captions, players, limit, padded)


@with_gpu(ENCODING_SECONDS)
@torch.inference_mode()
def _frame_features(name: str, pixels: Tensor) -> Tensor:
    """Pixels [F, 3, S, S] -> float [F, Dv], both on the CPU."""
    return _ENCODERS[name].frame_features(pixels.to("cuda")).cpu()
