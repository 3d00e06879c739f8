"""The tab "Ask": a question about the video, its answers, and what carried them."""

from __future__ import annotations

from typing import Any

import gradio as gr

from app.address import OneOf, Text
from app.asked import asked
from app.coalition_figure import KeptView, coalition_figure, drawn, filters_of
from app.export import export_row
from app.session import (
    KEPT_SECONDS,
    Choice,
    Session,
    Values,
    answered,
    asked_anew,
    escaped,
    frames_of,
    missing,
    origin,
)
from app.stopping import stop_button
from hbi_core.answered import Answered, LeftOut
from hbi_core.errors import InputError
from hbi_core.figures.view import FigureView
from hbi_core.task_model import ANSWERS

_INTRODUCTION = """A small model answers a question about the video above with one of the answers
that it has learnt. Why that one? Its logit is a game of frames and words, too, whose interactions
are exact.
"""
_QUESTION = "what is the woman wearing?"
_HEADERS = ("without", "the answer then", "the first answer")
_LIMITS = "**What this model can do.** "


class Ask:
    """Question, answers and their limits, the graph behind the answer, and what it hangs on."""

    title = "Ask"
    elem_id = "ask"
    opens = Answered

    def __init__(self, session: Session) -> None:
        self.session = session
        gr.Markdown(_INTRODUCTION)
        self.question = gr.Textbox(
            _QUESTION,
            label="Question",
            info="One English question: what, what colour, who, where, how many. Enter asks.",
            lines=1,  # with more, gradio takes Enter for a line break
            max_lines=4,
            elem_id="question",
        )
        with gr.Row():
            button = gr.Button("Ask", variant="primary", elem_id="ask-start", scale=4)
            stop_button("ask-stop")
        self.message = gr.Markdown(missing(ANSWERS, session.answerer), elem_id="ask-message")
        with gr.Row():
            with gr.Column(scale=2, min_width=300):
                self.answers = gr.Label(
                    label="Answers", num_top_classes=5, visible=False, elem_id="answers"
                )
                self.limits = gr.Markdown(elem_id="ask-limits")
            with gr.Column(scale=3, min_width=300):
                self.sentence = gr.Markdown(elem_id="ask-sentence")
                self.left_out = gr.Dataframe(
                    headers=list(_HEADERS),
                    column_widths=["28%", "36%", "36%"],
                    interactive=False,
                    wrap=True,
                    max_height=330,
                    visible=False,
                    elem_id="left-out",
                    label="The answer without a frame or a word, most changed first",
                    show_label=True,
                )
        self.why = gr.Radio(
            _choices(),
            value="first",
            label="What the graph explains",
            visible="hidden",  # the address sets it before there is an answer
            elem_id="ask-why",
        )
        session.choices.update(
            {
                "question": Choice(self.question, Text()),
                "why": Choice(self.why, OneOf(("first", "change"))),
            }
        )
        self.figure = coalition_figure("answer-figure", head=False)
        self.notes = gr.Markdown(elem_id="ask-notes")
        self.answered = gr.State(time_to_live=KEPT_SECONDS)
        session.answers[self.elem_id] = self.answered
        self.view = KeptView(session, self.figure, self.message, "ask.").view
        export_row(self.answered, "ask-export", self.view)
        shown = [
            self.answers,
            self.limits,
            self.sentence,
            self.left_out,
            self.why,
            self.figure,
            self.notes,
            self.answered,
            self.message,
        ]
        self.filled = [*session.asked, self.question, *shown, self.view]
        asked_anew([button.click, self.question.submit], self.message)
        gr.on(
            [button.click, self.question.submit],
            self.ask,
            [session.video, self.question, session.frames, session.weighting, self.why],
            shown,
            api_visibility="private",
            show_progress_on=self.figure,
            trigger_mode="always_last",  # a click after Stop is not lost
        )
        self.why.input(
            self.explain,
            [self.answered, self.why],
            [self.why, self.figure, self.notes, self.message],
            api_visibility="private",
            show_progress="hidden",
        )

    @answered
    def ask(
        self,
        video: Any,
        question: Any,
        frames: Any,
        weighting: Any,
        why: Any,
        progress: gr.Progress = gr.Progress(),  # noqa: B008  gradio fills it in
    ) -> Values:
        """The Ask button. Values as a request has them."""
        answerer, recent = self.session.answerer, self.session.recent
        found = asked(video, question, frames, weighting, answerer, progress, recent)
        progress(0.95, "Drawing")
        return self._shown(found, why if found.change else "first")

    def open(self, found: Answered) -> Values:
        """One of a file: its question is there to be asked again, and no video."""
        return {
            **self.session.asked_before(found.explanation),
            self.question: found.question,
            **filters_of(found.explanation.view, self.view),
            **self._shown(found, "first"),
            # Filters are those of the figure from now on, whatever it explains.
            self.answered: found.showing(FigureView()),
            self.message: "",
        }

    def _shown(self, found: Answered, why: Any) -> Values:
        return {
            self.answers: gr.update(
                value={answer.text: answer.probability for answer in found.answers}, visible=True
            ),
            self.limits: _LIMITS + escaped(" ".join(found.limits)),
            self.sentence: f"**{escaped(found.sentence)}**  \n{_asked_of(found)}",
            self.left_out: gr.update(value=changes(found), visible=True),
            self.answered: found,
            **self._why(found, why),
        }

    @answered
    def explain(self, found: Answered | None, why: Any) -> Values:
        """The choice of what is explained."""
        if found is None:
            raise InputError("Press Ask first: there is no answer to explain yet.")
        return self._why(found, why)

    def _why(self, found: Answered, why: Any) -> Values:
        change = why == "change"
        shown = found.change if change else found.explanation
        if shown is None:
            raise InputError("The model knows one answer only: there is no second one.")
        return {
            self.why: gr.update(
                choices=_choices(found), value="change" if change else "first", visible=True
            ),
            self.figure: drawn(shown),
            self.notes: describe(found, change),
        }


def describe(found: Answered, change: bool) -> str:
    """What the numbers of the graph are, what ran, and what was left out: a line each. Markdown."""
    explanation, first = found.explanation, found.first
    shown = found.change if change and found.change else explanation
    said = ", ".join(f"{level.name} {_signed(level.score)}" for level in shown.levels)
    lines = [f"**{escaped(shown.worth.title)}**: what the levels say is {said}; it is their mean"]
    if change:
        bias = _signed(first.bias - found.answers[1].bias)
        lines[0] += f", and {bias} whatever is asked and seen."
    else:
        bias = _signed(first.bias)
        lines[0] += f", and {bias} whatever is asked and seen: {_signed(first.logit)}."
    lines.append("The probability follows from the logits of all answers.")
    lines.append(
        f"Encoder **{escaped(explanation.encoder)}**, model {escaped(explanation.checkpoint)}, "
        f"{explanation.weighting} weights; {frames_of(explanation)}; exact interactions."
    )
    lines.append(origin(explanation))
    for reason, words in explanation.left_out_why.items():
        lines.append(f"{escaped(reason)}, left out: “{escaped(' '.join(words)[:200])}”.")
    lines += map(escaped, explanation.notes)
    return "  \n".join(lines)


def _asked_of(found: Answered) -> str:
    """What the answer is of: question and video above may be others by now. Markdown."""
    video = found.explanation.video.name
    return f"Asked of {escaped(video)}: “{escaped(found.question)}”"


def _choices(found: Answered | None = None) -> list[tuple[str, str]]:
    """What the graph can explain, by the names of the answers once there are some."""
    first, *others = ("it", "another") if found is None else _quoted(found)
    choices = [(f"why {first}", "first")]
    return choices + [(f"why {first} and not {second}", "change") for second in others[:1]]


def _quoted(found: Answered) -> list[str]:
    return [f"“{answer.text}”" for answer in found.answers]


def changes(found: Answered) -> list[list[str]]:
    """What is left out, the answer then, and what becomes of the first one."""
    first = found.first

    def changed(one: LeftOut) -> tuple[bool, float]:
        return one.answer == first.text, -abs(one.of_first - first.probability)

    return [
        [
            one.label if one.side == "video" else f"“{one.label}”",
            f"{one.answer} ({_percent(one.probability)})",
            f"{_percent(first.probability)} → {_percent(one.of_first)}",
        ]
        for one in sorted(found.left_out, key=changed)
    ]


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")


def _percent(share: float) -> str:
    return f"{100 * share:.1f}\N{NO-BREAK SPACE}%"
