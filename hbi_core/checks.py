"""Numbers as they come from a page, a request or a user's program."""

from __future__ import annotations

import math
import reprlib
from numbers import Real
from typing import Any

from explainers import settings
from hbi_core.errors import InputError


def whole_number(value: Any, told: str, least: int, most: float = math.inf) -> int:
    """A whole number of any numeric type (12, 12.0, np.int64(12)) as an int.

    Args:
        value: what was given.
        told: how a sentence that refuses it begins, with {} for the value.
        least, most: the smallest and the largest number that is accepted.

    Raises:
        InputError: it is no number, true or false, a fraction, or out of range.
    """
    try:
        return settings.whole_number("it", value, least, most)
    except ValueError as error:
        limits = f"{least} or more" if most == math.inf else f"{least} to {most:,}"
        raise _refused(value, told, f"a whole number, {limits}") from error


def real_number(value: Any, told: str, least: float, most: float) -> float:
    """A number of any numeric type as a float. Arguments and errors as `whole_number`."""
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if is_number and least <= value <= most:
        return float(value)
    raise _refused(value, told, f"a number, {least:g} to {most:g}")


def _refused(value: Any, told: str, wanted: str) -> InputError:
    shown = value if isinstance(value, Real) else reprlib.repr(value)
    return InputError(f"{told.format(shown)}; use {wanted}.")
