"""What users import from hbi_core is documented, and its examples are true."""

from __future__ import annotations

import doctest
import importlib
import inspect

import pytest

from support.demo import ROOT

_NAMES = (
    "pipeline",
    "chosen_model",
    "predictor",
    "recent",
    "level",
    "worth",
    "explanation",
    "batch",
    "summary",
    "alignment",
    "played",
    "answered",
    "answering",
    "described",
    "describing",
    "task_model",
    "difference",
    "contrasted",
    "verdict",
    "clip_search",
    "search_result",
)
MODULES = tuple(f"hbi_core.{name}" for name in _NAMES)


def public_names():
    """Functions and classes that a module defines, and the methods of these, with their names."""
    for name in MODULES:
        module = importlib.import_module(name)
        for attribute, value in vars(module).items():
            own = callable(value) and getattr(value, "__module__", "") == name
            if attribute.startswith("_") or not own:
                continue
            yield f"{name}.{attribute}", value
            for method, function in vars(value).items() if inspect.isclass(value) else ():
                function = function.fget if isinstance(function, property) else function
                if not method.startswith("_") and inspect.isfunction(function):
                    yield f"{name}.{attribute}.{method}", function


NAMES = dict(public_names())


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_says_what_it_takes_and_gives(name):
    text = inspect.getdoc(NAMES[name])
    assert "\nExample:\n" in text
    if inspect.isclass(NAMES[name]):
        assert "\nAttributes:\n" in text or "\nArgs:\n" in text
        return
    signature = inspect.signature(NAMES[name], eval_str=True)
    for argument in set(signature.parameters) - {"self"}:
        assert f" {argument}: " in text or f" {argument}, " in text or f", {argument}: " in text
    # A property, or a method without arguments that returns a text, says it in its first line.
    if len(signature.parameters) > 1 and signature.return_annotation is not None:
        assert "\nReturns:\n" in text
        assert "\nRaises:\n" in text


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_are_true(module, request, monkeypatch):
    """`explanation`, `contrast`, `answered`, `described`: what these returned for a demo clip."""
    monkeypatch.chdir(ROOT)
    tested = importlib.import_module(module)
    names = ("explanation", "answerer", "answered", "captioner", "described")
    known = {name: request.getfixturevalue(name) for name in names}
    if not hasattr(tested, "contrast"):
        known["contrast"] = request.getfixturevalue("contrast")
    result = doctest.testmod(tested, extraglobs=known)
    assert not result.failed
    assert result.attempted
