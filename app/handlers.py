"""What a click does: check the input, call the pipeline, return what the page shows."""

from __future__ import annotations

import re
import reprlib
import time
from dataclasses import replace
from typing import Any

import gradio as gr
import plotly.graph_objects as go

from app.uploads import uploaded_file
from explainers.timing import seconds_in_words
from hbi_core.checkpoints.checkpoint import UNTRAINED
from hbi_core.checks import whole_number
from hbi_core.errors import CaptionError, InputError, VideoError
from hbi_core.exact_vs_estimated import MOST_SEEDS, LevelComparison, compare_level
from hbi_core.explanation import Explanation
from hbi_core.figures.coalition_page import coalition_page
from hbi_core.figures.methods_page import cost_figure, heat_map_figure, scatter_figure
from hbi_core.figures.methods_table import methods_table
from hbi_core.figures.methods_view import view_of
from hbi_core.figures.print_style import without_font
from hbi_core.pipeline import explain

LONGEST_CAPTION = 20_000  # characters; 64 words are read of it
_WORDS_SHOWN = 30


def explain_on_page(
    video: str | None,
    caption: str | None,
    encoder: str,
    frames: float,
    weighting: str,
    progress: gr.Progress = gr.Progress(),  # noqa: B008  gradio fills it in
) -> tuple[go.Figure, str, Explanation, str]:
    """The Explain button: figure, what ran, the explanation for the export, and a message.

    Input that cannot be used is answered by the message; the rest of the page stays as it is.
    """
    try:
        explanation = _explained(video, caption, encoder, frames, weighting, progress)
    except InputError as error:
        return gr.skip(), gr.skip(), gr.skip(), f"**{_escaped(str(error))}**"
    progress(0.95, "Drawing")
    started = time.perf_counter()
    figure = coalition_page(explanation)
    seconds = explanation.seconds | {"drawing": time.perf_counter() - started}
    return figure, describe(replace(explanation, seconds=seconds)), explanation, ""


def explain_as_json(
    video: gr.FileData,
    caption: str,
    encoder: str = "auto",
    frames: int = 12,
    weighting: str = "renormalised",
) -> dict:
    """Explain a video and a caption; returns the contents of explanation.json.

    video: an uploaded file; encoder: "auto", "lite" or "open_clip"; frames: 1 to 64; weighting:
    "renormalised" or "fixed".
    """
    try:
        explanation = _explained(video, caption, encoder, frames, weighting, None)
    except InputError as error:
        raise gr.Error(str(error), print_exception=False) from error
    return explanation.to_dict()


ENCODERS = {
    "Automatic: lite, no download": "auto",
    "lite: EfficientNet-Lite2 + MiniLM": "lite",
    "open_clip: ViT-B-32-quickgelu, openai": "open_clip",
}


def _explained(
    video: Any, caption: Any, encoder: Any, frames: Any, weighting: Any, progress: Any
) -> Explanation:
    """Values as a request has them, of any type; `explain` checks what is not checked here."""
    if not video:
        raise VideoError("Choose a video first: upload one, record one, or take an example.")
    if encoder not in ENCODERS.values():
        raise InputError(
            f"There is no encoder {reprlib.repr(encoder)} here: use {', '.join(ENCODERS.values())}."
        )
    if isinstance(caption, str) and len(caption) > LONGEST_CAPTION:
        raise CaptionError(
            f"The caption has {len(caption):,} characters; this page takes {LONGEST_CAPTION:,}. "
            "Shorten it: 64 words are explained."
        )
    return explain(
        uploaded_file(video),
        "" if caption is None else caption,
        encoder=encoder,
        frames=frames,
        weighting=weighting,
        progress=progress,
    )


def describe(explanation: Explanation) -> str:
    """One line on what ran, one on the time, and one on what was left out. Markdown."""
    heads = explanation.checkpoint
    if heads == UNTRAINED:
        heads = "**untrained** (equal token weights, merged tokens are plain means)"
    total = sum(explanation.seconds.values())
    split = ", ".join(f"{step} {seconds:.2f} s" for step, seconds in explanation.seconds.items())
    game = explanation.levels[0].interactions
    lines = [
        f"Encoder **{explanation.encoder}**, heads {heads}, {explanation.weighting} weights; "
        f"{len(explanation.video.times)} frames of {_escaped(explanation.video.name)}; exact "
        f"interactions ({game.method.replace('_', ' ')}, {game.device}).",
        f"{total:.2f} s: {split}.",
    ]
    for reason, words in explanation.left_out_why.items():
        shown = " ".join(word[:40] for word in words[:_WORDS_SHOWN])
        rest = len(words) - _WORDS_SHOWN
        more = f" and {rest:,} more" if rest > 0 else ""
        lines.append(f"{_escaped(reason)}, left out: “{_escaped(shown)}”{more}.")
    undrawn = without_font(explanation)
    if undrawn:
        lines.append(
            f"No font of the server can draw {_escaped(undrawn)}: exported figures show boxes."
        )
    return "  \n".join(lines)


def compare_on_page(
    explanation: Explanation | None,
    level: str,
    budgets: list[int],
    seeds: float,
    first_seed: float | None,
    limit_seconds: float,
    progress: gr.Progress = gr.Progress(),  # noqa: B008  gradio fills it in
) -> tuple:
    """The Compare button: three figures, the table, what ran, the comparison, and a message.

    Input that cannot be used is answered by the message; the rest of the page stays as it is.
    """
    try:
        if explanation is None:
            raise InputError("Press Explain first: there is no game to compare on yet.")
        if first_seed is None:
            raise InputError("Give the first seed, a whole number.")
        first = whole_number(first_seed, "The first seed {} was asked for", 0, 2**62)
        runs = whole_number(seeds, "{} seeds were asked for", 1, MOST_SEEDS)
        comparison = compare_level(
            explanation, level, budgets or [], range(first, first + runs), limit_seconds,
            progress=progress,
        )  # fmt: skip
    except InputError as error:
        return *[gr.skip()] * 6, f"**{_escaped(str(error))}**"
    progress(0.95, "Drawing")
    view = view_of(comparison)
    return (
        scatter_figure(view),
        cost_figure(view),
        heat_map_figure(view),
        methods_table(comparison),
        describe_comparison(comparison),
        comparison,
        "",
    )


def describe_comparison(comparison: LevelComparison) -> str:
    """The game, the device, the enumeration, the estimator, and what is shown. Markdown."""
    level, players = comparison.level, comparison.players
    runs = comparison.comparison.rows
    closed_form = next(row for row in runs if row.method == "closed_form")
    enumeration = next(row for row in runs if row.method == "enumeration")
    if enumeration.agreement is None:
        enumerated = f"was not run: {enumeration.note.split('. ')[0]}."
    else:
        enumerated = (
            f"of all {enumeration.coalitions:,} coalitions took "
            f"{seconds_in_words(enumeration.seconds)}; its largest difference from the closed form "
            f"is {enumeration.agreement.max_error:.0e}."
        )
    lines = [
        f"**{_escaped(comparison.explanation.video.name)}, {level.name} level**: "
        f"{len(level.video_tokens)} video + {len(level.text_tokens)} text tokens = {players} "
        f"players, 2<sup>{players}</sup> = {comparison.coalitions:,} coalitions; "
        f"{comparison.explanation.weighting} weights.",
        f"Ran on the **{comparison.device}**, in float64. The closed form took "
        f"{seconds_in_words(closed_form.seconds)}.",
        f"The full enumeration {enumerated}",
        f"The estimator, which sees no token weights, {_known_error(comparison.known_error)}.",
        "Relative error: root mean square of the errors over that of the exact values. Strongest "
        f"links: how many of the exact {comparison.comparison.top} strongest are among the "
        f"estimated {comparison.comparison.top} strongest. Scatter and heat maps show the run with "
        "the largest budget and the first seed.",
    ]
    return "  \n".join(lines)


def _known_error(error: float | None) -> str:
    if error is None:
        return "comes without a measured error"
    return (
        f"is known to be off by {error:.2f} (relative error) on random games like those it was "
        "trained on"
    )


def nothing_compared() -> tuple:
    """What `compare_on_page` returns before anything was compared."""
    return None, None, None, None, "", None, ""


def _escaped(text: str) -> str:
    """Text of a user inside Markdown."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|~$])", r"\\\1", text)
