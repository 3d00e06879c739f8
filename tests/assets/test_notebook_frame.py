"""What a notebook shows: a frame as high as the figure in it, in a browser."""

from __future__ import annotations

import pytest

from hbi_core.figures.coalition_html import notebook_html
from hbi_core.figures.view import FigureView
from support.browser import new_page

FITS = """() => {
    const page = document.querySelector("iframe")?.contentDocument?.documentElement;
    if (!page) return false;
    const height = document.querySelector("iframe").clientHeight;
    const drawn = page.querySelectorAll(".hbi-link, .hbi-chips").length;
    return drawn && height === Math.ceil(page.getBoundingClientRect().height)
        && page.scrollHeight <= height && height;
}"""


@pytest.fixture
def shown(browser):
    """Opens a cell of a notebook."""
    pages = []

    def show(explanation, width=1280, **options):
        pages.append(new_page(browser, width, 700, **options))
        pages[-1].set_content(explanation)
        return pages[-1]

    yield show
    for page in pages:
        page.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_a_frame_is_as_high_as_its_figure(shown, explanation, width):
    one = FigureView(levels=("event",))
    low = shown(notebook_html(explanation, one), width).wait_for_function(FITS).json_value()
    page = shown(notebook_html(explanation), width)
    high = page.wait_for_function(FITS).json_value()
    assert high > low
    page.frame_locator("iframe").get_by_text("What if: leave words and frames out").click()
    page.wait_for_function(f"() => ({FITS})() > {high}")


def test_without_scripts_the_frame_says_so(shown, explanation):
    page = shown(notebook_html(explanation), java_script_enabled=False)
    told = page.frame_locator("iframe").locator("noscript")
    told.wait_for()
    assert told.bounding_box()["height"] > 10
    assert page.locator("iframe").bounding_box()["height"] == 900
