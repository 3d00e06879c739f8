"""Frames and words -> features."""

from hbi_core.encoders.base import Encoder, TextFeatures, encode_frames, encode_text
from hbi_core.encoders.loading import build_encoder, download_encoder, load_encoder

__all__ = [
    "Encoder",
    "TextFeatures",
    "build_encoder",
    "download_encoder",
    "encode_frames",
    "encode_text",
    "load_encoder",
]
