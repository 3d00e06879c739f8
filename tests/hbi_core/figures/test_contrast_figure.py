"""The figure of a contrast: one scale, bars of the right length, names that occur once."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from itertools import combinations, pairwise

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import Rectangle

from hbi_core.contrasted import Contrast
from hbi_core.errors import InputError
from hbi_core.figures.coalition_print import coalition_print
from hbi_core.figures.contrast_print import contrast_print
from hbi_core.figures.contrast_view import (
    FOR_A,
    FOR_B,
    WEAKEST,
    colours_of,
    difference_links,
    graded_alike,
    joined,
)
from hbi_core.figures.grades import GRADES, OUTLIER, reference_of
from hbi_core.figures.layout import lay_out
from hbi_core.figures.print_style import save_figure
from hbi_core.figures.view import FigureView
from hbi_core.inputs.video import Video
from support.contrasts import drawn_video, made_up

VIDEO = drawn_video(4)
TWO = [(None, None), ([(0, 1), (2, 3)], [(0, 2), (1,)])]


@pytest.fixture(scope="module")
def made():
    """Two captions with a word in common, at two levels whose phrases differ."""
    b = [(None, None), ([(0, 1), (2, 3)], [(0,), (1, 2)])]
    return Contrast(made_up("a cat sleeps", VIDEO, TWO), made_up("a dog sleeps", VIDEO, b, seed=9))


def placed(contrast, width=400):
    return lay_out(joined(contrast), width, 6, 5).levels


def test_colours_of_a_and_b_are_shares_of_one_highest_interaction(made):
    layouts = [lay_out(one, 230, 6, 5).levels[0] for one in (made.a, made.b)]
    links = [link for some in graded_alike(made, "entity", layouts) for link in some]
    highest = max(link.value for link in links)
    for link in links:
        if link.value < 0:
            assert link.grade == GRADES[-1]
        elif link.grade != OUTLIER:
            assert (
                link.grade.least <= link.value / highest + 1e-12 or link.share >= link.grade.least
            )
    top = [link for link in links if link.grade in (GRADES[0], OUTLIER)]
    assert max(links, key=lambda link: link.value) in top


def test_lines_are_the_widest_differences(made):
    (level, *_), (drawn, *_) = made.levels, placed(made)
    differences = (level.interactions[0] - level.interactions[1]).numpy()
    links = difference_links(level, drawn)
    assert links
    for link in links:
        assert link.value == differences[link.first, link.second]
        assert link.grade.colour == (FOR_A if link.value > 0 else FOR_B)
        assert link.grade.dotted == (link.value < 0)
        assert link.share >= WEAKEST
    strength = [abs(link.value) for link in links]
    assert strength == sorted(strength)
    assert strength[-1] == np.abs(differences).max()


def test_players_of_one_alone_have_its_colour(made):
    (level, *_), (drawn, *_) = made.levels, placed(made)
    colours = colours_of(level, drawn)
    named = {
        player.label: colours.get(f"entity/text/{n}") for n, player in enumerate(level.text_players)
    }
    assert named == {"a": None, "cat": FOR_A, "dog": FOR_B, "sleeps": None}


@pytest.mark.parametrize("width", [230, 490])
def test_words_of_several_players_find_room(width):
    """A and B merge the same words otherwise: the row has each twice."""
    caption = " ".join(f"word{number}" for number in range(16))
    groups = [
        [(None, None), ([(0, 1, 2, 3)], [tuple(range(start, 16, step)) for start in range(step)])]
        for step in (4, 5)
    ]
    contrast = Contrast(
        made_up(caption, VIDEO, groups[0]), made_up(caption, VIDEO, groups[1], seed=3)
    )
    for level in placed(contrast, width):
        for left, right in pairwise(level.words):
            assert left.left + left.width <= right.left + 1e-6
        assert level.words[-1].left + level.words[-1].width <= width


def test_pictures_of_another_shape_are_fitted():
    other = drawn_video(2, seed=4, name="b.mp4")
    other = type(other)(np.zeros((2, 30, 10, 3), np.uint8), other.times, 2.0, "b.mp4")
    both = joined(Contrast(made_up("a cat", VIDEO), made_up("a cat", other, seed=1)))
    assert both.video.pictures.shape == (6, 6, 8, 3)
    assert not both.video.pictures[4:].any()


@pytest.mark.parametrize("width", ["text", "column"])
def test_bars_are_as_long_as_the_differences(made, width):
    figure = contrast_print(made, width)
    bars = {
        patch.get_gid(): patch
        for axes in figure.axes
        for patch in axes.patches
        if isinstance(patch, Rectangle) and (patch.get_gid() or "").endswith("/bar")
    }
    for level in made.levels:
        sides = (("video", level.video_players), ("text", level.text_players))
        found = [
            (player.difference, bars.pop(f"difference/{level.name}/{side}/{number}/bar"))
            for side, players in sides
            for number, player in enumerate(players)
        ]
        scale = max(bar.get_height() / abs(value) for value, bar in found)
        for value, bar in found:
            assert bar.get_height() == pytest.approx(scale * abs(value))
            assert bool(bar.get_hatch()) == (value < 0)
    assert not bars


@pytest.fixture(scope="module")
def usual():
    """Two captions of 20 words on 12 wide frames, at three levels."""
    frames = np.random.default_rng(0).integers(0, 256, (12, 9, 16, 3), np.uint8)
    video = Video(frames, tuple(float(second) for second in range(12)), 12.0, "clip.mp4")

    def parts(count, each):
        return [tuple(range(start, min(start + each, count))) for start in range(0, count, each)]

    groups = [(None, parts(20, 2)), (parts(12, 2), parts(20, 3)), (parts(12, 4), parts(20, 5))]
    a = "A woman in an orange suit smiles a rocket stands under the evening sky as a star is in it"
    b = "A man in a blue suit smiles a train leaves the station in smoke as fish swim in it too"
    return Contrast(made_up(a, video, groups), made_up(b, video, groups, seed=9))


@pytest.mark.parametrize(("width", "highest"), [("text", 540), ("column", 320)])
def test_three_levels_fit_the_page_of_a_paper(usual, width, highest):
    """In points; graphs stand clear of one another, and so do words and numbers."""
    figure = contrast_print(usual, width)
    assert figure.get_figheight() * 72 <= highest
    _, *graphs = figure.axes  # the first is the page
    boxes = [axes.get_position() for axes in graphs]
    assert len(boxes) == (9 if width == "text" else 3)
    assert all(
        box.x0 >= -1e-9 and box.x1 <= 1 + 1e-9 and box.y0 > 0 and box.y1 < 1 for box in boxes
    )
    for one, other in combinations(boxes, 2):
        assert not one.shrunk(0.999, 0.999).overlaps(other.shrunk(0.999, 0.999))
    texts = [text for axes in figure.axes for text in axes.texts]
    extents = [text.get_window_extent().padded(-figure.dpi / 72) for text in texts]
    for (one, first), (other, second) in combinations(zip(texts, extents, strict=True), 2):
        assert not first.overlaps(second), (one.get_text(), other.get_text())


@pytest.mark.parametrize("width", ["text", "column"])
def test_every_name_stands_once(made, tmp_path, width):
    save_figure(contrast_print(made, width), tmp_path / "contrast")
    ids = [
        element.get("id")
        for element in ET.parse(tmp_path / "contrast.svg").iter()
        if (element.get("id") or "").startswith(("a/", "b/", "difference/"))
    ]
    words = [id for id in ids if "/text/" in id and "--" not in id]
    assert len(ids) == len(set(ids))
    assert {"difference/entity/text/1/bar", "difference/action/text/0"} <= set(words)
    assert any(id.startswith("a/") for id in ids) == (width == "text")


SAME = {  # the players of each level of `made` that both have, as (index in A, index in B)
    "entity": {"video": [(0, 0), (1, 1), (2, 2), (3, 3)], "text": [(0, 0), (2, 2)]},
    "action": {"video": [(0, 0), (1, 1)], "text": []},
}


@pytest.mark.parametrize("sign", ["both", "negative"])
@pytest.mark.parametrize("scale", ["level", "word", "frame"])
@pytest.mark.parametrize("name", ["entity", "action"])
def test_scales_are_shared_by_what_both_have(made, name, scale, sign):
    view = FigureView(scale=scale, sign=sign)
    levels = [next(one for one in of.levels if one.name == name) for of in (made.a, made.b)]
    layouts = [
        next(one for one in lay_out(of, 230, 6, 5).levels if one.name == name)
        for of in (made.a, made.b)
    ]
    matrices = [level.interactions.values.numpy() for level in levels]
    for which, links in enumerate(graded_alike(made, name, layouts, view)):
        assert links
        for link in links:
            if scale == "level":
                values = [*matrices[0].flat, *matrices[1].flat]
            else:
                side, index = ("text", link.second) if scale == "word" else ("video", link.first)
                rows = [m.T if scale == "word" else m for m in matrices]
                values = [*rows[which][index]]
                for pair in SAME[name][side]:
                    if pair[which] == index:
                        values += [*rows[1 - which][pair[1 - which]]]
            expected = abs(link.value) / reference_of(np.array(values), sign)
            assert link.share == pytest.approx(expected, abs=1e-12)


def test_a_view_is_drawn(made, tmp_path):
    view = FigureView(levels=("action",), top=2, fade=True)
    save_figure(contrast_print(made, view=view), tmp_path / "contrast")
    ids = [
        element.get("id") or "" for element in ET.parse(tmp_path / "contrast.svg").getroot().iter()
    ]
    for panel, most in (("a", 2), ("b", 2), ("difference", 2)):
        lines = [id for id in ids if id.startswith(f"{panel}/") and "--" in id]
        assert 0 < len(lines) <= most
        assert all(line.startswith(f"{panel}/action/") for line in lines)
    with pytest.raises(InputError, match="no level"):
        contrast_print(made, view=FigureView(levels=("event",)))


def test_links_within_the_sides_of_a_contrast_are_files_too(made, tmp_path):
    made.save(tmp_path, view=FigureView(sides=True))
    ids = [
        element.get("id") or "" for element in ET.parse(tmp_path / "contrast.svg").getroot().iter()
    ]
    for panel in ("a", "b"):
        within = [id for id in ids if id.startswith(f"{panel}/entity/video") and "--" in id]
        arcs = [id for id in within if id.split("--")[1].startswith(f"{panel}/entity/video")]
        assert len(arcs) == 4 * 3 / 2


WIDE = "A woman swims among mammoths in the warm moonlight of summer, a womanswimmer waves"


@pytest.mark.parametrize("font", ["sans", "serif"])
def test_words_that_are_turned_stay_in_their_boxes(font):
    """As matplotlib draws them, however wide their letters and however small they are set."""
    phrases = [(0, 1, 2), (3, 4), (5, 6, 7, 8), (9, 10), (11, 12, 13)]
    later = [tuple(word + 14 for word in phrase) for phrase in phrases]
    contrast = Contrast(
        made_up(WIDE, VIDEO, [(None, phrases)]),
        made_up(f"{WIDE} {WIDE}", VIDEO, [(None, phrases + later)]),
    )
    alone = coalition_print(contrast.b, "column", font=font)
    for figure in (alone, contrast_print(contrast, "column", font)):
        renderer = FigureCanvasAgg(figure).get_renderer()
        boxes = [p.get_window_extent(renderer) for axes in figure.axes for p in axes.patches]
        turned = [
            text
            for axes in figure.axes
            for text in axes.texts
            if text.get_rotation() == 90 and text.get_text() in WIDE.replace(",", "").split()
        ]
        assert len(turned) >= len(WIDE.split())
        for text in turned:
            drawn = text.get_window_extent(renderer)
            around = [b for b in boxes if b.x0 < (drawn.x0 + drawn.x1) / 2 < b.x1]
            assert any(b.y0 <= drawn.y0 and drawn.y1 <= b.y1 for b in around)
