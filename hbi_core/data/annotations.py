"""Annotation files: found, parsed, and refused with the file and the line that is wrong."""

from __future__ import annotations

import csv
import io
import json
import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hbi_core.errors import DataError

_AGAIN = "Mend it, or download the file again."


@dataclass(frozen=True)
class AnnotationFolder:
    """Where the annotation files of a data set may lie.

    Attributes:
        root: the folder of the data set.
        places: folders below it, searched in this order; "." is `root` itself.
        layout: what the folder should look like, for error messages.
    """

    root: Path
    places: tuple[str, ...]
    layout: str

    def has(self, name: str) -> bool:
        return any((self.root / place / name).is_file() for place in self.places)

    def find(self, name: str) -> Path:
        """The first file of this name.

        Raises:
            DataError: there is none.
        """
        tried = [self.root / place / name for place in self.places]
        for path in tried:
            if path.is_file():
                return path
        raise DataError(
            f"There is no {name}. Looked for: {', '.join(map(str, tried))}. "
            f"Expected layout: {self.layout}"
        )


def read_json(path: Path) -> Any:
    """The content of a JSON file."""
    return _parse_json(_read_text(path), path, first_line=1)


def read_json_lines(path: Path) -> Iterator[tuple[Any, str]]:
    """Each record of a file with one JSON value a line, and where it is (file and line)."""
    for number, line in enumerate(_read_text(path).split("\n"), start=1):
        if line.strip():
            yield _parse_json(line, path, first_line=number), f"{path}, line {number}"


def read_lines(path: Path) -> list[str]:
    """The lines of a file, stripped, without the empty ones."""
    return [line.strip() for line in _read_text(path).split("\n") if line.strip()]


def read_rows(path: Path, columns: tuple[str, ...]) -> list[tuple[str, ...]]:
    """These columns of a CSV file with a header.

    Raises:
        DataError: a column is missing, a row has too few or too many, or a value is empty.
    """
    reader = csv.DictReader(io.StringIO(_read_text(path), newline=""), strict=True)
    rows = []
    try:
        absent = [column for column in columns if column not in (reader.fieldnames or ())]
        if absent:
            raise DataError(
                f"{path}, line 1: the header has no column {', '.join(absent)}; it should have "
                f"{','.join(columns)}. {_AGAIN}"
            )
        for row in reader:
            if None in row or None in row.values():
                raise DataError(
                    f"{path}, line {reader.line_num}: the row has not as many values as the header "
                    f"({len(reader.fieldnames)}); a text with a comma needs quotes. {_AGAIN}"
                )
            values = tuple(row[column].strip() for column in columns)
            if not all(values):
                empty = columns[values.index("")]
                raise DataError(f"{path}, line {reader.line_num}: {empty} is empty. {_AGAIN}")
            rows.append(values)
    except csv.Error as error:
        raise DataError(
            f"{path}, line {reader.line_num + 1}: not CSV ({error}). {_AGAIN}"
        ) from error
    return rows


def read_pickle(path: Path) -> Any:
    """A pickle of dicts, lists, tuples, strings and numbers; of Python 2 as well (as Latin-1).

    Raises:
        DataError: the file is broken, or names a class or a function, which could run any code.
    """
    try:
        with path.open("rb") as file:
            return _PlainUnpickler(file, encoding="latin1").load()
    except _NotPlainError as error:
        raise DataError(
            f"{path} asks for {error}, which could run a program, so it was not read. The file "
            "should hold only dicts, lists, strings and numbers; do not trust this copy."
        ) from error
    except Exception as error:  # a broken pickle can raise anything, says the library
        raise DataError(f"{path} is not a readable pickle ({error}). {_AGAIN}") from error


def fields(record: Any, types: dict[str, type], where: str) -> list[Any]:
    """The values of these keys of a JSON object, each of its type, in this order.

    Raises:
        DataError: it is no object, or a key is missing or of another type.
    """
    if not isinstance(record, dict):
        raise DataError(f"{where}: expected an object with {', '.join(types)}. {_AGAIN}")
    for key, kind in types.items():
        if key not in record:
            raise DataError(f"{where}: there is no {key!r}. {_AGAIN}")
        if not isinstance(record[key], kind):
            raise DataError(
                f"{where}: {key!r} should be of type {kind.__name__}, it is "
                f"{type(record[key]).__name__}. {_AGAIN}"
            )
    return [record[key] for key in types]


def strings(values: Any, where: str) -> list[str]:
    """A list of strings, checked.

    Raises:
        DataError: it is none.
    """
    if not isinstance(values, list | tuple) or not all(isinstance(v, str) for v in values):
        raise DataError(f"{where}: expected a list of strings. {_AGAIN}")
    return list(values)


class _NotPlainError(Exception):
    """A pickle names something that is to be imported."""


class _PlainUnpickler(pickle.Unpickler):
    """Imports nothing: dicts, lists, tuples, sets, strings and numbers do without."""

    def find_class(self, module: str, name: str) -> Any:
        raise _NotPlainError(f"{module}.{name}")


def _read_text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error
    try:
        return data.decode("utf-8-sig")  # some releases begin with a byte order mark
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path}, line {line}: not UTF-8 text. {_AGAIN}") from error


def _parse_json(text: str, path: Path, first_line: int) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        line = first_line + error.lineno - 1
        raise DataError(f"{path}, line {line}: not JSON ({error.msg}). {_AGAIN}") from error
    except RecursionError as error:
        raise DataError(f"{path}, line {first_line}: nested too deeply. {_AGAIN}") from error
