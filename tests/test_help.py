"""The commands tell what their options mean."""

from __future__ import annotations

import ast
import re

import pytest

from hbi_core import train
from support.demo import ROOT


def told(path) -> dict[str, str]:
    """The options of a command, which stand in a dataclass, and what is said of each."""
    said = {}
    for kind in ast.walk(ast.parse(path.read_text())):
        if isinstance(kind, ast.ClassDef):
            for field, text in zip(kind.body, [*kind.body[1:], None], strict=True):
                if isinstance(field, ast.AnnAssign) and "ClassVar" not in ast.dump(field):
                    name = f"{kind.name}.{ast.unparse(field.target)}"
                    is_text = isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
                    said[name] = " ".join(text.value.value.split()) if is_text else ""
    return said


SENTENCE = re.compile(r"[A-Z\d].*\.")


COMMANDS = ("explain", "contrast", "ask", "describe", "search", "evaluate", "convert", "app")


@pytest.mark.parametrize("name", [*COMMANDS, "figure_options"])
def test_every_option_is_told_in_sentences(name):
    options = told(ROOT / "app/__main__.py" if name == "app" else ROOT / "hbi_core" / f"{name}.py")
    assert len(options) > 2
    assert [option for option, text in options.items() if not SENTENCE.fullmatch(text)] == []


@pytest.mark.parametrize("task", ["retrieval", "estimator"])
def test_every_setting_of_training_is_told(task, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "10000")
    with pytest.raises(SystemExit):
        train.main(["--task", task, "--help"])
    printed = re.sub(r"\n {20,}", "  ", capsys.readouterr().out)  # below a long name
    options = re.findall(r"^  (--[\w.]+)[^\n]*?(?:  +([^\n]*))?$", printed, re.M)
    texts = {name: re.sub(r"\(?(required|type: ).*", "", text).strip() for name, text in options}
    assert {"--config", "--out", "--seed"} < set(texts)
    assert [name for name, text in texts.items() if not text.endswith(".")] == []
