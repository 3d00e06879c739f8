"""The page as its user sees it: a real server, a real browser, and its HTTP endpoint."""

from __future__ import annotations

import csv
import json
import re
import zipfile

import pytest
import torch

from app.examples import EXAMPLES
from support.browser import upload
from support.demo import CAFE, CAFE_CAPTION, SAVED

FIRST = EXAMPLES[0].explanation  # of what is asked when the page opens
LONG = 600.0  # seconds, for what takes a few on an idle machine


@pytest.fixture
def page(browser, server):
    page = browser.new_page(viewport={"width": 1280, "height": 1400})
    page.set_default_timeout(1000 * LONG)
    page.goto(server, wait_until="domcontentloaded")
    page.wait_for_selector("#explain")
    yield page
    page.close()


def explain(page):
    page.click("#explain")
    page.wait_for_selector("#figure .hbi-level")
    page.wait_for_function("document.querySelector('#notes').innerText.includes('drawing')")


def exported(page, button, name, folder):
    """The zip that a button downloads under this name."""
    with page.expect_download() as download:
        page.click(button)
    assert download.value.suggested_filename == name
    download.value.save_as(folder / name)
    return zipfile.ZipFile(folder / name)


def figure_texts(page):
    return page.locator("#figure h3, #figure .hbi-word").all_text_contents()


def test_an_example_is_explained(page):
    """The page opens with an example; Explain draws it; hovering a line tells what it is."""
    caption = page.input_value("textarea")
    assert len(caption) > 20
    explain(page)
    texts = figure_texts(page)
    for level in ("Entity level", "Action level", "Event level"):
        assert sum(text.startswith(level) and "S = " in text for text in texts) == 1
    assert texts.count("rocket") == 3
    assert page.locator("#figure image").count() == 36
    notes = page.inner_text("#notes")
    assert "Encoder lite" in notes
    assert "heads lite_heads.safetensors" in notes
    for step in ("decoding", "encoding", "merging", "game", "drawing"):
        assert re.search(rf"\b{step} [\d.]+ m?s\b", notes)

    # In the middle of the strongest line of the event level.
    place = "line => { const box = line.getBoundingClientRect(); "
    place += "return [box.x + box.width / 2, box.y + box.height / 2]; }"
    line = page.locator("#figure [data-level=event] .hbi-link").last
    line.scroll_into_view_if_needed()
    page.mouse.move(*line.evaluate(place))
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
        "time => Math.abs(document.querySelector('#video video').currentTime - time) < 0.05",
        arg=times[6],
    )
    lines = "document.querySelectorAll('#figure [data-level=entity] .hbi-link').length"
    words = "[...document.querySelectorAll('#figure [data-level=entity] .hbi-word')]"
    words += ".map(word => word.textContent).join(' ')"
    with page.expect_response(lambda answer: "queue/join" in answer.url or "/run/" in answer.url):
        page.fill("#figure [name=top]", "5")
    assert page.evaluate(lines) == 5
    page.fill("textarea", "a rocket and a woman")
    explain(page)
    page.wait_for_function(f"{words} === 'a rocket and a woman'")
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
    assert "opened from a file" in page.inner_text("#notes")
    page.click("text=Cat, coffee")
    shows(page, "espresso")
    assert "tabby" in page.input_value("textarea")
    page.wait_for_function("document.querySelector('#video video').src.includes('cafe')")
    with exported(page, "#export", "hbi-cafe.zip", tmp_path) as archive:
        archive.extract("explanation.json", tmp_path)

    page.click("text=Four scenes")
    shows(page, "whiskers")
    page.set_input_files(
        "input[type=file][accept='.json']",
        [tmp_path / "explanation.json"],
    )
    shows(page, "espresso")
    assert "tabby" in page.input_value("textarea")
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
    page.wait_for_selector("#figure .hbi-level")
    lines = "document.querySelectorAll('#figure .hbi-link[data-id]').length"
    all_lines = page.evaluate(lines)
    page.fill("#figure [name=top]", "3")
    page.uncheck("#figure [name=levels][value=event]")
    page.wait_for_function("location.search.includes('top=3') && /levels?=/.test(location.search)")
    shown = page.evaluate(
        "[...document.querySelectorAll('#figure .hbi-link[data-id]')].map(line => line.dataset.id)"
    )
    assert len(shown) == 6
    with exported(page, "#export", "hbi-space.zip", tmp_path) as archive:
        archive.extract("explanation.json", tmp_path)
        rows = list(csv.DictReader(archive.read("figure.csv").decode().splitlines()))
        figure = archive.read("figure.svg").decode()
    view = json.loads((tmp_path / "explanation.json").read_text())["view"]
    assert (view["top"], view["levels"]) == (3, ["entity", "action"])
    assert len(rows) == 6
    assert "Event level" not in figure

    page.click("#figure button[type=reset]")
    page.wait_for_function(f"{lines} == {all_lines}")
    page.set_input_files("input[type=file][accept='.json']", [tmp_path / "explanation.json"])
    page.wait_for_function(f"{lines} == 6")
    assert page.input_value("#figure [name=top]") == "3"
    with exported(page, "#export", "hbi-space.zip", tmp_path) as archive:
        assert len(archive.read("figure.csv").decode().splitlines()) == 1 + 6


def test_other_example_and_export(page, tmp_path):
    page.click("text=Cat, coffee")
    page.wait_for_function("document.querySelector('textarea').value.includes('tabby')")
    explain(page)
    assert "espresso" in figure_texts(page)
    page.click("label:has-text('column width')")
    with exported(page, "#export", "hbi-cafe.zip", tmp_path) as archive:
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
    assert "The video was read before." in page.inner_text("#notes")
    assert caption.input_value() == "A lone submarine dives,\na rocket"


def test_what_if(page, explanation):
    """Words are left out of the game without the server; an edited caption is read by the model."""
    page.click("text=Cat, coffee")
    page.wait_for_function("document.querySelector('textarea').value.includes('tabby')")
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
    assert page.input_value("textarea") == "A dog sleeps under a table."
    assert "The video was read before." in page.inner_text("#notes")
    edited.fill("...")
    edited.press("Enter")
    page.wait_for_selector("#message:has-text('only punctuation')")


def open_tab(page, name):
    page.click(f"button[role=tab]:has-text('{name}')")


def compare(page):
    page.click("#compare")
    page.wait_for_function("document.querySelector('#comparison-notes').innerText.includes('Ran')")
    page.wait_for_selector("#heat-maps .js-plotly-plot .heatmaplayer")


def players_of(level):
    """How many of each side, and how the page says it."""
    video, text = len(level.video_tokens), len(level.text_tokens)
    return video, text, f"{video} video + {text} text tokens = {video + text} players"


def test_exact_vs_estimated(page, tmp_path):
    """The defaults; every level; the export; a new explanation clears it."""
    open_tab(page, "Exact vs estimated")
    compare(page)
    assert not page.inner_text("#comparison-message").strip()
    notes = page.inner_text("#comparison-notes")
    frames, words, players = players_of(FIRST.levels[0])
    assert players in notes
    assert f"{2 ** (frames + words):,} coalitions" in notes
    assert re.search(r"CPU \(\d+ threads?; no GPU was found\)|GPU \(", notes)
    for plot, points in (("#scatter", 2 * frames * words), ("#cost", 14)):
        page.wait_for_selector(f"{plot} .scatterlayer")
        assert page.locator(f"{plot} .scatterlayer .points path.point").count() >= points
    page.wait_for_function(
        "document.querySelector('#comparison-table').innerText.split('sampling, 3 runs').length > 4"
    )

    page.click("#comparison label:has-text('Event')")
    page.click("#compare")
    *_, players = players_of(FIRST.levels[-1])
    page.wait_for_selector(f"#comparison-notes:has-text('{players}')")
    page.click("#comparison label:has-text('column width')")
    with exported(page, "#comparison-export", "hbi-space-event.zip", tmp_path) as archive:
        assert b'width="234pt"' in archive.read("comparison.svg")[:2000]

    page.click("#budgets .remove-all")
    page.click("#compare")
    page.wait_for_selector("#comparison-message:has-text('at least one sampling budget')")
    assert players in page.inner_text("#comparison-notes")

    page.click("#explain")
    page.wait_for_function("!document.querySelector('#comparison-notes')?.innerText.trim()")
    assert page.locator("#scatter .js-plotly-plot").count() == 0


def summary_says(page, word):
    page.wait_for_function(
        "word => document.querySelector('#batch-summary').textContent.includes(word)", arg=word
    )


def test_a_batch_is_stopped_and_goes_on(page, tmp_path):
    """Rows appear one by one; the rest comes after Stop; the zip has a folder for each pair."""
    table = tmp_path / "pairs.csv"
    lines = [f"cafe.mp4,a cat and {number} cups" for number in range(6)]
    table.write_text("\n".join(["video,caption", *lines, "none.mp4,a dog"]))
    open_tab(page, "Batch")
    upload(page, "#batch-table", table)
    page.evaluate(
        """() => new MutationObserver((_, observer) => {
            const summary = document.querySelector("#batch-summary").textContent;
            const stop = document.querySelector("#batch-stop");
            if (stop.disabled || !summary.includes("0 cups")) return;
            observer.disconnect();
            stop.click();
        }).observe(document, { attributes: true, childList: true, characterData: true,
                               subtree: true })"""
    )
    page.click("#batch-start")
    page.wait_for_selector("#batch-message:has-text('Stopped')")
    page.click("#batch-start")  # at once
    page.wait_for_selector("#batch-message:has-text('1 could not be explained')")
    assert "explained before" in page.inner_text("#batch-message")
    summary_says(page, "none.mp4 is not among the videos")
    with exported(page, "#batch-export", "hbi-batch.zip", tmp_path) as archive:
        names = archive.namelist()
        assert "summary.csv" in names
        assert sum(name.endswith("/explanation.json") for name in names) == 6
    page.locator("#batch-summary :text('a cat and 3 cups') >> visible=true").last.click()
    page.wait_for_selector("#figure .hbi-word:has-text('3')")
    page.wait_for_function("document.querySelector('textarea').value === 'a cat and 3 cups'")
    assert "opened from a file" in page.inner_text("#notes")


def test_contrast(page, tmp_path):
    """From the page as it opens to the PDF of a contrast: three clicks."""
    open_tab(page, "Contrast")
    page.click("#contrast")
    page.wait_for_selector("#contrast-figure .hbi-of-difference .hbi-level")
    sentence = page.inner_text("#contrast-sentence").strip()
    assert sentence.startswith("A scores ")
    figure = page.locator("#contrast-figure")
    assert "Entity level: A scores" in figure.inner_text()
    page.fill("#contrast-figure [name=top]", "3")
    page.uncheck("#contrast-figure [name=levels][value=event]")
    page.wait_for_timeout(1500)  # until the server keeps the filters
    with exported(page, "#contrast-export", "hbi-space-contrast.zip", tmp_path) as archive:
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
    open_tab(page, "Exact vs estimated")
    page.wait_for_selector("#compare")
    page.click("#explain")
    page.wait_for_function("document.querySelector('#notes').textContent.includes('drawing')")
    page.wait_for_timeout(1000)
    open_tab(page, "Coalition graphs")
    page.wait_for_function(
        "document.querySelector('#figure .hbi-picture').getBoundingClientRect().width > 1000"
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
    page.wait_for_selector("text=Words beyond the limit, left out")
    notes = page.inner_text("#notes")
    assert "very" in notes
    assert "The video was read before." in notes
    # The seconds of what ran stand there for a moment more.
    page.wait_for_function("!document.querySelector('#message').innerText.trim()")

    fake = tmp_path / "fake.mp4"
    fake.write_text("This is not a video.\n" * 100)
    page.locator("#video button[aria-label='Clear']").first.click()
    page.locator("#video input[type=file]").set_input_files(str(fake))
    page.wait_for_function(
        "[...document.querySelectorAll('#video video')].some(v => v.src.includes('fake'))"
    )
    page.fill("textarea", "a cat")
    page.click("#explain")
    page.wait_for_selector("text=fake.mp4 is not a video")

    page.click("text=Cat, coffee")
    page.wait_for_function("document.querySelector('textarea').value.includes('tabby')")
    explain(page)
    page.wait_for_function(
        "[...document.querySelectorAll('#figure .hbi-word')]"
        ".some(t => t.textContent === 'espresso')"
    )


def test_endpoint(server, explanation):
    from gradio_client import Client, handle_file
    from gradio_client.exceptions import AppError

    client = Client(server, verbose=False, httpx_kwargs={"timeout": LONG})
    result = client.predict(
        video=handle_file(str(CAFE)), caption=CAFE_CAPTION, frames=12, api_name="/explain"
    )
    assert result["levels"] == explanation.to_dict()["levels"]
    with pytest.raises(AppError, match="only punctuation"):
        client.predict(video=handle_file(str(CAFE)), caption="?", api_name="/explain")
