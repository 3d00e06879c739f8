"""What explain() returns: a video, a text, and three levels of their game."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from explainers import WEIGHTINGS
from hbi_core.figures.view import FigureView
from hbi_core.inputs.kept_video import video_from_json, video_to_dict
from hbi_core.inputs.video import Video
from hbi_core.json_document import JsonDocument, json_text
from hbi_core.json_reading import Json
from hbi_core.level import Level, TextToken, VideoToken
from hbi_core.worth import FUNCTION, SIMILARITY, Worth

__all__ = ["Explanation", "Level", "TextToken", "VideoToken"]

_MOST_LEVELS = 8


@dataclass(frozen=True, eq=False)
class Explanation(JsonDocument):
    """How a video and a caption fit together, or answer a question, at three levels.

    Attributes:
        caption: as it was given; or the question.
        words: those of the caption that were read, in order, which text players stand for.
        video: the frames that were looked at.
        encoder, checkpoint, weighting: what ran; checkpoint is "untrained" without heads.
        levels: entity, action, event.
        words_left_out: words of the caption, and parts of words, that were not read: those that
            the encoder cannot read, then those beyond a limit.
        words_unreadable: the first of these.
        notes: sentences on how the caption was read, and on the model.
        view: what its figure shows.
        worth: what is explained: the similarity, or the logit of an answer.
        seconds: wall-clock time of each step that was taken for it: decoding, encoding, merging,
            game. A video that was known before is not decoded again.

    Example:
        >>> explanation.encoder, explanation.checkpoint, explanation.weighting
        ('lite', 'lite_heads.safetensors', 'renormalised')
        >>> [level.name for level in explanation.levels]
        ['entity', 'action', 'event']
        >>> len(explanation.video.times)
        12
        >>> explanation.words[:3]
        ('A', 'tabby', 'cat')
    """

    schema: ClassVar[str] = "hbi-explanation/1"
    file_name: ClassVar[str] = "explanation.json"

    caption: str
    words: tuple[str, ...]
    video: Video
    encoder: str
    checkpoint: str
    weighting: str
    levels: tuple[Level, ...]
    words_left_out: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    words_unreadable: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    view: FigureView = field(default_factory=FigureView)
    worth: Worth = SIMILARITY

    @property
    def title(self) -> str:
        """What its files are named after: the video, without its suffix.

        Example:
            >>> explanation.video.name, explanation.title
            ('cafe.mp4', 'cafe')
        """
        return Path(self.video.name).stem

    @property
    def left_out_why(self) -> dict[str, tuple[str, ...]]:
        """The words that were left out, by a phrase that says why.

        Returns:
            Only phrases that have words.

        Example:
            >>> explanation.left_out_why
            {}
        """
        beyond = self.words_left_out[len(self.words_unreadable) :]
        reasons = {
            f"Words that the encoder {self.encoder} cannot read": self.words_unreadable,
            "Words beyond the limit": beyond,
        }
        return {reason: words for reason, words in reasons.items() if words}

    def to_dict(self, thumbnails: bool = True) -> dict[str, Any]:
        """The contents of explanation.json; docs/formats.md has the schema.

        Args:
            thumbnails: with small pictures of the frames, so that it can be drawn without the
                video; about 80 kB for 12 frames.

        Returns:
            Dictionaries, lists, strings and numbers.

        Raises:
            Nothing.

        Example:
            >>> explanation.to_dict()["schema"]
            'hbi-explanation/1'
            >>> len(explanation.to_dict()["video"]["thumbnails"])
            12
        """
        phrases = len(self.levels[0].text_tokens) < len(self.words)
        return {
            "schema": self.schema,
            "caption": self.caption,
            **({"words": list(self.words)} if phrases else {}),
            **({"notes": list(self.notes)} if self.notes else {}),
            "words_left_out": list(self.words_left_out),
            "words_unreadable": list(self.words_unreadable),
            "video": video_to_dict(self.video, thumbnails),
            "model": {
                "encoder": self.encoder,
                "checkpoint": self.checkpoint,
                "weighting": self.weighting,
            },
            **({} if self.worth == SIMILARITY else {"worth": self.worth.to_dict()}),
            "levels": [level.to_dict() for level in self.levels],
            **({} if self.view == FigureView() else {"view": self.view.to_dict()}),
        }

    def to_json(self, thumbnails: bool = True) -> str:
        """The contents of explanation.json as text.

        Args:
            thumbnails: see `to_dict`.

        Returns:
            JSON with one space of indentation; letters beyond ASCII stand as they are.

        Raises:
            ValueError: a number is not finite, which JSON cannot say.

        Example:
            >>> explanation.to_json().splitlines()[1]
            ' "schema": "hbi-explanation/1",'
        """
        return json_text(self.to_dict(thumbnails))

    @classmethod
    def read(cls, document: Json) -> Explanation:
        """The explanation in an explanation.json, with everything checked; see `from_json`.

        Args:
            document: what the file has.

        Returns:
            The same explanation. Frames are the thumbnails, or grey where there are none;
            `seconds` is empty.

        Raises:
            JsonError: something is missing, not of its type, its size or its range.

        Example:
            >>> again = Explanation.from_json(explanation.to_json())
            >>> again.to_json() == explanation.to_json()
            True
            >>> import tempfile
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     file, *_ = explanation.save(folder)
            ...     Explanation.from_file(file).levels[0].score == explanation.levels[0].score
            True
        """
        document["schema"].one_of([cls.schema])
        model, levels = document["model"], document["levels"].each(1, _MOST_LEVELS)
        video = video_from_json(document["video"])
        words = _read_words(document)
        unreadable, left_out = (
            document[name].labels() for name in ("words_unreadable", "words_left_out")
        )
        if left_out[: len(unreadable)] != unreadable:
            document["words_left_out"].fail("does not begin with words_unreadable")
        notes = document.get("notes")
        weighting = model["weighting"].one_of((*WEIGHTINGS, FUNCTION))
        worth = Worth.from_json(document.get("worth"))
        if worth.game == FUNCTION != weighting:
            model["weighting"].fail("is of a game of tokens, but worth is of a function")
        read = tuple(
            Level.from_json(level, len(video.times), len(words), weighting, worth.game)
            for level in levels
        )
        if len({level.name for level in read}) < len(read):
            document["levels"].fail("has two levels of one name")
        return cls(
            caption=document["caption"].text(),
            words=words,
            video=video,
            encoder=model["encoder"].label(),
            checkpoint=model["checkpoint"].label(),
            weighting=weighting,
            levels=read,
            words_left_out=left_out,
            words_unreadable=unreadable,
            notes=notes.labels() if notes else (),
            view=FigureView.from_json(document.get("view")),
            worth=worth,
        )

    def save(
        self,
        directory: str | Path,
        width: str = "text",
        view: FigureView | None = None,
        font: str = "sans",
    ) -> list[Path]:
        """Write the numbers, the graph, and the figure with what a paper wants beside it.

        explanation.json, graph.graphml and the tables interactions.csv, players.csv and levels.csv
        have everything; figure.pdf, .svg, .png, .html and .csv what the view shows; figure.tex is
        an environment with a caption, whose citations are in references.bib. All of them, or none
        where the folder cannot be written. The same explanation, width, view and font give the
        same bytes.

        Args:
            directory: made if it is not there.
            width: of the figure, "text" (6.875 in) or "column" (3.25 in).
            view: what the figure shows, and explanation.json tells; None takes that of the
                explanation.
            font: of the figure, "sans" or "serif".

        Returns:
            The files.

        Raises:
            InputError: there is no such width, font or level, or the directory cannot be written.

        Example:
            >>> import tempfile
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     sorted(file.name for file in explanation.save(folder, "column"))[:2]
            ['explanation.json', 'figure.csv']
        """
        from hbi_core.export import save_explanation  # matplotlib takes its time

        shown = self if view is None else replace(self, view=view)
        return save_explanation(shown, directory, width, font)

    def _repr_html_(self) -> str:
        """The graph that answers, where a notebook shows an explanation."""
        from hbi_core.figures.coalition_html import notebook_html  # not everybody is in a notebook

        return notebook_html(self, self.view)


def _read_words(document: Json) -> tuple[str, ...]:
    """All words; where there is no list of them, each is a text token of the first level."""
    if given := document.get("words"):
        return given.labels()
    tokens = document["levels"].each(1)[0]["text_tokens"].each(1)
    for index, token in enumerate(tokens):
        if token["words"].indices(len(tokens)) != (index,):
            token["words"].fail(f"is not [{index}], and there is no list of words")
    return tuple(token["text"].label() for token in tokens)
