"""The video files of a folder or of a zip archive, and what is left out of them."""

from __future__ import annotations

import io
import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from hbi_core.data.files import files_below, first_ten, video_stem
from hbi_core.errors import DataError
from hbi_core.inputs.video import file_name

_DIRECTORY = 4_000_000  # bytes of the list of members: some 30,000 of them
_BLOCK = 1 << 20
_TABLES = (".csv", ".tsv")
_LARGEST_TABLE = 10_000_000  # bytes
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # what is unpacked block by block
_LINK = 0o120000  # of a member's mode
_KIND = 0o170000
_UTF8 = 0x800  # of a member's flags: its name is UTF-8


@dataclass(frozen=True)
class ClipSet:
    """Clips by the names that they are shown by.

    Attributes:
        files: a video file for each name, in the order of the names.
        skipped: what is no video, or cannot be taken: why, by its name.
    """

    files: dict[str, Path] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ArchiveLimits:
    """What is refused, so that one archive cannot fill a disk.

    Attributes:
        clips: that are unpacked at most.
        bytes: of all of them together at most.
    """

    clips: int = 500
    bytes: int = 2_000_000_000


def clips_in_folder(folder: str | Path) -> ClipSet:
    """The video files in a folder and in all folders in it.

    Args:
        folder: links to folders in it are followed.

    Returns:
        Names are places in the folder, such as "holiday/dog.mp4".

    Raises:
        DataError: there is no such folder, or no video file in it.
    """
    root = Path(folder)
    if not root.is_dir():
        raise DataError(f"There is no folder {folder}. Give one with video files, or a zip of it.")
    found = {_text(path.relative_to(root).as_posix()): path for path in files_below(root)}
    videos = {name: path for name, path in sorted(found.items()) if _is_video(name)}
    others = {name: _NO_VIDEO for name in found if name not in videos}
    return _checked(ClipSet(videos, others), root)


def clips_in_archive(
    archive: str | Path, target: Path, limits: ArchiveLimits | None = None
) -> ClipSet:
    """Unpack the video files of a zip archive.

    Each goes into a folder of its own in `target`, named by its number: what an archive calls its
    members decides no path beyond the name of the file.

    Args:
        archive: a zip file, which need not be trusted.
        target: an empty folder.
        limits: on what is unpacked.

    Returns:
        Names are those of the members, such as "holiday/dog.mp4". Members that are no video, links,
        encrypted or damaged are skipped.

    Raises:
        DataError: it is no zip archive, has no video file, or is beyond the limits.
    """
    archive, limits = Path(archive), limits or ArchiveLimits()
    clips = ClipSet()
    left = limits.bytes
    with _opened(archive) as bundle:
        members = [member for member in bundle.infolist() if not member.is_dir()]
        chosen = []
        for member in members:
            if reason := _refusal(member):
                clips.skipped[_name(member)] = reason
            else:
                chosen.append(member)
        if len(chosen) > limits.clips:
            raise DataError(
                f"{file_name(archive)} has {len(chosen):,} video files; {limits.clips:,} are taken "
                "at most. Split it into several."
            )
        for number, member in enumerate(sorted(chosen, key=lambda member: member.filename)):
            name = _name(member)
            file = target / str(number) / _file_name(name)
            file.parent.mkdir()
            try:
                left -= _unpack(bundle, member, file, left)
            except OSError as error:  # a full disk
                raise DataError(
                    f"{file_name(archive)} cannot be unpacked: {error.strerror}."
                ) from error
            except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
                file.unlink(missing_ok=True)
                clips.skipped[name] = f"It is damaged in the archive ({error})."
                continue
            if left < 0:
                raise DataError(
                    f"The video files of {file_name(archive)} have more than "
                    f"{limits.bytes / 1e6:,.0f} MB. Split it into several archives."
                )
            clips.files[name] = file
    return _checked(clips, archive)


def table_in_archive(archive: str | Path, target: Path) -> Path:
    """Unpack the table of a zip archive, its one .csv or .tsv file.

    Args:
        archive: a zip file, which need not be trusted.
        target: an empty folder.

    Returns:
        The file in `target`, with the name of the member without its folder.

    Raises:
        DataError: it is no zip archive, has no such file or several, or one that is too large.
    """
    archive = Path(archive)
    with _opened(archive) as bundle:
        tables = [
            member
            for member in bundle.infolist()
            if not member.is_dir()
            and _is_seen(_name(member))
            and _name(member).lower().endswith(_TABLES)
        ]
        if len(tables) != 1:
            names = first_ten([_name(member) for member in tables])
            there = f"has {len(tables)} tables: {names}" if tables else "has no table"
            raise DataError(f"{file_name(archive)} {there}. Pack one CSV file with its videos.")
        (member,) = tables
        file = target / _file_name(_name(member))
        try:
            if _unpack(bundle, member, file, _LARGEST_TABLE) > _LARGEST_TABLE:
                raise DataError(f"{file.name} is larger than {_LARGEST_TABLE / 1e6:.0f} MB.")
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as error:
            raise DataError(f"{file.name} cannot be unpacked: {error}.") from error
        except RuntimeError as error:  # zipfile: it has a password
            raise DataError(f"{file.name} is encrypted. Pack it without a password.") from error
    return file


_NO_VIDEO = "It is no video by its name."


def _is_video(name: str) -> bool:
    """By its suffix; hidden files are none."""
    own = name.replace("\\", "/").rpartition("/")[2]
    return _is_seen(name) and video_stem(own) != own


def _is_seen(name: str) -> bool:
    """Whether a file is neither hidden nor one that macOS adds to archives."""
    *folders, own = name.replace("\\", "/").split("/")
    return not own.startswith(".") and "__MACOSX" not in folders


def _checked(clips: ClipSet, source: Path) -> ClipSet:
    if clips.files:
        return clips
    there = f"; it has {first_ten(list(clips.skipped))}" if clips.skipped else ""
    raise DataError(f"There is no video file in {file_name(source) or source}{there}.")


def _refusal(member: zipfile.ZipInfo) -> str | None:
    """Why a member is not unpacked."""
    if member.external_attr >> 16 & _KIND == _LINK:
        return "It is a link."
    if not _is_video(_name(member)):
        return _NO_VIDEO
    if member.flag_bits & 1:
        return "It is encrypted. Pack it without a password."
    if member.compress_type not in _METHODS:
        return "It is compressed in an unusual way. Pack it with plain zip."
    return None


def _unpack(bundle: zipfile.ZipFile, member: zipfile.ZipInfo, file: Path, most: int) -> int:
    """Write a member to a file; its bytes, which are counted, whatever the archive says of them.

    Stops behind the block that goes beyond `most`.
    """
    written = 0
    with bundle.open(member) as packed, file.open("xb") as unpacked:
        while written <= most and (block := packed.read(_BLOCK)):
            unpacked.write(block)
            written += len(block)
    return written


class _SmallReads(io.FileIO):
    """A file of which nothing reads much at once: zipfile takes the list of members as a whole."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or not 0 <= size <= _DIRECTORY:
            size = _DIRECTORY + 1
        data = super().read(size) or b""
        if len(data) > _DIRECTORY:
            raise zipfile.BadZipFile("it lists too many members")
        return data


@contextmanager
def _opened(archive: Path) -> Iterator[zipfile.ZipFile]:
    try:
        file: IO[bytes] = _SmallReads(archive)
    except OSError as error:
        raise DataError(f"{file_name(archive)} cannot be read: {error.strerror}.") from error
    with file:
        try:
            bundle = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise DataError(
                f"{file_name(archive)} is no zip archive that can be read: {error}."
            ) from error
        with bundle:
            yield bundle


def _name(member: zipfile.ZipInfo) -> str:
    """What a member is called. macOS writes UTF-8 without the flag that says so, and zipfile reads
    it as code page 437 then."""
    name = member.filename
    if not member.flag_bits & _UTF8:
        with suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return _text(name)


def _text(name: str) -> str:
    """A name as text, whatever bytes it is made of."""
    return os.fsencode(name).decode("utf-8", "replace")


def _file_name(name: str) -> str:
    """What a member is called as a file: its last part, of letters that every disk takes."""
    own = name.replace("\\", "/").rpartition("/")[2]
    plain = "".join(c if c.isalnum() or c in " ._-()" else "_" for c in own)
    stem, suffix = os.path.splitext(plain.strip(" ."))
    return f"{stem[:80]}{suffix[:20]}"
