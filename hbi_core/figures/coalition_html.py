"""The coalition graph that answers: drawn in the browser, by scripts of ours, from JSON.

The same scripts and the same JSON make the figure of the page, a file that opens without a network,
and what a notebook shows. Players and links have the names of the coalition graph as their data-id.
"""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from typing import Any, Protocol

from explainers import TokenGame, closed_form
from explainers.coalition_graph import GameLevel
from hbi_core.figures.explained import Explained
from hbi_core.figures.grades import GRADES, OUTLIER, Grade, key_label
from hbi_core.figures.view import FigureView, faded_words
from hbi_core.shipped import ASSETS
from hbi_core.worth import FUNCTION

SCRIPTS = (  # in the order that they need each other
    "coalition_elements.js",
    "coalition_links.js",
    "coalition_reading.js",
    "coalition_layout.js",
    "coalition_drawing.js",
    "coalition_phone.js",
    "coalition_table.js",
    "coalition_notes.js",
    "coalition_controls.js",
    "coalition_keyboard.js",
    "game.js",
    "edit_caption.js",
    "what_if.js",
    "coalition_view.js",
    "contrast_difference.js",
    "contrast_view.js",
)
STYLES = ("coalition_view.css", "what_if.css", "contrast_view.css")
_FOLDER = ASSETS / "view"
_ASPECTS = (0.5, 1.2)  # height by width of the thumbnails that are drawn


class _Level(GameLevel, Protocol):
    def game(self, weighting: str) -> TokenGame: ...


class Shown(Explained, Protocol):
    """What the browser draws: an explanation."""

    @property
    def caption(self) -> str: ...

    @property
    def weighting(self) -> str: ...

    @property
    def levels(self) -> Sequence[_Level]: ...

    def to_dict(self) -> dict[str, Any]: ...


def view_data(explanation: Shown, view: FigureView | None = None) -> dict[str, Any]:
    """All that the scripts draw.

    Returns:
        `explanation`, as in explanation.json; `pairs`, by level the interactions within the video
        and within the text side, None where only its model can play the game; `grades` and
        `outlier`, how links are drawn; `faded_words`, the indices of function words; `aspect` of
        thumbnails, height by width; and `view`, the filters.
    """
    _, height, width, _ = explanation.video.pictures.shape
    lowest, highest = _ASPECTS
    return {
        "explanation": explanation.to_dict(),
        "pairs": _pairs(explanation),
        "grades": [_drawn(grade, key_label(number)) for number, grade in enumerate(GRADES)],
        "outlier": _drawn(OUTLIER, "an outlier"),
        "faded_words": list(faded_words(explanation.words)),
        "aspect": min(max(height / width, lowest), highest),
        "view": (view or FigureView()).to_dict(),
    }


def _pairs(explanation: Shown) -> dict[str, dict[str, list]] | None:
    if explanation.weighting == FUNCTION:
        return None
    pairs = {}
    for level in explanation.levels:
        values = closed_form(level.game(explanation.weighting), pairs="all").values
        videos = len(level.video_tokens)
        pairs[level.name] = {
            "video": values[:videos, :videos].tolist(),
            "text": values[videos:, videos:].tolist(),
        }
    return pairs


def _drawn(grade: Grade, label: str) -> dict[str, Any]:
    least = max(grade.least, -1.0)  # JSON has no infinity
    return asdict(grade) | {"least": least, "label": label}


def view_json(explanation: Shown, view: FigureView | None = None) -> str:
    """`view_data` as JSON that may stand inside <script>, whatever the caption says."""
    return script_json(view_data(explanation, view))


def script_json(data: dict[str, Any]) -> str:
    """JSON that no text in it can end the <script> of."""
    return json.dumps(data, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")


@cache
def view_head() -> str:
    """The scripts and the style that `hbi.coalitionView(root, data)` needs, as elements."""
    scripts = "\n".join((_FOLDER / name).read_text(encoding="utf-8") for name in SCRIPTS)
    style = "\n".join((_FOLDER / name).read_text(encoding="utf-8") for name in STYLES)
    return f"<style>\n{style}</style>\n<script>\n{scripts}</script>"


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ margin: 0 auto; max-width: 1240px; padding: 8px; }}
.dark {{ background: #0c0e12; }}
</style>
{head}
</head>
<body>
<div id="figure"></div>
<noscript>This figure is drawn by scripts of its own, which are turned off here.</noscript>
<script id="data" type="application/json">{data}</script>
<script>
"use strict";
const scheme = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark", scheme.matches);
scheme.addEventListener("change", follow);
follow();
const data = JSON.parse(document.getElementById("data").textContent);
{draw}(document.getElementById("figure"), data);
const frame = window.frameElement; // of a notebook: as high as what is in it
if (frame) {{
  const page = document.documentElement;
  const fit = () => (frame.style.height = `${{Math.ceil(page.getBoundingClientRect().height)}}px`);
  new ResizeObserver(fit).observe(page);
}}
</script>
</body>
</html>
"""


def coalition_html(explanation: Shown, view: FigureView | None = None) -> str:
    """A document with the figure that answers, which needs no other file and no network."""
    return document_of(explanation.caption, "hbi.coalitionView", view_json(explanation, view))


def document_of(title: str, draw: str, data: str) -> str:
    """A document in which a function of the scripts draws what `script_json` gave."""
    return _PAGE.format(title=html.escape(title), head=view_head(), draw=draw, data=data)


_NOTEBOOK = """<iframe srcdoc="{document}" style="width: 100%; height: 900px; border: 0"
 title="{title}"></iframe>"""


def notebook_html(explanation: Shown, view: FigureView | None = None) -> str:
    """The same inside a notebook, apart from its styles and scripts."""
    return framed(coalition_html(explanation, view), "Coalition graph")


def framed(document: str, title: str) -> str:
    """A document inside another one, as high as it is; 900 pixels where it runs no scripts."""
    return _NOTEBOOK.format(document=html.escape(document), title=title)
