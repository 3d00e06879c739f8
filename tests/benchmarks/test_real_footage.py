from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks.measures import Count
from benchmarks.real_footage import Join, measure_caption, measure_join, read_joins, strongest
from explainers import Interactions, SimilarityGame
from hbi_core.errors import DataError
from hbi_core.explanation import Explanation, Level, TextToken, VideoToken
from hbi_core.inputs.text import parse_caption
from hbi_core.inputs.video import Video


def level(name, frames, words, values, caption):
    texts = [word.text for word in parse_caption(caption).words]
    values = torch.tensor(values, dtype=torch.float64)
    interactions = Interactions(
        values=values,
        standard_error=None,
        method="closed_form",
        coalitions_evaluated=0,
        seconds=0.0,
        device="cpu",
    )
    played = Level.played(
        name,
        tuple(VideoToken(own) for own in frames),
        tuple(TextToken(own, " ".join(texts[n] for n in own)) for own in words),
        SimilarityGame(-values, torch.zeros(len(frames)), torch.zeros(len(words))),
    )
    return replace(played, interactions=interactions)


def explained(caption, *levels):
    return Explanation(
        caption=caption,
        words=tuple(word.text for word in parse_caption(caption).words),
        video=Video(np.zeros((4, 1, 1, 3), np.uint8), (0.0, 1.0, 2.0, 3.0), 4.0, "made_up.mp4"),
        encoder="lite",
        checkpoint="made up",
        weighting="renormalised",
        levels=levels,
    )


FRAMES = [(0,), (1,), (2,), (3,)]


def explained_in_order(caption, entity):
    """Two sentences of a function word and a content word, four frames, clips of two."""
    words = [(0,), (1,), (2,), (3,)]
    action = level("action", [(0, 1), (2, 3)], [(0, 1), (2, 3)], [[2, 1], [1, 2]], caption)
    event = level("event", [(0, 2, 3), (1,)], [(0, 2), (1,), (3,)], [[2, 1, 0]] * 2, caption)
    return explained(caption, level("entity", FRAMES, words, entity, caption), action, event)


def test_a_caption_is_measured_at_every_level():
    units = defaultdict(list)
    entity = [[3, 1, 0, 0], [0, 0, -9, 4], [0, 0, 0, 0], [0, 0, 0, 0]]
    measure_caption(explained_in_order("A dog. The cat.", entity), units)
    players, words = (
        "interaction on players with a content word",
        "interaction on content words, players divided evenly",
    )
    assert units[players, "entity"] == units[words, "entity"] == [Count(5, 8)]
    assert (units[players, "action"], units[words, "action"]) == ([Count(6, 6)], [Count(3, 6)])
    assert units["content words among all words", ""] == [Count(2, 4)]
    assert units["phrases that are one span", "action"] == [Count(2, 2)]
    assert units["phrases that are one span", "event"] == [Count(0, 1)]
    assert units["clips that are one run of frames", "event"] == [Count(0, 1)]


def test_a_join_is_measured_in_all_orders_and_counted_by_sentence():
    """In the given order all words are right; in the other one, the second sentence is wrong."""
    shown = torch.tensor([0, 0, 1, 1])
    right = [[2, 2, 0, 0], [0, 0, 0, 0], [0, 0, 2, 2], [0, 0, 0, 0]]
    first = explained_in_order("A dog. The cat.", right)
    other = explained_in_order("The cat. A dog.", [[2, 2, 2, 2], [0] * 4, [1] * 4, [0] * 4])
    parts = torch.tensor([0, 0, 1, 1])
    units = defaultdict(list)
    measure_join([(first, parts), (other, parts.flip(0))], shown, units)
    sentence, word = "sentence → clip, exact interaction", "content word → clip, exact interaction"
    assert units[sentence, "entity"] == [Count(1, 1), Count(0.5, 1)]
    assert units[word, "entity"] == [Count(1, 1), Count(0.5, 1)]
    # In the other order the phrases point at the clips as they stand, which are the wrong ones.
    assert units[sentence, "action"] == [Count(0.5, 1), Count(0.5, 1)]
    assert units["frames in clips of one shot", "action"] == [Count(4, 4)]
    assert units["frames in clips of one shot", "event"] == [Count(1, 4)]
    # The similarity was made the negative of the interaction.
    assert units["sentence → clip, cosine similarity", "action"] == [Count(0.5, 1), Count(0.5, 1)]
    assert units["sentence → clip, cosine similarity", "entity"] != units[sentence, "entity"]


def test_sentences_belong_to_their_clips_in_every_order(tmp_path):
    files = tuple(tmp_path / f"{name}.mp4" for name in "abc")
    join = Join(files, ("One a.", "Two b here.", "Three c."))
    captions = join.captions()
    assert len(captions) == 6
    assert captions[0][0].captions == ("One a. Two b here. Three c.",)
    for montage, parts in captions:
        words = [word.text for word in parse_caption(montage.captions[0]).words]
        clip_of = {"One": 0, "a": 0, "Two": 1, "b": 1, "here": 1, "Three": 2, "c": 2}
        assert parts.tolist() == [clip_of[word] for word in words]


def test_joins_are_read(tmp_path):
    entry = {"clips": ["a.mp4", "b.mp4"], "sentences": ["One.", "Two."]}
    (tmp_path / "joins.json").write_text(json.dumps([entry]))
    (join,) = read_joins(tmp_path)
    assert join == Join((tmp_path / "a.mp4", tmp_path / "b.mp4"), ("One.", "Two."))
    (tmp_path / "joins.json").write_text(json.dumps([{"clips": ["a.mp4"]}]))
    with pytest.raises(DataError, match="sentences"):
        read_joins(tmp_path)


def test_the_strongest_links_are_told_in_words():
    caption = "A dog"
    entity = level("entity", [(0, 1), (2,)], [(0,), (1,)], [[0.1, 0.3], [-0.2, 0.2]], caption)
    assert strongest(explained(caption, entity), 2) == [
        "  entity",
        "    +0.3000  frames 1 2  dog",
        "    +0.2000  frames 3  dog",
    ]
