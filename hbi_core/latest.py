"""The latest results of a program that answers one request after another."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

from explainers.timing import Clock
from hbi_core.encoders.loading import file_identity

Value = TypeVar("Value")


class Latest(Generic[Value]):
    """Values by what they were made of; the one that nobody asked for longest gives way.

    Safe for several threads.

    Args:
        most: values that are held.
        clock: tells seconds.
        too_much: whether values are more than may be held together; the latest always is.

    Example:
        >>> squares = Latest(most=2)
        >>> [squares.get(number, lambda: number**2) for number in (2, 3, 2)]
        [(4, True), (9, True), (4, False)]
    """

    def __init__(
        self,
        most: int,
        clock: Clock = time.monotonic,
        too_much: Callable[[Collection[Value]], bool] | None = None,
    ) -> None:
        self._kept: OrderedDict[Hashable, tuple[Value, float]] = OrderedDict()
        self._most, self._clock, self._too_much = most, clock, too_much
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], Value]) -> tuple[Value, bool]:
        """A value, and whether it was made now.

        Args:
            key: what it is made of.
            make: makes it; an exception of it is passed on, and nothing is held.

        Example:
            >>> Latest(most=1).get("a", lambda: 1)
            (1, True)
        """
        with self._lock:
            known = self._kept.get(key)
        value = make() if known is None else known[0]  # two threads may make one: none waits
        with self._lock:
            self._kept[key] = value, self._clock()
            self._kept.move_to_end(key)
            while len(self._kept) > self._most or (len(self._kept) > 1 and self._is_too_much()):
                self._kept.popitem(last=False)
        return value, known is None

    def _is_too_much(self) -> bool:
        return self._too_much is not None and self._too_much(
            [value for value, _ in self._kept.values()]
        )

    def drop(self, unused_seconds: float) -> None:
        """Drop what nobody asked for as long.

        Args:
            unused_seconds: at least 0; 0 drops all.

        Example:
            >>> kept = Latest(most=1)
            >>> _ = kept.get("a", lambda: 1)
            >>> kept.drop(0)
            >>> kept.get("a", lambda: 2)
            (2, True)
        """
        latest = self._clock() - unused_seconds
        with self._lock:
            for key in [key for key, (_, used) in self._kept.items() if used <= latest]:
                del self._kept[key]


def content_of(file: Path) -> str:
    """The SHA-256 of a file's content, read once until the file is written anew.

    Args:
        file: what exists.

    Returns:
        64 hexadecimal digits.

    Raises:
        OSError: it cannot be read.

    Example:
        >>> len(content_of(Path("assets/clips/cafe.mp4")))
        64
    """
    return _content_of(file, file_identity(file))


@lru_cache(maxsize=64)
def _content_of(file: Path, identity: tuple | None) -> str:
    with file.open("rb") as content:
        digest = hashlib.sha256()
        while block := content.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
