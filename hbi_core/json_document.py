"""Results as JSON, all of them written alike."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import Any


def json_text(contents: dict[str, Any]) -> str:
    """Dictionaries, lists, strings and numbers as text.

    Returns:
        JSON with one space of indentation; letters beyond ASCII stand as they are.

    Raises:
        ValueError: a number is not finite, which JSON cannot say.
    """
    return json.dumps(contents, ensure_ascii=False, indent=1, allow_nan=False)


class JsonDocument(ABC):
    """A result that is one document; docs/formats.md has the schema of each."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Its contents: dictionaries, lists, strings and numbers."""

    def to_json(self) -> str:
        """Its contents as text.

        Raises:
            ValueError: a number is not finite, which JSON cannot say.
        """
        return json_text(self.to_dict())
