"""Print draws what a view shows, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex

from explainers import closed_form
from hbi_core.errors import InputError
from hbi_core.figures.coalition_print import coalition_print
from hbi_core.figures.shown_links import shown_links
from hbi_core.figures.view import FigureView, faded_words

VIEWS = [
    FigureView(),
    FigureView(levels=("event",)),
    FigureView(levels=("entity", "event"), top_per_word=2, sign="positive", scale="word"),
    FigureView(top=9, measure="difference", scale="frame", fade=True),
    FigureView(sign="negative", threshold=0.3, measure="cosine"),
    FigureView(top=8, sides=True),
]
WITH_PLAYERS = [
    FigureView(top=30, chosen=("entity/video/3",)),
    FigureView(levels=("action",), left_out=("action/video/1", "action/text/0"), sides=True),
    FigureView(chosen=tuple(f"entity/text/{word}" for word in range(8)), values=True, fade=True),
]


def printed(explanation, view, width="text"):
    """The axes, and the lines in them by name."""
    pairs = {
        level.name: closed_form(level.game(explanation.weighting), pairs="all").values
        for level in explanation.levels
    }
    values = {level.name: (level.video_values, level.text_values) for level in explanation.levels}
    left = {level.name: level.interactions.values for level in explanation.levels}  # of anybody
    (axes,) = coalition_print(explanation, width, view, "sans", pairs, values, left).axes
    drawn = [*axes.collections, *axes.patches]
    return axes, {one.get_gid(): one for one in drawn if "--" in one.get_gid()}, pairs


@pytest.mark.parametrize("width", ["text", "column"])
@pytest.mark.parametrize("view", VIEWS)
def test_the_links_of_the_view_are_drawn(explanation, view, width):
    axes, lines, pairs = printed(explanation, view, width)
    links = [
        link
        for level in explanation.levels
        if level.name in view.levels
        for link in shown_links(level, view, pairs[level.name])
    ]
    assert set(lines) == {link.id for link in links}
    for link in links:
        if link.kind == "cross":
            (colour,) = lines[link.id].get_colors()
            assert to_hex(colour) == link.grade.colour
    titles = [text.get_text() for text in axes.texts if text.get_text().endswith(" level")]
    assert titles == [f"{name.capitalize()} level" for name in view.levels]


@pytest.mark.parametrize("width", ["text", "column"])
@pytest.mark.parametrize("view", [*VIEWS, *WITH_PLAYERS])
def test_what_is_said_stands_on_the_paper(explanation, view, width):
    """No text leaves the figure, and none of the key stands on another."""
    axes, _, _ = printed(explanation, view, width)
    figure = axes.figure
    page, renderer = figure.bbox, FigureCanvasAgg(figure).get_renderer()
    boxes = [text.get_window_extent(renderer) for text in axes.texts]
    for text, box in zip(axes.texts, boxes, strict=True):
        assert box.x0 >= 0, text
        assert box.x1 <= page.x1, text
        assert box.y0 >= 0, text
    below = [box for box in boxes if box.y1 < 0.1 * page.y1]
    for number, one in enumerate(below):
        assert not any(one.overlaps(other) for other in below[number + 1 :])


def test_arcs_stay_between_their_players_and_the_edge(explanation):
    axes, lines, _ = printed(explanation, FigureView(sides=True))
    bottom, top = axes.get_ylim()
    arcs = [line for name, line in lines.items() if name.count("/video/") != 1]
    assert arcs
    for arc in arcs:
        (points,) = arc.get_path().to_polygons(closed_only=False)
        ys = points[:, 1]
        assert ys.min() >= top
        assert ys.max() <= bottom


def test_function_words_are_lighter(explanation):
    axes, _, _ = printed(explanation, FigureView(levels=("entity",), fade=True))
    faded = faded_words(explanation.words)
    assert faded
    order = [word for token in explanation.levels[0].text_tokens for word in token.words]
    drawn = [text for text in axes.texts if text.get_text() in explanation.words]
    drawn.sort(key=lambda text: text.get_position()[0])
    for word, text in zip(order, drawn, strict=True):
        assert text.get_text() == explanation.words[word]
        assert (text.get_color() != "black") == (word in faded)


def test_a_figure_of_no_level_is_refused(explanation):
    entity = replace(explanation, levels=explanation.levels[:1])
    with pytest.raises(InputError, match="event is to be shown, and there is entity"):
        coalition_print(entity, view=FigureView(levels=("event",)))


@pytest.mark.parametrize("sides", [False, True])
def test_bars_are_as_long_as_the_values(explanation, sides):
    values = {level.name: (level.video_values, level.text_values) for level in explanation.levels}
    pairs = {
        level.name: closed_form(level.game(explanation.weighting), pairs="all").values
        for level in explanation.levels
    }
    view = FigureView(values=True, sides=sides)
    figure = coalition_print(explanation, "column", view, pairs=pairs, values=values)
    bars = {
        patch.get_gid(): patch
        for patch in figure.axes[0].patches
        if (patch.get_gid() or "").endswith("/bar")
    }
    for level in explanation.levels:
        found = [
            (float(value), bars.pop(f"{level.name}/{side}/{number}/bar"))
            for side, some in zip(("video", "text"), values[level.name], strict=True)
            for number, value in enumerate(some)
        ]
        scale = max(bar.get_height() / abs(value) for value, bar in found)
        for value, bar in found:
            assert bar.get_height() == pytest.approx(scale * abs(value))
            assert bool(bar.get_hatch()) == (value < 0)
    assert not bars
