"""What is on the page, and what is wired to what."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from app import handlers
from explainers import WEIGHTINGS
from hbi_core.figures.paper_figure import WIDTHS

ASSETS = Path(__file__).parents[1] / "assets"
EXAMPLES = [
    [
        str(ASSETS / "clips" / "space.mp4"),
        "A woman in an orange astronaut suit smiles, a rocket lifts off in smoke and fire, "
        "galaxies shine in deep space.",
    ],
    [
        str(ASSETS / "clips" / "cafe.mp4"),
        "A tabby cat looks into the camera. A cup of espresso stands on a wooden table beside a "
        "spoon.",
    ],
    [
        str(ASSETS / "clips" / "day.mp4"),
        "A cup of coffee with a spoon, a furry cat with whiskers, a rocket launch at dusk, a "
        "smiling astronaut in front of a flag.",
    ],
]
_TITLE = """# How a video and a sentence fit together
Frames and words play a cooperative game whose value is their similarity. A line is the **Banzhaf
interaction** of its two ends: how much they gain by being together, computed exactly; its colour is
its share of the highest of its level. From top to bottom: words and frames, phrases and clips,
sentences and segments. Point at a line to read it.
"""
_DOWNLOAD = "() => setTimeout(() => document.querySelector('#export-file').click(), 300)"


def build_page() -> gr.Blocks:
    """The page, not yet launched."""
    with gr.Blocks(
        title="Hierarchical Banzhaf Interaction", analytics_enabled=False, delete_cache=(3600, 3600)
    ) as page:
        gr.Markdown(_TITLE)
        with gr.Row():
            with gr.Column(scale=2, min_width=320):
                video = gr.Video(
                    EXAMPLES[0][0],
                    label="Video",
                    sources=["upload", "webcam"],
                    include_audio=True,
                    webcam_options=gr.WebcamOptions(mirror=False),
                    elem_id="video",
                )
            with gr.Column(scale=3, min_width=320):
                examples = gr.Row()
                caption = gr.Textbox(
                    EXAMPLES[0][1],
                    label="Caption",
                    info="One sentence, or several parts separated by commas or full stops.",
                    lines=3,
                    max_lines=8,
                )
                with gr.Accordion("Settings", open=False):
                    encoder = gr.Dropdown(
                        list(handlers.ENCODERS.items()),
                        value="auto",
                        label="Encoder",
                        info="open_clip needs its weights in the local cache.",
                    )
                    frames = gr.Slider(1, 24, 12, step=1, label="Frames")
                    weighting = gr.Radio(
                        list(WEIGHTINGS),
                        value=WEIGHTINGS[0],
                        label="Token weights",
                        info="renormalised: a softmax over the coalition's members; "
                        "fixed: over all tokens.",
                    )
                explain_button = gr.Button("Explain", variant="primary", elem_id="explain")
                message = gr.Markdown(elem_id="message")
        with examples:
            gr.Examples(
                EXAMPLES,
                [video, caption],
                label="Examples",
                example_labels=["Astronaut, rocket, galaxies", "Cat, coffee", "Four scenes"],
                cache_examples=False,
            )
        figure = gr.Plot(show_label=False, elem_id="figure")
        notes = gr.Markdown(elem_id="notes")
        with gr.Row(equal_height=True):
            width = gr.Radio(
                [(f"{name} width, {inches} in", name) for name, inches in WIDTHS.items()],
                value="text",
                label="Figure for papers",
                scale=3,
            )
            export_button = gr.Button("Export", elem_id="export", scale=1)
        export_file = gr.DownloadButton(visible="hidden", elem_id="export-file")
        explanation = gr.State(time_to_live=3600)

        gr.on(
            [explain_button.click, caption.submit],
            handlers.explain_on_page,
            [video, caption, encoder, frames, weighting],
            [figure, notes, explanation, message],
            api_visibility="private",
            show_progress_on=figure,
        )
        export_button.click(
            handlers.export,
            [explanation, width],
            export_file,
            api_visibility="private",
        ).success(None, js=_DOWNLOAD)
        gr.api(handlers.explain_as_json, api_name="explain")
    return page
