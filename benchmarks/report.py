"""A table on the screen and in results/, with the machine and the date."""

from __future__ import annotations

import datetime
import json
import os
import platform
import re
from collections.abc import Sequence
from pathlib import Path

import torch

RESULTS = Path(__file__).parent / "results"


def named(name: str, device: str | None) -> str:
    """NAME, or NAME_gpu."""
    return name if device in (None, "cpu") else f"{name}_gpu"


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
        cpu = found.group(1) if found else cpu
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return {
        "date": datetime.date.today().isoformat(),
        "cpu": f"{cpu}, {os.cpu_count()} cores",
        "gpu": gpu,
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def report(
    name: str, title: str, columns: list[str], rows: list[list[str]], device: str | None = None
) -> None:
    """Print a table and write results/NAME.md and results/NAME.json, or those of NAME_gpu.

    Args:
        device: where it ran, if that can be chosen.
    """
    where, notes = machine(), []
    if device == "cpu":
        on_gpu = f"{name}_gpu.md"
        measured = (RESULTS / on_gpu).exists()
        missing = "not measured, no GPU was at hand; `--device cuda` measures it"
        notes = [f"On a GPU: {f'see {on_gpu}' if measured else missing}.", ""]
    name = named(name, device)
    lines = [
        f"# {title}",
        "",
        ", ".join(f"{key} {value}" for key, value in where.items()),
        "",
        *notes,
        *table(columns, rows),
        "",
    ]
    text = "\n".join(lines)
    print(text)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text(text)
    data = {"machine": where, "rows": [dict(zip(columns, row, strict=True)) for row in rows]}
    (RESULTS / f"{name}.json").write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n")


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table in Markdown, in which a bar inside a cell, as of |I|, parts no cells."""
    head, *body = (
        "| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |"
        for row in (columns, *rows)
    )
    return [head, "|" + "---|" * len(columns), *body]
