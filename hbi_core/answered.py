"""What ask() returns: the likeliest answers to a question, and why the first one won."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from hbi_core.explanation import Explanation
from hbi_core.figures.view import FigureView
from hbi_core.json_document import JsonDocument
from hbi_core.json_reading import Json

LEFT_OUT_COLUMNS = ("side", "index", "label", "answer", "probability", "of_first")  # left_out.csv
MOST_ANSWERS = 5  # that are told
_MOST_LEFT_OUT = 1000  # frames and words


@dataclass(frozen=True, kw_only=True)
class ScoredAnswer:
    """An answer of the model's vocabulary.

    Attributes:
        text: as it is said.
        probability: that the model gives it, a softmax of the logits of all answers.
        logit: the bias, and the mean of what the levels say.
        bias: what the model gives it whatever is asked and seen.

    Example:
        >>> ScoredAnswer(text="dog", probability=0.6, logit=2.5, bias=0.5).text
        'dog'
    """

    text: str
    probability: float
    logit: float
    bias: float


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """What the model answers without one frame or one word, which it was run again without.

    Attributes:
        side: "video" or "text".
        index: of the frame, or of the word among those of the question.
        label: "frame 3", or the word.
        answer: the first one now.
        probability: of that.
        of_first: the probability now of the answer that was the first with everything.

    Example:
        >>> LeftOut(
        ...     side="text", index=1, label="animal", answer="man", probability=0.4, of_first=0.1
        ... ).label
        'animal'
    """

    side: str
    index: int
    label: str
    answer: str
    probability: float
    of_first: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Answered(JsonDocument):
    """A question about a video, answered and explained.

    Attributes:
        explanation: of the first answer: its logit, level by level, as a game of frames and words.
            Its caption is the question.
        change: of the logit of the first answer less that of the second; None where there is one.
        answers: the likeliest, at most MOST_ANSWERS, the likeliest first.
        left_out: the answers without each frame, and without each word.
        vocabulary: how many answers the model knows.
        limits: what a reader has to know of the answer: a sentence each.

    Example:
        >>> answered.question  # what `ask` returned
        'what animal is there?'
        >>> len(answered.answers), len(answered.left_out)
        (5, 7)
    """

    schema: ClassVar[str] = "hbi-answer/1"
    file_name: ClassVar[str] = "answer.json"

    explanation: Explanation
    change: Explanation | None
    answers: tuple[ScoredAnswer, ...]
    left_out: tuple[LeftOut, ...]
    vocabulary: int
    limits: tuple[str, ...]

    @property
    def question(self) -> str:
        """As it was given.

        Example:
            >>> answered.question
            'what animal is there?'
        """
        return self.explanation.caption

    @property
    def title(self) -> str:
        """What its files are named after.

        Example:
            >>> answered.title
            'cafe-answer'
        """
        return f"{self.explanation.title}-answer"

    @property
    def first(self) -> ScoredAnswer:
        """The likeliest answer.

        Example:
            >>> answered.first == answered.answers[0]
            True
        """
        return self.answers[0]

    @property
    def sentence(self) -> str:
        """The answer, and whether it hangs on a single frame or word.

        Example:
            >>> answered.sentence.startswith("“")
            True
        """
        told = f"“{self.first.text}” ({_percent(self.first.probability)})"
        others = [one for one in self.left_out if one.answer != self.first.text]
        if not self.left_out:
            return f"{told}."
        if not others:
            return f"{told}, and no frame and no word changes it by being left out alone."
        some = ", ".join(f"{_named(one)} (“{one.answer}”)" for one in others[:4])
        more = f" and {len(others) - 4} more" if len(others) > 4 else ""
        return f"{told}; it would be another one without {some}{more}."

    def to_dict(self) -> dict[str, Any]:
        """The contents of answer.json; docs/formats.md has the schema.

        Returns:
            Dictionaries, lists, strings and numbers.

        Example:
            >>> answered.to_dict()["schema"]
            'hbi-answer/1'
        """
        return {
            "schema": self.schema,
            "question": self.question,
            "sentence": self.sentence,
            "limits": list(self.limits),
            "answers": [vars(answer) for answer in self.answers],
            "left_out": [vars(one) for one in self.left_out],
            "vocabulary": self.vocabulary,
            "explanation": self.explanation.to_dict(),
            "change": None if self.change is None else self.change.to_dict(thumbnails=False),
        }

    @classmethod
    def read(cls, document: Json) -> Answered:
        """The answer in an answer.json, with everything checked; see `from_json`.

        Args:
            document: what the file has.

        Returns:
            The same answer, with the video of its thumbnails.

        Raises:
            JsonError: something is missing, not of its type, its size or its range.

        Example:
            >>> again = Answered.from_json(answered.to_json())
            >>> again.sentence == answered.sentence
            True
        """
        document["schema"].one_of([cls.schema])
        answers = document["answers"].each(1, MOST_ANSWERS)
        explanation, change = Explanation.read(document["explanation"]), document["change"]
        if change.value is not None and len(answers) < 2:
            change.fail("is of the first answer less the second, and there is one answer")
        return cls(
            explanation=explanation,
            change=None if change.value is None else _read_change(change, explanation),
            answers=tuple(map(_read_answer, answers)),
            left_out=tuple(map(_read_left_out, document["left_out"].each(0, _MOST_LEFT_OUT))),
            vocabulary=document["vocabulary"].index(sys.maxsize),
            limits=document["limits"].labels(),
        )

    def showing(self, view: FigureView) -> Answered:
        """The same, where figures show this.

        Args:
            view: of both games.

        Returns:
            The answer.

        Raises:
            Nothing.

        Example:
            >>> top = answered.showing(FigureView(top=3))
            >>> top.explanation.view.top, top.change.view.top
            (3, 3)
        """
        change = None if self.change is None else replace(self.change, view=view)
        return replace(self, explanation=replace(self.explanation, view=view), change=change)

    def save(
        self,
        directory: str | Path,
        width: str = "text",
        view: FigureView | None = None,
        font: str = "sans",
    ) -> list[Path]:
        """Write answer.json, left_out.csv, and all that `Explanation.save` writes of both games.

        Those of the first answer lie in the directory, those of the change in its folder change.

        Args:
            directory: made if it is not there.
            width: of the figures, "text" (6.875 in) or "column" (3.25 in).
            view: what the figures show, and answer.json tells; None takes that of each explanation.
            font: of the figures, "sans" or "serif".

        Returns:
            The files.

        Raises:
            InputError: there is no such width, font or level, or the directory cannot be written.

        Example:
            >>> import tempfile
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     sorted(file.name for file in answered.save(folder))[0]
            'answer.json'
        """
        from hbi_core.export import save_result  # matplotlib takes its time

        directory, tables = Path(directory), {"left_out": LEFT_OUT_COLUMNS}
        shown = self if view is None else self.showing(view)
        written = save_result(shown, tables, directory, width, font)
        written += shown.explanation.save(directory, width, font=font)
        if shown.change is not None:
            written += shown.change.save(directory / "change", width, font=font)
        return written


def _read_answer(json: Json) -> ScoredAnswer:
    return ScoredAnswer(
        text=json["text"].label(),
        probability=json["probability"].share(),
        logit=json["logit"].number(),
        bias=json["bias"].number(),
    )


def _read_left_out(json: Json) -> LeftOut:
    return LeftOut(
        side=json["side"].one_of(["video", "text"]),
        index=json["index"].index(_MOST_LEFT_OUT),
        label=json["label"].label(),
        answer=json["answer"].label(),
        probability=json["probability"].share(),
        of_first=json["of_first"].share(),
    )


def _read_change(json: Json, explanation: Explanation) -> Explanation:
    """That of the same question and video, which is in the file once."""
    change = Explanation.read(json)
    if change.words != explanation.words:
        json["levels"].fail("has other words than the explanation of the answer")
    if change.video.times != explanation.video.times:
        json["video"].fail("has other frames than the explanation of the answer")
    return replace(change, video=explanation.video)


def _named(one: LeftOut) -> str:
    return one.label if one.side == "video" else f"“{one.label}”"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
