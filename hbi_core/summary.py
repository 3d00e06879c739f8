"""The summary of a batch: a line for each pair of a video and a caption."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hbi_core.errors import InputError
from hbi_core.explanation import Explanation, Level
from hbi_core.model.config import LEVEL_NAMES
from hbi_core.tables import to_csv, write_csv

SUMMARY = "summary.csv"
_OF_LEVELS = ("score", "text", "frames", "interaction")
COLUMNS = (
    "video",
    "caption",
    "folder",
    *(f"{level}_{name}" for level in LEVEL_NAMES for name in _OF_LEVELS),
    "error",
)


@dataclass(frozen=True)
class Pair:
    """A row of the table of a batch.

    Attributes:
        video: as it is named there.
        caption: of it.

    Example:
        >>> Pair("cafe.mp4", "a tabby cat").video
        'cafe.mp4'
    """

    video: str
    caption: str


@dataclass(frozen=True)
class Link:
    """The strongest interaction of a level.

    Attributes:
        text: the text player.
        frames: those of the video player, counted from 0.
        interaction: its value, Eq. 3.

    Example:
        >>> Link("a tabby cat", (0, 1), 0.25).frames
        (0, 1)
    """

    text: str
    frames: tuple[int, ...]
    interaction: float


@dataclass(frozen=True)
class Row:
    """What became of a pair.

    Attributes:
        pair: the one.
        folder: with its files, inside that of the batch; empty where there is an error.
        before: whether it was explained before, and not again.
        scores: S of Eq. 1 by level.
        strongest: the strongest link by level.
        error: why there is no explanation, in a sentence; or empty.

    Example:
        >>> Row(Pair("none.mp4", "a cat"), error="There is no video file none.mp4.").folder
        ''
    """

    pair: Pair
    folder: str = ""
    before: bool = False
    scores: dict[str, float] = field(default_factory=dict)
    strongest: dict[str, Link] = field(default_factory=dict)
    error: str = ""

    @classmethod
    def of(cls, pair: Pair, explanation: Explanation, folder: str, before: bool) -> Row:
        """The row of a pair that is explained.

        Args:
            pair: the one.
            explanation: of it.
            folder, before: see the attributes.

        Returns:
            The row, without an error.

        Raises:
            Nothing.

        Example:
            >>> row = Row.of(Pair("cafe.mp4", "a cat"), explanation, "cafe", before=False)
            >>> list(row.scores)
            ['entity', 'action', 'event']
        """
        return cls(
            pair,
            folder,
            before,
            scores={level.name: level.score for level in explanation.levels},
            strongest={level.name: _strongest(level) for level in explanation.levels},
        )


def in_words(rows: Sequence[Row]) -> str:
    """How many pairs were explained, were before, and could not be.

    Args:
        rows: of a batch.

    Returns:
        Such as "3 pairs: 1 explained, 1 explained before, 1 could not be explained".

    Raises:
        Nothing.

    Example:
        >>> pair = Pair("cafe.mp4", "a cat")
        >>> in_words([Row(pair, "cafe"), Row(pair, "cafe", before=True)])
        '2 pairs: 1 explained, 1 explained before'
    """
    broken, before = sum(bool(row.error) for row in rows), sum(row.before for row in rows)
    counts = {
        "explained": len(rows) - broken - before,
        "explained before": before,
        "could not be explained": broken,
    }
    told = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
    return f"{len(rows):,} pair{'s' * (len(rows) != 1)}: {told}"


def write_summary(rows: Sequence[Row], folder: Path) -> Path:
    """Write summary.csv, a line for each row; docs/formats.md tells its columns.

    Args:
        rows: of a batch.
        folder: made if it is not there.

    Returns:
        The file.

    Raises:
        InputError: it cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = write_summary([Row(Pair("none.mp4", "a cat"), error="None.")], Path(folder))
        ...     len(file.read_text().splitlines())
        2
    """
    file = folder / SUMMARY
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_csv(file, to_csv(COLUMNS, [_cells(row) for row in rows]))
    except OSError as error:
        raise InputError(f"Cannot write {file}: {error.strerror or error}.") from error
    return file


def _strongest(level: Level) -> Link:
    values = level.interactions.values
    video, text = divmod(int(values.argmax()), values.shape[1])
    frames, word = level.video_tokens[video].frames, level.text_tokens[text].text
    return Link(word, tuple(frames), float(values[video, text]))


def _cells(row: Row) -> list[Any]:
    cells: list[Any] = [row.pair.video, row.pair.caption, row.folder]
    for level in LEVEL_NAMES:
        if level in row.scores:  # a model of one's own may have fewer
            link = row.strongest[level]
            frames = " ".join(map(str, link.frames))
            cells += [row.scores[level], link.text, frames, link.interaction]
        else:
            cells += [""] * len(_OF_LEVELS)
    return [*cells, row.error]
