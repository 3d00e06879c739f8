"""The Stop button in a browser, beside a model that is as slow as the test wants."""

from __future__ import annotations

import os

import pytest

from support.browser import new_page, told, upload
from support.demo import ROOT
from support.patient_model import GO_ON


@pytest.fixture(scope="module")
def allowance(tmp_path_factory):
    return tmp_path_factory.mktemp("patient") / "go-on"


@pytest.fixture
def go_on(allowance):
    """The file that lets the model answer; not there when a test begins, however others ended."""
    allowance.unlink(missing_ok=True)
    yield allowance
    allowance.touch()


@pytest.fixture(scope="module")
def address(serve, tmp_path_factory, allowance):
    folder = tmp_path_factory.mktemp("server") / "gradio"
    search_path = os.pathsep.join(filter(None, [str(ROOT / "tests"), os.getenv("PYTHONPATH")]))
    variables = {GO_ON: str(allowance), "PYTHONPATH": search_path}
    with serve(folder, variables, ("--model", "support.patient_model:patient")) as address:
        yield address


def stop(page, button):
    """Press it; the server has heard of it then."""

    def is_answer(answer):  # to a request that has nothing in it, as that of no other button
        return "/run/" in answer.url and answer.request.post_data_json["data"] == []

    with page.expect_response(is_answer):
        page.click(button)


@pytest.fixture
def page(browser, address):
    page = new_page(browser)
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
    told(page, message, "Stopped.")
    told(page, "#notes", "opened from a file", "attached")


NOTED = """() => {
    window.noted = [];
    const note = () => noted.push(document.querySelector("#notes")?.textContent ?? "");
    new MutationObserver(note).observe(document.body, { subtree: true, childList: true });
}"""


def test_an_example_stays_that_is_chosen_while_the_model_is_at_another_video(page, address, go_on):
    explain(page, address, 9)
    page.evaluate(NOTED)
    page.click("#examples button:has-text('Cat')")
    told(page, "#notes", "Encoder lite", "attached")
    told(page, "#notes", "of cafe.mp4", "attached")
    page.click("#explain")  # its turn comes when what was asked first is at its end
    go_on.touch()
    told(page, "#notes", "drawing", "attached")
    assert not any("patient" in note for note in page.evaluate("noted"))


def test_a_click_after_stop_counts(page, address, go_on):
    explain(page, address, 4)
    stop(page, "#stop")
    page.click("#explain")  # while the model is still at it
    go_on.touch()
    told(page, "#notes", "Model patient")
    page.wait_for_selector("#message strong", state="detached")


def batch(page, tmp_path, *lines):
    table = tmp_path / "pairs.csv"
    table.write_text("\n".join(["video,caption", *lines]))
    page.click("#tabs button[role=tab]:has-text('Batch')")
    upload(page, "#batch-table", table)


def test_a_batch_is_stopped_and_goes_on(page, address, go_on, tmp_path):
    """Rows appear one by one; the rest comes after Stop, though asked for at once."""
    explain(page, address, 8)
    go_on.touch()
    told(page, "#notes", "Model patient")
    go_on.unlink()
    batch(page, tmp_path, "space.mp4,a cat", "space.mp4,a cup", "day.mp4,a dog")
    page.click("#batch-start")
    summary = told(page, "#batch-summary", "a cup")  # whose video was encoded before
    assert "a dog" not in summary
    stop(page, "#batch-stop")
    go_on.touch()
    told(page, "#batch-message", "Stopped after 2 pairs")
    page.click("#batch-start")
    told(page, "#batch-message", "1 explained, 2 explained before")
    told(page, "#batch-summary", "a dog")


@pytest.mark.parametrize(
    ("frames", "button", "stop_it", "message", "done"),
    [
        (6, "#explain", "#stop", "#message", "#notes:has-text('Model patient')"),
        (7, "#batch-start", "#batch-stop", "#batch-message", "#batch-summary:has-text('a cat')"),
    ],
)
def test_what_waits_behind_another_visitor_is_withdrawn(
    browser, page, address, go_on, tmp_path, frames, button, stop_it, message, done
):
    """And a click after it counts; the other visitor's goes on."""
    mine, others = page, new_page(browser)
    for one in (others, mine):
        one.goto(f"{address}?frames={frames}&caption=a+cup", wait_until="domcontentloaded")
        one.wait_for_function("document.querySelector('textarea')?.value === 'a cup'")
        if button == "#batch-start":
            batch(one, tmp_path, "cafe.mp4,a cat")
    others.click(button)
    running = ENCODING if button == "#explain" else "#batch-progress:has-text('0 of 1')"
    others.wait_for_selector(running)
    with mine.expect_response(lambda answer: "queue/join" in answer.url):
        mine.click(button)
    stop(mine, stop_it)
    told(mine, message, "Stopped.")  # while the other's is at work
    mine.click(button)
    mine.wait_for_selector(f"{message} strong", state="detached")
    go_on.touch()
    for one in (others, mine):
        one.wait_for_selector(done)
    others.close()


def test_what_was_wrong_is_told_no_more_while_the_next_is_made(page, address, go_on):
    page.goto(f"{address}?frames=5&caption=", wait_until="domcontentloaded")
    page.wait_for_function("document.querySelector('textarea')?.value === ''")
    page.click("#explain")
    told(page, "#message", "caption is empty")
    page.fill("textarea", "a cat")
    page.click("#explain")
    page.wait_for_selector(ENCODING)
    assert page.locator("#message strong").count() == 0
    go_on.touch()
    told(page, "#notes", "Model patient")
