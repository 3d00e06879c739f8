"""What is chosen and left out on the page is what is printed: saved figures side by side."""

from __future__ import annotations

import csv
import re
import xml.etree.ElementTree as ET

import pytest

from hbi_core.contrasted import Contrast
from hbi_core.figures.view import FigureView
from support.browser import new_page
from support.contrasts import drawn_video, made_up

WORDS = "the cat sleeps on the mat"
GROUPS = [
    (None, None),
    ([(0, 1), (2, 3), (4,)], [(0, 1), (2,), (3, 4, 5)]),
    ([(0, 1, 2), (3, 4)], [(0, 1, 2), (3, 4, 5)]),
]
VIEWS = [
    FigureView(),
    FigureView(chosen=("entity/text/1",), top_per_word=2, fade=True),
    FigureView(chosen=("entity/video/3",), measure="difference"),
    FigureView(chosen=("action/text/0", "action/video/1"), sides=True),
    FigureView(chosen=("entity/text/1", "entity/text/2", "entity/video/0"), sides=True),
    FigureView(chosen=("event/text/1",), levels=("entity", "action"), sign="negative"),
    FigureView(chosen=("entity/text/99", "action/video/2", "event/text/0")),
    FigureView(left_out=("entity/text/1", "entity/video/2", "event/text/1", "event/text/99")),
    FigureView(left_out=("action/text/0", "action/text/1", "action/text/2"), sides=True),
    FigureView(left_out=("entity/text/1",), chosen=("entity/text/1", "entity/text/2"), fade=True),
]
OF_A_CONTRAST = [
    FigureView(chosen=("entity/text/2",)),
    FigureView(chosen=("entity/video/1",), sides=True, fade=True),
    FigureView(chosen=("action/text/0", "action/video/1"), left_out=("entity/text/0",)),
]
SEEN = """root => ({
    lines: Object.fromEntries([...root.querySelectorAll(".hbi-link[data-id]")].map((line) => [
        line.dataset.id, Number(getComputedStyle(line).opacity)])),
    values: Object.fromEntries(root.parentElement.hbiView.drawings.flatMap(({ links }) =>
        links.map(({ id, value }) => [id, value]))),
    lit: [...root.querySelectorAll(".hbi-lit")].map((player) => player.dataset.id),
    out: [...root.querySelectorAll(".hbi-out")].map((player) => player.dataset.id),
    numbers: [...root.querySelectorAll(".hbi-number")].map((number) => number.textContent),
})"""
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def made():
    return made_up(WORDS, drawn_video(5), GROUPS)


@pytest.fixture(scope="module")
def both():
    """Two captions with words in common."""
    video = drawn_video(4)
    a = [(None, None), ([(0, 1), (2, 3)], [(0, 1), (2,)])]
    b = [(None, None), ([(0, 1), (2, 3)], [(0,), (1, 2)])]
    return Contrast(made_up("a cat sleeps", video, a), made_up("a dog sleeps", video, b, seed=9))


def on_the_page(browser, file, panels=("#figure .hbi-levels",)):
    """What is seen in each panel of a saved figure that answers."""
    page = new_page(browser, 1280, 900)
    wrong = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.emulate_media(reduced_motion="reduce")  # nothing fades in
    page.goto(file.as_uri())
    seen = [page.eval_on_selector(panel, SEEN) for panel in panels]
    page.close()
    assert wrong == []
    return seen


def printed(file, names):
    """Of a saved SVG the style of what has each of these names, and all numbers at lines."""
    styles = {}
    for group in ET.parse(file).iter(f"{SVG}g"):
        if group.get("id") in names:
            said = [part.get("style") for part in group.iter() if part.get("style")]
            pairs = [pair.split(":") for pair in ";".join(said).split(";") if ":" in pair]
            styles[group.get("id")] = {name.strip(): value.strip() for name, value in pairs}
    texts = re.findall(r"<!-- ([+−]?0\.\d{4}) -->", file.read_text(encoding="utf-8"))
    return styles, texts


def opacity_of(style):
    """Of lines, which have it as stroke-opacity, and of arcs."""
    return float(style.get("stroke-opacity", style.get("opacity", 1)))


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.to_query() or "all")
def test_a_figure(browser, made, tmp_path, view):
    made.save(tmp_path, view=view)
    (seen,) = on_the_page(browser, tmp_path / "figure.html")
    players = {
        f"{level.name}/{side}/{index}"
        for level in made.levels
        for side, some in (("video", level.video_tokens), ("text", level.text_tokens))
        for index in range(len(some))
    }
    ids = {f"{one}--{other}" for one in players for other in players}
    styles, numbers = printed(tmp_path / "figure.svg", players | ids)
    lines = {name: style for name, style in styles.items() if name in ids}
    with (tmp_path / "figure.csv").open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    told = dict(zip((name_of(row) for row in rows), rows, strict=True))
    assert lines.keys() == told.keys() == seen["lines"].keys()
    values = {name: float(row["value"]) for name, row in told.items()}
    assert seen["values"] == pytest.approx(values, abs=1e-10)
    chosen = "chosen" in rows[0]
    assert chosen == bool(seen["lit"] or view.chosen)

    def grade(name):
        opacity = {"red": 1, "orange": 0.95, "green": 0.85, "blue": 0.9, "outlier": 1}
        against = 1 if chosen and told[name]["chosen"] == "1" else 0.8
        return opacity.get(told[name]["grade"], against)

    for name, style in lines.items():
        expected = seen["lines"][name] * grade(name)
        assert opacity_of(style) == pytest.approx(expected, abs=1e-6), name
    if chosen:
        assert {name: row["chosen"] for name, row in told.items()} == {
            name: str(int(opacity > 0.1)) for name, opacity in seen["lines"].items()
        }
    boxes = {name: style.get("stroke") for name, style in styles.items() if name in players}
    assert {name for name, colour in boxes.items() if colour == "#000000"} == set(seen["lit"])
    assert set(seen["out"]) == players.intersection(view.left_out)
    boxed = {name for name in seen["out"] if boxes.get(name) and name not in seen["lit"]}
    assert {name for name, colour in boxes.items() if colour == "#e6e6e6"} == boxed
    assert sorted(numbers) == sorted(seen["numbers"])


def name_of(row):
    """The name of the line of a row of figure.csv."""
    ends = {"cross": ("video", "text")}.get(row["kind"], (row["kind"], row["kind"]))
    return "--".join(
        f"{row['level']}/{side}/{row[end]}"
        for side, end in zip(ends, ("first", "second"), strict=True)
    )


@pytest.mark.parametrize("view", OF_A_CONTRAST, ids=lambda view: view.to_query() or "all")
def test_a_contrast(browser, both, tmp_path, view):
    both.save(tmp_path, view=view)
    panels = ("a", "b", "difference")
    seen = on_the_page(
        browser, tmp_path / "contrast.html", [f".hbi-of-{name} .hbi-levels" for name in panels]
    )
    for name, one in zip(panels, seen, strict=True):
        ids = {f"{name}/{line.replace('--', f'--{name}/')}": line for line in one["lines"]}
        lines, _ = printed(tmp_path / "contrast.svg", ids)
        assert lines.keys() == ids.keys()
        faded = {ids[line] for line, style in lines.items() if opacity_of(style) < 0.1}
        assert faded == {line for line, opacity in one["lines"].items() if opacity < 0.1}
        assert bool(faded) == bool(one["lit"])
