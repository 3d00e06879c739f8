"""A link shows what was shown where it was copied; a video that does not play is explained."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from support.clips import write_clip

LONG = 600.0


@pytest.fixture
def page(browser):
    page = browser.new_page(viewport={"width": 1280, "height": 1400})
    page.set_default_timeout(1000 * LONG)
    yield page
    page.close()


def opened(page, address):
    page.goto(address, wait_until="domcontentloaded")
    page.wait_for_selector("#explain")


def copied(page):
    """The link that the button gives; the address of the page is the same then."""
    page.click("#copy-link")
    page.wait_for_function("document.querySelector('#link textarea, #link input')?.value")
    link = page.input_value("#link textarea, #link input")
    assert page.evaluate("location.href") == link
    return link


@pytest.mark.parametrize("filters", ["", "&top=5"])
def test_a_link_shows_the_same_again(page, server, filters):
    query = "video=cafe&caption=a+cat+%26+a+cup&encoder=auto&frames=2&weighting=fixed&explain=1"
    opened(page, f"{server}/?{query}{filters}&tab=comparison")
    page.wait_for_selector("#notes:has-text('2 frames of cafe.mp4')", state="attached")
    assert page.inner_text("button[role=tab][aria-selected=true]") == "Exact vs estimated"
    assert page.input_value("textarea >> nth=0") == "a cat & a cup"
    link = copied(page)
    assert parse_qs(urlsplit(link).query) == parse_qs(f"{query}{filters}&tab=comparison")
    page.fill("textarea >> nth=0", "a cup")
    page.click("#explain")
    page.wait_for_function("location.search.includes('caption=a+cup')")


@pytest.mark.parametrize(
    ("tab", "name", "field"),
    [
        ("ask", "question", "#question"),
        ("contrasts", "other_caption", "#other-caption"),
        ("search", "query", "#search-query"),
    ],
)
def test_a_link_has_what_is_asked_in_a_tab(page, server, tab, name, field):
    """Unless it is what everybody finds there."""
    opened(page, f"{server}/?video=cafe&tab={tab}")
    field += " textarea"
    page.wait_for_selector(field)
    assert name not in parse_qs(urlsplit(copied(page)).query)
    page.fill(field, "a cat & a cup?")
    page.press(field, "Tab")  # the address follows
    page.wait_for_function(f"location.search.includes('{name}=a+cat+%26+a+cup%3F')")
    link = copied(page)
    page.goto("about:blank")
    opened(page, link)
    page.wait_for_selector(field)
    assert page.input_value(field) == "a cat & a cup?"


def test_a_link_opens_its_tab_on_a_phone_too(page, server):
    """Where most tabs are in a menu."""
    page.set_viewport_size({"width": 390, "height": 844})
    opened(page, f"{server}/?tab=describe")
    page.wait_for_selector("#describe-start")


def test_an_address_that_is_wrong_is_told(page, server):
    opened(page, f"{server}/?frames=9999")
    page.wait_for_selector("#message:has-text('asks for 9999 frames')")


def test_a_video_that_does_not_play_is_explained(page, server, tmp_path):
    """And a visitor's own video is in no link."""
    opened(page, server)
    fake = tmp_path / "cafe.mp4"
    fake.write_text("This is not a video.\n" * 100)
    page.locator("#video button[aria-label='Clear']").first.click()
    page.locator("#video input[type=file]").set_input_files(str(fake))
    page.wait_for_selector("#video .codec-note:has-text('no decoder')")
    assert "video=own" in copied(page)
    page.wait_for_selector("#link-note:has-text('not in the link')")
    page.click("text=Four scenes")
    page.wait_for_selector("#video .codec-note", state="detached")
    page.wait_for_function("location.search.includes('video=day')")


def test_frames_of_a_video_that_does_not_play_stand_in(page, server, tmp_path):
    """Its own, once the server has read them; those of the example that is shown before are not."""
    opened(page, server)
    page.wait_for_selector("#figure .hbi-level")
    clip = write_clip(tmp_path / "old.mp4", 6, codec="mpeg4")
    page.locator("#video button[aria-label='Clear']").first.click()
    page.locator("#video input[type=file]").set_input_files(str(clip))
    page.wait_for_selector("#video .codec-note:has-text('no decoder')")
    pictures = page.locator("#video .codec-note img")
    assert pictures.count() == 0
    page.click("#explain")
    page.wait_for_selector("#notes:has-text('6 frames of old.mp4')")
    pictures.first.wait_for()
    shown = (
        "document.querySelector('#figure .hbi-figure').hbiView.data.explanation.video.thumbnails"
    )
    assert pictures.evaluate_all("all => all.map(one => one.src)") == page.evaluate(shown)
