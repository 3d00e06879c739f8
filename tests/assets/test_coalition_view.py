"""The coalition graph that answers (assets/view/), in a browser, without a server."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest

from explainers import closed_form, coalition_graph
from hbi_core.figures.coalition_html import coalition_html
from hbi_core.figures.shown_links import shown_links
from hbi_core.figures.view import FigureView, faded_words
from support.browser import new_page
from support.contrasts import drawn_video, made_up

VIEWS = [
    FigureView(),
    FigureView(top=7),
    FigureView(top_per_word=2, threshold=0.3),
    FigureView(sign="negative", scale="frame"),
    FigureView(sign="positive", scale="word", threshold=0.5),
    FigureView(measure="cosine", top=9),
    FigureView(measure="difference", scale="frame", top_per_word=1),
    FigureView(sides=True, top=6),
    FigureView(sides=True, sign="positive", threshold=0.2),
]
LINKS = """view => {
    const { data } = document.getElementById("figure").hbiView;
    return Object.fromEntries(data.explanation.levels.map((level) => [
        level.name,
        hbi.links.shownLinks(level, view, data).map(({ id, kind, value, share, rank, grade }) =>
            ({ id, kind, value, share, rank, grade: grade.name, dotted: grade.dotted })),
    ]));
}"""


@pytest.fixture(scope="module")
def document(explanation, tmp_path_factory):
    file = tmp_path_factory.mktemp("figure") / "figure.html"
    file.write_text(coalition_html(explanation), encoding="utf-8")
    return file.as_uri()


@pytest.fixture
def opened(browser):
    """Opens a document; what went wrong in its scripts fails the test."""
    pages, wrong = [], []

    def open_page(address, width=1280, **options):
        page = new_page(browser, width, 900, **options)
        pages.append(page)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on(
            "request",
            lambda request: wrong.append(request.url) if request.url.startswith("http") else None,
        )
        page.goto(address)
        page.evaluate("""() => {
            window.told = [];
            for (const name of ["hbi-select", "hbi-view", "hbi-seek"]) {
                addEventListener(name, ({ detail }) => told.push([name, detail]));
            }
        }""")
        return page

    yield open_page
    for page in pages:
        page.close()
    assert wrong == []


@pytest.fixture
def page(opened, document):
    return opened(document)


def told(page, name):
    """The detail of the last event of this name."""
    return [detail for event, detail in page.evaluate("told") if event == name][-1]


def ids(page, selector):
    return page.locator(selector).evaluate_all("all => all.map(one => one.dataset.id)")


def test_what_is_drawn_has_the_names_of_the_graph(page, explanation):
    graph = coalition_graph(explanation.levels)
    links = [
        f"{video}--{text}"
        for video, text, relation in graph.edges(data="relation")
        if relation == "interaction"
    ]
    assert Counter(ids(page, ".hbi-levels .hbi-link")) == Counter(links)
    assert Counter(ids(page, ".hbi-player")) == Counter(graph)
    members = page.locator(".hbi-player").evaluate_all(
        "all => all.map(one => [one.dataset.id, one.querySelectorAll('image, .hbi-word').length])"
    )
    counts = {player: text.count(",") + 1 for player, text in graph.nodes(data="members")}
    assert dict(members) == counts
    merged = sum(sum(level.similarity.shape) for level in explanation.levels[1:])
    words = len(explanation.levels[0].text_tokens)
    merged += words if words < len(explanation.words) else 0  # phrases have boxes too
    assert page.locator(".hbi-merged .hbi-player").count() == merged


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.to_query() or "all")
def test_a_view_shows_the_links_that_python_shows(page, explanation, view):
    found = page.evaluate(LINKS, view.to_dict())
    for level in explanation.levels:
        pairs = closed_form(level.game(explanation.weighting), pairs="all").values
        wanted = shown_links(level, view, pairs)
        links = found[level.name]
        assert [link["id"] for link in links] == [link.id for link in wanted]
        for link, expected in zip(links, wanted, strict=True):
            assert link["value"] == pytest.approx(expected.value, abs=1e-9)
            assert link["share"] == pytest.approx(expected.share, abs=1e-9)
            assert (link["kind"], link["rank"]) == (expected.kind, expected.rank)
            assert (link["grade"], link["dotted"]) == (expected.grade.name, expected.grade.dotted)


def test_filters(page):
    page.fill("[name=top_per_word]", "1")
    page.uncheck("[name=levels][value=action]")
    page.select_option("[name=sign]", "positive")
    page.select_option("[name=scale]", "word")
    view = FigureView(levels=("entity", "event"), top_per_word=1, sign="positive", scale="word")
    assert FigureView.from_dict(told(page, "hbi-view")) == view
    assert page.locator(".hbi-level").count() == 2
    links = page.evaluate(LINKS, view.to_dict())
    assert ids(page, ".hbi-levels .hbi-link") == [
        link["id"] for name in view.levels for link in links[name]
    ]
    page.click("text=Show all")
    assert FigureView.from_dict(told(page, "hbi-view")) == FigureView()


def test_links_within_a_side_are_drawn_on_request(page, explanation):
    assert page.locator("[data-id^='event/video/0--event/video']").count() == 0
    page.check("[name=sides]")
    for level in explanation.levels:
        for side, players in (("video", level.video_tokens), ("text", level.text_tokens)):
            drawn = page.locator(
                f".hbi-link[data-id^='{level.name}/{side}'][data-id*='--{level.name}/{side}']"
            )
            assert drawn.count() == len(players) * (len(players) - 1) // 2


def test_a_word_keeps_its_links_and_lights_up_at_all_levels(page, explanation):
    player = 2
    page.click(f"[data-id='entity/text/{player}']")
    assert told(page, "hbi-select") == {"level": "entity", "video": [], "text": [player]}
    chosen = explanation.levels[0].text_tokens[player]
    kept = ids(page, ".hbi-kept")
    for level in explanation.levels:
        lit = [
            i for i, token in enumerate(level.text_tokens) if set(chosen.words) & set(token.words)
        ]
        assert ids(page, f"[data-level={level.name}] .hbi-lit") == [
            f"{level.name}/text/{i}" for i in lit
        ]
        of_level = [id for id in kept if id.startswith(level.name)]
        assert len(of_level) == len(level.video_tokens) * len(lit)
        numbers = page.locator(f"[data-level={level.name}] .hbi-number").all_text_contents()
        values = level.interactions.values[:, lit[0]].tolist()
        assert sorted(numbers) == sorted(signed(value) for value in values)
    said = page.inner_text(".hbi-said")
    assert f"“{chosen.text}”" in said
    assert signed(float(explanation.levels[0].interactions.values[:, player].max())) in said
    page.click(f"[data-id='entity/text/{player}']")
    assert told(page, "hbi-select") == {"level": None, "video": [], "text": []}
    assert not page.locator(".hbi-chosen .hbi-kept").count()


def signed(value):
    text = f"{abs(value):.4f}"
    return text if float(text) == 0 else ("−" if value < 0 else "+") + text


def test_a_frame_tells_its_time_and_sets_are_made_with_shift(page, explanation):
    page.click("[data-id='entity/video/5'] image")
    assert told(page, "hbi-seek") == {"frame": 5, "seconds": explanation.video.times[5]}
    page.click("[data-id='entity/text/1']", modifiers=["Shift"])
    page.click("[data-id='entity/text/3']", modifiers=["Shift"])
    assert told(page, "hbi-select") == {"level": "entity", "video": [5], "text": [1, 3]}
    kept = [f"entity/video/5--entity/text/{word}" for word in (1, 3)]
    assert sorted(ids(page, "[data-level=entity] .hbi-kept")) == kept
    page.click("[data-id='entity/text/3']", modifiers=["Shift"])
    assert told(page, "hbi-select")["text"] == [1]
    page.click("text=Choose none")
    assert told(page, "hbi-select")["level"] is None


def test_the_keyboard_does_all_of_it(page):
    page.locator("[data-level=entity] .hbi-player").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert told(page, "hbi-select") == {"level": "entity", "video": [], "text": [1]}
    page.keyboard.press("ArrowDown")
    page.keyboard.press("End")
    page.keyboard.press("Shift+Enter")
    last = page.locator("[data-level=entity] .hbi-video").count() - 1
    assert told(page, "hbi-select") == {"level": "entity", "video": [last], "text": [1]}
    assert told(page, "hbi-seek")["frame"] == last
    page.keyboard.press("ArrowDown")  # to the next level
    page.keyboard.press(" ")
    assert told(page, "hbi-select")["level"] == "action"
    page.keyboard.press("Escape")
    assert told(page, "hbi-select")["level"] is None
    page.focus("[name=top]")
    page.keyboard.type("3")  # drawn anew; what is typed goes on
    page.keyboard.type("0")
    assert told(page, "hbi-view")["top"] == 30


def test_the_table_and_the_alternative_text_carry_the_same_numbers(page, explanation):
    page.click("text=Table")
    page.fill("[name=top]", "4")
    for level in explanation.levels:
        links = shown_links(level, FigureView(top=4))
        cells = page.locator(f"[data-level={level.name}] td[data-id]")
        found = dict(cells.evaluate_all("all => all.map(one => [one.dataset.id, one.textContent])"))
        assert found == {link.id: signed(link.value) for link in links}
        own = page.locator(f"[data-level={level.name}] td.hbi-own").all_text_contents()
        values = level.to_dict()["values"]
        assert Counter(own) == Counter(map(signed, values["text"] + values["video"]))
        label = page.locator(f"[data-level={level.name}] svg.hbi-picture").get_attribute(
            "aria-label"
        )
        assert signed(float(level.interactions.values.max())) in label
        assert f"{len(links)} links shown" in label
    spoken = page.locator("[data-id='entity/text/0']").get_attribute("aria-label")
    assert signed(explanation.levels[0].to_dict()["values"]["text"][0]) in spoken


def test_what_is_explained_is_said(page, explanation):
    for level in explanation.levels:
        shares = level.to_dict()["explained"]
        said = page.inner_text(f"[data-level={level.name}] .hbi-explained")
        assert f"all pairs and players together {100 * (1 - shares['rest']):.0f}\u00a0%" in said


def test_the_colours_of_shares_are_named(page, explanation):
    """Each part of the strip has the colour that stands beside its name and share."""
    colours = "all => all.map(one => getComputedStyle(one).backgroundColor)"
    for level in explanation.levels:
        section = page.locator(f"[data-level={level.name}]")
        strip = section.locator(".hbi-shares > *")
        named = section.locator(".hbi-explained span")
        assert named.locator("i").evaluate_all(colours) == strip.evaluate_all(colours)
        titles = strip.evaluate_all("all => all.map(one => one.title.replace(':', ''))")
        assert named.all_text_contents() == titles
        assert len(set(strip.evaluate_all(colours))) == 6


def test_those_who_are_left_out_lose_their_links_and_the_others_have_new_ones(page, explanation):
    """What the panel "What if" sends is drawn."""
    _, action, _ = explanation.levels
    videos, texts = len(action.video_tokens), len(action.text_tokens)
    left = {"level": "action", "video": list(range(videos)), "text": list(range(1, texts))}
    values = [[None, *(0.5 + video for _ in range(1, texts))] for video in range(videos)]
    send = """detail => document.getElementById("figure").dispatchEvent(
        new CustomEvent("hbi-what-if", { detail }))"""
    page.evaluate(send, left | {"values": values})
    assert ids(page, ".hbi-out") == ["action/text/0"]
    assert page.locator("[data-level=action] .hbi-link").count() == videos * (texts - 1)
    page.click("[data-id='action/text/1']")
    numbers = page.locator("[data-level=action] .hbi-number").all_text_contents()
    assert sorted(numbers) == sorted(signed(row[1]) for row in values)
    page.evaluate(send, left | {"text": list(range(texts)), "values": values})
    assert not page.locator(".hbi-out").count()


def test_on_a_phone_one_word_at_a_time(opened, document, explanation):
    page = opened(document, width=390, has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.locator("svg.hbi-picture").count() == 0
    entity = explanation.levels[0]
    page.tap("[data-id='entity/text/2']")
    badges = page.locator("[data-level=entity] .hbi-badge[data-id]")
    assert Counter(badges.all_text_contents()) == Counter(
        map(signed, entity.interactions.values[:, 2].tolist())
    )
    page.tap("[data-level=entity] [data-step='1']")
    assert told(page, "hbi-select") == {"level": "entity", "video": [], "text": [3]}
    page.tap("text=Choose several")
    page.tap("[data-id='entity/video/0']")
    assert told(page, "hbi-select") == {"level": "entity", "video": [0], "text": [3]}
    page.tap("[data-id='entity/video/0']")
    page.tap("[data-id='entity/text/2']")
    highest = entity.interactions.values[:, [2, 3]].max(1).values
    assert badges.all_text_contents() == [f"up to {signed(one)}" for one in highest.tolist()]
    small = page.locator(".hbi-player, .hbi-button").evaluate_all(
        "all => all.filter(one => one.getBoundingClientRect().height < 34).length"
    )
    assert small == 0


def test_text_of_users_is_text(opened, explanation, tmp_path):
    evil = "</script><img src=x onerror=alert(1)>"
    words = (evil, *explanation.words[1:])
    entity = explanation.levels[0]
    tokens = (replace(entity.text_tokens[0], text=evil), *entity.text_tokens[1:])
    levels = (replace(entity, text_tokens=tokens), *explanation.levels[1:])
    file = tmp_path / "figure.html"
    changed = replace(explanation, words=words, levels=levels, caption=evil)
    file.write_text(coalition_html(changed), encoding="utf-8")
    page = opened(file.as_uri())
    page.click("[data-id='entity/text/0']")
    page.click("text=Table")
    assert evil in page.inner_text(".hbi-said")
    assert page.locator("img").count() == 0
    assert json.loads(page.locator("#data").text_content())["explanation"]["caption"] == evil


def test_a_choice_without_a_line_says_why(page, explanation):
    entity = explanation.levels[0]
    page.fill("[name=top]", "1")
    weakest = int(entity.interactions.values.max(0).values.argmin())
    page.click(f"[data-id='entity/text/{weakest}']")
    assert "Its links are below the filters" in page.inner_text(".hbi-said")
    page.click("text=Show them")
    assert page.locator("[data-level=entity] .hbi-kept").count() == len(entity.video_tokens)
    assert "below the filters" not in page.inner_text(".hbi-said")
    chosen = (f"entity/text/{weakest}",)
    assert FigureView.from_dict(told(page, "hbi-view")) == FigureView(chosen=chosen)


def test_sentences_name_no_word_that_is_faded(opened, tmp_path):
    """Of one player for each word, so that some are function words alone."""
    video = drawn_video(3)
    file = tmp_path / "figure.html"
    file.write_text(coalition_html(made_up("the cat and a dog", video)), encoding="utf-8")
    page = opened(file.as_uri())
    page.check("[name=fade]")
    said = " ".join(page.locator(".hbi-level > p").all_text_contents())
    assert "“cat”" in said or "“dog”" in said
    assert not any(f"“{word}”" in said for word in ("the", "and", "a"))


def test_sentences_name_the_strongest_of_what_is_shown(opened, tmp_path):
    explanation = made_up("one two three four five six", drawn_video(2), seed=27)
    (level,) = explanation.levels
    everyone = closed_form(level.game(explanation.weighting), pairs="all").values.triu(1)
    assert divmod(int(everyone.argmax()), 8) == (0, 1)  # two frames
    file = tmp_path / "figure.html"
    file.write_text(coalition_html(explanation), encoding="utf-8")
    page = opened(file.as_uri())
    helping = page.locator(".hbi-level > p").first
    assert helping.text_content().startswith("Help each other most: “")
    page.check("[name=sides]")
    frames = "frame 1 (0.5\u00a0s) and frame 2 (1.5\u00a0s)"
    said = f"Help each other most: {frames} (+{everyone.max():.4f}); "
    assert helping.text_content().startswith(said)


def test_equal_words_are_told_apart_by_what_follows(opened, tmp_path):
    file = tmp_path / "figure.html"
    file.write_text(coalition_html(made_up("the cat the dog", drawn_video(3))), encoding="utf-8")
    page = opened(file.as_uri())
    labels = [
        page.get_attribute(f"g[data-id='entity/text/{word}']", "aria-label") for word in range(4)
    ]
    named = [label.partition(";")[0] for label in labels]
    assert named == [
        "word “the” before “cat”",
        "word “cat”",
        "word “the” before “dog”",
        "word “dog”",
    ]


def test_a_long_word_stays_on_a_phone(opened, tmp_path):
    explanation = made_up(f"a {'Donaudampfschiff' * 5} sails", drawn_video(3))
    file = tmp_path / "figure.html"
    file.write_text(coalition_html(explanation), encoding="utf-8")
    page = opened(file.as_uri(), width=390)
    page.click("[data-id='entity/text/1']")
    right = "all => Math.max(...all.map(one => one.getBoundingClientRect().right))"
    assert page.locator(".hbi-view *").evaluate_all(right) <= 390
    assert page.evaluate("document.documentElement.scrollWidth") == 390


@pytest.mark.parametrize("width", [390, 1280])
def test_function_words_fade_within_their_phrases(opened, document, explanation, width):
    """As in print. Those of a phrase that is chosen do not."""
    page = opened(document, width=width)
    page.evaluate("document.querySelector('.hbi-panel').open = true")
    page.check("[name=fade]")
    faded = page.locator("[data-level=entity] .hbi-player .hbi-faded")
    wanted = [explanation.words[word] for word in faded_words(explanation.words)]
    assert wanted
    assert faded.all_text_contents() == wanted
    opacity = "all => all.map(one => getComputedStyle(one).opacity)"
    page.click("text=Choose none")
    assert {*faded.evaluate_all(opacity)} == {"0.35"}
    page.click("[data-id='entity/text/0']")
    assert faded.first.evaluate("one => getComputedStyle(one).opacity") == "1"
    page.uncheck("[name=fade]")
    assert not faded.count()


def test_long_captions_can_be_read(opened, tmp_path):
    """60 words as 30 phrases: letters are not small for the sake of gaps."""
    phrases = [(word, word + 1) for word in range(0, 60, 2)]
    explanation = made_up(" ".join(["players"] * 60), drawn_video(4), [(None, phrases)])
    file = tmp_path / "figure.html"
    file.write_text(coalition_html(explanation), encoding="utf-8")
    page = opened(file.as_uri())
    sizes = "all => all.map(one => parseFloat(getComputedStyle(one).fontSize))"
    assert min(page.locator(".hbi-picture text").evaluate_all(sizes)) > 9
