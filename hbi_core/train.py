"""python -m hbi_core.train --config FILE [key=value or --key value ...]: train."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from jsonargparse import ArgumentError, ArgumentParser, Namespace

from hbi_core.command_line import command
from hbi_core.errors import SettingsError
from hbi_core.estimator import EstimatorConfig, train_estimator
from hbi_core.training.config import TrainConfig
from hbi_core.training.loop import train

TRAININGS: dict[str, tuple[type, Callable[[Any], Path]]] = {
    "model": (TrainConfig, train),
    "estimator": (EstimatorConfig, train_estimator),
}


Config = TypeVar("Config")


def read_config(kind: type[Config], arguments: list[str]) -> Config:
    """Settings from `--config FILE` and what overrides it, `key=value` or `--key value`.

    Raises:
        SettingsError: a setting is unknown, missing or wrong.
    """
    dashed = [f"--{a}" if re.match(r"[\w.]+=", a) else a for a in arguments]
    parser = ArgumentParser(
        prog="python -m hbi_core.train", exit_on_error=False, allow_abbrev=False
    )
    parser.add_argument(
        "--config", action="config", help="The settings are in this YAML file, see configs/."
    )
    parser.add_class_arguments(kind, as_positional=False)
    try:
        parsed = parser.parse_args(dashed)
    except (ArgumentError, UnicodeDecodeError) as error:
        raise SettingsError(f"The settings cannot be read: {error}") from error
    parsed.pop("config", None)
    _check_sections(kind, parsed)
    return kind(**vars(parser.instantiate(parsed)))


def _check_sections(kind: Any, parsed: Namespace, before: str = "") -> None:
    """Whether sections such as "model" hold settings by name; the parser lets null through."""
    for name, annotation in get_type_hints(kind).items():
        if not is_dataclass(annotation):
            continue
        if not isinstance(parsed[name], Namespace):
            raise SettingsError(
                f"The settings cannot be read: {before}{name} is {parsed[name]!r}, but a section: "
                "write settings below it, or leave it out."
            )
        _check_sections(annotation, parsed[name], f"{before}{name}.")


@command
def main(argv: list[str] | None = None) -> None:
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    first.add_argument("--task")
    try:
        chosen, others = first.parse_known_args(argv)
    except argparse.ArgumentError as error:
        raise SettingsError(str(error)) from error
    if chosen.task != "estimator":  # but a task of the model, which is one of its settings
        chosen.task, others = "model", sys.argv[1:] if argv is None else argv
    settings, run = TRAININGS[chosen.task]
    print(run(read_config(settings, others)))


if __name__ == "__main__":
    sys.exit(main())
