"""The video and image files of a data set, by their names."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from hbi_core.errors import DataError

_LOG = logging.getLogger(__name__)
MISSING_RULES = ("skip", "stop")
# What video files end in, container by container: people uploaded DiDeMo's as they had them.
_BY_CONTAINER = (
    "mp4 m4v mp4v mpg4 mpeg4 mov qt mqv movie mj2 f4v ismv "
    "3gp 3gpp 3gp2 3g2 3gpp2 "
    "avi divx xvid mkv mk3d webm flv ogv ogg ogm ogx "
    "mpg mpeg mpe mp2v mpv m1v m2v m2p vob evo vro mod tod "
    "ts m2t m2ts mts tp trp "
    "wmv wm asf dvr-ms wtv rm rmvb rv "
    "dv dif mxf gxf nut nsv nuv amv dav insv fli flc swf "
    "mjpg mjpeg y4m ivf obu av1 vc1 "
    "h261 h263 h264 264 avc h265 265 hevc"
)
VIDEO_SUFFIXES = _BY_CONTAINER.split()
PHOTOGRAPH_SUFFIXES = (".jpg", ".jpeg", ".png")
_VIDEO_ENDING = re.compile(
    rf"(?<=.)(?:\.(?:{'|'.join(map(re.escape, VIDEO_SUFFIXES))})?)+\Z",
    re.IGNORECASE | re.DOTALL,
)


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
    """A file name, or an id, without its video suffixes and without dots at its end.

    "a.b.mov.mp4" -> "a.b", "a." -> "a". Any other ending belongs to the name, so that "lecture.one"
    and "lecture.two" stay two videos.
    """
    return _VIDEO_ENDING.sub("", name)


def flickr_stem(name: str) -> str:
    """As `video_stem`; of a name that Flickr gave, also without any other suffix.

    Such names are USER@N.._PHOTO_SECRET and have no dot, so all that follows one is what its owner
    called the file: "1@N00_2_ab.xyz" -> "1@N00_2_ab".
    """
    first = name.partition(".")[0]
    return first if "@N" in first else video_stem(name)


def files_below(root: Path) -> list[Path]:
    """Files, nearest to the root first, then by name; links to folders are followed."""
    files, seen = [], set()
    for folder, subfolders, names in os.walk(root, followlinks=True):
        if (real := os.path.realpath(folder)) in seen:  # a link back to a folder above
            subfolders.clear()
            continue
        seen.add(real)
        files += [Path(folder, name) for name in names]
    return sorted(files, key=lambda path: (len(path.parts), path))


def index_videos(root: Path, stem: Callable[[str], str] = video_stem) -> dict[str, Path]:
    """All files below a folder but photographs, by their stem.

    Of several, one with a video suffix comes before one without, which only a list that names it
    can mean; then the one nearest to the folder, then the first by name.
    """
    files = [path for path in files_below(root) if not is_photograph(path)]
    files.sort(key=lambda path: video_stem(path.name) == path.name)
    return {stem(path.name): path for path in reversed(files)}


def index_photographs(root: Path) -> dict[str, Path]:
    """All photographs below a folder by file name; of two, the one nearer to the folder."""
    files = [path for path in files_below(root) if is_photograph(path)]
    return {path.name: path for path in reversed(files)}


def is_photograph(path: Path) -> bool:
    return path.suffix.lower() in PHOTOGRAPH_SUFFIXES


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
    wanted = {id: index.get(id) or index.get(id.removeprefix(prefix)) for id in ids}
    found = {id: file for id, file in wanted.items() if file is not None}
    missing = tuple(id for id in wanted if id not in found)
    if not missing:
        return found, ()
    report = (
        f"{len(missing)} of {len(wanted)} video or image files are missing ({where}): "
        f"{first_ten(missing)}."
    )
    if rule == "stop" or not found:
        raise DataError(
            f"{report} Put them there under these names"
            + (', or choose missing="skip" to go on without them.' if rule == "stop" else ".")
        )
    _LOG.warning("%s They are left out; `missing` of the result lists all of them.", report)
    return found, missing


def first_ten(names: Sequence[str]) -> str:
    """The first names of a list, and how many more there are."""
    more = len(names) - 10
    return ", ".join(names[:10]) + (f", and {more} more" if more > 0 else "")


def check_missing_rule(rule: str) -> None:
    """Raises DataError unless the rule for missing files is a known one."""
    if rule not in MISSING_RULES:
        raise DataError(f"missing={rule!r} is not known. Choose one of {', '.join(MISSING_RULES)}.")
