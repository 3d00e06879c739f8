"""Settings from a YAML file, and what overrides them on a command line."""

from __future__ import annotations

import re
from dataclasses import is_dataclass
from typing import Any, TypeVar, get_type_hints

from jsonargparse import ArgumentError, ArgumentParser, Namespace

from hbi_core.errors import SettingsError

Config = TypeVar("Config")


def dashed(arguments: list[str]) -> list[str]:
    """The arguments, `key=value` as `--key=value`."""
    return [f"--{a}" if re.match(r"[\w.]+=", a) else a for a in arguments]


def read_config(kind: type[Config], arguments: list[str]) -> Config:
    """Settings from `--config FILE` and what overrides it, `key=value` or `--key value`.

    Raises:
        SettingsError: a setting is unknown, missing or wrong.
    """
    parser = ArgumentParser(
        prog="python -m hbi_core.train", exit_on_error=False, allow_abbrev=False
    )
    parser.add_argument(
        "--config", action="config", help="The settings are in this YAML file, see configs/."
    )
    parser.add_class_arguments(kind, as_positional=False)
    try:
        parsed = parser.parse_args(dashed(arguments))
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
