"""Features of texts -> tokens: groups, context and steps stay with their players."""

from __future__ import annotations

import pytest
import torch

from hbi_core.encoders import TextFeatures
from hbi_core.encoders.tokens import TextPlayers, player_tokens, word_tokens


def text(words, seed, steps):
    """Players that stand for these words."""
    drawn = torch.Generator().manual_seed(seed)
    labels = tuple(map(str, range(1 + max(map(max, words)))))
    features, context = torch.randn(2, len(words), 4, generator=drawn)
    return TextFeatures(
        features, labels, (), words=words, context=context, steps=torch.tensor(steps)
    )


@pytest.fixture
def texts():
    return [
        text(((0, 1), (2,), (3, 4, 5)), 0, [1.0, 0.5, 2.0]),
        text(((0,), (1, 2)), 1, [1.0, 0.5]),
    ]


def test_tokens_stand_for_their_words(texts):
    tokens = word_tokens(texts, 7, 4)
    assert tokens.features.shape == tokens.context.shape == (2, 4, 4)
    assert tokens.groups.shape == (2, 4, 7)
    assert tokens.mask.tolist() == [[True, True, True, False], [True, True, False, False]]
    for row, own in enumerate(texts):
        for player, words in enumerate(own.words):
            assert tokens.groups[row, player].nonzero().flatten().tolist() == list(words)
        count = len(own.words)
        assert not tokens.groups[row, count:].any()
        assert torch.equal(tokens.features[row, :count], own.features)
        assert torch.equal(tokens.context[row, :count], own.context)
        assert torch.equal(tokens.steps[row, :count], own.steps)


def test_words_beyond_the_limit_take_their_player_with_them(texts):
    tokens = word_tokens(texts, 5)
    assert tokens.mask.sum(-1).tolist() == [2, 2]
    assert tokens.groups.shape == (2, 5, 5)
    assert tokens.groups.sum((-1, -2)).tolist() == [3, 3]


def test_words_as_players_in_a_batch_with_phrases(texts):
    """Those of a caption that is not English."""
    plain = TextFeatures(
        torch.eye(2, 4), ("ein", "Hund"), (), context=torch.eye(2, 4), steps=torch.ones(2)
    )
    tokens = word_tokens([texts[0], plain], 6)
    assert tokens.groups[1].nonzero().tolist() == [[0, 0], [1, 1]]
    assert tokens.groups[0].sum(-1).tolist() == [2, 1, 3, 0, 0, 0]


def test_texts_of_words_are_as_they_were():
    tokens = word_tokens([TextFeatures(torch.eye(2, 4), ("a", "cat"), ())], 3)
    assert tokens.context is None
    assert tokens.steps is None
    assert torch.equal(tokens.groups[0], torch.diag(torch.tensor([True, True, False])))


def test_joined_texts(texts):
    """What stands in the second text comes after the first; there a clause begins."""
    players = [TextPlayers.of(own) for own in texts]
    joined = TextPlayers.joined(players)
    tokens = player_tokens([joined], 9)
    expected = [[0, 1], [2], [3, 4, 5], [6], [7, 8]]
    assert [group.nonzero().flatten().tolist() for group in tokens.groups[0, :5]] == expected
    assert torch.equal(tokens.features[0, 3:5], texts[1].features)
    assert torch.equal(tokens.context[0, 3:5], texts[1].context)
    assert tokens.steps[0, :5].tolist() == [1.0, 0.5, 2.0, 2.0, 0.5]
    assert texts[1].steps.tolist() == [1.0, 0.5]  # they are not changed
