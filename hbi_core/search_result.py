"""What a search returns: the clips that fit a text best, with their scores at three levels."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from hbi_core.inputs.kept_video import picture_from_json
from hbi_core.json_document import JsonDocument
from hbi_core.json_reading import Json
from hbi_core.tables import to_csv

MOST_HITS = 100  # that are told
_MOST_FRAMES = 64  # of a clip


@dataclass(frozen=True)
class Hit:
    """A clip that fits the query.

    Attributes:
        name: of the clip.
        file: its video; None of a result that was opened from a file.
        score: the mean of the levels by which clips are ranked.
        levels: S of Eq. 1 at each level by its name, as `explain` gives them.
        frame: the one that fits the query best: which of the frames that were looked at together
            with all text players is worth the most.
        time: seconds from the start of the video to that frame.
        duration: of the video, seconds.
        thumbnail: that frame, a JPEG picture in a `data:` address; empty where it is not known.

    Example:
        >>> Hit("cat.mp4", Path("cat.mp4"), 0.5, {"entity": 0.5}, 0, 1.5, 9.0, "").time
        1.5
    """

    name: str
    file: Path | None
    score: float
    levels: dict[str, float]
    frame: int
    time: float
    duration: float
    thumbnail: str

    def to_dict(self, rank: int, thumbnails: bool = True) -> dict[str, Any]:
        """One entry of "hits" in search.json.

        Args:
            rank: of the hit, from 1.
            thumbnails: with the picture, where it is known.

        Returns:
            Numbers and strings; no path.

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
            **({"thumbnail": self.thumbnail} if thumbnails and self.thumbnail else {}),
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

    schema: ClassVar[str] = "hbi-search/1"
    file_name: ClassVar[str] = "search.json"

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

    def to_dict(self, thumbnails: bool = True) -> dict[str, Any]:
        """The contents of search.json; docs/formats.md has the schema.

        Args:
            thumbnails: with a small picture of each hit, so that the contact sheet can be drawn
                without the videos; about 7 kB each.

        Returns:
            Dictionaries, lists, strings and numbers.

        Raises:
            Nothing.

        Example:
            >>> from hbi_core.pipeline import search
            >>> search("assets/clips", "a cup of coffee").to_dict()["schema"]
            'hbi-search/1'
        """
        return {
            "schema": self.schema,
            "query": self.query,
            "words": list(self.words),
            "words_left_out": list(self.words_left_out),
            **({"notes": list(self.notes)} if self.notes else {}),
            "model": {
                "encoder": self.encoder,
                "checkpoint": self.checkpoint,
                "frames": self.frames,
                "level_weights": dict(self.level_weights),
            },
            "clips": self.clips,
            "hits": [hit.to_dict(rank, thumbnails) for rank, hit in enumerate(self.hits, 1)],
            "skipped": [{"name": name, "reason": why} for name, why in self.skipped.items()],
        }

    @property
    def title(self) -> str:
        """What its files are named after.

        Example:
            >>> SearchResult("a cat", (), (), (), (), 0, {}, "lite", "heads", 12, {}).title
            'search-a cat'
        """
        return f"search-{self.query}"

    def to_csv(self) -> str:
        """The ranking as a table, the best clip first; docs/formats.md tells the columns.

        Returns:
            CSV with a line for each hit.

        Raises:
            Nothing.

        Example:
            >>> from hbi_core.pipeline import search
            >>> search("assets/clips", "a cup of coffee").to_csv().splitlines()[0]
            'rank,name,score,entity,action,event,frame,time,duration_seconds'
        """
        levels = list(self.level_weights)
        rows = [
            (
                rank,
                hit.name,
                hit.score,
                *(hit.levels[level] for level in levels),
                hit.frame,
                hit.time,
                hit.duration,
            )
            for rank, hit in enumerate(self.hits, 1)
        ]
        columns = ["rank", "name", "score", *levels, "frame", "time", "duration_seconds"]
        return to_csv(columns, rows)

    def save(self, directory: str | Path) -> list[Path]:
        """Write search.json, the ranking as search.csv, and the contact sheet, search.html.

        All of them, or none where the folder cannot be written. The same result gives the same
        bytes, also one that was opened from its search.json.

        Args:
            directory: made if it is not there.

        Returns:
            The files.

        Raises:
            InputError: the directory cannot be written.

        Example:
            >>> import tempfile
            >>> from hbi_core.pipeline import search
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     [file.name for file in search("assets/clips", "a cup").save(folder)]
            ['search.json', 'search.csv', 'search.html']
        """
        from hbi_core.export import save_search  # matplotlib takes its time

        return save_search(self, directory)

    @classmethod
    def read(cls, document: Json) -> SearchResult:
        """The result in a search.json, with everything checked; see `from_json`.

        Args:
            document: what the file has.

        Returns:
            The same result, without the videos.

        Raises:
            JsonError: something is missing, not of its type, its size or its range.

        Example:
            >>> from hbi_core.pipeline import search
            >>> result = search("assets/clips", "a cup of coffee")
            >>> again = SearchResult.from_json(result.to_json())
            >>> again.hits[0].name == result.hits[0].name
            True
        """
        document["schema"].one_of([cls.schema])
        model = document["model"]
        words, notes = document.get("words"), document.get("notes")
        frames = model["frames"].index(_MOST_FRAMES + 1)
        weights = {name: one.share() for name, one in model["level_weights"].members().items()}
        hits = document["hits"].each(0, MOST_HITS)
        return cls(
            query=document["query"].text(),
            words=words.labels() if words else (),  # older files have none
            words_left_out=document["words_left_out"].labels(),
            notes=notes.labels() if notes else (),
            hits=tuple(_read_hit(hit, frames, list(weights)) for hit in hits),
            clips=document["clips"].index(sys.maxsize),
            skipped={
                one["name"].text(): one["reason"].text() for one in document["skipped"].each()
            },
            encoder=model["encoder"].label(),
            checkpoint=model["checkpoint"].label(),
            frames=frames,
            level_weights=weights,
        )


def _read_hit(json: Json, frames: int, levels: list[str]) -> Hit:
    thumbnail = json.get("thumbnail")
    if thumbnail:
        picture_from_json(thumbnail)
    return Hit(
        name=json["name"].text(),
        file=None,
        score=json["score"].number(),
        levels={level: json["levels"][level].number() for level in levels},
        frame=json["frame"].index(frames),
        time=json["time"].number(0),
        duration=json["duration_seconds"].number(0),
        thumbnail=thumbnail.text() if thumbnail else "",
    )
