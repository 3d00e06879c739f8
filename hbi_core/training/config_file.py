"""Settings from a YAML file, and what overrides them on a command line."""

from __future__ import annotations

import re
from dataclasses import is_dataclass
from typing import Any, TypeVar, get_type_hints

from jsonargparse import ArgumentError, ArgumentParser, Namespace

from hbi_core.errors import SettingsError
from hbi_core.training.config import TrainConfig
from hbi_core.training.initialise import check_model, settings_of_start

Config = TypeVar("Config")


def dashed(arguments: list[str]) -> list[str]:
    """The arguments, `key=value` as `--key=value`."""
    return [f"--{a}" if re.match(r"[\w.]+=", a) else a for a in arguments]


def read_config(kind: type[Config], arguments: list[str]) -> Config:
    """Settings from `--config FILE` and what overrides it, `key=value` or `--key value`.

    Where training starts from a checkpoint, its encoder and model are the defaults, so that what
    was given is told from what was left out.

    Raises:
        SettingsError: a setting is unknown, missing or wrong, or another one in the checkpoint.
        CheckpointError: the checkpoint that training starts from cannot be loaded.
    """
    parser = ArgumentParser(
        prog="python -m hbi_core.train", exit_on_error=False, allow_abbrev=False
    )
    parser.add_argument(
        "--config", action="config", help="The settings are in this YAML file, see configs/."
    )
    parser.add_class_arguments(kind, as_positional=False)
    parsed = _parsed(parser, kind, arguments)
    if issubclass(kind, TrainConfig) and parsed.start is not None:
        encoder, model, start = settings_of_start(parsed.start, parsed.out)
        parser.set_defaults({"encoder": encoder} | {f"model.{k}": v for k, v in model.items()})
        parsed = _parsed(parser, kind, arguments)
        if start is not None:
            check_model(start, vars(parsed.model))
    return kind(**vars(parser.instantiate(parsed)))


def _parsed(parser: ArgumentParser, kind: Any, arguments: list[str]) -> Namespace:
    try:
        parsed = parser.parse_args(dashed(arguments))
    except (ArgumentError, UnicodeDecodeError) as error:
        raise SettingsError(f"The settings cannot be read: {error}") from error
    parsed.pop("config", None)
    _check_sections(kind, parsed)
    return parsed


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
