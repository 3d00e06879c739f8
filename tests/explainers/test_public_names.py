"""Every public name of `explainers` is documented, and its examples are true."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import pkgutil

import pytest

import explainers
from support.demo import ROOT

MODULES = [module.name for module in pkgutil.iter_modules(explainers.__path__, "explainers.")]
PUBLIC = {name: getattr(explainers, name) for name in explainers.__all__}
FUNCTIONS = [name for name, value in PUBLIC.items() if inspect.isfunction(value)]
CLASSES = [name for name, value in PUBLIC.items() if inspect.isclass(value)]
RAISE_NOTHING = {"coalition_graph", "player_id", "ranks"}


def sections_of(name):
    lines = inspect.getdoc(PUBLIC[name]).splitlines()
    return {line.removesuffix(":") for line in lines if line[:1].strip() and line.endswith(":")}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_say_what_they_take_and_give(name):
    expected = {"Args", "Returns", "Example"} | (set() if name in RAISE_NOTHING else {"Raises"})
    assert expected <= sections_of(name)
    for argument in inspect.signature(PUBLIC[name]).parameters:
        assert f"    {argument}: " in inspect.getdoc(PUBLIC[name]), argument


@pytest.mark.parametrize("name", CLASSES)
def test_classes_say_what_they_hold(name):
    sections = sections_of(name)
    assert "Example" in sections
    assert sections & {"Args", "Attributes"}


def test_nothing_else_is_public_but_the_names_of_settings():
    others = set(PUBLIC) - {*FUNCTIONS, *CLASSES}
    assert others == {"INDICES", "WEIGHTINGS"}
    assert all(isinstance(PUBLIC[name], tuple) for name in others)


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_are_true(module):
    result = doctest.testmod(importlib.import_module(module))
    assert not result.failed
    public = {v.__name__ for v in PUBLIC.values() if getattr(v, "__module__", "") == module}
    assert result.attempted >= len(public)


@pytest.mark.parametrize("folder", ["explainers", "hbi_core", "app", "benchmarks", "examples"])
def test_interactions_are_built_by_keyword(folder):
    """Nine fields, of which no reader knows the order."""
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Interactions":
                assert not node.args, f"{path}:{node.lineno}"
