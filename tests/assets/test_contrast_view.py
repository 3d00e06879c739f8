"""A, B and their difference (assets/view/contrast_view.js), in a browser, without a server."""

from __future__ import annotations

import pytest

from explainers import closed_form
from hbi_core.contrasted import Contrast
from hbi_core.figures.contrast_html import contrast_html
from hbi_core.figures.contrast_view import difference_links, graded_alike, joined
from hbi_core.figures.layout import lay_out
from hbi_core.figures.view import FigureView
from support.browser import new_page
from support.contrasts import drawn_video, made_up

TWO = [(None, None), ([(0, 1), (2, 3)], [(0, 2), (1,)])]
VIEWS = [
    FigureView(),
    FigureView(top=7, sign="positive"),
    FigureView(top_per_word=2, scale="word"),
    FigureView(measure="cosine", scale="frame", threshold=0.3),
    FigureView(sides=True, sign="negative"),
]
PANELS = ("a", "b", "difference")
DRAWN = """name => {
    const view = document.getElementById("figure").hbiContrast.views[name];
    return Object.fromEntries(view.drawings.map(({ level, links }) => [
        level.name,
        links.map(({ first, second, kind, value, share, grade }) =>
            ({ first, second, kind, value, share, grade: grade.name, dotted: grade.dotted })),
    ]));
}"""
FILTER = "view => document.getElementById('figure').hbiContrast.filter(view)"


@pytest.fixture(scope="module")
def made():
    """Two captions with words in common, at two levels; some phrases of both are alike."""
    video = drawn_video(4)
    b = [(None, None), ([(0, 1), (2, 3)], [(0,), (1, 2)])]
    return Contrast(made_up("a cat sleeps", video, TWO), made_up("a dog sleeps", video, b, seed=9))


@pytest.fixture(scope="module")
def document(made, tmp_path_factory):
    file = tmp_path_factory.mktemp("contrast") / "contrast.html"
    file.write_text(contrast_html(made), encoding="utf-8")
    return file.as_uri()


@pytest.fixture
def opened(browser, document):
    """Opens the document at a width; what went wrong in its scripts fails the test."""
    pages, wrong = [], []

    def open_page(width=1280):
        page = new_page(browser, width, 900)
        pages.append(page)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(document)
        return page

    yield open_page
    for page in pages:
        page.close()
    assert wrong == []


def ids(page, selector):
    return page.locator(selector).evaluate_all("all => all.map(one => one.dataset.id)")


def pairs_of(contrast):
    return [
        {
            level.name: closed_form(level.game(one.weighting), pairs="all").values
            for level in one.levels
        }
        for one in (contrast.a, contrast.b)
    ]


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.to_query() or "all")
def test_a_view_draws_what_print_draws(opened, made, view):
    page = opened()
    page.evaluate(
        "view => document.getElementById('figure').hbiContrast.filter(view)", view.to_dict()
    )
    found = {name: page.evaluate(DRAWN, name) for name in PANELS}
    layouts = [
        lay_out(one, 230, 6, 5, FigureView(sides=view.sides)).levels for one in (made.a, made.b)
    ]
    for number, level in enumerate(made.levels):
        placed = [some[number] for some in layouts]
        a, b = graded_alike(made, level.name, placed, view, pairs_of(made))
        difference = difference_links(level, lay_out(joined(made), 400, 6, 5).levels[number], view)
        for name, wanted in zip(PANELS, (a, b, difference), strict=True):
            links = found[name][level.name]
            assert [(one["first"], one["second"], one["kind"]) for one in links] == [
                (one.first, one.second, one.kind) for one in wanted
            ]
            for link, expected in zip(links, wanted, strict=True):
                assert link["value"] == pytest.approx(expected.value, abs=1e-9)
                assert link["share"] == pytest.approx(expected.share, abs=1e-9)
                assert link["grade"] == expected.grade.name
                assert link["dotted"] == expected.grade.dotted


def test_what_is_chosen_is_chosen_in_all_that_have_it(opened, made):
    page = opened()
    chosen = "[aria-pressed=true].hbi-player"
    page.click(".hbi-of-a [data-id='entity/text/2']")  # sleeps, which both have
    index = [player.label for player in made.levels[0].text_players].index("sleeps")
    assert ids(page, f".hbi-of-b {chosen}") == ["entity/text/2"]
    assert ids(page, f".hbi-of-difference {chosen}") == [f"entity/text/{index}"]
    said = page.inner_text(".hbi-of-difference .hbi-said")
    share = made.levels[0].text_players[index].difference
    assert said.startswith("“sleeps”; speaks for " + ("B" if share < 0 else "A"))
    assert f"{abs(share):.4f}" in said

    index = [player.label for player in made.levels[0].text_players].index("dog")
    page.click(f".hbi-of-difference [data-id='entity/text/{index}']")  # of B alone
    assert ids(page, f".hbi-of-a {chosen}") == []
    assert ids(page, f".hbi-of-b {chosen}") == ["entity/text/1"]
    page.click("text=Choose none")
    assert page.locator(chosen).count() == 0


def test_filters_levels_and_tables_are_of_all_three(opened):
    page = opened()
    page.uncheck("[name=levels][value=action]")
    assert page.locator(".hbi-level").count() == 3
    page.fill("[name=top]", "2")
    for name in PANELS:
        assert 1 <= page.locator(f".hbi-of-{name} .hbi-levels .hbi-link").count() <= 2
    page.click("text=Table")
    assert page.locator(".hbi-table").count() == 3


def test_colours_of_the_dark_are_those_of_frames_on_a_phone(opened):
    page = opened(390)
    page.evaluate("document.documentElement.classList.add('dark')")
    difference = page.locator(".hbi-of-difference [data-level=entity]")
    difference.locator(".hbi-player.hbi-text").first.click()
    linked = difference.locator(".hbi-linked")
    colours = "all => all.map(one => getComputedStyle(one).borderTopColor)"
    assert linked.count()
    assert {*linked.evaluate_all(colours)} <= {"rgb(242, 160, 87)", "rgb(185, 163, 230)"}


@pytest.mark.parametrize("width", [390, 700, 1280])
def test_nothing_is_cut_or_covered(opened, width):
    page = opened(width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    boxes = page.locator(".hbi-level").evaluate_all(
        "all => all.map(one => one.getBoundingClientRect().toJSON())"
    )
    assert len(boxes) == 6
    for number, one in enumerate(boxes):
        for other in boxes[:number]:
            apart = (
                one["right"] <= other["left"]
                or other["right"] <= one["left"]
                or one["bottom"] <= other["top"] + 0.5
                or other["bottom"] <= one["top"] + 0.5
            )
            assert apart
    beside = boxes[0]["top"] == boxes[2]["top"]  # A and B of the entity level
    assert beside == (width >= 1000)
    assert page.locator(".hbi-phone").count() == (6 if width < 640 else 0)
