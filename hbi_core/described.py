"""What describe() returns: a generated caption, what else could have been said, and why."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hbi_core.explanation import Explanation
from hbi_core.figures.view import FigureView
from hbi_core.json_document import JsonDocument

SCHEMA = "hbi-description/1"


@dataclass(frozen=True, kw_only=True)
class ScoredWord:
    """A word of the generated caption.

    Attributes:
        text: the word.
        probability: of the word, given the whole video and the words before it.
        without_video: the same without any frame: what the language alone makes of it.

    Example:
        >>> ScoredWord(text="dog", probability=0.8, without_video=0.1).text
        'dog'
    """

    text: str
    probability: float
    without_video: float


@dataclass(frozen=True, kw_only=True)
class GeneratedCaption:
    """A caption that the beam search found.

    Attributes:
        text: its words.
        log_probability: of the words and the end of the caption, given the video; at most 0.
        score: by which captions are ranked: the log-probability divided by the number of words and
            the end, to the power of the length penalty.

    Example:
        >>> GeneratedCaption(text="a dog runs", log_probability=-4.0, score=-1.0).score
        -1.0
    """

    text: str
    log_probability: float
    score: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Described(JsonDocument):
    """A video, described and explained.

    Attributes:
        explanation: which frames carried each word of the caption, which is that of the
            explanation: Banzhaf interactions of frames and words in the game of what frames add to
            the log-probability of words.
        words: of the caption, with their probabilities.
        captions: what the beam search found, the best first: the caption, and its alternatives.
        limits: what a reader has to know of the caption: a sentence each.

    Example:
        >>> described.caption == described.captions[0].text  # what `describe` returned
        True
        >>> len(described.words) == len(described.explanation.words)
        True
    """

    explanation: Explanation
    words: tuple[ScoredWord, ...]
    captions: tuple[GeneratedCaption, ...]
    limits: tuple[str, ...]

    @property
    def caption(self) -> str:
        """The best caption.

        Example:
            >>> described.caption == " ".join(word.text for word in described.words)
            True
        """
        return self.explanation.caption

    @property
    def title(self) -> str:
        """What its files are named after.

        Example:
            >>> described.title
            'cafe-description'
        """
        return f"{self.explanation.title}-description"

    def to_dict(self) -> dict[str, Any]:
        """The contents of description.json; docs/formats.md has the schema.

        Returns:
            Dictionaries, lists, strings and numbers.

        Example:
            >>> described.to_dict()["schema"]
            'hbi-description/1'
        """
        return {
            "schema": SCHEMA,
            "caption": self.caption,
            "limits": list(self.limits),
            "words": [vars(word) for word in self.words],
            "captions": [vars(caption) for caption in self.captions],
            "explanation": self.explanation.to_dict(),
        }

    def save(
        self,
        directory: str | Path,
        width: str = "text",
        view: FigureView | None = None,
        font: str = "sans",
    ) -> list[Path]:
        """Write description.json, words.csv, captions.csv, and all that `Explanation.save` writes.

        Args:
            directory: made if it is not there.
            width: of the figure, "text" (6.875 in) or "column" (3.25 in).
            view: what the figure shows; None shows all links across the sides.
            font: of the figure, "sans" or "serif".

        Returns:
            The files.

        Raises:
            InputError: there is no such width, font or level, the view shows links within a side,
                or the directory cannot be written.

        Example:
            >>> import tempfile
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     sorted(file.name for file in described.save(folder))[:2]
            ['captions.csv', 'description.json']
        """
        from hbi_core.export import (  # matplotlib takes its time
            CAPTION_COLUMNS,
            WORD_COLUMNS,
            save_result,
        )

        files = self.explanation.save(directory, width, view, font)
        tables = {"words": WORD_COLUMNS, "captions": CAPTION_COLUMNS}
        return save_result(self, "description", tables, directory, width, font) + files
