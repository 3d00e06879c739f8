"""Numbers of any type, and what is none."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from hbi_core.checks import real_number, whole_number
from hbi_core.errors import InputError


@pytest.mark.parametrize(
    "value", [12, 12.0, np.int64(12), np.uint8(12), np.float32(12), Fraction(12)]
)
def test_whole_numbers(value):
    number = whole_number(value, "{} frames", 1, 64)
    assert number == 12
    assert type(number) is int


@pytest.mark.parametrize(
    "value",
    [
        True,
        np.True_,
        2.5,
        np.float64(2.5),
        math.nan,
        math.inf,
        -math.inf,
        "12",
        "x",
        None,
        [12],
        {},
        12 + 0j,
        0,
        65,
        -1,
        2**70,
    ],
)
def test_what_is_no_whole_number_in_the_range(value):
    with pytest.raises(InputError, match=r"^.+ frames; use a whole number, 1 to 64\.$"):
        whole_number(value, "{} frames", 1, 64)


def test_real_numbers():
    assert real_number(np.float32(0.5), "{} s", 0, 3) == 0.5
    assert type(real_number(3, "{} s", 0, 3)) is float
    for value in (True, "1", None, math.nan, -0.1, 3.1, [1]):
        with pytest.raises(InputError, match=r"s; use a number, 0 to 3\.$"):
            real_number(value, "{} s", 0, 3)


def test_a_long_value_is_told_in_short():
    with pytest.raises(InputError) as refused:
        whole_number("x" * 1_000_000, "{} frames were asked for", 1, 64)
    assert len(str(refused.value)) < 120
