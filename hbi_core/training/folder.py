"""The folder of a run: its settings, what it is, what it lacks, and its result.

    config.yaml          the settings; `--config` takes it
    run.json             clips, steps, parameters, devices
    missing.txt          clips that are left out, one a line: split, id, why
    unreadable.txt       clips with a file that could not be read, one a line: id, why
    metrics.jsonl, tensorboard/, state-STEP/        see `hbi_core.training.state`
    features/            of a frozen encoder, where several processes share the work without a cache
    best.safetensors     the checkpoint
    result.json          written at the end: the validation of that checkpoint

A folder answers only for its own settings: a run with others is refused there, since it would go
on with weights, steps and a best score that are not its own. Only what changes no result may
differ: `MAY_DIFFER`. Epochs may not, since the learning rate follows from the number of steps.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import yaml

from hbi_core.errors import SettingsError
from hbi_core.settings import plain
from hbi_core.training.config import TrainConfig
from hbi_core.training.state import RunState, saved_states
from hbi_core.written import check_folder, write_text

BEST = "best.safetensors"
UNREADABLE = "unreadable.txt"
MAY_DIFFER = (
    "out",
    "data.cache",
    "data.workers",
    "data.video_limits.reading_seconds",
    "save_every",
)
_SINCE = {
    "task": "retrieval",
    "data.degraded": 0.0,
    "data.dissolves": 0.0,
    "loss.pointing": 0.0,
    "loss.pointing_scale": 200.0,
    "loss.foil": 0.0,
    "loss.foil_scale": 50.0,
    "loss.detached": True,
    "model.text_context": 0,
    "model.video_path": 0.0,
    "model.text_path": 0.0,
    "model.reconstruction": False,
    "loss.hard_negatives": 4,
    "reranked": 20,
}  # what runs had that began before it could be said
DATA_FACTS = ("train", "digest of train", "validation", "digest of validation", "steps")
BEGINS, DIGEST_OF_START = "starts from", "digest of start"
FACTS = "run.json"
_CONFIG, _RESULT = "config.yaml", "result.json"
_NEEDED = {
    _CONFIG: {"encoder", "model"},
    _RESULT: {"step", "best_step", "validation"},
}
_ANOTHER = "Choose another folder (out=FOLDER)"


def check_settings(config: TrainConfig) -> None:
    """Whether config.out can be written, and the run in it, if one began, has these settings.

    Raises:
        SettingsError: it has others, each of which is named, or does not tell its settings; or
            the folder, or that of the cache, cannot be written.
    """
    check_folder(config.out, "out=FOLDER")
    if config.data.cache is not None:
        check_folder(config.data.cache, "data.cache=FOLDER")
    if not _began(config.out):
        return
    before = _SINCE | _dotted(_told(config.out, _CONFIG, yaml.safe_load))
    now = _dotted(plain(config))
    differing = [name for name in _differing(before, now) if name not in MAY_DIFFER]
    if not differing:
        return
    epochs = ""
    if "optimiser.epochs" in differing:
        epochs = " More epochs cannot be added: the learning rate falls to 0 at the last one."
    raise SettingsError(
        f"The run in {config.out} has other settings ({_changes(differing, before, now)}).{epochs} "
        f"{_ANOTHER}, or go on with the settings in {config.out / _CONFIG}."
    )


def read_settings(folder: Path) -> dict[str, Any] | None:
    """The settings of the run in a folder, as plain values by name; None if none began there.

    Raises:
        SettingsError: it does not tell them.
    """
    if not _began(folder):
        return None
    told = _told(folder, _CONFIG, yaml.safe_load)
    if not isinstance(told["model"], dict):
        raise SettingsError(f"The model in {folder / _CONFIG} is {told['model']!r}: put it back.")
    return told


def check_data(folder: Path, facts: dict[str, str]) -> None:
    """Whether the run in a folder, if one began, has the data and the start of these facts.

    Data are clips, captions and steps; the start is the content of a file, if there is one. Its
    weights, its best score and its place in an epoch belong to them.

    Raises:
        SettingsError: it has others, or does not tell them.
    """
    if not _began(folder):
        return
    before = _told(folder, FACTS, json.loads)
    now = {name: facts[name] for name in DATA_FACTS}
    if DIGEST_OF_START in before and DIGEST_OF_START in facts:  # runs did not always tell it
        now[DIGEST_OF_START] = facts[DIGEST_OF_START]
    if differing := _differing({name: before.get(name) for name in now}, now):
        raise SettingsError(
            f"The run in {folder} began with other data ({_changes(differing, before, now)}). "
            f"{_ANOTHER}, or bring back what it began with."
        )


def _began(folder: Path) -> bool:
    """Whether there is something that belongs to settings and data."""
    return any((folder / name).exists() for name in (BEST, _RESULT)) or bool(saved_states(folder))


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
        write_text(folder / _CONFIG, text)
    write_text(folder / FACTS, json.dumps(facts, indent=1) + "\n")
    lines = "".join("\t".join(line) + "\n" for line in left_out)
    path = folder / "missing.txt"
    path.unlink(missing_ok=True)
    if lines:
        write_text(path, lines, errors="backslashreplace")


def write_result(folder: Path, state: RunState) -> None:
    """Write result.json, at the end of a run."""
    result = {
        "checkpoint": BEST,
        "step": state.step,
        "best_step": state.best_step,
        "validation": state.results,
    }
    write_text(folder / _RESULT, json.dumps(result, indent=1) + "\n")


def read_result(folder: Path) -> dict | None:
    """What `write_result` wrote; None if the run has not ended.

    Raises:
        SettingsError: it cannot be read, or its checkpoint is not there.
    """
    if not (folder / _RESULT).exists():
        return None
    result = _told(folder, _RESULT, json.loads)
    check_best(folder)
    return result


def read_facts(folder: Path) -> dict[str, str]:
    """What `write_start` wrote of a run.

    Raises:
        SettingsError: it cannot be read.
    """
    return _told(folder, FACTS, json.loads)


def check_best(folder: Path) -> None:
    """Whether the checkpoint is there, of a run that has written one.

    Raises:
        SettingsError: it is not.
    """
    if not (folder / BEST).is_file():
        raise SettingsError(
            f"The run in {folder} has written {BEST}, which is not there: put it back. {_ANOTHER}, "
            "to train anew."
        )


def _told(folder: Path, name: str, read: Callable[[str], object]) -> dict:
    """A mapping in a file of a run."""
    if not (folder / name).exists():
        raise SettingsError(
            f"There is a run in {folder}, but not its {name}, without which it cannot go on: put "
            f"it back. {_ANOTHER}, to train anew."
        )
    try:
        told = read((folder / name).read_text(encoding="utf-8"))
        if not isinstance(told, dict) or not _NEEDED.get(name, set()) <= set(told):
            raise ValueError("it is not what was written there")
    except (OSError, ValueError, yaml.YAMLError) as error:
        mended = "remove it, and it is written anew" if name == _RESULT else "put it back"
        raise SettingsError(
            f"There is a run in {folder}, but its {name} cannot be read ({error}): {mended}. "
            f"{_ANOTHER}, to train anew."
        ) from error
    return told


def _differing(before: dict, now: dict) -> list[str]:
    return [name for name in dict.fromkeys([*before, *now]) if before.get(name) != now.get(name)]


def _changes(names: list[str], before: dict, now: dict) -> str:
    return ", ".join(f"{name}: {before.get(name)} -> {now.get(name)}" for name in names)


def _dotted(settings: dict, prefix: str = "") -> dict:
    """Nested settings by their dotted names."""
    flat: dict[str, object] = {}
    for name, value in settings.items():
        flat |= (
            _dotted(value, f"{prefix}{name}.")
            if isinstance(value, dict)
            else {prefix + name: value}
        )
    return flat
