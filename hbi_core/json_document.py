"""Results as JSON: all of them are written alike, and opened again alike."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from hbi_core.errors import ExplanationError
from hbi_core.json_reading import Json, JsonError, parse_json

_MOST_BYTES = 20_000_000  # of a file; two explanations of 64 frames and 64 words take less than two

Document = TypeVar("Document", bound="JsonDocument")


def json_text(contents: dict[str, Any]) -> str:
    """Dictionaries, lists, strings and numbers as text.

    Returns:
        JSON with one space of indentation; letters beyond ASCII stand as they are.

    Raises:
        ValueError: a number is not finite, which JSON cannot say.
    """
    return json.dumps(contents, ensure_ascii=False, indent=1, allow_nan=False)


class JsonDocument(ABC):
    """A result that is one document; docs/formats.md has the schema of each.

    Attributes:
        schema: the name and version of its schema, which the document has under "schema".
        file_name: what its file is called.
    """

    schema: ClassVar[str]
    file_name: ClassVar[str]

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Its contents: dictionaries, lists, strings and numbers."""

    @classmethod
    @abstractmethod
    def read(cls: type[Document], document: Json) -> Document:
        """What `to_dict` wrote, with everything checked.

        Raises:
            JsonError: something is missing, not of its type, its size or its range.
        """

    def to_json(self) -> str:
        """Its contents as text.

        Raises:
            ValueError: a number is not finite, which JSON cannot say.
        """
        return json_text(self.to_dict())

    @classmethod
    def from_json(cls: type[Document], document: str | bytes, name: str = "") -> Document:
        """Open what `to_json` wrote: it can be drawn, compared and saved again, without the video.

        Args:
            document: JSON; bytes are UTF-8. Names that this version does not know are left out.
            name: of the file, as errors tell it.

        Returns:
            The same result, whose `to_json` is the same text and whose files are the same. Frames
            are the thumbnails, or grey where there are none; `seconds` are empty.

        Raises:
            ExplanationError: something is missing, not of its type, its size or its range; the
                message says what.
        """
        return opened(document, [cls], name or cls.file_name)

    @classmethod
    def from_file(cls: type[Document], file: str | Path) -> Document:
        """Open a file with what `to_json` wrote; see `from_json`.

        Args:
            file: its path.

        Raises:
            ExplanationError: there is no such file, it is larger than 20 MB, or see `from_json`.
        """
        return opened_file(file, [cls])


def opened(document: str | bytes, kinds: Sequence[type[Document]], name: str) -> Document:
    """The result in a document, of the kind that its schema says; see `JsonDocument.from_json`.

    Args:
        document: JSON; bytes are UTF-8.
        kinds: which it may be of.
        name: of the file, as errors tell it.
    """
    try:
        found = parse_json(document)
        by_schema = {kind.schema: kind for kind in kinds}
        return by_schema[found["schema"].one_of([*by_schema])].read(found)
    except JsonError as error:
        raise ExplanationError(f"{name} cannot be opened: {error}. {_choose(kinds)}") from error


def opened_file(file: str | Path, kinds: Sequence[type[Document]]) -> Document:
    """The result in a file, likewise; see `JsonDocument.from_file`."""
    path = Path(file)
    try:
        size = path.stat().st_size
        document = path.read_bytes() if size <= _MOST_BYTES else b""
    except (OSError, ValueError) as error:
        raise ExplanationError(f"{path} cannot be read. {_choose(kinds)}") from error
    if size > _MOST_BYTES:
        raise ExplanationError(
            f"{path.name} is larger than {_MOST_BYTES / 1e6:.0f} MB, which no result is. "
            f"{_choose(kinds)}"
        )
    return opened(document, kinds, path.name)


def _choose(kinds: Sequence[type[JsonDocument]]) -> str:
    """What to do where a file is none of these."""
    names = ", ".join(kind.file_name for kind in kinds)
    return f"Choose a file that this program wrote: {names}."
