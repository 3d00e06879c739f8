"""Files that hold several recordings, one written after another, as `cat` does.

Where a container has one header, FFmpeg stops at the second, or takes the pictures after it for
some of the first. So such files are read part by part. Streams (MPEG, H.264, HEVC, DV) and GIF have
no header of that kind.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator

# How a file begins: bytes to look for, and what they and those that follow must match.
_BEGINNINGS = tuple(
    (magic, re.compile(re.escape(magic) + rest, re.DOTALL))
    for magic, rest in (
        (b"\x1a\x45\xdf\xa3", rb".{1,60}?\x42\x82.(webm|matroska)"),  # EBML with its DocType
        (b"FLV\1", rb".\0\0\0\x09\0\0\0\0"),
        (b"RIFF", rb"....AVI LIST"),
        (b".RMF\0\0\0\x12", b""),
        (b"DKIF\0\0\x20\0", b""),
        (b"YUV4MPEG2 ", b""),
        (b"nut/multimedia container\0", b""),
        (bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"), b""),  # ASF's header object
        (bytes.fromhex("060e2b34020501010d0102010102"), b""),  # MXF's header partition
        (b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR", b""),
    )
)
_OGG_PAGE = re.compile(rb"OggS\0([\0-\7])")
_OGG_BEGIN = 2  # flag of the first page of a stream; all streams of a part begin together


def parts_of(path: str) -> list[str]:
    """What FFmpeg is to open, one after another: the file, or parts of it."""
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        begins, size = list(_begins(data)), len(data)
    if len(begins) < 2 or begins[0] > 0:
        return [path]
    ends = [*begins[1:], size]
    return [
        f"subfile,,start,{begin},end,{end},,:{path}"
        for begin, end in zip(begins, ends, strict=True)
    ]


def file_of(part: str) -> str:
    """The file that a part belongs to."""
    return part.partition(",,:")[2] if part.startswith("subfile,,") else part


def _begins(data: mmap.mmap) -> Iterator[int]:
    if data[4:8] == b"ftyp":
        yield from _of_boxes(data)
    elif data[:4] == b"OggS":
        yield from _of_pages(data)
    for magic, beginning in _BEGINNINGS:
        if beginning.match(data):
            at = 0
            while at >= 0:
                if beginning.match(data, at):
                    yield at
                at = data.find(magic, at + 1)


def _of_boxes(data: mmap.mmap) -> Iterator[int]:
    """MP4 has one `ftyp` (ISO/IEC 14496-12, 4.2 and 4.3)."""
    at = 0
    while at + 8 <= len(data):
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if kind == b"ftyp":
            yield at
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        if size < 8:  # up to the end, or damaged
            return
        at += size


def _of_pages(data: mmap.mmap) -> Iterator[int]:
    was_begin = False
    for page in _OGG_PAGE.finditer(data):
        is_begin = bool(page[1][0] & _OGG_BEGIN)
        if is_begin and not was_begin:
            yield page.start()
        was_begin = is_begin
