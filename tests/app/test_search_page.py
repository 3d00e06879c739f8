"""Search as its user sees it: in a browser, by pointer and by keyboard."""

from __future__ import annotations

import zipfile

import pytest

from support.browser import exported, new_page, told, upload
from support.demo import CAFE


@pytest.fixture
def page(browser, server):
    page = new_page(browser)
    page.goto(server, wait_until="domcontentloaded")
    page.wait_for_selector("#explain")
    page.click("button[role=tab]:has-text('Search')")
    page.wait_for_selector("#search-start")
    yield page
    page.close()


def found(page, clips):
    """The names on the sheet, once it has so many."""
    names = page.locator("#search-sheet .name")
    names.nth(clips - 1).wait_for()
    return names.all_text_contents()


def explained(page, name, query):
    """The clip and the query are what is asked above, and explained."""
    page.locator("#notes", has_text=f"frames of {name}").filter(has_text="drawing").wait_for()
    page.wait_for_selector("#graphs:visible")
    assert query in [area.input_value() for area in page.locator("textarea").all()]


def test_the_demo_clips_by_pointer(page, tmp_path):
    query = "a tabby cat and a cup of espresso"
    page.fill("#search-query textarea", query)
    page.press("#search-query textarea", "Enter")
    told(page, "#search-notes", "3 of 3 clips")
    names = sorted(name[3:] for name in found(page, 3))
    assert names == ["cafe.mp4", "day.mp4", "space.mp4"]
    assert page.locator("#search-sheet img").count() == 3
    name = "hbi-search-a-tabby-cat-and-a-cup-of-espresso.zip"
    assert "search.json" in exported(page, "#search-export", tmp_path / name).namelist()
    page.click("#search-sheet .card:has-text('cafe.mp4')")
    explained(page, "cafe.mp4", query)


def test_an_archive_by_keyboard(page, tmp_path):
    with zipfile.ZipFile(tmp_path / "clips.zip", "w") as bundle:
        bundle.write(CAFE, "a folder/<b>mine.mp4")
        bundle.writestr("notes.txt", b"")
    upload(page, "#search-clips", tmp_path / "clips.zip")
    page.click("#search-start")
    assert "notes.txt" in told(page, "#search-notes", "1 of 1 clips")
    assert found(page, 1) == ["1. a folder/<b>mine.mp4"]
    page.focus("#search-sheet .card")
    page.keyboard.press("Enter")
    explained(page, "_b_mine.mp4", page.input_value("#search-query textarea"))


def test_what_cannot_be_searched_is_told(page):
    page.fill("#search-query textarea", "...")
    page.click("#search-start")
    told(page, "#search-message", "only punctuation")
    assert page.locator("#search-sheet .name").count() == 0
