"""The video and image files of a data set, by their names."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from hbi_core.errors import DataError

_LOG = logging.getLogger(__name__)
MISSING_RULES = ("skip", "stop")
VIDEO_SUFFIXES = (
    ".mp4", ".avi", ".mkv", ".webm", ".mov",
    ".m4v", ".mpg", ".wmv", ".3gp",  # DiDeMo: as people uploaded them
)  # fmt: skip
PHOTOGRAPH_SUFFIXES = (".jpg", ".jpeg", ".png")


def data_root(root: str | Path) -> Path:
    """The folder of a data set.

    Raises:
        DataError: there is no such folder.
    """
    root = Path(root)
    if not root.is_dir():
        raise DataError(f"There is no folder {root}. Give the folder of the data set as root.")
    return root


def video_stem(name: str) -> str:
    """A file name without its video suffixes: "a.b.mov.mp4" -> "a.b"."""
    while name.lower().endswith(VIDEO_SUFFIXES):
        name = name[: name.rindex(".")]
    return name


def index_videos(root: Path) -> dict[str, Path]:
    """All video files below a folder by `video_stem`; of two, the one nearer to the folder."""
    files = _files_below(root, VIDEO_SUFFIXES)
    return {video_stem(path.name): path for path in reversed(files)}


def index_photographs(root: Path) -> dict[str, Path]:
    """All photographs below a folder by file name; of two, the one nearer to the folder."""
    return {path.name: path for path in reversed(_files_below(root, PHOTOGRAPH_SUFFIXES))}


def locate(
    ids: Iterable[str], index: Mapping[str, Path], rule: str, where: str, prefix: str = ""
) -> tuple[dict[str, Path], tuple[str, ...]]:
    """The file of each id, and the ids that have none, both in the order of `ids`.

    Args:
        ids: no id twice.
        index: files by name.
        rule: "skip" or "stop" at ids without a file.
        where: for error messages, such as "msrvtt train, /data/msrvtt and the folders in it".
        prefix: files may also lack this beginning of the id.

    Raises:
        DataError: files are missing and the rule is "stop", or all are missing.
    """
    found = {id: index.get(id) or index.get(id.removeprefix(prefix)) for id in ids}
    missing = tuple(id for id, file in found.items() if file is None)
    if not missing:
        return found, ()
    report = (
        f"{len(missing)} of {len(found)} video or image files are missing ({where}): "
        f"{', '.join(missing[:10])}{', …' if len(missing) > 10 else ''}."
    )
    if rule == "stop" or len(missing) == len(found):
        raise DataError(
            f"{report} Put them there under these names"
            + (', or choose missing="skip" to go on without them.' if rule == "stop" else ".")
        )
    _LOG.warning("%s They are left out.", report)
    return {id: file for id, file in found.items() if file is not None}, missing


def check_missing_rule(rule: str) -> None:
    """Raises DataError unless the rule for missing files is a known one."""
    if rule not in MISSING_RULES:
        raise DataError(f"missing={rule!r} is not known. Choose one of {', '.join(MISSING_RULES)}.")


def _files_below(root: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """Files with such suffixes, nearest to the root first; links to folders are followed."""
    files, seen = [], set()
    for folder, subfolders, names in os.walk(root, followlinks=True):
        if (real := os.path.realpath(folder)) in seen:  # a link back to a folder above
            subfolders.clear()
            continue
        seen.add(real)
        files += [Path(folder, name) for name in names if name.lower().endswith(suffixes)]
    return sorted(files, key=lambda path: (len(path.parts), path))
