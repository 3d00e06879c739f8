"""Frames and words -> features in one joint space."""

from hbi_core.encoders.base import Encoder, TextFeatures, load_encoder, pool_words

__all__ = ["Encoder", "TextFeatures", "load_encoder", "pool_words"]
