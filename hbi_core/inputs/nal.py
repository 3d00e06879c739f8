"""Where decoding can start in H.264 and HEVC, as their bitstreams say.

Containers and parsers also mark pictures as key frames that others before them are needed for. The
bitstream tells them apart (ITU-T H.264 7.3 and D.1.8, H.265 7.3 and 7.4.2.2).
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

_START = b"\0\0\1"


class Entry(Enum):
    """A picture from which on decoding gives the right pictures.

    CLOSED: all that follow it in the file are also shown after it. OPEN: some may be shown before
    it, and those cannot be decoded from here.
    """

    CLOSED = "closed"
    OPEN = "open"


class Bitstream:
    """Reads the headers of one stream, packet after packet.

    Attributes:
        layered: whether some pictures belong to a higher temporal layer. If not, what is marked as
            no reference within its layer is none at all.
    """

    def __init__(self, codec: str, extradata: bytes | None) -> None:
        self._is_hevc = codec == "hevc"
        self._parameters = {32, 33, 34} if self._is_hevc else {7, 8, 13, 15}
        self._sequence = 33 if self._is_hevc else 7
        self._known = extradata or b""
        self._length_bytes = self._length_of(self._known)
        self._changed: set[bytes] = set()  # parameters that came after the start of the file
        self.layered = False

    def entry(self, packet: bytes, extradata: bytes | None = None) -> Entry | None:
        """What the next packet of the stream is, if decoding can start there.

        Args:
            packet: its bytes.
            extradata: parameters that the container gives along with it, in place of the first.
        """
        if extradata:
            self._length_bytes = self._length_of(extradata)
        found, parameters, slices, recovers = None, {}, [], False
        for unit in _units(packet, self._length_bytes):
            kind = (unit[0] >> 1) & 63 if self._is_hevc else unit[0] & 31
            if kind in self._parameters:
                parameters[unit] = kind
            elif self._is_hevc and kind < 32:
                self.layered |= len(unit) > 1 and unit[1] & 7 > 1
                if kind == 20:  # IDR_N_LP
                    found = Entry.CLOSED
                elif 16 <= kind <= 23:  # other IDR, BLA, CRA
                    found = Entry.OPEN
            elif kind == 5:
                found = Entry.CLOSED
            elif kind == 6 and not self._is_hevc:
                recovers |= _recovers_at_once(unit)
            elif recovers and kind in (1, 2):
                slices.append(_slice_type(unit))
        if found is None and recovers and slices and all(kind in (2, 4) for kind in slices):
            found = Entry.OPEN
        if extradata:
            parameters[extradata] = self._sequence
        return found if self._has_all(parameters) else None

    def _length_of(self, extradata: bytes) -> int:
        """Bytes of the length before each unit; 0 if start codes part them."""
        in_container = len(extradata) > 6 and extradata[0] == 1  # avcC or hvcC
        at = 21 if self._is_hevc else 4
        return (extradata[at] & 3) + 1 if in_container and len(extradata) > at else 0

    def _has_all(self, parameters: dict[bytes, int]) -> bool:
        """Whether a packet brings what has changed since the start, if anything has."""
        own = set(parameters)
        if self._sequence in parameters.values():
            self._changed = own
            return True
        self._changed |= own
        return self._changed <= own or all(unit in self._known for unit in self._changed)


def _units(packet: bytes, length_bytes: int) -> Iterator[bytes]:
    """NAL units, after their lengths, or between start codes where these have no length."""
    if length_bytes:
        at = 0
        while at + length_bytes < len(packet):
            size = int.from_bytes(packet[at : at + length_bytes], "big")
            at += length_bytes
            if size:
                yield packet[at : at + size]
            at += size
        return
    at = packet.find(_START)
    while at >= 0:
        after = packet.find(_START, at + 3)
        unit = packet[at + 3 : after if after >= 0 else len(packet)].rstrip(b"\0")
        if unit:
            yield unit
        at = after


def _recovers_at_once(unit: bytes) -> bool:
    """Whether an SEI unit holds a recovery point that is the picture itself."""
    message = unit[1:].replace(b"\0\0\3", b"\0\0")
    at = 0
    while at + 2 < len(message):
        numbers = []
        for _ in range(2):  # type and size
            number = 0
            while at < len(message) and message[at] == 255:
                number, at = number + 255, at + 1
            if at >= len(message):
                return False
            numbers.append(number + message[at])
            at += 1
        kind, size = numbers
        if kind == 6 and at < len(message):
            return message[at] >= 128  # recovery_frame_cnt, coded as ue(v), is 0
        at += size
    return False


def _slice_type(unit: bytes) -> int:
    """The type of a slice modulo 5: 2 is I, 4 SI."""
    head = unit[1:17].replace(b"\0\0\3", b"\0\0")
    bits = "".join(f"{byte:08b}" for byte in head) + "1"
    at = 0
    for _ in range(2):  # first_mb_in_slice, slice_type
        zeros = bits.index("1", at) - at
        end = at + 2 * zeros + 1
        value, at = int(bits[at + zeros : end], 2) - 1, end
        if at >= len(bits):
            return -1
    return value % 5
