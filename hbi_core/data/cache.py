"""The cache of features: a file for the frames of a clip, one for its texts and one for its foils.

Each is named by all that it depends on, and by no more: other texts of the same videos, their
questions say, find the frames encoded.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from hbi_core.data.foils import Foil
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


def frames_name(
    encoder: Encoder, weights: str, id: str, contents: Sequence[str], settings: EncodingSettings
) -> str:
    """Of the file in a cache with the features of a clip's frames and random views.

    Args:
        encoder: its name and its widths count.
        weights: its `weights_digest`.
        id: of the clip; its random views depend on it.
        contents: what tells each of its files, a hash of its content.
        settings: frames, views, degraded and seed count.
    """
    chosen = [settings.frames, settings.views, settings.degraded, settings.seed]
    return _named(encoder, weights, ["clip", id, *contents, *chosen])


def texts_name(
    encoder: Encoder, weights: str, texts: Sequence[str], settings: EncodingSettings
) -> str:
    """Of the file in a cache with the features of some texts, whatever they are about.

    Args:
        encoder: its name and its widths count.
        weights: its `weights_digest`.
        texts: count, with their order.
        settings: players, words and padded count.
    """
    chosen = [settings.players, settings.words, settings.padded]
    return _named(encoder, weights, ["texts", *texts, *chosen])


def foils_name(
    encoder: Encoder, weights: str, foils: Sequence[Foil | None], settings: EncodingSettings
) -> str:
    """Of the file in a cache with the features of the foils of some captions.

    Args:
        encoder: its name and its widths count.
        weights: its `weights_digest`.
        foils: of each caption; their texts and the words that were replaced count.
        settings: players, words and padded count.
    """
    told = [None if foil is None else [foil.caption.text, foil.word] for foil in foils]
    chosen = [settings.players, settings.words, settings.padded]
    return _named(encoder, weights, ["foils", *told, *chosen])


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
