"""The panel "What if" of the figure, in a browser, against `explainers`."""

from __future__ import annotations

import pytest
import torch

from explainers import SimilarityGame, closed_form, coalition_interaction
from hbi_core.figures.coalition_html import coalition_html
from hbi_core.figures.view import FigureView
from support.browser import new_page


@pytest.fixture(scope="module")
def document(explanation):
    return coalition_html(explanation)


@pytest.fixture
def figure(browser, document):
    """A figure that was opened from a file on a screen to touch, with its panel open."""
    page = new_page(browser, 1280, 900, has_touch=True)
    page.set_content(document)
    page.locator(".hbi-what-if summary").tap()
    page.wait_for_selector(".hbi-what-if td")
    yield page
    page.close()


@pytest.fixture(scope="module")
def entity(explanation):
    """The game of the entity level, and a function of those left out that makes masks."""
    game = explanation.levels[0].game(explanation.weighting)

    def without(videos=(), texts=()):
        return tuple(
            torch.tensor([player not in out for player in range(count)])
            for out, count in zip((videos, texts), game.similarity.shape, strict=True)
        )

    return game, without


def signed(value):
    """As the panel writes numbers."""
    text = f"{abs(value):.4f}"
    return text if float(text) == 0 else f"{'−' if value < 0 else '+'}{text}"


def box(page, side, player, column):
    """What says whether a player plays (0), or is in the set (1)."""
    table = page.locator(".hbi-what-if table").nth(["text", "video"].index(side))
    return table.locator("tbody tr").nth(player).locator("input").nth(column)


def similarity(page):
    return page.locator(".hbi-what-if-number").first.inner_text()


def interaction(page):
    return page.locator(".hbi-what-if-number strong").last.inner_text()


def test_a_word_is_left_out_by_keyboard(figure, entity):
    """S before and after, and the values of those who are left."""
    game, without = entity
    kept = without(texts=[1])
    box(figure, "text", 0, 0).focus()
    for key in ("ArrowDown", "Space"):
        figure.keyboard.press(key)
    before, after = float(game.grand_value()), float(game.value(*kept))
    change = signed(after - before)
    assert similarity(figure) == f"S = {before:.4f} → {after:.4f} ({change})"
    masked = SimilarityGame(game.similarity, game.video_logits, game.text_logits, *kept)
    values = closed_form(masked, pairs="all").player_values
    video, text = values.split(game.similarity.shape)
    written = figure.locator(".hbi-what-if-figure").all_inner_texts()
    wanted = [signed(float(value)) for value in (*text, *video)]
    wanted[1] = "left out"
    assert written == wanted
    figure.keyboard.press("ArrowRight")
    assert box(figure, "text", 1, 1).evaluate("box => box === document.activeElement")


def test_names_keep_clear_of_the_boxes(figure):
    """Also where the page makes pictures as narrow as they can be."""
    figure.add_style_tag(content="img { max-width: 100%; }")
    figure.locator(".hbi-what-if [value=action]").tap()  # "frames 10–12 (6.3–7.6 s)"
    for width in (390, 720, 1280):
        figure.set_viewport_size({"width": width, "height": 900})
        apart = figure.locator(".hbi-what-if tbody th").evaluate_all(
            "all => all.map(one => one.clientWidth - one.scrollWidth)"
        )
        assert min(apart) == 0


def test_a_set_is_chosen_by_finger(figure, entity):
    """Its interaction; the graph shows it; it can be kept alone, and all put back."""
    game, without = entity
    for side, player in (("text", 1), ("text", 2), ("video", 4)):
        box(figure, side, player, 1).tap()
    members = tuple(~mask for mask in without([4], [1, 2]))
    assert interaction(figure) == signed(float(coalition_interaction(game, *members)))
    chosen = figure.locator(".hbi-player[aria-pressed=true]")
    ids = chosen.evaluate_all("players => players.map(player => player.dataset.id)")
    assert sorted(ids) == ["entity/text/1", "entity/text/2", "entity/video/4"]

    figure.locator("text=Keep only the set").tap()
    assert f"→ {float(game.value(*members)):.4f} " in similarity(figure)
    figure.locator("text=Put all back").tap()
    assert similarity(figure) == f"S = {float(game.grand_value()):.4f}"
    figure.locator("text=Leave the set out").tap()
    assert f"→ {float(game.value(*without([4], [1, 2]))):.4f} " in similarity(figure)
    assert interaction(figure) == "–"


def test_a_side_without_players(figure, entity):
    box(figure, "video", 0, 1).tap()
    figure.locator("text=Keep only the set").tap()
    assert "→ 0.0000 " in similarity(figure)
    assert "no player left" in figure.inner_text(".hbi-what-if-answers")


def test_what_the_graph_chooses_is_the_set(figure, explanation):
    """At its own level; who was left out at another stays so."""
    box(figure, "text", 0, 0).tap()
    entity = similarity(figure)
    players = [f".hbi-player[data-id='event/{side}/0']" for side in ("text", "video")]
    figure.locator(players[0]).click()
    figure.locator(players[1]).click(modifiers=["Shift"])
    assert figure.locator(".hbi-what-if [value=event]").is_checked()
    event = explanation.levels[2]
    assert interaction(figure) == signed(float(event.interactions.values[0, 0]))
    assert similarity(figure) == f"S = {event.score:.4f}"
    figure.locator(".hbi-what-if [value=entity]").check()
    assert similarity(figure) == entity
    figure.locator("text=Choose none").click()
    figure.locator(".hbi-what-if [value=event]").check()
    assert interaction(figure) == "–"


def test_players_left_out_are_told(figure, explanation):
    """The event that the panel sends: who is left, and their interactions."""
    figure.evaluate(
        "document.addEventListener('hbi-what-if', ({ detail }) => { window.told = detail; })"
    )
    box(figure, "video", 2, 0).tap()
    told = figure.evaluate("told")
    level = explanation.levels[0]
    assert told["level"] == "entity"
    assert told["text"] == list(range(len(level.text_tokens)))
    assert told["video"] == [v for v in range(len(level.video_tokens)) if v != 2]
    assert told["values"][2] == [None] * len(level.text_tokens)


def test_a_caption_is_edited_only_where_a_model_can_be_asked(figure, document):
    assert "python -m hbi_core.explain" in figure.inner_text(".hbi-what-if-caption")
    assert figure.locator(".hbi-what-if-caption input").count() == 0
    figure.goto("about:blank")
    figure.set_content(document.replace('<div id="figure">', '<div id="figure" data-asks>'))
    figure.evaluate(
        "document.addEventListener('hbi-caption', ({ detail }) => { window.asked = detail; })"
    )
    figure.locator(".hbi-what-if summary").tap()
    caption = figure.locator(".hbi-what-if-caption input")
    caption.fill("another </script> caption")
    caption.press("Enter")
    assert figure.evaluate("asked") == {"caption": "another </script> caption"}


def test_who_is_left_out_is_of_the_view(browser, explanation, entity):
    """It is told with the filters, and left out again where the view comes back."""
    game, without = entity
    view = FigureView(left_out=("entity/video/2", "entity/text/1", "event/text/0"))
    page = new_page(browser, 1280, 900)
    page.set_content(coalition_html(explanation, view))
    assert f"→ {float(game.value(*without([2], [1]))):.4f} " in similarity(page)
    out = page.locator(".hbi-out").evaluate_all("all => all.map(one => one.dataset.id)")
    assert sorted(out) == sorted(view.left_out)
    page.evaluate("addEventListener('hbi-view', ({ detail }) => { window.told = detail; })")
    box(page, "text", 1, 0).check()
    assert set(page.evaluate("told.left_out")) == {"entity/video/2", "event/text/0"}
    page.fill("[name=top]", "5")
    told = FigureView.from_dict(page.evaluate("told"))
    assert (told.top, set(told.left_out)) == (5, {"entity/video/2", "event/text/0"})
    page.close()


def test_a_game_that_takes_its_model_is_not_played(browser, described):
    """The panel says so, links within a side are no choice, and no number is made up."""
    page = new_page(browser, 1280, 900)
    wrong = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.set_content(coalition_html(described.explanation))
    page.click(".hbi-what-if summary")
    assert "takes the model" in page.inner_text(".hbi-what-if")
    assert page.locator(".hbi-what-if input, .hbi-what-if table").count() == 0
    assert page.locator(".hbi-filters [name=fade]").count() == 1
    assert page.locator(".hbi-filters [name=sides]").count() == 0
    page.select_option(".hbi-filters [name=measure]", "cosine")
    page.click("summary:has-text('How to read this')")
    told = page.inner_text("details:has(> summary:text('How to read this'))")
    assert "is worth the gain in log-probability of the caption" in told
    assert "similarity" not in page.inner_text("body")
    assert page.locator("[data-id='entity/video/0']").count() == 1
    assert wrong == []
    page.close()
