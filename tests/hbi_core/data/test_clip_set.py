"""Video files of folders and zip archives, whatever is in them."""

from __future__ import annotations

import os
import stat
import zipfile

import pytest

from hbi_core.data.clip_set import (
    ArchiveLimits,
    clips_in_archive,
    clips_in_folder,
    table_in_archive,
)
from hbi_core.errors import DataError


def packed(path, members, **options):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, content in members.items():
            bundle.writestr(name, content, **options)
    return path


@pytest.fixture
def target(tmp_path):
    folder = tmp_path / "target"
    folder.mkdir()
    return folder


def test_folders_in_folders_and_what_is_no_video(tmp_path):
    for name in ("b.MP4", "a.mp4", "deep/er/c.mov", "captions.csv", ".hidden.mp4", "photo.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    clips = clips_in_folder(tmp_path)
    assert list(clips.files.items()) == [
        (name, tmp_path / name) for name in ("a.mp4", "b.MP4", "deep/er/c.mov")
    ]
    assert set(clips.skipped) == {"captions.csv", ".hidden.mp4", "photo.jpg"}
    (tmp_path / "deep" / "er" / "c.mov").rename(tmp_path / "deep" / "er" / "c.txt")
    with pytest.raises(DataError, match=r"no video file in deep; it has er/c\.txt"):
        clips_in_folder(tmp_path / "deep")
    with pytest.raises(DataError, match="There is no folder"):
        clips_in_folder(tmp_path / "a.mp4")


def test_an_archive_with_folders_is_unpacked(tmp_path, target):
    archive = packed(
        tmp_path / "clips.zip",
        {
            "holiday/dog.mp4": b"dog",
            "holiday/": b"",
            "cat.mp4": b"cat",
            "other/cat.mp4": b"other cat",
            "notes.txt": b"notes",
            "__MACOSX/cat.mp4": b"what macOS adds",
            "grüße 猫.mp4": b"letters",
        },
    )
    clips = clips_in_archive(archive, target)
    assert {name: file.read_bytes() for name, file in clips.files.items()} == {
        "holiday/dog.mp4": b"dog",
        "cat.mp4": b"cat",
        "other/cat.mp4": b"other cat",
        "grüße 猫.mp4": b"letters",
    }
    assert clips.files["other/cat.mp4"].name == "cat.mp4"
    assert clips.skipped == dict.fromkeys(
        ("notes.txt", "__MACOSX/cat.mp4"), "It is no video by its name."
    )


@pytest.mark.parametrize(
    "name",
    ["../out.mp4", "/tmp/out.mp4", "a/../../out.mp4", "..\\out.mp4", "C:\\out.mp4", "~/out.mp4"],
)
def test_no_member_leaves_the_folder(tmp_path, target, name):
    clips = clips_in_archive(packed(tmp_path / "clips.zip", {name: b"clip"}), target)
    (file,) = clips.files.values()
    assert file.resolve().is_relative_to(target.resolve())
    assert file.read_bytes() == b"clip"
    everything = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert everything == {tmp_path / "clips.zip", file}


def test_links_and_encrypted_and_damaged_members_are_skipped(tmp_path, target):
    archive = tmp_path / "clips.zip"
    link, locked = zipfile.ZipInfo("link.mp4"), zipfile.ZipInfo("locked.mp4")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(archive, "w") as bundle:
        bundle.writestr(link, "/etc/passwd")
        bundle.writestr(locked, b"secret")
        bundle.writestr("damaged.mp4", b"some content")
        bundle.writestr("good.mp4", b"good")
        bundle.writestr("odd.mp4", b"odd", zipfile.ZIP_LZMA)
    data = bytearray(archive.read_bytes())
    at = data.index(b"some content")
    data[at : at + 4] = b"SOME"  # another checksum
    for mark, offset in ((b"PK\1\2", 8), (b"PK\3\4", 6)):  # the flag that says it is encrypted
        place = data.index(b"locked.mp4", data.index(mark)) if mark == b"PK\3\4" else None
        start = data.rindex(mark, 0, place or data.rindex(b"locked.mp4"))
        data[start + offset] |= 1
    archive.write_bytes(data)
    clips = clips_in_archive(archive, target)
    assert {name: file.read_bytes() for name, file in clips.files.items()} == {"good.mp4": b"good"}
    told = clips.skipped
    assert told["link.mp4"] == "It is a link."
    assert "encrypted" in told["locked.mp4"]
    assert "damaged" in told["damaged.mp4"]
    assert "unusual" in told["odd.mp4"]
    assert [path.name for path in target.rglob("*") if path.is_file()] == ["good.mp4"]


def test_what_is_unpacked_is_counted(tmp_path, target):
    """Not what the archive says of it: a member's size there can be any."""
    archive = packed(tmp_path / "bomb.zip", {"a.mp4": bytes(5_000_000), "b.mp4": bytes(5_000_000)})
    assert archive.stat().st_size < 100_000
    with pytest.raises(DataError, match="more than 6 MB"):
        clips_in_archive(archive, target, ArchiveLimits(bytes=6_000_000))
    assert sum(f.stat().st_size for f in target.rglob("*") if f.is_file()) < 8_000_000


def test_clips_are_counted(tmp_path, target):
    archive = packed(tmp_path / "many.zip", {f"{n}.mp4": b"" for n in range(6)})
    with pytest.raises(DataError, match="6 video files; 5 are taken at most"):
        clips_in_archive(archive, target, ArchiveLimits(clips=5))
    assert not os.listdir(target)


def test_a_list_of_members_that_fills_the_memory_is_not_read(tmp_path, target):
    names = {f"{n:05}{'x' * 200}.txt": b"" for n in range(20_000)}
    with pytest.raises(DataError, match="too many members"):
        clips_in_archive(packed(tmp_path / "names.zip", names), target)


def test_what_is_no_archive(tmp_path, target):
    with pytest.raises(DataError, match="cannot be read"):
        clips_in_archive(tmp_path / "none.zip", target)
    archive = packed(tmp_path / "clips.zip", {"a.mp4": os.urandom(1000)})
    for content in (b"", b"PK", b"no archive" * 100, archive.read_bytes()[:600]):
        archive.write_bytes(content)
        with pytest.raises(DataError, match=r"clips\.zip is no zip archive"):
            clips_in_archive(archive, target)
    with pytest.raises(DataError, match=r"no video file in clips\.zip; it has a\.txt"):
        clips_in_archive(packed(archive, {"a.txt": b""}), target)


def test_the_table_of_an_archive(tmp_path, target):
    members = {"../../pairs.CSV": b"video,caption", "a.mp4": b"", "__MACOSX/pairs.csv": b"x"}
    table = table_in_archive(packed(tmp_path / "all.zip", members), target)
    assert table == target / "pairs.CSV"
    assert table.read_bytes() == b"video,caption"


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"a.mp4": b""}, "has no table"),
        ({"a.csv": b"", "b.tsv": b""}, "has 2 tables: a.csv, b.tsv"),
        ({"a.csv": b"x" * 10_000_001}, "larger than 10 MB"),
    ],
)
def test_archives_without_one_table(tmp_path, target, members, message):
    with pytest.raises(DataError, match=message):
        table_in_archive(packed(tmp_path / "all.zip", members), target)


def test_names_that_are_utf_8_without_saying_so(tmp_path, target):
    """As macOS packs them; others without the flag are of code page 437."""
    archive = packed(tmp_path / "mac.zip", {"m____e.mp4": b"gull", "1____2.mp4": b"no UTF-8"})
    plain = archive.read_bytes()
    named = plain.replace(b"m____e", "mö".encode() + b"__e").replace(b"1____2", b"1\x81\x81__2")
    archive.write_bytes(named)
    assert set(clips_in_archive(archive, target).files) == {"mö__e.mp4", "1üü__2.mp4"}
