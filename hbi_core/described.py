"""What describe() returns: a generated caption, what else could have been said, and why."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from hbi_core.explanation import Explanation
from hbi_core.figures.view import FigureView
from hbi_core.json_document import JsonDocument
from hbi_core.json_reading import Json

WORD_COLUMNS = ("text", "probability", "without_video")  # of words.csv
CAPTION_COLUMNS = ("text", "log_probability", "score")  # of captions.csv
MOST_BEAMS = 32  # of the search, and captions that it finds
_MOST_WORDS = 1000  # of a caption


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

    schema: ClassVar[str] = "hbi-description/1"
    file_name: ClassVar[str] = "description.json"

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
            "schema": self.schema,
            "caption": self.caption,
            "limits": list(self.limits),
            "words": [vars(word) for word in self.words],
            "captions": [vars(caption) for caption in self.captions],
            "explanation": self.explanation.to_dict(),
        }

    @classmethod
    def read(cls, document: Json) -> Described:
        """The description in a description.json, with everything checked; see `from_json`.

        Args:
            document: what the file has.

        Returns:
            The same description.

        Raises:
            JsonError: something is missing, not of its type, its size or its range.

        Example:
            >>> again = Described.from_json(described.to_json())
            >>> again.words == described.words
            True
        """
        document["schema"].one_of([cls.schema])
        explanation = Explanation.read(document["explanation"])
        words = tuple(map(_read_word, document["words"].each(1, _MOST_WORDS)))
        if tuple(word.text for word in words) != explanation.words:
            document["words"].fail("are not those of the explanation")
        captions = document["captions"].each(1, MOST_BEAMS)
        read = tuple(map(_read_caption, captions))
        if read[0].text != explanation.caption:
            captions[0]["text"].fail("is not the caption of the explanation")
        limits = document["limits"].labels()
        return cls(explanation=explanation, words=words, captions=read, limits=limits)

    def showing(self, view: FigureView) -> Described:
        """The same, where the figure shows this.

        Args:
            view: of the game.

        Returns:
            The description.

        Raises:
            Nothing.

        Example:
            >>> described.showing(FigureView(top=3)).explanation.view.top
            3
        """
        return replace(self, explanation=replace(self.explanation, view=view))

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
            view: what the figure shows, and description.json tells; None takes that of the
                explanation.
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
        from hbi_core.export import save_result  # matplotlib takes its time

        shown = self if view is None else self.showing(view)
        files = shown.explanation.save(directory, width, font=font)
        tables = {"words": WORD_COLUMNS, "captions": CAPTION_COLUMNS}
        return save_result(shown, tables, directory, width, font) + files


def _read_word(json: Json) -> ScoredWord:
    return ScoredWord(
        text=json["text"].label(),
        probability=json["probability"].share(),
        without_video=json["without_video"].share(),
    )


def _read_caption(json: Json) -> GeneratedCaption:
    return GeneratedCaption(
        text=json["text"].text(),
        log_probability=json["log_probability"].number(),
        score=json["score"].number(),
    )
