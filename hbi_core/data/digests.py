"""What tells the content of files, remembered in a folder of a cache."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

from hbi_core.encoders.loading import file_identity
from hbi_core.errors import VideoError
from hbi_core.inputs.video import file_name
from hbi_core.latest import content_of
from hbi_core.written import write_text

_TABLE = "digests.json"
_LOG = logging.getLogger(__name__)


class Digests:
    """Hashes of files, remembered until a file is written anew: videos are large.

    Args:
        folder: where they are remembered.
    """

    def __init__(self, folder: Path) -> None:
        self._table = folder / _TABLE
        self._known: dict[str, list] = {}
        if self._table.is_file():
            try:
                self._known = dict(json.loads(self._table.read_text(encoding="utf-8")))
            except (ValueError, TypeError):
                _LOG.warning("%s is damaged: files are hashed again.", self._table)
        self._new = False

    def of(self, file: Path) -> str:
        """The SHA-256 of its content.

        Raises:
            VideoError: it cannot be read.
        """
        place, identity = str(file.resolve()), list(file_identity(file) or ())
        known = self._known.get(place)
        if known and known[:-1] == identity:
            return str(known[-1])
        try:
            content = content_of(file)
        except OSError as error:
            raise VideoError(f"{file_name(file)} cannot be read: {error.strerror}.") from error
        self._known[place] = [*identity, content]
        self._new = True
        return content

    def save(self) -> None:
        """Write what is new, without files that are gone."""
        if self._new:
            there = {place: known for place, known in self._known.items() if os.path.exists(place)}
            write_text(self._table, json.dumps(there))
            self._new = False
