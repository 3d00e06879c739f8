"""What a click does: check the input, call the pipeline, return what the page shows."""

from __future__ import annotations

import re
import tempfile
import time
import uuid
import zipfile
from pathlib import Path

import gradio as gr
import plotly.graph_objects as go

from app.figures.coalition_figure import coalition_figure
from hbi_core.checkpoint import UNTRAINED
from hbi_core.errors import InputError, VideoError
from hbi_core.explanation import Explanation
from hbi_core.figures.paper_figure import without_font
from hbi_core.pipeline import explain

_EXPORTS = tempfile.TemporaryDirectory(prefix="hbi-exports-")  # removed when the server ends
_KEEP_EXPORTS_SECONDS = 3600.0
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
        explanation = _explained(video, caption, encoder, int(frames), weighting, progress)
    except InputError as error:
        return gr.skip(), gr.skip(), gr.skip(), f"**{_escaped(str(error))}**"
    progress(0.95, "Drawing")
    started = time.perf_counter()
    figure = coalition_figure(explanation)
    explanation.seconds["drawing"] = time.perf_counter() - started
    return figure, describe(explanation), explanation, ""


def explain_as_json(
    video: gr.FileData,
    caption: str,
    encoder: str = "auto",
    frames: int = 12,
    weighting: str = "renormalised",
) -> dict:
    """Explain a video and a caption; returns the contents of explanation.json.

    encoder: "auto", "lite" or "open_clip"; weighting: "renormalised" or "fixed".
    """
    if encoder not in ENCODERS.values():
        raise gr.Error(f"There is no encoder {encoder!r} here: use {', '.join(ENCODERS.values())}.")
    try:
        explanation = _explained(video["path"], caption, encoder, frames, weighting, None)
    except InputError as error:
        raise gr.Error(str(error), print_exception=False) from error
    return explanation.to_dict()


ENCODERS = {
    "Automatic: lite, no download": "auto",
    "lite: EfficientNet-Lite2 + MiniLM": "lite",
    "open_clip: ViT-B-32-quickgelu, openai": "open_clip",
}


def _explained(video, caption, encoder, frames, weighting, progress) -> Explanation:
    if not video:
        raise VideoError("Choose a video first: upload one, record one, or take an example.")
    return explain(
        video, caption or "", encoder=encoder, frames=frames, weighting=weighting, progress=progress
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
    left_out = explanation.words_left_out
    if left_out:
        shown = " ".join(word[:40] for word in left_out[:_WORDS_SHOWN])
        rest = len(left_out) - _WORDS_SHOWN
        more = f" and {rest:,} more" if rest > 0 else ""
        lines.append(f"Words beyond the limit, left out: “{_escaped(shown)}”{more}.")
    undrawn = without_font(explanation)
    if undrawn:
        lines.append(
            f"No font of the server can draw {_escaped(undrawn)}: exported figures show boxes."
        )
    return "  \n".join(lines)


def export(explanation: Explanation | None, width: str) -> str:
    """The Export button: the path of a zip with figure, numbers and graph."""
    if explanation is None:
        raise gr.Error("Nothing to export yet: press Explain first.", print_exception=False)
    _remove_old_exports()
    folder = Path(_EXPORTS.name) / uuid.uuid4().hex
    try:
        files = explanation.save(folder, width)
    except InputError as error:
        raise gr.Error(str(error), print_exception=False) from error
    stem = re.sub(r"[^\w.-]+", "-", Path(explanation.video.name).stem)[:60]
    archive = folder / f"hbi-{stem}.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as bundle:
        for file in files:
            bundle.write(file, file.name)
    return str(archive)


def _remove_old_exports() -> None:
    for folder in Path(_EXPORTS.name).iterdir():
        if time.time() - folder.stat().st_mtime > _KEEP_EXPORTS_SECONDS:
            for file in folder.iterdir():
                file.unlink(missing_ok=True)
            folder.rmdir()


def _escaped(text: str) -> str:
    """Text of a user inside Markdown."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|~$])", r"\\\1", text)
