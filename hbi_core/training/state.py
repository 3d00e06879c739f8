"""Where a run stands, on disk: the state to resume from, metrics, and the best model."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError

import torch
from accelerate import Accelerator
from accelerate.utils import load
from safetensors import SafetensorError
from torch.utils.tensorboard import SummaryWriter

from hbi_core.errors import SettingsError
from hbi_core.tensor_file import give_usual_mode
from hbi_core.written import write_text

_DAMAGED = (
    OSError,
    EOFError,
    KeyError,
    ValueError,
    RuntimeError,
    UnpicklingError,
    SafetensorError,
)


@dataclass
class RunState:
    """Steps and whole epochs done, the best validation so far; saved with accelerate's state."""

    step: int = 0
    epochs: int = 0
    best: float = float("-inf")
    best_step: int = 0
    results: dict = field(default_factory=dict)

    def state_dict(self) -> dict:
        return vars(self).copy()

    def load_state_dict(self, state: dict) -> None:
        vars(self).update(state)


def save_state(accelerator: Accelerator, folder: Path, step: int) -> None:
    """Write folder/state-STEP (weights, optimiser, random states, RunState); then drop older ones.

    Under its name there is only ever a complete one.
    """
    partial = folder / "state.partial"
    if accelerator.is_main_process:
        shutil.rmtree(partial, ignore_errors=True)
    accelerator.wait_for_everyone()
    accelerator.save_state(str(partial))
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        for file in partial.rglob("*.safetensors"):
            give_usual_mode(file)
        older = saved_states(folder)
        target = folder / f"state-{step:08}"
        if target not in older:
            partial.rename(target)
            for path in older:
                shutil.rmtree(path)


def load_state(accelerator: Accelerator, state: Path) -> None:
    """Go on from a folder that `save_state` wrote.

    Raises:
        SettingsError: it is damaged.
    """
    try:
        for file in [state / "random_states_0.pkl", *state.glob("random_states_*.pkl")]:
            load(file)  # accelerate goes on without those that it cannot read
        accelerator.load_state(str(state))
    except torch.OutOfMemoryError:
        raise
    except _DAMAGED as error:
        raise SettingsError(
            f"The run cannot go on: its {state} cannot be read ({error}). Put it back, or choose "
            "another folder (out=FOLDER), to train anew."
        ) from error


def saved_states(folder: Path) -> list[Path]:
    """Complete states, the latest last."""
    return sorted(folder.glob("state-[0-9]*"))


class Metrics:
    """Numbers by name, to metrics.jsonl and to TensorBoard; only the first process writes.

    Going on from an earlier step, what was written after it is taken back.
    """

    def __init__(self, folder: Path, step: int, writes: bool) -> None:
        self.path = folder / "metrics.jsonl"
        self.board = None
        if not writes:
            return
        if self.path.is_file():
            lines = self.path.read_text(encoding="utf-8", errors="replace").splitlines()
            steps = map(_step, lines)
            kept = [
                line for line, n in zip(lines, steps, strict=True) if n is not None and n <= step
            ]
            write_text(self.path, "".join(line + "\n" for line in kept))
        self.board = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)

    def write(self, step: int, numbers: dict[str, float]) -> None:
        if self.board is None:
            return
        with self.path.open("a") as file:
            file.write(json.dumps({"step": step} | numbers) + "\n")
        for name, value in numbers.items():
            self.board.add_scalar(name, value, step)

    def __enter__(self) -> Metrics:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self.board is not None:
            self.board.close()


def _step(line: str) -> int | None:
    """The step of a line; None for one that was cut off when the program was killed."""
    try:
        read = json.loads(line)
    except ValueError:
        return None
    return read.get("step") if isinstance(read, dict) else None
