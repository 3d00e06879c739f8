"""The page from top to bottom: what is asked, the tabs, and the named endpoints."""

from __future__ import annotations

import gradio as gr

from app.address import Clip, OneOf, Text, Whole
from app.endpoints import Endpoints
from app.examples import EXAMPLES
from app.linking import Linking
from app.opening import Opening
from app.session import (
    ENCODERS,
    KEPT_SECONDS,
    MOST_FRAMES,
    MOST_VIDEOS,
    Choice,
    Opens,
    Session,
    Tab,
)
from app.stopping import stop_button
from app.tabs.ask import Ask
from app.tabs.batch import Batch
from app.tabs.contrast import ContrastTab
from app.tabs.describe import Describe
from app.tabs.exact_vs_estimated import ExactVsEstimated
from app.tabs.graphs import Graphs
from app.tabs.search import Search
from app.uploads import GuardedBlocks
from app.zero_gpu import choose_model
from explainers import WEIGHTINGS
from hbi_core.recent import RecentVideos

TABS: tuple[type[Tab], ...] = (Graphs, ContrastTab, Ask, Describe, Search, Batch, ExactVsEstimated)
MOST_MODELS = 4  # whose heads are held, those of questions and captions among them
_TITLE = """# How a video and a sentence fit together
Frames and words play a cooperative game whose value is their similarity. A line is the **Banzhaf
interaction** of its two ends: how much they gain by being together, computed exactly; its colour is
its share of the highest of its level. From top to bottom: words and frames, phrases and clips,
sentences and segments.
"""


def build_page(answerer: str | None = None, captioner: str | None = None) -> gr.Blocks:
    """The page, not yet launched.

    Args:
        answerer: the checkpoint that answers questions; None takes the one that we ship.
        captioner: the checkpoint that describes videos, likewise.
    """
    with GuardedBlocks(
        title="Hierarchical Banzhaf Interaction",
        analytics_enabled=False,
        delete_cache=(KEPT_SECONDS, KEPT_SECONDS),
    ) as page:
        gr.Markdown(_TITLE)
        session = ask(answerer, captioner)
        Endpoints(session)  # first: what comes later may not take their names
        linking = Linking(session)
        with gr.Tabs(elem_id="tabs") as tabs:
            laid_out: list[Tab] = []
            for tab in TABS:
                with gr.Tab(tab.title, elem_id=tab.elem_id):
                    laid_out.append(tab(session))
        Opening(session, [tab for tab in laid_out if isinstance(tab, Opens)])
        tabs.select(None, js="hbiPage.turned")
        linking.listen(page, {tab.elem_id: tab.title for tab in TABS})
    return page


def ask(answerer: str | None = None, captioner: str | None = None) -> Session:
    """Lay out what stands above the tabs: the video, its caption, and the settings."""
    first = EXAMPLES[0]
    with gr.Row():
        with gr.Column(scale=2, min_width=320):
            video = gr.Video(
                str(first.clip),
                label="Video",
                sources=["upload", "webcam"],
                include_audio=True,
                webcam_options=gr.WebcamOptions(mirror=False),
                elem_id="video",
            )
        with gr.Column(scale=3, min_width=320):
            examples = gr.Dataset(
                label="Examples",
                components=[gr.Textbox(visible=False)],
                samples=[[example.label] for example in EXAMPLES],
                type="index",
                elem_id="examples",
            )
            caption = gr.Textbox(
                first.caption,
                label="Caption",
                info="One sentence, or several parts separated by commas or full stops. Enter "
                "explains, Shift + Enter begins a line.",
                lines=1,  # with more, gradio takes Enter for a line break
                max_lines=8,
            )
            encoder, frames, weighting = _settings()
            with gr.Row(elem_id="actions"):
                button = gr.Button("Explain", variant="primary", elem_id="explain", scale=4)
                stop_button("stop")
            with gr.Row(elem_id="kept"):
                opener = gr.UploadButton(
                    "Open saved file",
                    file_types=[".json"],
                    elem_id="open",
                    size="sm",
                    min_width=150,
                )
                link = gr.Button("Copy link", elem_id="copy-link", size="sm", min_width=120)
            message = gr.Markdown(elem_id="message")
    recent = RecentVideos(
        MOST_VIDEOS, MOST_MODELS, unused_seconds=KEPT_SECONDS, choose=choose_model
    )
    return Session(
        video=video,
        caption=caption,
        encoder=encoder,
        frames=frames,
        weighting=weighting,
        button=button,
        examples=examples,
        opener=opener,
        link=link,
        message=message,
        explanation=gr.State(
            first.explanation,
            time_to_live=KEPT_SECONDS,
            delete_callback=lambda _: recent.forget(KEPT_SECONDS),
        ),
        opened=gr.State(time_to_live=KEPT_SECONDS),
        recent=recent,
        answerer=answerer,
        captioner=captioner,
        choices={
            "video": Choice(video, Clip(needed=True), always=True),
            "caption": Choice(caption, Text(), always=True),
            "encoder": Choice(encoder, OneOf(ENCODERS.values()), always=True),
            "frames": Choice(frames, Whole(1, MOST_FRAMES), always=True),
            "weighting": Choice(weighting, OneOf(WEIGHTINGS), always=True),
        },
    )


def _settings() -> tuple[gr.Dropdown, gr.Slider, gr.Radio]:
    with gr.Accordion("Settings", open=False):
        encoder = gr.Dropdown(
            list(ENCODERS.items()),
            value=next(iter(ENCODERS.values())),
            label="Encoder",
            info="open_clip needs its weights in the local cache.",
        )
        frames = gr.Slider(1, MOST_FRAMES, 12, step=1, label="Frames")
        weighting = gr.Radio(
            list(WEIGHTINGS),
            value=WEIGHTINGS[0],
            label="Token weights",
            info="renormalised: a softmax over the coalition's members; fixed: over all tokens.",
        )
    return encoder, frames, weighting
