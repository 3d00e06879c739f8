"""A link shows what was shown where it was copied; a video that does not play is explained."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from support.browser import address_has, new_page, told
from support.clips import write_clip


@pytest.fixture
def page(browser):
    page = new_page(browser)
    yield page
    page.close()


def opened(page, address):
    page.goto(address, wait_until="domcontentloaded")
    page.wait_for_selector("#explain")


def copied(page):
    """The link that the button gives; the address of the page is the same then."""
    page.click("#copy-link")
    field = "document.querySelector('#link textarea, #link input')"
    page.wait_for_function(f"{field}?.value === location.href")
    return page.evaluate("location.href")


@pytest.mark.parametrize("filters", ["", "&top=5"])
def test_a_link_shows_the_same_again(page, server, filters):
    query = "video=cafe&caption=a+cat+%26+a+cup&encoder=auto&frames=2&weighting=fixed&explain=1"
    opened(page, f"{server}/?{query}{filters}&tab=comparison")
    told(page, "#notes", "2 frames of cafe.mp4", "attached")
    assert page.inner_text("button[role=tab][aria-selected=true]") == "Exact vs estimated"
    assert page.input_value("textarea >> nth=0") == "a cat & a cup"
    link = copied(page)
    assert parse_qs(urlsplit(link).query) == parse_qs(f"{query}{filters}&tab=comparison")
    page.fill("textarea >> nth=0", "a cup")
    page.click("#explain")
    address_has(page, {"caption": "a cup"})


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
    address_has(page, {name: "a cat & a cup?"})
    link = copied(page)
    page.goto("about:blank")
    opened(page, link)
    page.wait_for_selector(field)
    assert page.input_value(field) == "a cat & a cup?"


def view_of(page, figure):
    """What a figure shows, as its script in the browser has it."""
    return page.evaluate(
        """figure => {
            const root = document.querySelector(`#${figure} .hbi-figure`);
            return (root?.hbiView ?? root?.hbiContrast)?.view;
        }""",
        figure,
    )


def wait_for_view(page, figure, settings):
    page.wait_for_function(
        """([figure, settings]) => {
            const root = document.querySelector(`#${figure} .hbi-figure`);
            const view = (root?.hbiView ?? root?.hbiContrast)?.view ?? {};
            return settings.every(([name, value]) => `${view[name]}` === `${value}`);
        }""",
        arg=[figure, list(settings.items())],
    )


@pytest.mark.parametrize(
    ("tab", "button", "figure", "player"),
    [
        ("contrasts", "#contrast", "contrast-figure", ".hbi-of-difference [data-id='{}']"),
        ("ask", "#ask-start", "answer-figure", "[data-id='{}']"),
        ("describe", "#describe-start", "description-figure", "[data-id='{}']"),
    ],
)
def test_a_link_shows_the_answer_of_its_tab(page, browser, server, tab, button, figure, player):
    """Its filters and what is chosen in it, too, in the browser of somebody else."""
    opened(page, f"{server}/?video=cafe&caption=a+cat&frames=2&explain=1&tab={tab}")
    page.click(button)
    page.fill(f"#{figure} [name=top]", "1")
    page.click(f"#{figure} {player.format('entity/video/0')}")
    address_has(page, {f"{tab}.top": "1", f"{tab}.chosen": "entity/video/0"})
    link = copied(page)
    other = new_page(browser)
    opened(other, link)
    wait_for_view(other, figure, {"top": 1, "chosen": "entity/video/0"})
    assert view_of(other, figure) == view_of(page, figure)
    other.wait_for_function("link => location.href === link", arg=link)
    other.close()


@pytest.mark.parametrize(
    ("tab", "query", "said"),
    [
        ("search", "query=a+cup&hits=1", "1 of 3 clips"),
        ("comparison", "level=action&budgets=256&seeds=2", "action level"),
        ("ask", "why=change", "whatever is asked and seen."),
    ],
)
def test_a_link_asks_its_tab_again(page, server, tab, query, said):
    asks = f"video=cafe&caption=a+cat&frames=2&explain=1&{query}&answered=ask,{tab}&tab={tab}"
    opened(page, f"{server}/?{asks}")
    told(page, f"#{tab}-notes", said)
    told(page, "#notes", "2 frames of cafe.mp4", "attached")
    address_has(page, {"answered": tab})
    kept = parse_qs(urlsplit(copied(page)).query)
    assert {name: kept[name] for name in parse_qs(query)} == parse_qs(query)


def test_players_of_a_link_are_of_its_explanation(page, server):
    """Those that it does not have are not shown, and the rest is."""
    players = "chosen=entity/text/0,entity/text/99&left_out=action/video/0,event/text/99&fade=1"
    opened(page, f"{server}/?video=cafe&caption=a+cat&frames=2&explain=1&{players}")
    told(page, "#notes", "2 frames of cafe.mp4")
    shown = {"chosen": "entity/text/0", "left_out": "action/video/0", "fade": True}
    wait_for_view(page, "figure", shown)
    assert page.locator("#message strong").count() == 0
    address_has(page, {"chosen": "entity/text/0", "left_out": "action/video/0"})
    page.click("text=Four scenes")  # has other players
    wait_for_view(page, "figure", {"chosen": "", "left_out": "", "fade": True})
    address_has(page, {"chosen": None, "left_out": None})


def test_a_link_opens_its_tab_on_a_phone_too(page, server):
    """Where most tabs are in a menu."""
    page.set_viewport_size({"width": 390, "height": 844})
    opened(page, f"{server}/?tab=describe")
    page.wait_for_selector("#describe-start")


def test_an_address_that_is_wrong_is_told(page, server):
    opened(page, f"{server}/?frames=9999")
    told(page, "#message", "frames is 9999 in the address")


def test_a_video_that_does_not_play_is_explained(page, server, tmp_path):
    """And a visitor's own video is in no link."""
    opened(page, server)
    fake = tmp_path / "cafe.mp4"
    fake.write_text("This is not a video.\n" * 100)
    page.locator("#video button[aria-label='Clear']").first.click()
    page.locator("#video input[type=file]").set_input_files(str(fake))
    told(page, "#video .codec-note", "no decoder")
    assert "video=own" in copied(page)
    told(page, "#link-note", "not in the link")
    page.click("text=Four scenes")
    page.wait_for_selector("#video .codec-note", state="detached")
    address_has(page, {"video": "day"})


def test_frames_of_a_video_that_does_not_play_stand_in(page, server, tmp_path):
    """Its own, once the server has read them; those of the example that is shown before are not."""
    opened(page, server)
    page.wait_for_selector("#figure .hbi-level")
    clip = write_clip(tmp_path / "old.mp4", 6, codec="mpeg4")
    page.locator("#video button[aria-label='Clear']").first.click()
    page.locator("#video input[type=file]").set_input_files(str(clip))
    told(page, "#video .codec-note", "no decoder")
    pictures = page.locator("#video .codec-note img")
    assert pictures.count() == 0
    page.click("#explain")
    told(page, "#notes", "6 frames of old.mp4")
    pictures.first.wait_for()
    shown = (
        "document.querySelector('#figure .hbi-figure').hbiView.data.explanation.video.thumbnails"
    )
    assert pictures.evaluate_all("all => all.map(one => one.src)") == page.evaluate(shown)
