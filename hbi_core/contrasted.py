"""What contrast() returns: why one explanation scores higher than another."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from hbi_core.alignment import Shared, align_frames, align_words
from hbi_core.difference import LevelContrast, level_contrasts
from hbi_core.errors import InputError
from hbi_core.explanation import Explanation
from hbi_core.figures.view import FigureView
from hbi_core.json_document import JsonDocument
from hbi_core.json_reading import Json
from hbi_core.verdict import matching, of_level, verdict
from hbi_core.what_ran import OWN_HEADS

_SCALES = (
    "A and B are of different models, whose scores are on no common scale: that one scores higher "
    "says nothing; compare what is strong within each."
)
_GAMES = (
    "A and B are worth other things, a similarity and a logit, which are on no common scale: "
    "compare what is strong within each."
)
_LEVELS = "Only levels that both have are compared: {}."


@dataclass(frozen=True, eq=False)
class Contrast(JsonDocument):
    """Two explanations, and which frames and words speak for A rather than B.

    Args:
        a, b: the explanations. They differ in the caption, in the video, in the model, or in
            several of these.
        view: what the figure shows.

    Attributes:
        a, b, view: as given.

    Raises:
        InputError: they do not differ, or have no level in common.

    Example:
        >>> contrast.a.caption, contrast.b.caption  # of what `contrast` returned
        ('a tabby cat', 'a cup of espresso')
    """

    schema: ClassVar[str] = "hbi-contrast/1"
    file_name: ClassVar[str] = "contrast.json"

    a: Explanation
    b: Explanation
    view: FigureView = field(default_factory=FigureView)

    def __post_init__(self) -> None:
        if not self.differs:
            raise InputError(
                "A and B are the same: give another caption, another video or another model for B."
            )
        if not {level.name for level in self.a.levels} & {level.name for level in self.b.levels}:
            raise InputError("A and B have no level in common: explain both with levels alike.")

    @cached_property
    def frames(self) -> tuple[Shared, ...]:
        """The frames of both in one row, each once where both have it.

        Example:
            >>> contrast.frames[0]
            Shared(a=0, b=0)
        """
        return align_frames(self.a.video, self.b.video)

    @cached_property
    def words(self) -> tuple[Shared, ...]:
        """The words of both in one row, each once where both have it.

        Example:
            >>> contrast.words[:2]
            (Shared(a=0, b=0), Shared(a=1, b=None))
        """
        return align_words(self.a.words, self.b.words)

    @cached_property
    def levels(self) -> tuple[LevelContrast, ...]:
        """Those that both have, each as a difference game.

        Example:
            >>> [level.name for level in contrast.levels]
            ['entity', 'action', 'event']
        """
        return level_contrasts(self.a, self.b, self.frames, self.words)

    @property
    def title(self) -> str:
        """What its files are named after: the videos, without their suffixes.

        Example:
            >>> contrast.title
            'cafe-contrast'
        """
        return "-".join([*dict.fromkeys((self.a.title, self.b.title)), "contrast"])

    @cached_property
    def differs(self) -> tuple[str, ...]:
        """What A and B differ in: "caption", "video", "answer", "model".

        Models that say the same of themselves are two if they score the same input otherwise.

        Example:
            >>> contrast.differs
            ('caption',)
        """
        found = []
        if self.a.caption != self.b.caption:
            found.append("caption")
        if not all(frame.both for frame in self.frames):
            found.append("video")
        if self.a.worth != self.b.worth:
            found.append("answer")
        models, scores = (
            [(one.encoder, one.checkpoint, one.weighting) for one in (self.a, self.b)],
            [[level.score for level in one.levels] for one in (self.a, self.b)],
        )
        if models[0] != models[1] or (not found and scores[0] != scores[1]):
            found.append("model")
        return tuple(found)

    @property
    def told(self) -> tuple[str, str]:
        """What A is and what B is, in what they differ.

        Example:
            >>> contrast.told
            ('“a tabby cat”', '“a cup of espresso”')
        """
        a, b = (
            "; ".join(
                {
                    "caption": f"“{one.caption}”",
                    "video": one.video.name,
                    "answer": one.worth.name,
                    "model": _model(one),
                }[name]
                for name in self.differs
            )
            for one in (self.a, self.b)
        )
        return a, b

    @property
    def sentence(self) -> str:
        """Which scores higher, and which frames and words speak for it.

        Example:
            >>> contrast.sentence.startswith("A scores ")
            True
        """
        return verdict(self.levels)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader has to know besides: a sentence each.

        Example:
            >>> contrast.notes
            ()
        """
        names = [[level.name for level in one.levels] for one in (self.a, self.b)]
        compared = ", ".join(level.name for level in self.levels)
        return (
            *([_SCALES] if "model" in self.differs else []),
            *([_GAMES] if self.a.worth.game != self.b.worth.game else []),
            *([_LEVELS.format(compared)] if names[0] != names[1] else []),
        )

    def to_dict(self) -> dict[str, Any]:
        """The contents of contrast.json; docs/formats.md has the schema.

        Returns:
            Dictionaries, lists, strings and numbers.

        Example:
            >>> contrast.to_dict()["schema"]
            'hbi-contrast/1'
        """
        return {
            "schema": self.schema,
            "sentence": self.sentence,
            "differs": list(self.differs),
            "notes": list(self.notes),
            "a": self.a.to_dict(),
            "b": self.b.to_dict(),
            "frames": [{"a": frame.a, "b": frame.b} for frame in self.frames],
            "words": [{"a": word.a, "b": word.b} for word in self.words],
            "levels": [
                {**level.to_dict(), "sentence": of_level(level), "matching": matching(level)}
                for level in self.levels
            ],
            **({} if self.view == FigureView() else {"view": self.view.to_dict()}),
        }

    @classmethod
    def read(cls, document: Json) -> Contrast:
        """The contrast in a contrast.json, with everything checked; see `from_json`.

        Args:
            document: what the file has. Of A and B all else follows: it is computed anew.

        Returns:
            The same contrast.

        Raises:
            JsonError: something is missing, not of its type, its size or its range, or A and B
                cannot be contrasted.

        Example:
            >>> again = Contrast.from_json(contrast.to_json())
            >>> again.sentence == contrast.sentence
            True
        """
        document["schema"].one_of([cls.schema])
        a, b = (Explanation.read(document[name]) for name in ("a", "b"))
        view = FigureView.from_json(document.get("view"))
        try:
            found = cls(a, b, view)
            _ = found.levels
        except InputError as error:
            document.fail(f"has no contrast: {error}")
        return found

    def save(
        self,
        directory: str | Path,
        width: str = "text",
        font: str = "sans",
        view: FigureView | None = None,
    ) -> list[Path]:
        """Write the numbers, the graph, and the figure with what a paper wants beside it.

        contrast.json, contrast.graphml and the tables contrast.csv and contrast_links.csv have
        everything; contrast.pdf, .svg, .png and .html what the view shows; contrast.tex is an
        environment with a caption, whose citations are in references.bib. All of them, or none
        where the folder cannot be written. The same contrast, width, font and view give the same
        bytes.

        Args:
            directory: made if it is not there.
            width: of the figure, "text" (6.875 in) or "column" (3.25 in).
            font: of the figure, "sans" or "serif".
            view: what the figure shows, and contrast.json tells; None takes that of the contrast.

        Returns:
            The files.

        Raises:
            InputError: there is no such width or font, the contrast has none of the levels, or the
                directory cannot be written.

        Example:
            >>> import tempfile
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     sorted(file.name for file in contrast.save(folder, "column"))[:2]
            ['contrast.csv', 'contrast.graphml']
        """
        from hbi_core.export import save_contrast  # matplotlib takes its time

        shown = self if view is None else replace(self, view=view)
        return save_contrast(shown, directory, width, font)

    def _repr_html_(self) -> str:
        """The graphs that answer, where a notebook shows a contrast."""
        from hbi_core.figures.contrast_html import contrast_in_notebook

        return contrast_in_notebook(self, self.view)


def _model(explanation: Explanation) -> str:
    """What ran: encoder, heads, weights of the game."""
    heads = [] if explanation.checkpoint == OWN_HEADS else [explanation.checkpoint]
    return ", ".join([explanation.encoder, *heads, explanation.weighting])
