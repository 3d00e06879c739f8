"""The page as its user sees it: a real server, a real browser, and its HTTP endpoint."""

from __future__ import annotations

import csv
import json
import re
import zipfile

import pytest
import torch

from app.examples import EXAMPLES
from support.browser import address_has, exported, new_page, told, upload
from support.demo import CAFE, CAFE_CAPTION, SAVED
from support.patience import PATIENCE

FIRST = EXAMPLES[0].explanation  # of what is asked when the page opens
DRAWN = "document.querySelector('#figure .hbi-figure')?.hbiView?.data?.number"  # another each time


@pytest.fixture
def page(browser, server):
    """The page with its first example; what is loaded later moves nothing on it."""
    page = new_page(browser)
    page.goto(server, wait_until="domcontentloaded")
    page.wait_for_selector("#figure .hbi-level")
    page.wait_for_function("document.querySelector('#video video')?.readyState > 0")
    yield page
    page.close()


def explain(page):
    """Press the button; what the notes say of the figure that was drawn anew."""
    before = page.evaluate(DRAWN)
    page.click("#explain")
    page.wait_for_function(f"before => {DRAWN} > before", arg=before)
    return told(page, "#notes", "drawing")


def figure_texts(page):
    return page.locator("#figure h3, #figure .hbi-word").all_text_contents()


def take_example(page, label, word):
    """Click an example; its caption, which has this word, is in the field then."""
    page.click(f"text={label}")
    page.wait_for_function(
        "word => document.querySelector('textarea')?.value.includes(word)", arg=word
    )


def test_an_example_is_explained(page):
    """The page opens with an example; Explain draws it; hovering a line tells what it is."""
    caption = page.input_value("textarea")
    assert len(caption) > 20
    notes = explain(page)
    texts = figure_texts(page)
    for level in ("Entity level", "Action level", "Event level"):
        assert sum(text.startswith(level) and "S = " in text for text in texts) == 1
    assert texts.count("rocket") == 3
    assert page.locator("#figure image").count() == 36
    assert "Encoder lite" in notes
    assert "heads lite_heads.safetensors" in notes
    for step in ("decoding", "encoding", "merging", "game", "drawing"):
        assert re.search(rf"\b{step} [\d.]+ m?s\b", notes)

    page.locator("#figure [data-level=event] .hbi-link").last.hover()  # the strongest
    tip = page.locator("#figure .hbi-tip")
    tip.wait_for()
    said = tip.text_content()
    pairs = FIRST.levels[-1].similarity.numel()
    rank = rf"\(rank 1 of {pairs}\)"
    assert re.search(rf"frames [\d–]+ .*: interaction [+−]\d\.\d{{4}} {rank}", said), said
    assert re.search(r"cosine similarity [+−]\d\.\d{3}", said), said


def test_a_chosen_frame_moves_the_player_and_filters_stay(page):
    explain(page)
    page.click("#figure [data-id='entity/video/6']")
    times = page.evaluate(
        "document.querySelector('#figure .hbi-figure').hbiView.data.explanation.video.frame_times"
    )
    page.wait_for_function(
        "time => Math.abs(document.querySelector('#video video')?.currentTime - time) < 0.05",
        arg=times[6],
    )
    lines = "document.querySelectorAll('#figure [data-level=entity] .hbi-link').length"
    words = "[...document.querySelectorAll('#figure [data-level=entity] .hbi-word')]"
    words += ".map(word => word.textContent).join(' ')"
    page.fill("#figure [name=top]", "5")
    assert page.evaluate(lines) == 5
    page.fill("textarea", "a rocket and a woman")
    explain(page)
    assert page.evaluate(words) == "a rocket and a woman"
    assert page.evaluate(lines) == 5


def shows(page, word):
    page.wait_for_function(
        "word => [...document.querySelectorAll('#figure .hbi-word')]"
        ".some(text => text.textContent === word)",
        arg=word,
    )


def test_the_first_visit_and_the_examples_need_no_model(page, tmp_path):
    """What is shown was shipped; it can be exported, and opened again."""
    shows(page, "rocket")
    told(page, "#notes", "opened from a file")
    take_example(page, "Cat, coffee", "tabby")
    shows(page, "espresso")
    page.wait_for_function("document.querySelector('#video video')?.src.includes('cafe')")
    with exported(page, "#export", tmp_path / "hbi-cafe.zip") as archive:
        archive.extract("explanation.json", tmp_path)

    take_example(page, "Four scenes", "whiskers")
    shows(page, "whiskers")
    page.set_input_files("input[type=file][accept='.json']", tmp_path / "explanation.json")
    shows(page, "espresso")
    page.wait_for_function("document.querySelector('textarea')?.value.includes('tabby')")
    page.wait_for_function("!document.querySelector('#video video')")

    page.fill("textarea", "a cat")
    page.click("#explain")
    page.wait_for_selector("#message:has-text('Choose a video first')")
    shows(page, "espresso")

    (tmp_path / "broken.json").write_text('{"schema": "hbi-explanation/1"}')
    page.set_input_files("input[type=file][accept='.json']", [tmp_path / "broken.json"])
    page.wait_for_selector("#message:has-text('broken.json cannot be opened')")
    shows(page, "espresso")


def test_what_is_filtered_is_what_is_exported_and_opened_again(page, tmp_path):
    """Filters reach figure, tables and address; a file that has some brings them back."""
    lines = "document.querySelectorAll('#figure .hbi-link[data-id]').length"
    all_lines = page.evaluate(lines)
    page.fill("#figure [name=top]", "3")
    page.uncheck("#figure [name=levels][value=event]")
    address_has(page, {"top": "3", "levels": "entity,action"})
    shown = page.evaluate(
        "[...document.querySelectorAll('#figure .hbi-link[data-id]')].map(line => line.dataset.id)"
    )
    assert len(shown) == 6
    with exported(page, "#export", tmp_path / "hbi-space.zip") as archive:
        archive.extract("explanation.json", tmp_path)
        rows = list(csv.DictReader(archive.read("figure.csv").decode().splitlines()))
        figure = archive.read("figure.svg").decode()
    view = json.loads((tmp_path / "explanation.json").read_text())["view"]
    assert (view["top"], view["levels"]) == (3, ["entity", "action"])
    assert len(rows) == 6
    assert "Event level" not in figure

    page.click("#figure button[type=reset]")
    address_has(page, {"top": None, "levels": None})
    assert page.evaluate(lines) == all_lines
    page.set_input_files("input[type=file][accept='.json']", [tmp_path / "explanation.json"])
    page.wait_for_function(f"{lines} == 6")
    assert page.input_value("#figure [name=top]") == "3"
    with exported(page, "#export", tmp_path / "hbi-space.zip") as archive:
        assert len(archive.read("figure.csv").decode().splitlines()) == 1 + 6


def test_what_is_seen_is_exported_and_linked_however_slow_the_line_is(page, tmp_path):
    """A click waits until the server has heard of the last filter."""
    page.evaluate(
        """() => {
            const { fetch } = window;
            const line = new Promise((free) => { window.free = free; });
            window.fetch = async (address, ...more) => {
                if (`${address}`.includes("/run/")) await line;
                return fetch(address, ...more);
            };
        }"""
    )
    for top in "1", "3":
        page.fill("#figure [name=top]", top)
    page.click("#copy-link")
    with page.expect_download() as download:
        page.click("#export")
        page.evaluate("free()")
    with zipfile.ZipFile(download.value.path()) as archive:
        assert len(archive.read("figure.csv").decode().splitlines()) == 1 + 3 * 3
    page.wait_for_function("document.querySelector('#link textarea')?.value.includes('top=3')")


def test_other_example_and_export(page, tmp_path):
    take_example(page, "Cat, coffee", "tabby")
    explain(page)
    assert "espresso" in figure_texts(page)
    page.click("label:has-text('column width')")
    with exported(page, "#export", tmp_path / "hbi-cafe.zip") as archive:
        assert set(archive.namelist()) == SAVED
        assert b'width="234pt"' in archive.read("figure.svg")[:2000]


def test_enter_explains_an_edited_caption(page):
    """The video that is loaded is not read again; Shift + Enter begins a line."""
    explain(page)
    caption = page.locator("textarea").first
    caption.fill("A lone submarine dives,")
    caption.press("Shift+Enter")
    caption.press_sequentially("a rocket")
    caption.press("Enter")
    page.wait_for_selector("#figure :text('submarine')")
    told(page, "#notes", "The video was read before.")
    assert caption.input_value() == "A lone submarine dives,\na rocket"


def test_what_if(page, explanation):
    """Words are left out of the game without the server; an edited caption is read by the model."""
    take_example(page, "Cat, coffee", "tabby")
    page.fill("textarea", CAFE_CAPTION)
    explain(page)
    page.click(".hbi-what-if summary")
    entity = explanation.levels[0]
    cat = explanation.words.index("cat")
    kept = torch.tensor([cat not in token.words for token in entity.text_tokens])
    (left_out,) = (token.text for token in entity.text_tokens if cat in token.words)
    page.click(f"[aria-label='“{left_out}” plays']")
    everyone = torch.ones(len(entity.video_tokens), dtype=torch.bool)
    game = entity.game(explanation.weighting)
    before, after = float(game.grand_value()), float(game.value(everyone, kept))
    similarity = page.inner_text(".hbi-what-if-number >> nth=0")
    assert similarity.startswith(f"S = {before:.4f} → {after:.4f} ")

    edited = page.locator("[aria-label='Edited caption']")
    edited.fill("A dog sleeps under a table.")
    edited.press("Enter")
    page.wait_for_selector(f".hbi-what-if-caption:has-text('S with the edit: entity {before:.4f}')")
    told(page, "#notes", "The video was read before.")
    assert page.input_value("textarea") == "A dog sleeps under a table."
    edited.fill("...")
    edited.press("Enter")
    page.wait_for_selector("#message:has-text('only punctuation')")


def open_tab(page, name):
    page.click(f"button[role=tab]:has-text('{name}')")


def compare(page):
    """Press the button; what the notes say."""
    page.click("#compare")
    page.wait_for_selector("#heat-maps .js-plotly-plot .heatmaplayer")
    return told(page, "#comparison-notes", "Ran on the")


def players_of(level):
    """How many of each side, and how the page says it."""
    video, text = len(level.video_tokens), len(level.text_tokens)
    return video, text, f"{video} video + {text} text tokens = {video + text} players"


def test_exact_vs_estimated(page, tmp_path):
    """The defaults; every level; the export; a new explanation clears it."""
    open_tab(page, "Exact vs estimated")
    notes = compare(page)
    assert page.locator("#comparison-message strong").count() == 0
    frames, words, players = players_of(FIRST.levels[0])
    assert players in notes
    assert f"{2 ** (frames + words):,} coalitions" in notes
    assert re.search(r"CPU \(\d+ threads?; no GPU was found\)|GPU \(", notes)
    for plot, points in (("#scatter", 2 * frames * words), ("#cost", 14)):
        drawn = page.locator(f"{plot} .scatterlayer .points path.point")
        drawn.nth(points - 1).wait_for()
    page.wait_for_function(
        "document.querySelector('#comparison-table')?.innerText.split('sampling, 3 runs').length"
        " > 4"
    )

    page.click("#comparison label:has-text('Event')")
    page.click("#compare")
    *_, players = players_of(FIRST.levels[-1])
    told(page, "#comparison-notes", players)
    page.click("#comparison label:has-text('column width')")
    with exported(page, "#comparison-export", tmp_path / "hbi-space-event.zip") as archive:
        assert b'width="234pt"' in archive.read("comparison.svg")[:2000]

    page.click("#budgets .remove-all")
    page.click("#compare")
    page.wait_for_selector("#comparison-message:has-text('at least one sampling budget')")
    assert players in page.inner_text("#comparison-notes")

    page.click("#explain")
    page.wait_for_function("!document.querySelector('#comparison-notes')?.innerText.trim()")
    page.wait_for_selector("#scatter .js-plotly-plot", state="detached")


def test_a_batch(page, tmp_path):
    """The summary has a row and the zip a folder for each pair; a click on a row shows it."""
    table = tmp_path / "pairs.csv"
    lines = [f"cafe.mp4,a cat and {number} cups" for number in range(3)]
    table.write_text("\n".join(["video,caption", *lines, "none.mp4,a dog"]))
    open_tab(page, "Batch")
    upload(page, "#batch-table", table)
    page.click("#batch-start")
    told(page, "#batch-message", "3 explained, 1 could not be explained")
    told(page, "#batch-summary", "none.mp4 is not among the videos")
    with exported(page, "#batch-export", tmp_path / "hbi-batch.zip") as archive:
        names = archive.namelist()
        assert "summary.csv" in names
        assert sum(name.endswith("/explanation.json") for name in names) == 3
    page.locator("#batch-summary :text('a cat and 2 cups') >> visible=true").last.click()
    page.wait_for_selector("#figure .hbi-word:has-text('2')")
    page.wait_for_function("document.querySelector('textarea')?.value === 'a cat and 2 cups'")
    told(page, "#notes", "opened from a file")


def test_contrast(page, tmp_path):
    """From the page as it opens to the PDF of a contrast: three clicks."""
    open_tab(page, "Contrast")
    page.click("#contrast")
    page.wait_for_selector("#contrast-figure .hbi-of-difference .hbi-level")
    sentence = told(page, "#contrast-sentence", "A scores ").strip()
    figure = page.locator("#contrast-figure")
    assert "Entity level: A scores" in figure.inner_text()
    page.fill("#contrast-figure [name=top]", "3")
    page.uncheck("#contrast-figure [name=levels][value=event]")
    address_has(page, {"contrasts.top": "3", "contrasts.levels": "entity,action"})
    with exported(page, "#contrast-export", tmp_path / "hbi-space-contrast.zip") as archive:
        assert archive.read("contrast.pdf").startswith(b"%PDF")
        assert json.loads(archive.read("contrast.json"))["sentence"] == sentence
        names = set(
            re.findall(
                r'id="((?:a|b|difference)/[^"]*--[^"]*)"', archive.read("contrast.svg").decode()
            )
        )
    for panel in ("a", "b", "difference"):
        for level in ("entity", "action"):
            lines = figure.locator(f".hbi-of-{panel} .hbi-link[data-id^={level}]")
            ids = lines.evaluate_all("all => all.map(one => one.dataset.id)")
            assert 1 <= len(ids) <= 3
            named = {f"{panel}/{id.replace('--', f'--{panel}/')}" for id in ids}
            assert named == {name for name in names if name.startswith(f"{panel}/{level}")}
    assert not any("/event/" in name for name in names)

    page.fill("#other-caption textarea", "")
    page.click("#contrast")
    page.wait_for_selector("#contrast-message:has-text('A and B are the same')")
    assert page.inner_text("#contrast-sentence").strip() == sentence


def test_a_figure_drawn_in_a_hidden_tab_fills_its_width(page):
    before = page.evaluate(DRAWN)
    open_tab(page, "Exact vs estimated")
    page.wait_for_selector("#compare")
    page.click("#explain")
    page.wait_for_function(f"before => {DRAWN} > before", arg=before)
    open_tab(page, "Coalition graphs")
    page.wait_for_function(
        "document.querySelector('#figure .hbi-picture')?.getBoundingClientRect().width > 1000"
    )


def test_bad_input_is_answered_and_nothing_is_lost(page, tmp_path):
    explain(page)
    before = figure_texts(page)

    page.fill("textarea", " ... ")
    page.click("#explain")
    page.wait_for_selector("#message:has-text('only punctuation')")
    assert figure_texts(page) == before
    assert page.locator("#figure :text-is('Error')").count() == 0

    page.fill("textarea", "a very long caption " * 500)  # 10,000 characters
    page.click("#explain")
    notes = told(page, "#notes", "Words beyond the limit, left out")
    assert "very" in notes
    assert "The video was read before." in notes
    page.wait_for_selector("#message strong", state="detached")

    fake = tmp_path / "fake.mp4"
    fake.write_text("This is not a video.\n" * 100)
    page.locator("#video button[aria-label='Clear']").first.click()
    page.locator("#video input[type=file]").set_input_files(str(fake))
    page.wait_for_function("document.querySelector('#video video')?.src.includes('fake')")
    page.fill("textarea", "a cat")
    page.click("#explain")
    page.wait_for_selector("text=fake.mp4 is not a video")

    take_example(page, "Cat, coffee", "tabby")
    explain(page)
    assert "espresso" in figure_texts(page)


def test_endpoint(server, explanation):
    from gradio_client import Client, handle_file
    from gradio_client.exceptions import AppError

    client = Client(server, verbose=False, httpx_kwargs={"timeout": PATIENCE})
    result = client.predict(
        video=handle_file(str(CAFE)), caption=CAFE_CAPTION, frames=12, api_name="/explain"
    )
    assert result["levels"] == explanation.to_dict()["levels"]
    with pytest.raises(AppError, match="only punctuation"):
        client.predict(video=handle_file(str(CAFE)), caption="?", api_name="/explain")
