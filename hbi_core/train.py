"""python -m hbi_core.train --config FILE [key=value or --key value ...]: train."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hbi_core.command_line import command
from hbi_core.errors import SettingsError
from hbi_core.training.config import TrainConfig
from hbi_core.training.config_file import dashed, read_config
from hbi_core.training.estimator import EstimatorConfig, train_estimator
from hbi_core.training.loop import train

TRAININGS: dict[str, tuple[type, Callable[[Any], Path]]] = {
    "model": (TrainConfig, train),
    "estimator": (EstimatorConfig, train_estimator),
}


@command
def main(argv: list[str] | None = None) -> None:
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    first.add_argument("--task")
    arguments = dashed(sys.argv[1:] if argv is None else argv)
    try:
        chosen, others = first.parse_known_args(arguments)
    except argparse.ArgumentError as error:
        raise SettingsError(str(error)) from error
    if chosen.task != "estimator":  # but a task of the model, which is one of its settings
        chosen.task, others = "model", arguments
    settings, run = TRAININGS[chosen.task]
    print(run(read_config(settings, others)))


if __name__ == "__main__":
    sys.exit(main())
