"""The data sets: annotations and video files -> clips with their captions or questions, frames."""

from hbi_core.data.clips import Clip, Corpus, Question
from hbi_core.data.corpus import read_corpus, shared_with_test
from hbi_core.data.frames import ClipFrames, read_frames
from hbi_core.data.montage import Montage, montages, photograph_of_words
from hbi_core.data.synthetic import synthetic_clips

__all__ = [
    "Clip",
    "ClipFrames",
    "Corpus",
    "Montage",
    "Question",
    "montages",
    "photograph_of_words",
    "read_corpus",
    "read_frames",
    "shared_with_test",
    "synthetic_clips",
]
