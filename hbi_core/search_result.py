"""What a search returns: the clips that fit a text best, with their scores at three levels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hbi_core.json_document import JsonDocument


@dataclass(frozen=True)
class Hit:
    """A clip that fits the query.

    Attributes:
        name: of the clip.
        file: its video.
        score: the mean of the levels by which clips are ranked.
        levels: S of Eq. 1 at each level by its name, as `explain` gives them.
        frame: the one that fits the query best: which of the frames that were looked at together
            with all text players is worth the most.
        time: seconds from the start of the video to that frame.
        duration: of the video, seconds.
        thumbnail: that frame, a JPEG picture in a `data:` address.

    Example:
        >>> Hit("cat.mp4", Path("cat.mp4"), 0.5, {"entity": 0.5}, 0, 1.5, 9.0, "").time
        1.5
    """

    name: str
    file: Path
    score: float
    levels: dict[str, float]
    frame: int
    time: float
    duration: float
    thumbnail: str

    def to_dict(self, rank: int) -> dict[str, Any]:
        """One entry of "hits" in search.json.

        Args:
            rank: of the hit, from 1.

        Returns:
            Numbers and strings; no thumbnail and no path.

        Raises:
            Nothing.

        Example:
            >>> hit = Hit("cat.mp4", Path("cat.mp4"), 0.5, {"entity": 0.5}, 0, 1.5, 9.0, "")
            >>> list(hit.to_dict(1))
            ['rank', 'name', 'score', 'levels', 'frame', 'time', 'duration_seconds']
        """
        return {
            "rank": rank,
            "name": self.name,
            "score": self.score,
            "levels": dict(self.levels),
            "frame": self.frame,
            "time": self.time,
            "duration_seconds": self.duration,
        }


@dataclass(frozen=True, eq=False)
class SearchResult(JsonDocument):
    """The clips that fit a query best.

    Attributes:
        query: as it was given.
        words: those of it that were read.
        words_left_out: those that were not.
        notes: sentences on how the query was read, and on the model.
        hits: the best first; of equal scores by name.
        clips: how many were compared.
        skipped: what was left out: why, by its name.
        encoder, checkpoint, frames: what ran; frames are those looked at of each clip.
        level_weights: the share of each level in the score, by its name; they sum to 1.

    Example:
        >>> from hbi_core.pipeline import search
        >>> result = search("assets/clips", "a cup of coffee", top=1)
        >>> result.clips, len(result.hits)
        (3, 1)
    """

    query: str
    words: tuple[str, ...]
    words_left_out: tuple[str, ...]
    notes: tuple[str, ...]
    hits: tuple[Hit, ...]
    clips: int
    skipped: dict[str, str]
    encoder: str
    checkpoint: str
    frames: int
    level_weights: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """The contents of search.json; docs/formats.md has the schema.

        Returns:
            Dictionaries, lists, strings and numbers.

        Example:
            >>> from hbi_core.pipeline import search
            >>> search("assets/clips", "a cup of coffee").to_dict()["schema"]
            'hbi-search/1'
        """
        return {
            "schema": "hbi-search/1",
            "query": self.query,
            "words_left_out": list(self.words_left_out),
            **({"notes": list(self.notes)} if self.notes else {}),
            "model": {
                "encoder": self.encoder,
                "checkpoint": self.checkpoint,
                "frames": self.frames,
                "level_weights": dict(self.level_weights),
            },
            "clips": self.clips,
            "hits": [hit.to_dict(rank) for rank, hit in enumerate(self.hits, 1)],
            "skipped": [{"name": name, "reason": why} for name, why in self.skipped.items()],
        }
