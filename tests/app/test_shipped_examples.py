"""The explanations that we ship are those that the shipped model gives."""

from __future__ import annotations

import json

import numpy as np
import pytest

from app.examples import EXAMPLES, example_of
from hbi_core.errors import InputError
from hbi_core.inputs.thumbnails import picture_of
from hbi_core.pipeline import explain
from hbi_core.shipped import ASSETS


def assert_alike(one, other, place=""):
    """Equal; numbers to the rounding of another processor, pictures to that of another decoder."""
    assert type(one) is type(other), place
    if isinstance(one, dict):
        assert list(one) == list(other), place
        for name in one:
            assert_alike(one[name], other[name], f"{place}.{name}")
    elif isinstance(one, list):
        assert len(one) == len(other), place
        for index, pair in enumerate(zip(one, other, strict=True)):
            assert_alike(*pair, f"{place}[{index}]")
    elif isinstance(one, float):
        assert one == pytest.approx(other, rel=1e-3, abs=1e-5), place
    elif ".thumbnails[" in place:
        off = picture_of(one).astype(int) - picture_of(other)
        assert np.abs(off).mean() < 2, place
    else:
        assert one == other, place


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_what_is_shipped_is_what_explain_gives(example):
    """Where this fails the heads are other ones: run python -m assets.make_examples."""
    shipped = json.loads(example.file.read_text(encoding="utf-8"))
    assert_alike(shipped, explain(example.clip, example.caption).to_dict())


def test_every_file_is_an_example_and_small():
    files = set((ASSETS / "examples").iterdir())
    assert files == {example.file for example in EXAMPLES}
    assert all(file.stat().st_size < 200_000 for file in files)


@pytest.mark.parametrize("number", [-1, len(EXAMPLES), "0", None, 0.5])
def test_other_numbers_are_no_examples(number):
    with pytest.raises(InputError, match="no example"):
        example_of(number)
