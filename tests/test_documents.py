"""What the documents name exists."""

from __future__ import annotations

import importlib
import re

import pytest

from support.demo import ROOT

NAMES = re.findall(r"`([a-z_]+(?:\.\w+)+)`", (ROOT / "docs" / "paper_to_code.md").read_text())


def resolved(name: str) -> object:
    """The module or the attribute of this name; a field of a dataclass counts as one."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            fields = getattr(found, "__dataclass_fields__", {})
            found = fields[part] if part in fields else getattr(found, part)
        return found
    raise ModuleNotFoundError(name)


@pytest.mark.parametrize("name", sorted({n for n in NAMES if not n.startswith("tests.")}))
def test_every_symbol_of_paper_to_code_exists(name):
    assert resolved(name) is not None


def test_the_tests_that_are_named_exist():
    named = {n for n in NAMES if n.startswith("tests.")}
    assert named
    for name in named:
        assert (ROOT / f"{name.replace('.', '/')}.py").is_file(), name


def test_every_numbered_equation_has_a_row():
    text = (ROOT / "docs" / "paper_to_code.md").read_text()
    ranges = re.findall(r"Eqs?\. ([\d, ]+)", text)
    rows = {int(number) for part in ranges for number in re.findall(r"\d+", part)}
    assert rows == set(range(1, 11))
