"""The documents, and the blocks in them."""

from __future__ import annotations

import re

from support.demo import ROOT

DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)


def programs_of(document: str, heading: str) -> list[str]:
    """The Python blocks below a heading."""
    text = (ROOT / document).read_text()
    section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.M | re.S).group(1)
    return [program for kind, program in BLOCK.findall(section) if kind == "python"]
