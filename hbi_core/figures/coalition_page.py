"""The three coalition graphs as one plotly figure that answers the pointer.

What is drawn carries the names of the coalition graph: `customdata` of points is the `id` of their
link or the name of their player, and `name` of words, thumbnails and boxes that of their player.
"""

from __future__ import annotations

import base64
import io

import numpy as np
import plotly.graph_objects as go
from PIL import Image

from explainers.coalition_graph import GameLevel
from hbi_core.figures.explained import Explained
from hbi_core.figures.grades import GRADES, KEY_TITLE, OUTLIER, Grade, key_label
from hbi_core.figures.layout import (
    Cell,
    FigureLayout,
    LevelLayout,
    Link,
    lay_out,
    links_of,
)
from hbi_core.figures.page_style import FONT, PAPER, WIDTH, escape

_EM = 14.0
_SMALLEST_FONT = 11.0
_LINE_SCALE = 1.6  # pixels per point of a grade's width
_HOVER_PLACES = np.linspace(0.04, 0.96, 15)  # along a link, where the pointer finds it


def coalition_page(explanation: Explained) -> go.Figure:
    """Draw an explanation; lines tell both ends, interaction, similarity and rank when hovered."""
    layout = lay_out(explanation, WIDTH, _EM, _SMALLEST_FONT)
    frames = [_data_uri(frame) for frame in explanation.video.frames]
    traces = []
    for level, placed in zip(explanation.levels, layout.levels, strict=True):
        links = links_of(level, placed)
        # The strongest on top.
        traces += [_lines(level.name, links, number) for number in reversed(range(len(GRADES)))]
        traces += [_hover_places(level, links), _cells(placed.words), _cells(placed.frames)]
    return go.Figure(
        traces,
        {
            **PAPER,
            "height": layout.height,
            "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
            "showlegend": False,
            "hoverdistance": 12,
            "xaxis": {"range": [0, layout.width], "visible": False, "fixedrange": True},
            "yaxis": {"range": [layout.height, 0], "visible": False, "fixedrange": True},
            "font": FONT,
            "images": [image for level in layout.levels for image in _thumbnails(level, frames)],
            "shapes": [shape for level in layout.levels for shape in _boxes(level, layout)]
            + _key_lines(layout),
            "annotations": [text for level in layout.levels for text in _texts(level, layout)]
            + _key_texts(layout),
        },
    )


def _line_style(grade: Grade) -> dict:
    dash = "dot" if grade.dotted else "solid"
    return {"color": grade.colour, "width": grade.width * _LINE_SCALE, "dash": dash}


def _lines(level: str, links: tuple[Link, ...], number: int) -> go.Scatter:
    """All links of one grade as one trace; the links of a level are ordered weak to strong."""
    grade = GRADES[number]
    grades = (OUTLIER, grade) if number == 0 else (grade,)
    graded = [link for link in links if link.grade in grades]
    return go.Scatter(
        x=[x for link in graded for x in (link.start[0], link.end[0], None)],
        y=[y for link in graded for y in (link.start[1], link.end[1], None)],
        customdata=[link.id for link in graded for _ in range(3)],
        mode="lines",
        name=f"{level} {key_label(number)}",
        line=_line_style(grade),
        opacity=grade.opacity,
        hoverinfo="skip",
    )


def _hover_places(level: GameLevel, links: tuple[Link, ...]) -> go.Scatter:
    """Unseen points along the links, which say what a link is."""
    places = [
        (
            (1 - part) * link.start[0] + part * link.end[0],
            (1 - part) * link.start[1] + part * link.end[1],
            _describe(link, level),
            link.id,
        )
        for link in links
        for part in _HOVER_PLACES
    ]
    xs, ys, texts, ids = zip(*places, strict=True)
    return go.Scatter(
        x=[round(x, 1) for x in xs],
        y=[round(y, 1) for y in ys],
        text=texts,
        customdata=ids,
        mode="markers",
        marker={"size": 9, "opacity": 0},
        hovertemplate="%{text}<extra></extra>",
    )


def _describe(link: Link, level: GameLevel) -> str:
    frames = ", ".join(str(frame + 1) for frame in level.video_tokens[link.first].frames)
    many = len(level.video_tokens[link.first].frames) > 1
    return (
        f"<b>{escape(level.text_tokens[link.second].text)}</b> — frame{'s' * many} {frames}<br>"
        f"interaction {link.interaction:+.4f} (rank {link.rank} of "
        f"{len(level.video_tokens) * len(level.text_tokens)})<br>"
        f"cosine similarity {link.similarity:+.3f}"
    )


def _cells(cells: tuple[Cell, ...]) -> go.Scatter:
    return go.Scatter(
        x=[cell.centre[0] for cell in cells],
        y=[cell.centre[1] for cell in cells],
        text=[escape(cell.label) for cell in cells],
        customdata=[cell.id for cell in cells],
        mode="markers",
        marker={"size": 14, "opacity": 0},
        hovertemplate="%{text}<extra></extra>",
    )


def _thumbnails(level: LevelLayout, frames: list[str]) -> list[dict]:
    return [
        {
            "name": cell.id,
            "source": frames[cell.index],
            "xref": "x",
            "yref": "y",
            "x": cell.left,
            "y": cell.top,
            "sizex": cell.width,
            "sizey": cell.height,
            "sizing": "stretch",
            "layer": "above",
        }
        for cell in level.frames
    ]


def _boxes(level: LevelLayout, layout: FigureLayout) -> list[dict]:
    """The rule above a level, and the boxes around what was merged."""
    shapes = []
    if level is not layout.levels[0]:
        y = level.top - 0.8 * layout.em
        shapes.append(
            {
                "type": "line",
                "x0": 0,
                "x1": layout.width,
                "y0": y,
                "y1": y,
                "line": {"color": "#444444", "width": 1, "dash": "dash"},
            }
        )
    shapes += [
        {
            "type": "rect",
            "name": token.id,
            "x0": token.left,
            "x1": token.left + token.width,
            "y0": token.top,
            "y1": token.top + token.height,
            "line": {"color": "#737373", "width": 2},
        }
        for token in level.boxes
    ]
    return shapes


def _texts(level: LevelLayout, layout: FigureLayout) -> list[dict]:
    """The name and score of a level, and its words."""
    middle = (level.top + level.bottom) / 2
    name, score = f"{level.name.capitalize()} level", f"S = {level.score:.3f}"
    em = layout.em
    return [
        _text(0.9 * em, middle, name, 1.05 * em, textangle=-90),
        _text(2.4 * em, middle, score, 0.9 * em, textangle=-90),
        *(
            _text(
                *cell.centre,
                escape(cell.label),
                layout.font,
                name=cell.id,
                textangle=-90 if layout.vertical_words else 0,
            )
            for cell in level.words
        ),
    ]


def _key_lines(layout: FigureLayout) -> list[dict]:
    y = layout.height - 0.9 * layout.em
    return [
        {
            "type": "line",
            "x0": x,
            "x1": x + 2 * layout.em,
            "y0": y,
            "y1": y,
            "opacity": grade.opacity,
            "line": _line_style(grade),
        }
        for grade, x in zip(GRADES, _key_places(layout), strict=True)
    ]


def _key_texts(layout: FigureLayout) -> list[dict]:
    em, y = layout.em, layout.height - 0.9 * layout.em
    return [
        _text(0.5 * em, y, KEY_TITLE, 0.85 * em, xanchor="left"),
        *(
            _text(x + 2.5 * em, y, key_label(number), 0.85 * em, xanchor="left")
            for number, x in enumerate(_key_places(layout))
        ),
    ]


def _key_places(layout: FigureLayout) -> list[float]:
    return [(9 + 9 * number) * layout.em for number in range(len(GRADES))]


def _text(x: float, y: float, text: str, size: float, **options) -> dict:
    return {"x": x, "y": y, "text": text, "showarrow": False, "font": {"size": size}} | options


def _data_uri(frame: np.ndarray) -> str:
    image = Image.fromarray(frame)
    image.thumbnail((240, 240), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=82)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
