"""Tables as CSV that spreadsheets read rightly and run nothing of."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# How formulas begin, in full width too, and what a spreadsheet skips before one.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def to_csv(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table as CSV, with a line of names first.

    Spreadsheets take a cell that begins with one of = + - @ for a formula and run it. A text that
    does so gets an apostrophe before it; numbers stay as they are.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([[_as_text(cell) for cell in row] for row in rows])
    return text.getvalue()


def _as_text(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def write_csv(file: Path, text: str) -> None:
    """As UTF-8 with a byte order mark, without which Excel reads letters beyond ASCII wrongly."""
    file.write_text(text, encoding="utf-8-sig", newline="")
