"""A folder of one's own clips: video files or photographs, and captions.csv.

A table as people write it by hand or save it from a spreadsheet: names with or without a suffix and
with or without a folder, a comma, semicolon or tab between the columns. What could be read in two
ways is refused.
"""

from __future__ import annotations

import hashlib
import logging
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from hbi_core.data.annotations import AbsentError, AnnotationFolder, Row, read_table
from hbi_core.data.files import files_below, is_photograph, video_stem
from hbi_core.errors import DataError

CAPTIONS = "captions.csv"
HELD_OUT = 0.2  # of clips without a split, for validation
_LOG = logging.getLogger(__name__)
VIDEO_COLUMN = ("video", "file", "file_name", "filename", "image")  # what the columns may be called
CAPTION_COLUMN = ("caption", "text", "sentence", "description")
_SPLIT = ("split",)
_SPLITS = {
    "train": ("train", "training"),
    "validation": ("validation", "val", "valid", "dev"),
    "test": ("test", "testing"),
}
_PART_OF = {name: split for split, names in _SPLITS.items() for name in names}


def index_clips(root: Path) -> dict[str, Path]:
    """All files below a folder but its table, by their place in it, such as "snow/dog.mp4"."""
    index = {path.relative_to(root).as_posix(): path for path in files_below(root)}
    index.pop(CAPTIONS, None)
    return index


def read_clip_folder(folder: AnnotationFolder, split: str) -> dict[str, list[str]]:
    """Captions of each clip of a split, by the place of its file; of no file, by its name.

    The clips of a table without a column "split" are train, but for a fifth that is validation:
    those that come first by a hash of their place, on any machine.

    Raises:
        AbsentError: there is no captions.csv, or it has no splits and "test" is asked for.
        DataError: it is broken: a column is missing, a value is empty, a name may be one of several
            files, a split is not known, or a clip is in two of them.
    """
    path = folder.find(CAPTIONS)
    header, rows = read_table(path, delimiters=",;\t")
    video, caption = (
        needed_column(header, names, path) for names in (VIDEO_COLUMN, CAPTION_COLUMN)
    )
    part = _column(header, _SPLIT, path)
    if split == "test" and part is None:
        raise AbsentError(f"{path} has no column split, so there is no test split. Add one.")
    files = _Names(folder.root)
    texts: dict[str, list[str]] = defaultdict(list)
    parts: dict[str, str] = {}
    repeated = 0
    for row in rows:
        if not any(row.values.values()):
            continue  # as spreadsheets leave them at the end
        name = files.find(row.value(video), row.where)
        if part is not None:
            own = _part(row, part)
            if parts.setdefault(name, own) != own:
                raise DataError(
                    f"{row.where}: {name} is in {own} here and in {parts[name]} above. Put all "
                    "captions of a clip into one split."
                )
        if (text := row.value(caption)) in texts[name]:
            repeated += 1
        else:
            texts[name].append(text)
    if repeated:
        _LOG.warning("%s: %d rows repeat a caption of their clip: left out.", path, repeated)
    if part is None:
        parts = _drawn_parts(texts)
        if split == "train":
            held_out = sum(part == "validation" for part in parts.values())
            _LOG.warning(
                "%s has no column split: %d of its %d clips, drawn by a hash of their names, are "
                "validation; the others are train.",
                path,
                held_out,
                len(parts),
            )
    return {name: own for name, own in texts.items() if split in ("all", parts[name])}


def _drawn_parts(names: Iterable[str]) -> dict[str, str]:
    """The split of each clip: a fifth is validation, at least one, where there are two or more."""

    def draw(name: str) -> str:
        return hashlib.sha256(f"hbi-own:{name}".encode("utf-8", "surrogatepass")).hexdigest()

    drawn = sorted(names, key=draw)
    count = max(round(HELD_OUT * len(drawn)), min(1, len(drawn) - 1))
    return {name: "validation" if n < count else "train" for n, name in enumerate(drawn)}


def _column(header: list[str], names: tuple[str, ...], path: Path) -> str | None:
    """The column with one of these names, capitals or not; the first name wins.

    Raises:
        DataError: there are several.
    """
    known = {name: [own for own in header if own.strip().lower() == name] for name in names}
    found = known[names[0]] or [own for name in names for own in known[name]]
    if len(found) > 1:
        raise DataError(
            f"{path}, line 1: {' and '.join(found)} may both be the {names[0]}. Call the right one "
            f"{names[0]}, and the other anything else."
        )
    return found[0] if found else None


def needed_column(header: list[str], names: tuple[str, ...], path: Path) -> str:
    """The column with one of these names, capitals or not; the first name wins.

    Raises:
        DataError: there are several, or none.
    """
    column = _column(header, names, path)
    if column is None:
        raise DataError(
            f"{path}, line 1: the header has no column {names[0]} (or {', '.join(names[1:])}); it "
            f"has {', '.join(header) or 'nothing'}. The first line should be video,caption or "
            "video,caption,split."
        )
    return column


def _part(row: Row, column: str) -> str:
    part = _PART_OF.get(row.value(column).lower())
    if part is None:
        raise DataError(
            f"{row.where}: the split {row.value(column)!r} is not known. Choose one of "
            f"{', '.join(_SPLITS)}."
        )
    return part


class _Names:
    """The files that a name in a table may mean, from the surest on.

    Last come names in another case (B.MP4 for b.mp4) or Unicode form: macOS writes an umlaut as two
    characters, other systems as one.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        index = index_clips(root)
        media = [
            place
            for place, path in index.items()
            if _stem(place) != place and not path.name.startswith(".")
        ]
        names = [
            [(place, place) for place in index],
            [(place.rpartition("/")[2], place) for place in index],
            [(_stem(place), place) for place in media],
            [(_stem(place).rpartition("/")[2], place) for place in media],
        ]
        self._exact = [_grouped(pairs) for pairs in names]
        self._folded = [_grouped((_folded(key), place) for key, place in pairs) for pairs in names]

    def find(self, name: str, where: str) -> str:
        """The place of the file that is meant; the name itself if there is none.

        Raises:
            DataError: it may be one of several.
        """
        name = self._within(name.replace("\\", "/").removeprefix("./"))
        meanings = [(name, known) for known in self._exact]
        meanings += [(_folded(name), known) for known in self._folded]
        for key, known in meanings:
            places = known.get(key, [])
            if len(places) > 1:
                raise DataError(
                    f"{where}: {name!r} may be {' or '.join(places)}. Write the one that is meant."
                )
            if places:
                return places[0]
        return name

    def _within(self, name: str) -> str:
        """A whole path into the folder, from the folder on."""
        path = Path(name)
        if path.is_absolute() and path.resolve().is_relative_to(self._root):
            return path.resolve().relative_to(self._root).as_posix()
        return name


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = defaultdict(list)
    for key, value in pairs:
        groups[key].append(value)
    return dict(groups)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _stem(place: str) -> str:
    """Without the suffix of a video or photograph."""
    path = Path(place)
    return path.with_suffix("").as_posix() if is_photograph(path) else video_stem(place)
