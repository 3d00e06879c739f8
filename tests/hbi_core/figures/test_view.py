"""A view: what it says of itself, and which links it shows, against a slow reading of its words."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch

from explainers import closed_form, ranks
from hbi_core.errors import SettingsError
from hbi_core.figures.grades import GRADES, OUTLIER, grade_of, reference_of
from hbi_core.figures.shown_links import measured, shown_links
from hbi_core.figures.view import FigureView, faded_words

VIEWS = [
    FigureView(),
    FigureView(levels=("event", "entity"), top=7, sign="positive"),
    FigureView(top=20, top_per_word=2, threshold=0.1, measure="cosine"),
    FigureView(top_per_word=1, sign="negative", scale="word"),
    FigureView(threshold=0.5, measure="difference", scale="frame", fade=True, sides=True),
    FigureView(values=True, left_out=("entity/text/2", "event/video/0")),
    FigureView(top=3, chosen=("action/video/0", "action/text/11")),
]


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_comes_back_from_address_and_file(view):
    assert FigureView.from_query(view.to_query()) == view
    assert FigureView.from_query("?video=x.mp4&" + view.to_query()) == view
    assert FigureView.from_dict(json.loads(json.dumps(view.to_dict()))) == view


def test_the_address_says_what_is_changed():
    assert FigureView().to_query() == ""
    assert FigureView(levels=("event",), threshold=1, fade=True).to_query() == (
        "levels=event&threshold=1.0&fade=1"
    )
    assert FigureView(levels=("event", "entity")).levels == ("entity", "event")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("top=0", "top is 0: use a whole number of at least 1, or none"),
        ("top=ten", "top is 'ten'"),
        ("top=1e3", "top is '1e3'"),
        ("top=" + "9" * 5000, "top is "),
        ("top_per_word=-1", "top_per_word is '-1'"),
        ("threshold=2", "threshold is 2.0"),
        ("threshold=nan", "threshold is nan"),
        ("threshold=", "threshold is ''"),
        ("levels=", "at least one of entity, action, event"),
        ("levels=entity,entity", "none twice"),
        ("sign=up", "sign is 'up': use one of both, positive, negative"),
        ("measure=<b>", "use one of interaction, cosine, difference"),
        ("scale=clip", "use one of level, word, frame"),
        ("left_out=entity/2", "names of players"),
        ("chosen=entity/text/2,<b>", "chosen is .*names of players"),
        ("fade=perhaps", "fade is 'perhaps': use true or false"),
    ],
)
def test_an_address_that_makes_no_view_is_told(query, said):
    with pytest.raises(SettingsError, match=said.replace("<", "\\<")):
        FigureView.from_query(query)


@pytest.mark.parametrize("values", [{"tops": 1}, {"top": "1"}, {"levels": "entity"}, [], None])
def test_a_file_that_makes_no_view_is_told(values):
    with pytest.raises(SettingsError):
        FigureView.from_dict(values)


def _pairs(explanation, level):
    return closed_form(level.game(explanation.weighting), pairs="all").values


def test_the_default_shows_all_links_as_ever(explanation):
    for level in explanation.levels:
        values = level.interactions.values
        links = shown_links(level, FigureView())
        assert [link.rank for link in links] == list(range(values.numel(), 0, -1))
        for link in links:
            cell = link.first, link.second
            assert link.value == link.interaction == float(values[cell])
            assert link.similarity == float(level.similarity[cell])
            assert link.rank == ranks(values)[cell]
            assert link.grade is grade_of(abs(link.value) / float(values.max()), link.value < 0)


@pytest.mark.parametrize(
    ("sign", "measure", "scale", "top", "each"),
    [
        *product(
            ("both", "positive", "negative"),
            ("interaction", "cosine", "difference"),
            ("level", "word", "frame"),
            (None, 5),
            (None, 2),
        )
    ],
)
def test_what_is_shown_against_one_link_at_a_time(explanation, sign, measure, scale, top, each):
    """A link is shown if fewer than k are stronger, one by one, and graded beside its own scale."""
    view = FigureView(
        top=top, top_per_word=each, threshold=0.2, sign=sign, measure=measure, scale=scale
    )
    for level in explanation.levels:
        values = measured(level, measure)
        own = {
            (v, t): values[v, t]
            for v, t in np.ndindex(values.shape)
            if sign == "both" or (values[v, t] > 0) == (sign == "positive")
        }
        expected = {}
        for (v, t), value in own.items():
            stronger = [c for c, x in own.items() if abs(x) > abs(value)]
            beside = {"level": values, "word": values[:, t], "frame": values[v]}[scale]
            share = abs(value) / reference_of(beside, sign)
            if (
                (top is None or len(stronger) < top)
                and (each is None or sum(c[1] == t for c in stronger) < each)
                and share >= 0.2
            ):
                expected[v, t] = share
        links = shown_links(level, view)
        assert {(link.first, link.second) for link in links} == set(expected)
        for link in links:
            assert link.share == pytest.approx(expected[link.first, link.second])
            if link.value < 0 and sign == "both":
                assert link.grade is GRADES[-1]
            elif link.share <= 1:
                assert link.share >= link.grade.least
            assert link.grade.dotted == (link.value < 0)


def test_links_within_a_side(explanation):
    entity = explanation.levels[1]
    pairs = _pairs(explanation, entity)
    videos, texts = entity.similarity.shape
    view = FigureView(sides=True)
    links = shown_links(entity, view, pairs)
    kinds = [link.kind for link in links]
    assert kinds.count("video") == videos * (videos - 1) // 2
    assert kinds.count("text") == texts * (texts - 1) // 2
    assert kinds.count("cross") == videos * texts
    for link in links:
        offsets = {"cross": (0, videos), "video": (0, 0), "text": (videos, videos)}[link.kind]
        cell = link.first + offsets[0], link.second + offsets[1]
        assert link.interaction == pytest.approx(float(pairs[cell]), abs=1e-12)
    with pytest.raises(ValueError, match="all pairs"):
        shown_links(entity, view)
    cosine = replace(view, measure="cosine")
    assert {link.kind for link in shown_links(entity, cosine)} == {"cross"}


def test_one_outlier_leaves_the_others_their_colours(explanation):
    """The rest is graded as if it were not there; it is drawn stronger than all."""
    entity = explanation.levels[0]
    values = entity.interactions.values.clone()
    place = divmod(int(values.argmax()), values.shape[1])
    usual = {link.id: link for link in shown_links(entity, FigureView())}
    values[place] = 1000.0
    changed = replace(entity, interactions=replace(entity.interactions, values=values))
    links = shown_links(changed, FigureView())
    assert links[-1].grade is OUTLIER
    assert (links[-1].first, links[-1].second) == place
    second = float(torch.topk(entity.interactions.values.flatten(), 2).values[1])
    for link in links[:-1]:
        value = usual[link.id].value
        assert link.grade is grade_of(abs(value) / second, value < 0)


def test_references():
    assert reference_of(np.array([1.0, 0.3, 0.2])) == 1.0
    assert reference_of(np.array([1.0, 0.2, 0.1])) == 0.2
    assert reference_of(np.array([1.0, 0.2])) == 1.0  # of two links, none is the rule
    assert reference_of(np.array([-1.0, -0.5])) == 1.0
    assert reference_of(np.array([-1.0, -0.5, 0.3]), "negative") == 1.0
    assert reference_of(np.zeros(3)) == 0.0
    many = np.linspace(0.5, 1.0, 40)
    assert reference_of(np.array([90.0, 80.0, *many])) == 1.0  # two of 42
    assert reference_of(np.array([90.0, 80.0, 70.0, *many])) == 90.0  # three are no exception


def test_function_words_of_english_fade():
    assert faded_words(["A", "cat", "in", "front", "of", "it"]) == (0, 2, 3, 4, 5)
    assert faded_words(["Ein", "Hund", "in", "der", "Sonne"]) == ()
