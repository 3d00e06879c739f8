"""What the tabs share: what a visitor asks, the explanation of it, and how errors are told."""

from __future__ import annotations

import functools
import re
import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, runtime_checkable

import gradio as gr
from gradio.components import Component
from gradio.events import Dependency

from app.stopping import StoppableProgress, this_visitor
from app.uploads import chosen_video
from explainers import WEIGHTINGS
from explainers.timing import Progress, seconds_in_words
from hbi_core.errors import CaptionError, CheckpointError, InputError
from hbi_core.explanation import Explanation
from hbi_core.json_document import JsonDocument
from hbi_core.pipeline import explain
from hbi_core.recent import RecentVideos
from hbi_core.task_model import TaskModel

KEPT_SECONDS = 3600  # what a visitor made is deleted after it
MOST_VIDEOS = 8  # kept of all visitors
MOST_FRAMES = 24  # that the page looks at; as an endpoint it takes 64
# Explains what was put into the fields above, on the first tab.
EXPLAIN_ABOVE = """() => setTimeout(() => {
    document.querySelector('#graphs-button')?.click();
    document.querySelector('#explain').click();
    document.querySelector('#explain').scrollIntoView({block: 'center'});
}, 300)"""
Values = dict[Component, Any]  # of components that change
LONGEST_CAPTION = 20_000  # characters; 64 words are read of it
ENCODERS = {
    "Automatic: lite, no download": "auto",
    "lite: EfficientNet-Lite2 + MiniLM": "lite",
    "open_clip: ViT-B-32-quickgelu, openai": "open_clip",
}


def offer(name: str, encoder: str) -> None:
    """Let visitors choose a model of one's own too; it is the first choice of the page then.

    Args:
        name: what they read.
        encoder: what `explain` is asked for.
    """
    others = dict(ENCODERS)
    ENCODERS.clear()
    ENCODERS.update({name: encoder} | others)


class Kind(Protocol):
    """How values of one kind stand in the address."""

    def read(self, name: str, text: str) -> Any:
        """The value that a text means, which anybody may have written.

        Raises:
            InputError: there is no such value; the name is told.
        """

    def write(self, name: str, value: Any) -> str | None:
        """The text of a value, as a request has it; None where there is nothing to say.

        Raises:
            InputError: there is no such value; the name is told.
        """


@dataclass(frozen=True)
class Choice:
    """What a visitor chooses, and the address says.

    Attributes:
        component: where it is chosen.
        kind: of its values.
        always: whether its first value is said, too, so that links outlive a change of it.
    """

    component: Component
    kind: Kind
    always: bool = False


class ViewedFigure(Protocol):
    """A figure, a FigureView of what it shows, and the event that keeps it."""

    figure: gr.HTML
    view: gr.State
    kept: Dependency


@dataclass(frozen=True, eq=False)
class Session:
    """The components above the tabs, and what is kept of visitors.

    Attributes:
        video, caption, encoder, frames, weighting: what is asked; arguments of `explained`.
        button: asks for the explanation, as Enter in the caption does.
        examples: shows one that we ship, explained; its value is a number of EXAMPLES.
        opener: shows a saved result that is uploaded, in its tab.
        link: copies the address that shows the same.
        message: tells what is wrong with what was asked.
        explanation: of what was asked last, or was chosen; None when it was deleted.
        opened: what another tab wants to be shown, an Opened.
        recent: the last videos of all visitors, to be passed to the pipeline. A second caption on
            one of them neither decodes nor encodes it again.
        answerer: the checkpoint that answers questions; None takes the one that we ship.
        captioner: the checkpoint that describes videos, likewise.
        choices: what is chosen, by its name in the address; tabs add theirs.
        figures: what figures show, by what stands before the names of it in the address; likewise.
        answers: what tabs made, by their elem_id; None before; likewise.
    """

    video: gr.Video
    caption: gr.Textbox
    encoder: gr.Dropdown
    frames: gr.Slider
    weighting: gr.Radio
    button: gr.Button
    examples: gr.Dataset
    opener: gr.UploadButton
    link: gr.Button
    message: gr.Markdown
    explanation: gr.State
    opened: gr.State
    recent: RecentVideos
    answerer: str | None = None
    captioner: str | None = None
    choices: dict[str, Choice] = field(default_factory=dict)
    figures: dict[str, ViewedFigure] = field(default_factory=dict)
    answers: dict[str, gr.State] = field(default_factory=dict)

    @property
    def asked(self) -> list[Component]:
        """The arguments of `explained`, in their order."""
        return [self.video, self.caption, self.encoder, self.frames, self.weighting]

    def asked_before(self, explanation: Explanation) -> Values:
        """What is asked above the tabs, of a result of a file: its video is not in it."""
        asked: Values = {self.video: None}
        if explanation.weighting in WEIGHTINGS:  # others are of models of one's own
            asked[self.weighting] = explanation.weighting
        return asked


@dataclass(frozen=True, eq=False)
class Opened:
    """An explanation that was made before.

    Attributes:
        file: its explanation.json.
        video: the clip; None is not shown.
        when: it was asked for, so that the same is another value the next time.
    """

    file: Path
    video: Path | None
    when: float


class Tab(Protocol):
    """One tab: a class of this shape in app/tabs, named in app/page.py.

    To make one is to lay out its components where it is made, and to say what its clicks do. What
    a click does is a method that returns {component: value}, decorated by `answered`; components
    that it leaves out stay as they are.

    Attributes:
        title: on the tab.
        elem_id: of the tab in the page.
        message: tells what is wrong with what was asked of this tab.
    """

    title: str
    elem_id: str
    message: gr.Markdown

    def __init__(self, session: Session) -> None: ...


@runtime_checkable
class Opens(Protocol):
    """A tab that shows results which were saved.

    Attributes:
        title, elem_id: as of `Tab`.
        opens: the results: their class.
        filled: the components that `open` may fill.
    """

    title: str
    elem_id: str
    opens: type[JsonDocument]
    filled: list[Component]

    def open(self, result: Any) -> Values:
        """Show a result that was opened from a file, without its video."""


class Telling(Protocol):
    """What tells errors in a message of its own, as a tab does."""

    message: gr.Markdown


_Telling = TypeVar("_Telling", bound=Telling)
_Inputs = ParamSpec("_Inputs")


def answered(
    click: Callable[Concatenate[_Telling, _Inputs], Values],
) -> Callable[Concatenate[_Telling, _Inputs], Values]:
    """What a click returns, with an empty message. The Stop button ends it.

    Input that cannot be used is answered by the tab's message; the rest of the page stays as it is.
    """

    @functools.wraps(click)
    def with_message(tab: _Telling, *inputs: _Inputs.args, **more: _Inputs.kwargs) -> Values:
        try:
            return click(tab, *map(_stoppable, inputs), **more) | {tab.message: ""}
        except InputError as error:
            return {tab.message: f"**{escaped(str(error))}**"}

    return with_message


def _stoppable(value: Any) -> Any:
    """The bar that gradio fills in, as one that the Stop button ends; other values as they are."""
    return StoppableProgress(this_visitor()) if isinstance(value, gr.Progress) else value


def asked_anew(clicks: Sequence[Callable[..., Any]], message: gr.Markdown) -> None:
    """What was wrong with what was asked before is told no more once one of these clicks asks."""
    gr.on(clicks, None, None, message, js="() => ''", queue=False, show_progress="hidden")


def explained(
    video: Any,
    caption: Any,
    encoder: Any,
    frames: Any,
    weighting: Any,
    progress: Progress | None = None,
    recent: RecentVideos | None = None,
) -> Explanation:
    """Values as a request has them, of any type; `explain` checks what is not checked here.

    Raises:
        InputError: with a sentence for the visitor.
    """
    return explain(
        chosen_video(video),
        checked_caption(caption),
        encoder=checked_encoder(encoder),
        frames=frames,
        weighting=weighting,
        progress=progress,
        recent=recent,
    )


def checked_encoder(encoder: Any) -> str:
    """One of the page's encoders.

    Raises:
        InputError: it is none.
    """
    if encoder not in ENCODERS.values():
        raise InputError(
            f"There is no encoder {reprlib.repr(encoder)} here: use {', '.join(ENCODERS.values())}."
        )
    return encoder


def checked_caption(caption: Any, kind: str = "caption") -> Any:
    """A caption that is not too long; whether it is text at all, `parse_caption` tells.

    Args:
        caption: as a request has it.
        kind: what errors call it, as of `parse_caption`.

    Raises:
        CaptionError: it is too long.
    """
    if isinstance(caption, str) and len(caption) > LONGEST_CAPTION:
        raise CaptionError(
            f"The {kind} has {len(caption):,} characters; this page takes {LONGEST_CAPTION:,}. "
            "Shorten it: 64 words are read."
        )
    return "" if caption is None else caption


def missing(model: TaskModel, checkpoint: str | None) -> str:
    """What is to be done where the model of a tab is not there; else nothing. Markdown."""
    try:
        model.chosen(checkpoint)
    except CheckpointError as error:
        return f"**{escaped(str(error))}**"
    return ""


def time_spent(seconds: Mapping[str, float]) -> str:
    """How long it took, and each step; or that the same was asked before."""
    if not seconds:
        return "Told at once, as the same was asked before"
    steps = ", ".join(f"{step} {seconds_in_words(spent)}" for step, spent in seconds.items())
    return f"{seconds_in_words(sum(seconds.values()))}: {steps}"


def frames_of(explanation: Explanation) -> str:
    """How many frames of which video were looked at. Markdown."""
    count = len(explanation.video.times)
    return f"{count} frame{'s' if count > 1 else ''} of {escaped(explanation.video.name)}"


def origin(explanation: Explanation) -> str:
    """How long it took, or that it comes from a file."""
    if (kept := explanation.video.kept_thumbnails) is not None:
        frames = "are the thumbnails in it" if kept else "are grey: it has no thumbnails"
        return f"Made before and opened from a file; its frames {frames}."
    seconds = explanation.seconds
    known = " The video was read before." if seconds and "decoding" not in seconds else ""
    return f"{time_spent(seconds)}.{known}"


def escaped(text: str) -> str:
    """Text of a user inside Markdown."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|~$])", r"\\\1", text)
