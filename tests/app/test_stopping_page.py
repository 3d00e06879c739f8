"""The Stop button in a browser, beside a model that is as slow as the test wants."""

from __future__ import annotations

import os

import pytest

from support.browser import upload
from support.demo import ROOT
from support.patient_model import GO_ON


@pytest.fixture(scope="module")
def go_on(tmp_path_factory):
    """The file that lets the model answer."""
    return tmp_path_factory.mktemp("patient") / "go-on"


@pytest.fixture(scope="module")
def address(serve, tmp_path_factory, go_on):
    folder = tmp_path_factory.mktemp("server") / "gradio"
    search_path = os.pathsep.join(filter(None, [str(ROOT / "tests"), os.getenv("PYTHONPATH")]))
    variables = {GO_ON: str(go_on), "PYTHONPATH": search_path}
    with serve(folder, variables, ("--model", "support.patient_model:patient")) as address:
        yield address


def stop(page, button):
    """Press it; the server has heard of it then."""
    with page.expect_response(lambda answer: "/run/" in answer.url):
        page.click(button)


@pytest.fixture
def page(browser, address):
    page = browser.new_page(viewport={"width": 1280, "height": 1400})
    page.set_default_timeout(600_000)
    yield page
    page.close()


ENCODING = ".progress-level-inner:visible:has-text('Encoding')"


def explain(page, address, frames):
    """What lasts: no test has asked for so many frames."""
    page.goto(f"{address}?frames={frames}&explain=1", wait_until="domcontentloaded")
    page.wait_for_selector(ENCODING)


def contrast(page, address, frames):
    page.goto(f"{address}?frames={frames}&tab=contrasts", wait_until="domcontentloaded")
    page.click("#contrast")  # in a tab that opens once the address was read
    page.wait_for_selector(ENCODING)


@pytest.mark.parametrize(
    ("begin", "frames", "button", "message"),
    [(explain, 2, "#stop", "#message"), (contrast, 3, "#contrast-stop", "#contrast-message")],
)
def test_what_lasts_is_stopped(page, address, go_on, begin, frames, button, message):
    begin(page, address, frames)
    stop(page, button)
    go_on.touch()
    page.wait_for_selector(f"{message}:has-text('Stopped.')")
    go_on.unlink()
    assert "opened from a file" in page.locator("#notes").text_content()


def test_a_click_after_stop_counts(page, address, go_on):
    explain(page, address, 4)
    stop(page, "#stop")
    page.click("#explain")  # while the model is still at it
    go_on.touch()
    page.wait_for_selector("#notes:has-text('Encoder patient')")
    page.wait_for_function("!document.querySelector('#message')?.innerText.trim()")


def batch(page, tmp_path):
    table = tmp_path / "pairs.csv"
    table.write_text("video,caption\ncafe.mp4,a cat")
    page.click("#tabs button[role=tab]:has-text('Batch')")
    upload(page, "#batch-table", table)


@pytest.mark.parametrize(
    ("frames", "button", "stop_it", "message", "done"),
    [
        (6, "#explain", "#stop", "#message", "#notes:has-text('Encoder patient')"),
        (7, "#batch-start", "#batch-stop", "#batch-message", "#batch-summary:has-text('a cat')"),
    ],
)
def test_what_waits_behind_another_visitor_is_withdrawn(
    browser, page, address, go_on, tmp_path, frames, button, stop_it, message, done
):
    """And a click after it counts; the other visitor's goes on."""
    go_on.unlink(missing_ok=True)
    mine = page
    others = browser.new_context().new_page()
    others.set_default_timeout(600_000)
    for one in (others, mine):
        one.goto(f"{address}?frames={frames}", wait_until="domcontentloaded")
        one.wait_for_selector("#figure .hbi-level")
        if button == "#batch-start":
            batch(one, tmp_path)
    others.click(button)
    running = ENCODING if button == "#explain" else "#batch-progress:has-text('0 of 1')"
    others.wait_for_selector(running)
    with mine.expect_response(lambda answer: "queue/join" in answer.url):
        mine.click(button)
    stop(mine, stop_it)
    mine.wait_for_selector(f"{message}:has-text('Stopped.')")  # while the other's is at work
    mine.click(button)
    mine.wait_for_function(f"!document.querySelector('{message}').innerText.includes('Stopped')")
    go_on.touch()
    for one in (others, mine):
        one.wait_for_selector(done)
    go_on.unlink()
    others.context.close()


def test_what_was_wrong_is_told_no_more_while_the_next_is_made(page, address, go_on):
    go_on.unlink(missing_ok=True)  # of the test before
    page.goto(f"{address}?frames=5&caption=", wait_until="domcontentloaded")
    page.wait_for_function("document.querySelector('textarea')?.value === ''")
    page.click("#explain")
    page.wait_for_selector("#message:has-text('caption is empty')")
    page.fill("textarea", "a cat")
    page.click("#explain")
    page.wait_for_selector(ENCODING)
    told = page.inner_text("#message")
    go_on.touch()
    page.wait_for_selector("#notes:has-text('Encoder patient')")
    go_on.unlink()
    assert not told.strip()
