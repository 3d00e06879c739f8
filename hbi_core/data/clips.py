"""Clips with their texts: what every data set becomes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple


@dataclass(frozen=True)
class Clip:
    """A video, or photographs shown one after another, with its texts.

    Attributes:
        id: as in the annotations, without a video suffix.
        files: one video file; or the photographs, in order.
        captions: at least one, each with a letter or digit in it. Of a data set of questions they
            are these.
        answers: the right one for each question; empty where there are no questions.
        kinds: for each question what kind it is of, "who" or "colour"; empty likewise.
    """

    id: str
    files: tuple[Path, ...]
    captions: tuple[str, ...]
    answers: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()


class Question(NamedTuple):
    """A question about a clip, its answer, and its kind."""

    text: str
    answer: str
    kind: str


@dataclass(frozen=True)
class Corpus:
    """A split of a data set.

    Attributes:
        name: of the data set.
        split: of it.
        clips: in the order of the annotations, at least one, no id twice.
        missing: ids whose file is not there; they are not among the clips.
        without_text: ids in the list of the split that have no sentence; not among the clips.
    """

    name: str
    split: str
    clips: tuple[Clip, ...]
    missing: tuple[str, ...] = ()
    without_text: tuple[str, ...] = ()

    def subset(self, clips: int) -> Corpus:
        """At most this many clips, chosen by a hash of their ids: the same on any machine."""

        def draw(clip: Clip) -> str:
            digest = hashlib.sha256(f"hbi-subset:{clip.id}".encode("utf-8", "surrogatepass"))
            return digest.hexdigest()

        chosen = set(sorted(self.clips, key=draw)[:clips])
        return replace(self, clips=tuple(clip for clip in self.clips if clip in chosen))

    def overlap(self, other: Corpus) -> tuple[str, ...]:
        """Ids that are in both, in the order of this one."""
        known = {clip.id for clip in other.clips}
        return tuple(clip.id for clip in self.clips if clip.id in known)


def digest(clips: Sequence[Clip]) -> str:
    """16 hexadecimal digits that change with any id, caption, answer or the order of clips."""
    texts = [(clip.id, clip.captions, *([clip.answers] if clip.answers else [])) for clip in clips]
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()[:16]
