"""Annotation files: found, parsed, and refused with the file and the line that is wrong."""

from __future__ import annotations

import codecs
import csv
import io
import json
import pickle
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hbi_core.errors import DataError

_AGAIN = "Mend it, or download the file again."
_SPOKEN = {",": "comma", ";": "semicolon", "\t": "tab"}
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins as UTF-16's does
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class AbsentError(DataError):
    """A folder has no annotation file of a name, or one that tells nothing about a split."""


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
            AbsentError: there is none.
        """
        tried = [self.root / place / name for place in self.places]
        for path in tried:
            if path.is_file():
                return path
        raise AbsentError(
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


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        values: by column, stripped.
        where: file and line, for error messages.
    """

    values: dict[str, str]
    where: str

    def value(self, column: str) -> str:
        """Raises DataError if it is empty."""
        if not self.values[column]:
            raise DataError(f"{self.where}: {column} is empty. {_AGAIN}")
        return self.values[column]


def read_table(path: Path, delimiters: str = ",") -> tuple[list[str], list[Row]]:
    """The header and the rows of a CSV file.

    Args:
        path: the file.
        delimiters: what may stand between values; of several, the one that a line "sep=;" names
            above the header, as Excel writes it, or that is most often in the header. Then empty
            lines above it are skipped, and what is not UTF-8 is read as Windows-1252, in which
            Excel saves a CSV file.

    Raises:
        DataError: a row has too few or too many values, or the file is no CSV.
    """
    spreadsheet = len(delimiters) > 1
    text = _read_text(path, "cp1252" if spreadsheet else None)
    above = 0  # lines above the header
    if spreadsheet:
        body = text.lstrip("\n")
        if named := re.match(f"sep=([{delimiters}])\n", body):
            delimiters, body = named[1], body[named.end() :].lstrip("\n")
        above, text = text.count("\n") - body.count("\n"), body
    delimiter = max(delimiters, key=text.partition("\n")[0].count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows = []
    try:
        header = list(reader.fieldnames or ())
        for row in reader:
            if None in row or None in row.values():
                raise DataError(
                    f"{path}, line {above + reader.line_num}: the row has not as many values as "
                    f"the header ({len(header)}); a text with a {_SPOKEN[delimiter]} needs "
                    f"quotes. {_AGAIN}"
                )
            values = {column: value.strip() for column, value in row.items()}
            rows.append(Row(values, f"{path}, line {above + reader.line_num}"))
    except csv.Error as error:
        raise DataError(
            f"{path}, line {above + reader.line_num + 1}: not CSV ({error}). {_AGAIN}"
        ) from error
    return header, rows


def read_rows(path: Path, columns: tuple[str, ...]) -> list[tuple[str, ...]]:
    """These columns of a CSV file with a header.

    Raises:
        DataError: a column is missing, a row has too few or too many, or a value is empty.
    """
    header, rows = read_table(path)
    absent = [column for column in columns if column not in header]
    if absent:
        raise DataError(
            f"{path}, line 1: the header has no column {', '.join(absent)}; it should have "
            f"{','.join(columns)}. {_AGAIN}"
        )
    return [tuple(row.value(column) for column in columns) for row in rows]


def read_pickle(path: Path) -> Any:
    """A pickle of dicts, lists, tuples, strings and numbers.

    Python 2 wrote its strings as bytes of whatever encoding they came in: UTF-8 where they are
    that, else Windows-1252, which has all letters of Latin-1.

    Raises:
        DataError: the file is broken, or names a class or a function, which could run any code.
    """
    try:
        with path.open("rb") as file:
            return _decoded(_PlainUnpickler(file, encoding="bytes").load(), {})
    except _NotPlainError as error:
        raise DataError(
            f"{path} asks for {error}, which could run a program, so it was not read. The file "
            "should hold only dicts, lists, strings and numbers; do not trust this copy."
        ) from error
    except Exception as error:  # a broken pickle can raise anything, says the library
        raise DataError(f"{path} is not a readable pickle ({error}). {_AGAIN}") from error


def fields(record: Any, types: Mapping[str, type], where: str) -> list[Any]:
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
    """Imports nothing: dicts, lists, tuples, sets, strings and numbers do without.

    But for bytes of Python 3 in a protocol of Python 2: they are text, to be encoded as Latin-1.
    """

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("_codecs", "encode"):
            return _latin1
        if (module, name) == ("__builtin__", "bytes"):
            return lambda: b""  # empty ones, and no others
        raise _NotPlainError(f"{module}.{name}")


def _latin1(*arguments: Any) -> bytes:
    """In place of the function that a pickle asks for: nothing but str -> bytes."""
    if len(arguments) != 2 or arguments[1] != "latin1" or not isinstance(arguments[0], str):
        raise _NotPlainError("another use of _codecs.encode than for bytes")
    return arguments[0].encode("latin1")


def _decoded(value: Any, known: dict[int, Any]) -> Any:
    """The same value with strings in place of bytes; `known` are parts that were met before."""
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return value.decode("cp1252", "replace")
    if not isinstance(value, dict | list | tuple | set | frozenset):
        return value
    if id(value) not in known:
        known[id(value)] = None  # what holds itself is nothing that a data set has
        parts = [_decoded(part, known) for part in value]
        if isinstance(value, dict):
            own = [_decoded(part, known) for part in value.values()]
            known[id(value)] = dict(zip(parts, own, strict=True))
        else:
            known[id(value)] = type(value)(parts)
    return known[id(value)]


def _read_text(path: Path, instead_of_utf8: str | None = None) -> str:
    """The text of a file, its lines ended by "\\n" alone.

    Args:
        path: the file.
        instead_of_utf8: encoding of a file that has no byte order mark and is not UTF-8.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error
    marks = ((mark, name) for mark, name in _BYTE_ORDER_MARKS if data.startswith(mark))
    mark, encoding = next(marks, (b"", "utf-8"))
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        if instead_of_utf8 and not mark:
            return _lines(data.decode(instead_of_utf8, "replace"))
        line = data[: error.start].decode(encoding, "replace").count("\n") + 1
        raise DataError(
            f"{path}, line {line}: not {encoding.upper()} text. Save it as UTF-8, or download it "
            "again."
        ) from error
    if "\0" in text:  # UTF-16 without a byte order mark, for example
        line = text.count("\n", 0, text.index("\0")) + 1
        raise DataError(
            f"{path}, line {line}: there is a zero byte, so this is not UTF-8 text. Save it as "
            "UTF-8, or download it again."
        )
    return _lines(text)


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _parse_json(text: str, path: Path, first_line: int) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        line = first_line + error.lineno - 1
        raise DataError(f"{path}, line {line}: not JSON ({error.msg}). {_AGAIN}") from error
    except RecursionError as error:
        raise DataError(f"{path}, line {first_line}: nested too deeply. {_AGAIN}") from error
