"""The folder of a run: its settings, what it is, what it lacks, and its result.

    config.yaml          the settings; `--config` takes it
    run.json             clips, steps, parameters, devices
    missing.txt          clips that are left out, one a line: split, id, why
    unreadable.txt       clips with a file that could not be read, one a line: id, why
    metrics.jsonl, tensorboard/, state-STEP/        see `hbi_core.training.progress`
    features/            of a frozen encoder, where several processes share the work without a cache
    best.safetensors     the checkpoint
    result.json          written at the end: the validation of that checkpoint

A folder answers only for its own settings: a run with others is refused there, since it would go
on with weights, steps and a best score that are not its own. Only what changes no result may
differ: `MAY_DIFFER`. Epochs may not, since the learning rate follows from the number of steps.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import yaml

from hbi_core.errors import SettingsError
from hbi_core.training.config import TrainConfig
from hbi_core.training.progress import Progress, saved_states

BEST = "best.safetensors"
UNREADABLE = "unreadable.txt"
MAY_DIFFER = (
    "out", "data.cache", "data.workers", "data.video_limits.reading_seconds", "save_every"
)  # fmt: skip
FACTS = "run.json"
_CONFIG, _RESULT = "config.yaml", "result.json"


def plain(config: object) -> dict:
    """A dataclass of settings as JSON and YAML have them: no paths, no tuples."""
    return json.loads(json.dumps(asdict(config), default=str))


def check_settings(config: TrainConfig) -> None:
    """Whether config.out can be written, and the run in it, if one was saved, has these settings.

    Raises:
        SettingsError: it has others, each of which is named, or does not tell its settings; or
            the folder cannot be written.
    """
    check_writable(config.out)
    if not _began(config.out):
        return
    path = config.out / _CONFIG
    if not path.is_file():
        raise SettingsError(
            f"There is a run in {config.out}, but not its {_CONFIG}: it cannot be told whether it "
            "has these settings. Choose another folder: out=FOLDER."
        )
    before = _dotted(yaml.safe_load(path.read_text(encoding="utf-8")))
    now = _dotted(plain(config))
    differing = [
        name
        for name in dict.fromkeys([*before, *now])
        if name not in MAY_DIFFER and before.get(name) != now.get(name)
    ]
    if not differing:
        return
    changes = ", ".join(f"{name}: {before.get(name)} -> {now.get(name)}" for name in differing)
    epochs = ""
    if "optimiser.epochs" in differing:
        epochs = " More epochs cannot be added: the learning rate falls to 0 at the last one."
    raise SettingsError(
        f"The run in {config.out} has other settings ({changes}).{epochs} Choose another folder "
        f"(out=FOLDER), or go on with the settings in {path}."
    )


def check_writable(folder: Path) -> None:
    """Whether a folder, which need not exist, can be written; told before hours of work.

    Raises:
        SettingsError: it cannot.
    """
    known = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not known.is_dir() or not os.access(known, os.W_OK | os.X_OK):
        raise SettingsError(f"{folder} cannot be written: choose another folder, out=FOLDER.")


def _began(folder: Path) -> bool:
    return (folder / BEST).exists() or bool(saved_states(folder))


def write_start(
    config: TrainConfig, facts: dict[str, str], left_out: Iterable[tuple[str, str, str]]
) -> None:
    """Write config.yaml (not over that of a run that goes on), run.json and missing.txt.

    Args:
        config: the settings.
        facts: what the run is, in words, by name.
        left_out: split, id and reason of every clip that is left out.
    """
    folder = config.out
    folder.mkdir(parents=True, exist_ok=True)
    if not _began(folder):
        text = yaml.safe_dump(plain(config), sort_keys=False, allow_unicode=True)
        (folder / _CONFIG).write_text(text, encoding="utf-8")
    (folder / FACTS).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    lines = "".join("\t".join(line) + "\n" for line in left_out)
    path = folder / "missing.txt"
    path.unlink(missing_ok=True)
    if lines:
        path.write_text(lines, encoding="utf-8", errors="backslashreplace")


def write_result(folder: Path, progress: Progress) -> None:
    """Write result.json, at the end of a run."""
    result = {
        "checkpoint": BEST,
        "step": progress.step,
        "best_step": progress.best_step,
        "validation": progress.results,
    }
    (folder / _RESULT).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def read_result(folder: Path) -> dict | None:
    """What `write_result` wrote; None if the run has not ended."""
    path = folder / _RESULT
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _dotted(settings: dict, prefix: str = "") -> dict:
    """Nested settings by their dotted names."""
    flat = {}
    for name, value in settings.items():
        flat |= (
            _dotted(value, f"{prefix}{name}.")
            if isinstance(value, dict)
            else {prefix + name: value}
        )
    return flat
