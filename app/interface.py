"""What is on the page, and what is wired to what."""

from __future__ import annotations

import gradio as gr

from app import handlers
from app.export import export
from app.uploads import CLIPS, GuardedBlocks
from explainers import WEIGHTINGS
from explainers.comparison import BUDGETS
from hbi_core.figures.methods_table import HEADERS
from hbi_core.figures.print_style import WIDTHS
from hbi_core.model.config import LEVEL_NAMES

EXAMPLES = [
    [
        str(CLIPS / "space.mp4"),
        "A woman in an orange astronaut suit smiles, a rocket lifts off in smoke and fire, "
        "galaxies shine in deep space.",
    ],
    [
        str(CLIPS / "cafe.mp4"),
        "A tabby cat looks into the camera. A cup of espresso stands on a wooden table beside a "
        "spoon.",
    ],
    [
        str(CLIPS / "day.mp4"),
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
_COMPARISON = """The interactions of one level, exact, beside what sampling of coalitions and the
paper's tiny estimator network say of them; all 2ⁿ coalitions too, where that is feasible.
"""
_DOWNLOAD = "() => setTimeout(() => document.querySelector('#{name}-file').click(), 300)"
# A plot drawn in a tab that was hidden had no width to fill.
_FIT = "() => setTimeout(() => window.dispatchEvent(new Event('resize')), 50)"
BUDGET_CHOICES = tuple(4**power for power in range(4, 10))  # 256 to 262,144 coalitions


def build_page() -> gr.Blocks:
    """The page, not yet launched."""
    with GuardedBlocks(
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
        explanation = gr.State(time_to_live=3600)
        with gr.Tabs() as tabs:
            with gr.Tab("Coalition graphs"):
                figure = gr.Plot(show_label=False, elem_id="figure")
                notes = gr.Markdown(elem_id="notes")
                _export_row(explanation, "export")
            with gr.Tab("Exact vs estimated", elem_id="comparison"):
                _comparison_tab(explanation)

        tabs.select(None, js=_FIT)
        gr.on(
            [explain_button.click, caption.submit],
            handlers.explain_on_page,
            [video, caption, encoder, frames, weighting],
            [figure, notes, explanation, message],
            api_visibility="private",
            show_progress_on=figure,
        )
        gr.api(handlers.explain_as_json, api_name="explain")
    return page


def _comparison_tab(explanation: gr.State) -> None:
    """Estimates of the interactions of one level beside the exact ones."""
    gr.Markdown(_COMPARISON)
    with gr.Row():
        level = gr.Radio(
            [(name.capitalize(), name) for name in LEVEL_NAMES],
            value=LEVEL_NAMES[0],
            label="Level",
            info="Words and frames; phrases and clips; sentences and segments.",
            min_width=320,
        )
        budgets = gr.Dropdown(
            [(f"{budget:,}", budget) for budget in BUDGET_CHOICES],
            value=list(BUDGETS),
            multiselect=True,
            label="Sampling budgets",
            info="Coalitions that a run of sampling evaluates.",
            elem_id="budgets",
            min_width=320,
        )
    with gr.Row():
        seeds = gr.Slider(1, 10, 3, step=1, label="Runs of each budget")
        first_seed = gr.Number(0, label="First seed", precision=0, minimum=0)
        limit = gr.Slider(0, 120, 3, step=1, label="Limit of enumeration, s (0 runs none)")
    button = gr.Button("Compare", variant="primary", elem_id="compare")
    message = gr.Markdown(elem_id="comparison-message")
    notes = gr.Markdown(elem_id="comparison-notes")
    with gr.Row():
        with gr.Column(min_width=320):
            scatter = gr.Plot(show_label=False, elem_id="scatter")
        with gr.Column(min_width=320):
            cost = gr.Plot(show_label=False, elem_id="cost")
    heat_maps = gr.Plot(show_label=False, elem_id="heat-maps")
    table = gr.Dataframe(
        headers=list(HEADERS),
        interactive=False,
        elem_id="comparison-table",
        label="Each method beside the closed form; medians of several runs",
    )
    comparison = gr.State(time_to_live=3600)
    _export_row(comparison, "comparison-export")

    shown = [scatter, cost, heat_maps, table, notes, comparison, message]
    button.click(
        handlers.compare_on_page,
        [explanation, level, budgets, seeds, first_seed, limit],
        shown,
        api_visibility="private",
        show_progress_on=[scatter, cost],
    )
    # What is shown is of the explanation that is shown.
    explanation.change(handlers.nothing_compared, None, shown, api_visibility="private")


def _export_row(result: gr.State, name: str) -> None:
    """Width, button and download of an explanation or a comparison."""
    with gr.Row(equal_height=True):
        width = gr.Radio(
            [(f"{name} width, {inches} in", name) for name, inches in WIDTHS.items()],
            value="text",
            label="Figure for papers",
            scale=3,
        )
        button = gr.Button("Export", elem_id=name, scale=1)
    file = gr.DownloadButton(visible="hidden", elem_id=f"{name}-file")
    button.click(export, [result, width], file, api_visibility="private").success(
        None, js=_DOWNLOAD.format(name=name)
    )
