"""What the packets of a video tell without decoding: its pictures, their times, where to start."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import av
import numpy as np

from hbi_core.errors import VideoError
from hbi_core.inputs.joined import file_of
from hbi_core.inputs.nal import Bitstream, Entry
from hbi_core.inputs.timeline import join_parts, typical_step, without_ties
from hbi_core.inputs.video import file_name

# FFmpeg would also open texts, pictures and lists of other files.
_CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,gif,mpegts,mpeg,flv,asf,ogg,mxf,ivf,yuv4mpegpipe,"
    "apng,rm,dv,nut,h264,hevc,m4v,mpegvideo,obu,gxf,wtv"
)
_LAYERED = ("apng", "gif")  # each picture is drawn over those before, whatever is marked as a key


@dataclass(frozen=True, eq=False)
class Pictures:
    """What the packets of a file tell of its pictures.

    N packets hold F pictures, in the order in which they are shown.

    Attributes:
        starts: float [F], seconds from the first.
        duration: seconds.
        numbers: int [F], the packets that hold them.
        ranks: int [N], for each packet the place of its picture, or -1 if it shows none.
        moments: float [N], increasing in the order of showing, of all packets.
        entries: int [E], the packets where decoding can start, increasing; the first is 0.
        counted: the file does not tell the order; pictures are shown as the decoder gives them.
        stamped: the file holds the times of showing; else they were guessed from the order.
        skips: the decoder can tell for certain which pictures no other one needs.
        size: width and height as stored.
    """

    starts: np.ndarray
    duration: float
    numbers: np.ndarray
    ranks: np.ndarray
    moments: np.ndarray
    entries: np.ndarray
    counted: bool
    stamped: bool
    skips: bool
    size: tuple[int, int]

    def begin(self, rank: int) -> int:
        """The packet from which on to decode for a picture: the last that is not too late."""
        number = self.numbers[rank]
        before = self.entries[self.entries <= number]
        return int(before[self.moments[before] <= self.moments[number]].max(initial=0))

    def without_entries(self) -> Pictures:
        """For when a key frame was none: to be decoded from the start."""
        return replace(self, entries=self.entries[:1], skips=False)

    def as_decoded(self) -> Pictures:
        """For when the order was another: to be shown as they are decoded, from the start."""
        numbers, ranks = np.sort(self.numbers), self.ranks.copy()
        ranks[numbers] = np.arange(len(numbers))
        counted = replace(self, numbers=numbers, ranks=ranks, moments=np.sort(self.moments))
        return replace(counted.without_entries(), counted=True)


def open_video(path: str) -> tuple:
    """A container and the video stream that a player would show."""
    try:
        container = av.open(
            path, options={"format_whitelist": _CONTAINERS}, metadata_errors="replace"
        )
    except (av.FFmpegError, ValueError) as error:
        raise _unreadable(path) from error
    other = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails
    videos = [stream for stream in container.streams.video if not stream.disposition & other]
    if not videos and container.streams:
        raise VideoError(f"{file_name(path)} has no pictures, only sound or text. Choose a video.")
    if not videos:
        raise _unreadable(path)
    videos = [stream for stream in videos if stream.codec_context is not None and stream.time_base]
    if not videos:
        raise _unreadable(path)

    def preference(stream) -> tuple[bool, int]:
        context = stream.codec_context
        is_default = bool(stream.disposition & av.stream.Disposition.default)
        return is_default, context.width * context.height

    return container, max(videos, key=preference)  # the first of equals


def _unreadable(path: str) -> VideoError:
    """Why FFmpeg found nothing in a file, by its first bytes."""
    with open(file_of(path), "rb") as file:
        head = file.read(16)
    name = file_name(path)
    if head[4:8] in (b"ftyp", b"moov", b"mdat"):
        return VideoError(
            f"{name} is truncated or damaged: its index is incomplete, or its pictures are in a "
            "coding that is not known here. Download or record it again, or convert it to H.264."
        )
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return VideoError(f"{name} is WebP, which cannot be read. Convert it to MP4 or GIF.")
    return VideoError(
        f"{name} is not a video (no known format). Use MP4, WebM, MOV, AVI, MKV or GIF."
    )


def packets_of(container, *streams) -> Iterator:
    """Packets in the order of the file; where it breaks off, those before."""
    packets = container.demux(*streams)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.FFmpegError):
            return
        if packet.size:  # an empty one ends the stream, or repeats the picture before
            yield packet


def list_pictures(path: str) -> Pictures:
    """One pass over the packets, without decoding."""
    container, stream = open_video(path)
    with container:
        context = stream.codec_context
        may_jump = bool(container.format.flags & av.format.Flags.ts_discont.value)
        bitstream = None
        if context.name in ("h264", "hevc"):
            bitstream = Bitstream(context.name, context.extradata)
        packets: list[tuple] = []
        entries, sound = {0: Entry.OPEN}, []
        for packet in packets_of(container, stream, *(container.streams.audio if may_jump else ())):
            if packet.stream_index != stream.index:
                if packet.dts is not None:
                    sound.append(float(packet.dts * packet.time_base))
                continue
            is_key = packet.is_keyframe and context.name not in _LAYERED
            entry = Entry.OPEN if is_key else None
            if bitstream is not None:
                changes = packet.has_sidedata("new_extradata")
                extradata = bytes(packet.get_sidedata("new_extradata")) if changes else None
                entry = bitstream.entry(bytes(packet), extradata)
            if entry is not None:
                entries[len(packets)] = entry
            is_hidden = context.name == "vp8" and not bytes(packet)[0] & 16  # show_frame, RFC 6386
            is_discarded = packet.is_discard or is_hidden
            packets.append((packet.pts, packet.dts, packet.duration, is_discarded))
        if not packets or all(is_discarded for *_, is_discarded in packets):
            raise VideoError(
                f"{file_name(path)} has a video stream without a frame. It is empty or damaged."
            )
        base, rate = float(stream.time_base), float(stream.guessed_rate or 25)
        shown, decoded = _times(packets, base, rate)
        shown = join_parts(shown, decoded, np.array(sound) if may_jump else None)
        reorders = bool(context.has_b_frames) and len(packets) > 1
        counted = any(pts is None for pts, *_ in packets) or (
            reorders and bool((np.diff(shown) > 0).all())
        )
        if counted:
            shown = np.sort(shown)
    visible = np.flatnonzero([not is_discarded for *_, is_discarded in packets])
    if len(visible) == len(packets) and (np.diff(np.sort(shown)) <= 0).any():
        # A program stream gives few pictures a time, and what FFmpeg guesses for the others can
        # be that of a neighbour: then the order is not known either.
        counted, shown = True, without_ties(np.sort(shown), rate)
    numbers = visible[np.argsort(shown[visible], kind="stable")]
    starts = shown[numbers] - shown[numbers[0]]
    ranks = np.full(len(packets), -1)
    ranks[numbers] = np.arange(len(numbers))
    last = (packets[numbers[-1]][2] or 0) * base or typical_step(starts)
    if counted:
        entries = {number: entry for number, entry in entries.items() if entry is Entry.CLOSED}
    return Pictures(
        starts=starts,
        duration=float(starts[-1]) + last,
        numbers=numbers,
        ranks=ranks,
        moments=shown,
        entries=np.array(sorted({0, *entries})),
        counted=counted,
        stamped=container.format.name not in ("avi", "mpeg"),
        skips=bitstream is not None and not bitstream.layered and not counted,
        size=(context.width, context.height),
    )


def _times(packets: list[tuple], base: float, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """When packets are shown and decoded, seconds; one of them, or the rate, stands in for what a
    file does not tell."""
    if any(pts is None and dts is None for pts, dts, *_ in packets):
        even = np.arange(len(packets)) / rate
        return even, even
    shown = np.array([dts if pts is None else pts for pts, dts, *_ in packets]) * base
    decoded = np.array([pts if dts is None else dts for pts, dts, *_ in packets]) * base
    return shown, decoded
