"""The figure of the page: every player and every link, in the right colour and order."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from explainers import ranks
from hbi_core.figures.grades import GRADES, grade_of, key_label
from hbi_core.figures.layout import lay_out
from hbi_core.figures.lines import links_of
from support.contrasts import drawn_video, made_up


@pytest.fixture(scope="module")
def layout(explanation):
    return lay_out(explanation, 1000, 14, 11)


def test_links_run_from_weak_to_strong(explanation, layout):
    for level, drawn in zip(explanation.levels, layout.levels, strict=True):
        values, links = level.interactions.values, links_of(level, drawn)
        assert len(links) == values.numel()
        assert [link.rank for link in links] == list(range(values.numel(), 0, -1))
        for link in links:
            assert link.interaction == float(values[link.first, link.second])
            assert link.similarity == float(level.similarity[link.first, link.second])
            assert link.rank == ranks(values)[link.first, link.second]
            token = drawn.text_tokens[link.second]
            assert token.left <= link.start[0] <= token.left + token.width
        assert links[-1].grade is GRADES[0]


def test_grades():
    assert [grade_of(x).name for x in (1.001, 1.0, 0.75, 0.74, 0.5, 0.3, 0.1, 0.0)] == [
        "outlier",
        "red",
        "red",
        "orange",
        "orange",
        "green",
        "blue",
        "blue",
    ]
    assert grade_of(0.9, negative=True) is GRADES[-1]
    assert grade_of(0.9, negative=True, alone=True) == replace(GRADES[0], dotted=True)
    assert [key_label(number) for number in range(5)] == [
        "75–100 %",
        "50–75 %",
        "25–50 %",
        "0–25 %",
        "negative",
    ]
    widths = [grade.width for grade in GRADES]
    assert widths == sorted(widths, reverse=True)


def test_grades_can_be_told_apart_in_grey():
    def lightness(colour):
        red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
        return 0.299 * red + 0.587 * green + 0.114 * blue

    steps = [lightness(grade.colour) for grade in GRADES]
    assert all(b - a > 5 for a, b in pairwise(steps))


def test_nothing_overlaps_or_leaves_the_figure(explanation, layout):
    for width, em, smallest in ((1000, 14, 11), (495, 8, 5), (234, 6, 5)):
        placed = lay_out(explanation, width, em, smallest)
        for level in placed.levels:
            for row in (level.words, level.frames, level.text_tokens, level.video_tokens):
                for left, right in pairwise(row):
                    assert left.left + left.width <= right.left + 1e-6
                assert row[0].left >= 0
                assert row[-1].left + row[-1].width <= width + 1e-6
            assert level.bottom <= placed.height


def test_boxes_hold_their_members(explanation, layout):
    for level, drawn in zip(explanation.levels, layout.levels, strict=True):
        for token, box in zip(level.text_tokens, drawn.text_tokens, strict=True):
            cells = [cell for cell in drawn.words if cell.index in token.words]
            assert len(cells) == len(token.words)
            assert all(
                box.left <= c.left <= c.left + c.width <= box.left + box.width + 1e-6 for c in cells
            )


@pytest.fixture(scope="module")
def of_phrases(explanation):
    """The same with fewer players of several words at the entity level."""
    entity, action, event = explanation.levels
    count = len(action.text_tokens)
    values = replace(entity.interactions, values=entity.interactions.values[:, :count])
    similarity = entity.similarity[:, :count]
    tokens = action.text_tokens
    phrases = replace(entity, text_tokens=tokens, similarity=similarity, interactions=values)
    return replace(explanation, levels=(phrases, action, event))


@pytest.mark.parametrize(("width", "em", "smallest"), [(1000, 14, 11), (495, 8, 5), (234, 6, 5)])
def test_phrases_of_the_entity_level(explanation, of_phrases, width, em, smallest):
    """Every word is shown, those of a phrase together in a box; frames have none."""
    placed = lay_out(of_phrases, width, em, smallest).levels[0]
    assert sorted(cell.index for cell in placed.words) == list(range(len(explanation.words)))
    for token, box in zip(of_phrases.levels[0].text_tokens, placed.text_tokens, strict=True):
        cells = [cell for cell in placed.words if cell.index in token.words]
        assert [cell.id for cell in cells] == [box.id] * len(token.words)
        assert all(box.left < cell.left for cell in cells)
        assert all(cell.left + cell.width < box.left + box.width for cell in cells)
    for left, right in pairwise(placed.text_tokens):
        assert left.left + left.width < right.left
    assert placed.text_tokens[-1].left + placed.text_tokens[-1].width <= width + 1e-6
    assert placed.boxes == placed.text_tokens
    frames = lay_out(explanation, width, em, smallest).levels[0].frames
    assert [(f.left, f.width) for f in placed.frames] == [(f.left, f.width) for f in frames]


def test_boxes_are_around_what_is_merged(explanation, layout):
    entity, *above = layout.levels
    phrases = len(entity.text_tokens) < len(explanation.words)
    assert entity.boxes == (entity.text_tokens if phrases else ())
    for level in above:
        assert level.boxes == (*level.text_tokens, *level.video_tokens)


def test_letters_of_a_long_caption_are_not_small_for_the_sake_of_gaps():
    """60 words as 30 phrases, as wide as a page: 1.25 em for each word would be 6.1 points."""
    phrases = [(word, word + 1) for word in range(0, 60, 2)]
    long = made_up(" ".join(["players"] * 60), drawn_video(4), [(None, phrases)])
    placed = lay_out(long, 495, 8, 5)
    assert placed.vertical_words
    assert placed.font > 4
    for left, right in pairwise(placed.levels[0].text_tokens):
        assert left.left + left.width < right.left
