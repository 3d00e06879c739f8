"""What the documents say is so: names, links, commands, programs, numbers."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import runpy
import shlex
from typing import get_type_hints

import numpy as np
import pytest
import tyro
import yaml

from explainers import coalition_graph, compare
from hbi_core import convert, evaluate, explain, train
from hbi_core.command_line import parsed
from hbi_core.data.readers import DATA_SETS
from hbi_core.encoders import Encoder, encode_frames, encode_text
from hbi_core.export import CSV_COLUMNS
from hbi_core.inputs.text import parse_caption
from hbi_core.training.config import TrainConfig
from support.demo import ROOT

DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
NAME = re.compile(r"`((?:explainers|hbi_core|app|benchmarks|tests)(?:\.(?!py\b|md\b)\w+)+)\b")
NAMES = {
    name
    for document in DOCUMENTS
    if document.name != "CHANGELOG.md"  # which tells of what was
    for name in NAME.findall(document.read_text())
}
SETTING = re.compile(r"`((?:data|model|loss|optimiser)\.[\w.]+)\b")
SETTINGS = {name for document in DOCUMENTS for name in SETTING.findall(document.read_text())}


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
def test_every_symbol_that_is_named_exists(name):
    assert resolved(name) is not None


def test_the_tests_that_are_named_exist():
    named = {n for n in NAMES if n.startswith("tests.")}
    assert named
    for name in named:
        assert (ROOT / f"{name.replace('.', '/')}.py").is_file(), name


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_every_setting_that_is_named_exists(name):
    kind: type = TrainConfig
    for part in name.split("."):
        kind = get_type_hints(kind)[part]


def test_every_numbered_equation_has_a_row():
    text = (ROOT / "docs" / "paper_to_code.md").read_text()
    ranges = re.findall(r"Eqs?\. ([\d, ]+)", text)
    rows = {int(number) for part in ranges for number in re.findall(r"\d+", part)}
    assert rows == set(range(1, 11))


def test_the_readme_is_read_in_five_minutes():
    assert len((ROOT / "README.md").read_text().split()) < 900


def anchors(text: str) -> set[str]:
    """Of the headings of a document, as GitHub names them."""
    headings = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(
    "document", [*DOCUMENTS, ROOT / "assets" / "README.md"], ids=lambda path: path.name
)
def test_every_link_leads_somewhere(document):
    for target in re.findall(r"\]\(([^)]+)\)", document.read_text()):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        file = (document.parent / name).resolve() if name else document
        assert file.exists(), target
        assert file == ROOT or ROOT in file.parents, target
        if anchor:
            assert anchor in anchors(file.read_text()), target


def test_every_document_is_linked_from_the_readme():
    linked = re.findall(r"\]\(docs/(\w+\.md)\)", (ROOT / "README.md").read_text())
    known = {path.name for path in (ROOT / "docs").glob("*.md")}
    text = "".join(path.read_text() for path in DOCUMENTS)
    others = re.findall(r"\]\((\w+\.md)\)", text)
    assert known <= {*linked, *others}


BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
NAMED = re.compile(r"python -m hbi_core\.\w+(?: (?:retrieval|ablation))?")
COMMAND = re.compile(r"(?:python|make|pip|accelerate|torchrun) .+")


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
    match command:
        case ["make", *targets]:
            known = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.M).group(1)
            assert set(targets) <= set(known.split())
        case ["pip", "install", *wanted]:
            check_installed(wanted)
        case ["python", "-c", program]:
            ast.parse(program)
        case ["python", "app.py", *options]:
            for name in ("HF_HUB_OFFLINE", "GRADIO_ANALYTICS_ENABLED"):  # which it sets
                monkeypatch.setenv(name, "1")
            tyro.cli(runpy.run_path("app.py")["Settings"], args=options)
        case ["python", file] if file.endswith(".py"):
            assert (ROOT / file).is_file()
        case ["python", "-m", module, *options] | [
            "accelerate", "launch", "-m", module, *options
        ] | ["torchrun", "--nproc_per_node", _, "-m", module, *options]:  # fmt: skip
            check_options(module, options, monkeypatch)
        case _:
            pytest.fail(f"no such command is known: {command}")


def check_installed(wanted: list[str]) -> None:
    """Files of requirements, or this package with its extras."""
    for before, name in zip(["", *wanted], wanted, strict=False):
        if before == "-r":
            assert (ROOT / name).is_file()
        elif name != "-r":
            extra = re.fullmatch(r"\.(?:\[(\w+)\])?", name).group(1)
            assert not extra or f"\n{extra} = {{ file" in (ROOT / "pyproject.toml").read_text()


def check_options(module: str, options: list[str], monkeypatch) -> None:
    """Whether a module takes these options. Nothing is run."""
    kinds = {
        "hbi_core.explain": explain.Arguments,
        "hbi_core.convert": convert.Arguments,
        "hbi_core.evaluate": evaluate.Command,
    }
    if "--help" in options:
        assert module in {*kinds, "hbi_core.train"}
    elif module in kinds:
        parsed(kinds[module], module.removeprefix("hbi_core."), options)
    elif module == "hbi_core.train":
        for name, (settings, _) in train.TASKS.items():
            monkeypatch.setitem(train.TASKS, name, (settings, lambda config: config.out))
        assert train.main(options) == 0
    else:
        assert importlib.util.find_spec(module), module
        if options:
            tyro.cli(importlib.import_module(module).Settings, args=options)


PROGRAMS = [
    pytest.param(program, id=f"{document.name}: {program.splitlines()[0]}")
    for document in DOCUMENTS
    for kind, program in BLOCK.findall(document.read_text())
    if kind == "python"
]


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_a_program_imports_exists(program):
    for node in ast.walk(ast.parse(program)):
        if isinstance(node, ast.ImportFrom):
            module = importlib.import_module(node.module)
            assert all(hasattr(module, alias.name) for alias in node.names)


MEASURED = [
    pytest.param(ROOT / "benchmarks" / "results" / file, row, id=f"{file}: {row.split('|')[1]}")
    for name in ("README.md", "docs/measured.md")
    for row, file in re.findall(
        r"^(\|.+)\| \[[^\]]+\]\((?:\.\./)?benchmarks/results/(\w+\.md)\) \|$",
        (ROOT / name).read_text(),
        re.M,
    )
]
NUMBER = re.compile(r"(?<![\w.,])\d[\d,]*(?:\.\d+)?(?:e-?\d+)?")


@pytest.mark.parametrize(("file", "row"), MEASURED)
def test_what_is_measured_stands_in_the_results(file, row):
    """Every number of the row's result is one of the file's, rounded."""
    known = [float(number.replace(",", "")) for number in NUMBER.findall(file.read_text())]
    told = re.sub(r"shapiq 1\.4|\d+ × \d+|of \d+ players", "", row.split("|")[2])
    assert NUMBER.search(told)
    for number in NUMBER.findall(told):
        value, half = float(number.replace(",", "")), half_unit(number)
        # Seconds and milliseconds: a file writes what is short.
        near = [x for x in known for unit in (1, 1000) if abs(x * unit - value) <= 1.001 * half]
        assert near, number


def half_unit(number: str) -> float:
    """Half of the last digit that is told: 0.05 of "7.0", 500 of "28,000"."""
    digits, _, exponent = number.replace(",", "").partition("e")
    whole, _, fraction = digits.partition(".")
    zeros = 0 if fraction else len(whole) - len(whole.rstrip("0"))
    return 0.5 * 10 ** (zeros - len(fraction) + int(exponent or 0))


def programs_of(document: str, heading: str) -> list[str]:
    """The Python blocks below a heading."""
    text = (ROOT / document).read_text()
    section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.M | re.S).group(1)
    return [program for kind, program in BLOCK.findall(section) if kind == "python"]


def test_the_encoder_of_contributing_encodes():
    (program,) = programs_of("CONTRIBUTING.md", "Add an encoder")
    names: dict = {}
    exec(program, names)
    encoder = names["ColourEncoder"]()
    for name in [*Encoder.__annotations__, *vars(Encoder)]:
        assert name.startswith("_") or hasattr(encoder, name)
    red = np.zeros((2, 8, 8, 3), np.uint8)
    red[..., 0] = 255
    assert encode_frames(encoder, red).tolist() == [[1, 0, 0], [1, 0, 0]]
    text = encode_text(encoder, parse_caption("a rug"))
    assert text.labels == ("a", "rug")
    assert text.features.shape == (2, encoder.widths[1])


def test_every_room_of_contributing_is_there():
    rooms = re.findall(r"`([\w/]+/)`", (ROOT / "CONTRIBUTING.md").read_text())
    assert all((ROOT / room).is_dir() for room in rooms)
    inner = {path.parent for path in (ROOT / "hbi_core").glob("*/__init__.py")}
    assert {ROOT / room for room in rooms} >= inner


def test_the_papers_are_cited_alike():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    readme = " ".join((ROOT / "README.md").read_text().replace("{Banzhaf}", "Banzhaf").split())
    assert len(citation["references"]) == readme.count("author =")
    for paper in citation["references"]:
        names = [f"{a['family-names']}, {a['given-names']}" for a in paper["authors"]]
        assert f"title = {{{paper['title']}}}" in re.sub(r" +=", " =", readme)
        assert f"author = {{{' and '.join(names)}}}" in re.sub(r" +=", " =", readme)


FORMATS = (ROOT / "docs" / "formats.md").read_text()


def row_of(name: str) -> list[str]:
    """The names in code of the row of a table in docs/formats.md."""
    (row,) = re.findall(rf"^\| {re.escape(name)} \|(.*)\|$", FORMATS, re.M)
    return re.findall(r"`(\w+)`", row)


def keys_of(value: object) -> set[str]:
    """Of all dictionaries in a value, however deep."""
    if isinstance(value, dict):
        return set(value).union(*map(keys_of, value.values()))
    return set().union(*map(keys_of, value)) if isinstance(value, list) else set()


def test_the_formats_are_those_that_are_written(explanation):
    (block,) = re.findall(r'^```\n(\{"schema".*?)^```$', FORMATS, re.M | re.S)
    assert set(re.findall(r'"(\w+)":', block)) == keys_of(explanation.to_dict())
    assert explanation.to_dict()["schema"] in block

    assert row_of("interactions.csv") == list(CSV_COLUMNS)
    game = explanation.levels[2].game(explanation.weighting)
    assert row_of("comparison.csv") == list(compare(game, ["closed_form"]).table()[0])

    graph = coalition_graph(explanation.levels)
    attributes = {key for *_, data in [*graph.nodes.data(), *graph.edges.data()] for key in data}
    section = FORMATS.partition("## graph.graphml")[2].partition("\n## ")[0]
    assert attributes <= set(re.findall(r"`(\w+)`", section))


def test_every_data_set_has_a_row():
    section = FORMATS.partition("## Data sets")[2]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.M)) == {*DATA_SETS, "synthetic"}
