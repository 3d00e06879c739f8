"""Search as its user sees it: in a browser, by pointer and by keyboard."""

from __future__ import annotations

import zipfile

import pytest

from support.browser import upload
from support.demo import CAFE

LONG = 600.0  # seconds, for what takes a few on an idle machine


@pytest.fixture
def page(browser, server):
    page = browser.new_page(viewport={"width": 1280, "height": 1400})
    page.set_default_timeout(1000 * LONG)
    page.goto(server, wait_until="domcontentloaded")
    page.wait_for_selector("#explain")
    page.click("button[role=tab]:has-text('Search')")
    page.wait_for_selector("#search-start")
    yield page
    page.close()


def names(page):
    return page.locator("#search-sheet .name").all_text_contents()


def explained(page, name, query):
    """The clip and the query are what is asked above, and explained."""
    page.wait_for_function(
        """name => {
            const notes = document.querySelector('#notes').textContent;
            return notes.includes(`frames of ${name}`) && notes.includes('drawing');
        }""",
        arg=name,
    )
    page.wait_for_selector("#graphs:visible")
    assert query in [area.input_value() for area in page.locator("textarea").all()]


def test_the_demo_clips_by_pointer(page):
    query = "a tabby cat and a cup of espresso"
    page.fill("#search-query textarea", query)
    page.press("#search-query textarea", "Enter")
    page.wait_for_selector("#search-notes:has-text('3 of 3 clips')")
    assert sorted(name[3:] for name in names(page)) == ["cafe.mp4", "day.mp4", "space.mp4"]
    assert page.locator("#search-sheet img").count() == 3
    page.click("#search-sheet .card:has-text('cafe.mp4')")
    explained(page, "cafe.mp4", query)


def test_an_archive_by_keyboard(page, tmp_path):
    with zipfile.ZipFile(tmp_path / "clips.zip", "w") as bundle:
        bundle.write(CAFE, "a folder/<b>mine.mp4")
        bundle.writestr("notes.txt", b"")
    upload(page, "#search-clips", tmp_path / "clips.zip")
    page.click("#search-start")
    page.wait_for_selector("#search-notes:has-text('1 of 1 clips')")
    assert "notes.txt" in page.inner_text("#search-notes")
    assert names(page) == ["1. a folder/<b>mine.mp4"]
    page.focus("#search-sheet .card")
    page.keyboard.press("Enter")
    explained(page, "_b_mine.mp4", page.input_value("#search-query textarea"))


def test_what_cannot_be_searched_is_told(page):
    page.fill("#search-query textarea", "...")
    page.click("#search-start")
    page.wait_for_selector("#search-message:has-text('only punctuation')")
    assert names(page) == []
