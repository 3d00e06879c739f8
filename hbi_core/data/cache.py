"""The cache of features: a folder with a file for each clip, named by all that it depends on."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from hbi_core.data.clips import Clip
from hbi_core.encoders import Encoder
from hbi_core.inputs.video import VideoLimits

_VERSION = 2  # of what is encoded; another one where the frames, words or phrases of a file change


@dataclass(frozen=True)
class EncodingSettings:
    """What else than its file and captions the features of a clip depend on; and `missing`."""

    frames: int
    views: int
    degraded: float
    players: str
    words: int | None
    padded: bool
    seed: int
    missing: str


def file_name(encoder: Encoder, weights: str, clip: Clip, settings: EncodingSettings) -> str:
    """Of the file in a cache with the features of a clip.

    Args:
        encoder: its name and its widths count.
        weights: its `weights_digest`.
        clip: its id, its captions, and its files as they are now count; they are there.
        settings: all but `missing` count.
    """
    files = [(str(f), f.stat().st_size, f.stat().st_mtime_ns) for f in clip.files]
    chosen = {name: value for name, value in vars(settings).items() if name != "missing"}
    if not settings.degraded:  # as before there were such views
        del chosen["degraded"]
    return _named(encoder, weights, [clip.id, files, clip.captions, chosen])


def content_name(
    encoder: Encoder, weights: str, content: str, frames: int, limits: VideoLimits
) -> str:
    """Of the file in a cache with the features of a video's frames, whatever the video is called.

    Args:
        encoder: its name and its widths count.
        weights: its `weights_digest`.
        content: a hash of the video file's content.
        frames: that are looked at.
        limits: the size that frames are scaled to counts.
    """
    return _named(encoder, weights, ["frames", content, frames, limits.short_side])


def _named(encoder: Encoder, weights: str, others: list) -> str:
    everything = [_VERSION, encoder.name, weights, encoder.widths, *others]
    digest = hashlib.sha256(json.dumps(everything).encode()).hexdigest()[:24]
    return f"{digest}.safetensors"
