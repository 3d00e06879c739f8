"""What ask() returns: the likeliest answers to a question, and why the first one won."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hbi_core.explanation import Explanation
from hbi_core.figures.view import FigureView
from hbi_core.json_document import JsonDocument

SCHEMA = "hbi-answer/1"


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
        answers: the likeliest, at most five, the likeliest first.
        left_out: the answers without each frame, and without each word.
        vocabulary: how many answers the model knows.
        accuracy: share of questions that the model answered right when it was validated, 0 to 1,
            by kind, with "all" first; empty where it was not.
        known_limits: what else is known of the model that we ship; empty of others.

    Example:
        >>> answered.question  # what `ask` returned
        'what animal is there?'
        >>> len(answered.answers), len(answered.left_out)
        (5, 7)
    """

    explanation: Explanation
    change: Explanation | None
    answers: tuple[ScoredAnswer, ...]
    left_out: tuple[LeftOut, ...]
    vocabulary: int
    accuracy: Mapping[str, float]
    known_limits: str = ""

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

    @property
    def limits(self) -> tuple[str, ...]:
        """What a reader has to know of the answer: a sentence each.

        Example:
            >>> answered.limits[0].startswith("The model always gives one of ")
            True
        """
        known = f"{self.vocabulary:,} answer{'s' * (self.vocabulary != 1)}"
        told = [
            f"The model always gives one of {known} that it has learnt, also where none of them is "
            "right or the question makes no sense, and it can be sure of what is wrong."
        ]
        if self.accuracy:
            others = [kind for kind in self.accuracy if kind != "all"]
            kinds = ", ".join(f"{kind} {_percent(self.accuracy[kind])}" for kind in others)
            by_kind = f" ({kinds})" if kinds else ""
            told.append(
                f"Of questions about pictures that it was not trained on it answered "
                f"{_percent(self.accuracy['all'])} right{by_kind}; of other videos and other "
                "questions it may be less."
            )
        if self.known_limits:
            told.append(self.known_limits)
        return tuple(told)

    def to_dict(self) -> dict[str, Any]:
        """The contents of answer.json; docs/formats.md has the schema.

        Returns:
            Dictionaries, lists, strings and numbers.

        Example:
            >>> answered.to_dict()["schema"]
            'hbi-answer/1'
        """
        return {
            "schema": SCHEMA,
            "question": self.question,
            "sentence": self.sentence,
            "limits": list(self.limits),
            "answers": [vars(answer) for answer in self.answers],
            "left_out": [vars(one) for one in self.left_out],
            "vocabulary": self.vocabulary,
            "explanation": self.explanation.to_dict(),
            "change": None if self.change is None else self.change.to_dict(thumbnails=False),
        }

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
            view: what the figures show; None shows all links across the sides.
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
        from hbi_core.export import LEFT_OUT_COLUMNS, save_result  # matplotlib takes its time

        directory, tables = Path(directory), {"left_out": LEFT_OUT_COLUMNS}
        written = save_result(self, "answer", tables, directory, width, font)
        written += self.explanation.save(directory, width, view, font)
        if self.change is not None:
            written += self.change.save(directory / "change", width, view, font)
        return written


def _named(one: LeftOut) -> str:
    return one.label if one.side == "video" else f"“{one.label}”"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
