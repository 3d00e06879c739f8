"""What the documents say is so: names, links, numbers."""

from __future__ import annotations

import importlib
import re
from typing import get_type_hints

import pytest
import yaml

from hbi_core.training.config import TrainConfig
from support.demo import ROOT
from support.documents import DOCUMENTS

NAME = re.compile(r"`((?:explainers|hbi_core|app|benchmarks|tests)(?:\.(?!py\b|md\b)\w+)+)\b")
NAMES = {
    name
    for document in DOCUMENTS
    if document.name != "CHANGELOG.md"  # which tells of what was
    for name in NAME.findall(document.read_text())
}
TABLES = [*DOCUMENTS, *sorted((ROOT / "benchmarks" / "results").glob("*.md"))]
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


ROOMS = "explainers|hbi_core|app|assets|benchmarks|configs|docs|examples|tests"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_that_is_named_exists(document):
    for name in re.findall(rf"`((?:{ROOMS})/[\w./]*)`", document.read_text()):
        assert (ROOT / name).exists(), name


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


def test_the_papers_are_cited_alike():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    readme = " ".join((ROOT / "README.md").read_text().replace("{Banzhaf}", "Banzhaf").split())
    assert len(citation["references"]) == readme.count("author =")
    for paper in citation["references"]:
        names = [f"{a['family-names']}, {a['given-names']}" for a in paper["authors"]]
        assert f"title = {{{paper['title']}}}" in re.sub(r" +=", " =", readme)
        assert f"author = {{{' and '.join(names)}}}" in re.sub(r" +=", " =", readme)


@pytest.mark.parametrize("document", TABLES, ids=lambda path: path.name)
def test_every_row_belongs_to_a_table_and_fills_it(document):
    """Beneath a head and its rule, with as many cells; what stands alone is shown as text."""
    text = re.sub(r"(?ms)^```.*?^```$", "", document.read_text(encoding="utf-8"))
    for block in re.findall(r"(?m)(?:^\|.*\n?)+", text):
        counts = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert re.fullmatch(r"[|: -]+", block.splitlines()[1]), block
        assert len(counts) == 1, block
