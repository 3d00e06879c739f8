"""Commands and programs in the documents can be typed."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import shlex
import shutil

import pytest
import tyro

from app.__main__ import Settings
from hbi_core import ask, contrast, convert, describe, evaluate, explain, search, train
from hbi_core.command_line import parsed
from support.demo import CAFE, ROOT
from support.documents import BLOCK, DOCUMENTS

NAMED = re.compile(r"python -m hbi_core\.\w+(?: (?:retrieval|ablation))?")
COMMAND = re.compile(r"(?:python|make|pip|accelerate|torchrun) .+|hbi-page.*")


def commands_of(text: str) -> list[list[str]]:
    """The words of each command in a document, in blocks and in sentences.

    A sentence may name a command without what it needs: `python -m hbi_core.train`.
    """
    lines = [line for kind, block in BLOCK.findall(text) if not kind for line in block.splitlines()]
    inline = re.findall(r"`([^`\n]+(?:\n[^`\n]+)?)`", BLOCK.sub("", text))
    lines += [" ".join(code.split()) for code in inline if not NAMED.fullmatch(code)]
    parts = [part.strip() for line in lines for part in line.split("&&")]
    return [shlex.split(part, comments=True) for part in parts if COMMAND.fullmatch(part)]


COMMANDS = [
    pytest.param(command, id=f"{document.name}: {' '.join(command)[:60]}")
    for document in DOCUMENTS
    for command in commands_of(document.read_text())
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_can_be_typed(command, monkeypatch):
    monkeypatch.chdir(ROOT)
    match command:  # what starts several processes takes the rest as python does
        case ["accelerate", "launch", *rest] | ["torchrun", "--nproc_per_node", _, *rest]:
            command = ["python", *rest]
    match command:
        case ["make", *targets]:
            known = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.M).group(1)
            assert set(targets) <= set(known.split())
        case ["pip", "install", *wanted]:
            check_installed(wanted)
        case ["python", "-c", program]:
            ast.parse(program)
        case ["python", "app.py", *options] | ["hbi-page", *options]:
            tyro.cli(Settings, args=options)
        case ["python", file, *_] if file.endswith(".py"):
            assert (ROOT / file).is_file()
        case ["python", "-m", module, *options]:
            check_options(module, options, monkeypatch)
        case _:
            pytest.fail(f"no such command is known: {command}")


def check_installed(wanted: list[str]) -> None:
    """Files of requirements, or this package with its extras."""
    for before, name in zip(["", *wanted], wanted, strict=False):
        if before == "-r":
            assert (ROOT / name).is_file()
        elif name != "-r":
            extras = re.fullmatch(r"\.(?:\[(\w+(?:,\w+)*)\])?", name).group(1) or ""
            for extra in filter(None, extras.split(",")):
                assert f"\n{extra} = {{ file" in (ROOT / "pyproject.toml").read_text()


def check_options(module: str, options: list[str], monkeypatch) -> None:
    """Whether a module takes these options. Nothing is run."""
    kinds = {
        "hbi_core.explain": explain.Arguments,
        "hbi_core.contrast": contrast.Arguments,
        "hbi_core.ask": ask.Arguments,
        "hbi_core.describe": describe.Arguments,
        "hbi_core.search": search.Arguments,
        "hbi_core.convert": convert.Arguments,
        "hbi_core.evaluate": evaluate.Command,
    }
    if "--help" in options:
        assert module in {*kinds, "hbi_core.train"}
    elif module in kinds:
        parsed(kinds[module], module.removeprefix("hbi_core."), options)
    elif module == "hbi_core.train":
        for name, (settings, _) in train.TRAININGS.items():
            monkeypatch.setitem(train.TRAININGS, name, (settings, lambda config: config.out))
        assert train.main(options) == 0
    else:
        assert importlib.util.find_spec(module), module
        if options and not module.startswith("examples."):  # tests/test_examples.py runs those
            tyro.cli(importlib.import_module(module).Settings, args=options)


PROGRAMS = [
    pytest.param(program, id=f"{document.name}: {program.splitlines()[0]}")
    for document in DOCUMENTS
    if document.name != "CONTRIBUTING.md"  # tests/test_contributing.py runs those
    for kind, program in BLOCK.findall(document.read_text())
    if kind == "python"
]


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_runs(program, tmp_path, monkeypatch):
    """In a folder with a clip.mp4; what asks a server is only compiled."""
    compiled = compile(program, "a document", "exec")
    if "gradio_client" not in program:
        shutil.copyfile(CAFE, tmp_path / "clip.mp4")
        monkeypatch.chdir(tmp_path)
        exec(compiled, {})
