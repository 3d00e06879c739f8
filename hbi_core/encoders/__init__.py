"""Frames and words -> features in one joint space."""

from hbi_core.encoders.base import Encoder, TextFeatures
from hbi_core.encoders.loading import load_encoder

__all__ = ["Encoder", "TextFeatures", "load_encoder"]
