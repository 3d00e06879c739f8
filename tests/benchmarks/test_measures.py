"""Every measure on players and links that were made up, with what a reader counts by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.links import Links
from benchmarks.measures import (
    Count,
    content_players,
    content_share,
    content_words,
    contiguous,
    difference,
    estimate,
    sentences_point,
    strayed,
    whole_shots,
    words_point,
)
from explainers import SimilarityGame
from hbi_core.inputs.text import parse_caption

SHOWN = torch.tensor([0, 0, 1, 1])  # two frames of each of two photographs


def made_up(frames, words, strength):
    strength = torch.tensor(strength, dtype=torch.float64)
    videos, texts = map(torch.zeros, strength.shape)
    game = SimilarityGame(strength, videos, texts)
    return Links("entity", tuple(frames), tuple(words), game, strength)


PAIR = made_up(
    [(0,), (1, 2), (3,)],  # the second shows half of each photograph
    [(0,), (1, 2), (3,), (4,)],  # the second is a phrase of two words
    [[9, 1, 0, 1], [2, 8, 0, 3], [1, 0, 7, 2]],
)
PARTS = torch.tensor([0, 0, 0, 1, 1])


def test_words_point_in_the_measure_in_which_their_part_is_shown():
    everything = torch.ones(5, dtype=torch.bool)
    # Photograph 0: word 0 at frame 0, words 1 and 2 at the mixed player. Photograph 1: word 3 at
    # frame 3, word 4 at the mixed player.
    counts = words_point(PAIR, PAIR.exact, SHOWN, PARTS, everything)
    assert counts == [Count(1 + 0.5 + 0.5, 3), Count(1 + 0.5, 2)]


def test_words_that_do_not_count_are_not_counted():
    counted = torch.tensor([False, False, True, True, False])
    counts = words_point(PAIR, PAIR.exact, SHOWN, PARTS, counted)
    assert counts == [Count(0.5, 1), Count(1, 1)]


def test_a_word_that_points_elsewhere_is_wrong():
    wrong = made_up([(0, 1), (2, 3)], [(0,), (1,)], [[0, 1], [1, 0]])
    counts = words_point(wrong, wrong.exact, SHOWN, torch.tensor([0, 1]), torch.tensor([True] * 2))
    assert counts == [Count(0, 1), Count(0, 1)]


def test_a_sentence_points_by_the_mean_of_its_words():
    # Word 0 alone would take the mixed player for its sentence, and word 2 frame 0.
    links = made_up(
        [(0,), (1, 2), (3,)], [(0,), (1,), (2,), (3,)], [[3, 3, 4, 0], [4, 0, 0, 0], [0, 0, 3, 3]]
    )
    parts = torch.tensor([0, 0, 1, 1])
    assert sentences_point(links, links.exact, SHOWN, parts) == [Count(1, 1), Count(1, 1)]
    assert sentences_point(PAIR, PAIR.exact, SHOWN, PARTS) == [Count(0.5, 1), Count(1, 1)]


def test_the_link_is_the_one_that_is_given():
    assert set(PAIR.strengths) == {"exact interaction", "cosine similarity"}
    counts = sentences_point(PAIR, PAIR.exact.flip(0), SHOWN, PARTS)
    assert counts == [Count(0.5, 1), Count(0, 1)]


def test_what_strays_is_interaction_of_players_that_share_nothing():
    """Whatever its sign; a player of both photographs counts for neither kind."""
    signed = made_up(PAIR.frames, PAIR.words, [[9, -1, 0, -1], [2, 8, 0, 3], [1, 0, 7, 2]])
    for links in (PAIR, signed):
        assert strayed(links, SHOWN, PARTS) == Count((0 + 1 + 1 + 0) / 4, (9 + 1 + 7 + 2) / 4)
    mixed = made_up([(0, 2), (1, 3)], [(0,), (3,)], [[1, 2], [3, 4]])
    assert strayed(mixed, SHOWN, PARTS) == Count(0, 0)


def test_content_is_what_is_positive_on_content():
    links = made_up([(0,), (1,)], [(0, 1), (2,), (3,)], [[3, 1, -5], [1, -1, 2]])
    content = torch.tensor([False, True, False, True])
    # Positive: 4 on the phrase of words 0 and 1, 1 on word 2, 2 on word 3.
    assert content_players(links, content) == Count(4 + 2, 7)
    assert content_share(links, content) == Count(4 / 2 + 2, 7)


def test_content_players_says_nothing_of_phrases_and_the_share_does():
    links = made_up([(0,)], [(0, 1), (2, 3, 4)], [[1, 1]])
    content = torch.tensor([False, True, False, False, True])
    assert content_players(links, content) == Count(2, 2)
    hits, of = content_share(links, content)
    assert hits / of == pytest.approx((1 / 2 + 1 / 3) / 2)


def test_players_of_several_are_contiguous_without_a_gap():
    entities = ((0, 1), (2,), (3,), (4, 5), (6,))
    merged = ((0, 1, 3), (2, 4, 5), (6,))
    assert contiguous(merged, entities) == Count(0, 2)  # the last is one player of the lowest level
    merged = ((0, 1, 2, 3), (4, 5), (6,))
    assert contiguous(merged, entities) == Count(1, 1)  # two words, but one player
    assert contiguous(entities, entities) == Count(0, 0)


def test_a_frame_counts_if_its_clip_holds_nothing_but_its_shot():
    shown = torch.tensor([0, 0, 0, 1, 1, 2])
    split = made_up([(0, 1), (2,), (3, 4), (5,)], [(0,)], [[0]] * 4)
    assert whole_shots(split, shown) == Count(6, 6)
    mixed = made_up([(0, 1), (2, 3), (4, 5)], [(0,)], [[0]] * 3)
    assert whole_shots(mixed, shown) == Count(2, 6)


def test_content_words_are_known_clause_by_clause():
    content = content_words(parse_caption("A cat, in front of the house"))
    assert content.tolist() == [False, True, False, False, False, False, True]


def test_an_estimate_weighs_units_by_what_they_count():
    value, low, high, units = estimate([Count(3, 4), Count(0, 1), Count(0, 0)])
    assert (value, units) == (3 / 5, 2)
    assert (low, high) == (0, 0.75)  # one unit drawn twice, either way


def test_the_interval_is_that_of_a_share():
    """Of 400 independent units it is near the normal interval."""
    drawn = np.random.default_rng(1).random(400) < 0.7
    value, low, high, _ = estimate([Count(float(x), 1) for x in drawn])
    half = 1.96 * (value * (1 - value) / 400) ** 0.5
    assert value == drawn.mean()
    assert (low, high) == pytest.approx((value - half, value + half), abs=0.01)


def test_units_belong_together():
    """Words of one sentence that all point right are one unit, not many."""
    apart = [Count(1, 1)] * 50 + [Count(0, 1)] * 50
    together = [Count(10, 10)] * 5 + [Count(0, 10)] * 5
    (_, low, high, _), (_, wide_low, wide_high, _) = estimate(apart), estimate(together)
    assert wide_high - wide_low > 2 * (high - low)


def test_an_interval_is_the_same_for_the_same_seed():
    units = [Count(n % 3, n % 5 + 3) for n in range(30)]
    assert estimate(units, 5) == estimate(units, 5) != estimate(units, 6)


def test_nothing_counted_is_an_error():
    with pytest.raises(ValueError, match="nothing was counted"):
        estimate([Count(0, 0)])


def test_a_table_shows_percent():
    assert estimate([Count(1, 1)]).cells() == ["100.0 %", "100.0 to 100.0", "1"]


def test_difference_of_two_kinds_of_runs():
    """The same units in both: what is hard for both widens no interval. The mean over the runs."""
    drawn = np.random.default_rng(0)
    hard = drawn.random(200) < 0.5
    weak = [[Count(float(h), 1) for h in hard]] * 2
    better = hard | (drawn.random(200) < 0.2)
    strong = [[Count(float(h), 1) for h in better], [Count(float(h), 1) for h in hard]]
    gain = difference(strong, weak)
    assert gain.value == pytest.approx((better.mean() - hard.mean()) / 2)
    assert 0 < gain.low < gain.value < gain.high < 2 * gain.value
    assert gain.units == 200
    none = difference(weak, weak)
    assert (none.value, none.low, none.high) == (0, 0, 0)
    uneven = difference([[Count(1, 1), Count(0, 3)]], [[Count(0, 1), Count(0, 3)]])
    assert uneven.value == pytest.approx(0.25)
