"""The multilinear extension and the interaction of a coalition, against sums over coalitions."""

from __future__ import annotations

import itertools

import pytest
import torch

from explainers import (
    WEIGHTINGS,
    SimilarityGame,
    closed_form,
    coalition_interaction,
    multilinear_extension,
)
from support import oracles
from support.games import extreme_logits, padded
from support.oracles import random_game

every_weighting = pytest.mark.parametrize("weighting", WEIGHTINGS)


@every_weighting
def test_arrays_are_points_and_members(weighting):
    game = random_game(2, 3, weighting)
    point = torch.rand(5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = multilinear_extension(game, point[:2], point[2:])
    assert multilinear_extension(game, point[:2].numpy(), point[2:].numpy()) == expected
    members = point > 0.3
    expected = coalition_interaction(game, members[:2], members[2:])
    assert coalition_interaction(game, members[:2].numpy(), members[2:].numpy()) == expected


@every_weighting
def test_extension_at_the_corners_is_the_game(weighting):
    corners = torch.tensor(list(itertools.product([False, True], repeat=7)))
    video, text = corners.split([3, 4], -1)
    games = [random_game(3, 4, weighting, spread=spread) for spread in (0.0, 2.0, 20.0)]
    games += [
        SimilarityGame(games[0].similarity, *logits, weighting=weighting)
        for logits in extreme_logits()
    ]
    for game in games:
        expected = game.value(video, text)
        result = multilinear_extension(game, video.double(), text.double())
        assert (result - expected).abs().max() < 1e-12


@every_weighting
def test_extension_is_the_expected_value(weighting):
    games = random_game(2, 3, weighting, batch=(2,), spread=10.0)
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(6, 1, 5, generator=generator, dtype=torch.float64)
    points[0, 0, 1], points[1, 0, 3] = 0.0, 1.0
    result = multilinear_extension(games, points[..., :2], points[..., 2:])
    assert result.shape == (6, 2)
    for row, column in itertools.product(range(6), range(2)):
        game = SimilarityGame(
            games.similarity[column],
            games.video_logits[column],
            games.text_logits[column],
            weighting=weighting,
        )
        expected = oracles.expected_value(game, points[row, 0].tolist())
        assert float(result[row, column]) == pytest.approx(expected, abs=1e-12)


@every_weighting
def test_padding_does_not_reach_the_extension(weighting):
    single = random_game(2, 3, weighting)
    game, _ = padded([single, random_game(4, 5, weighting)])
    video, text = torch.full((4,), 0.3), torch.full((5,), 0.8)
    expected = multilinear_extension(single, video[:2], text[:3])
    video[:2], text[3:] = torch.nan, 7.0
    with pytest.raises(ValueError, match=r"not in \[0, 1\]"):
        multilinear_extension(game, video, text)
    alone = SimilarityGame(
        game.similarity[0],
        game.video_logits[0],
        game.text_logits[0],
        game.video_mask[0],
        game.text_mask[0],
        weighting,
    )
    assert float(multilinear_extension(alone, video, text)) == pytest.approx(float(expected))


@every_weighting
def test_gradients_of_the_extension(weighting):
    game = random_game(2, 3, weighting)
    inputs = [game.similarity, game.video_logits, game.text_logits]
    inputs += [torch.tensor([0.2, 0.9]).double(), torch.tensor([0.5, 0.01, 0.7]).double()]

    def value(similarity, video_logits, text_logits, *probabilities):
        game = SimilarityGame(similarity, video_logits, text_logits, weighting=weighting)
        return multilinear_extension(game, *probabilities)

    assert torch.autograd.gradcheck(value, [x.clone().requires_grad_() for x in inputs])


@every_weighting
@pytest.mark.parametrize("spread", [2.0, 20.0])
def test_coalition_interaction_equals_brute_force(weighting, spread):
    game = random_game(3, 3, weighting, spread=spread)
    coalitions = torch.tensor(list(itertools.product([False, True], repeat=6)))
    result = coalition_interaction(game, coalitions[:, :3], coalitions[:, 3:])
    for members, value in zip(coalitions, result, strict=True):
        coalition = members.nonzero().flatten().tolist()
        expected = oracles.coalition_interaction(game, coalition)
        assert float(value) == pytest.approx(expected, abs=1e-12)
        if len(coalition) < 2:
            assert abs(float(value)) < 1e-15


@every_weighting
def test_coalition_interaction_with_extreme_logits(weighting):
    similarity = random_game(3, 4).similarity
    members = torch.tensor([True, False, True, True, True, True, False])
    for logits in extreme_logits():
        game = SimilarityGame(similarity, *logits, weighting=weighting)
        expected = oracles.coalition_interaction(game, [0, 2, 3, 4, 5])
        result = float(coalition_interaction(game, members[:3], members[3:]))
        assert result == pytest.approx(expected, abs=1e-10)


@every_weighting
def test_a_coalition_of_two_is_a_pair(weighting):
    game = random_game(4, 6, weighting, batch=(2,))
    pairs = closed_form(game, pairs="all").values
    one = torch.eye(10, dtype=torch.bool)
    both = one.unsqueeze(0) | one.unsqueeze(1)  # [N, N, N]
    result = coalition_interaction(game, both[:, :, None, :4], both[:, :, None, 4:])
    assert (result.movedim(-1, 0) - pairs).abs().max() < 1e-13


def test_recursivity():
    """App. B.4: a coalition as one player is worth its members, each without the others, and I(C).

    A player that is absent from the game is padding.
    """
    game = random_game(4, 5)
    members = torch.zeros(9, dtype=torch.bool)
    members[[1, 3, 4, 7]] = True
    present, absent = (torch.where(members, x, 0.5) for x in (1.0, 0.0))
    together = multilinear_extension(game, present[:4], present[4:]) - multilinear_extension(
        game, absent[:4], absent[4:]
    )
    alone = 0.0
    for player in members.nonzero().flatten():
        there = ~members
        there[player] = True
        tensors = (game.similarity, game.video_logits, game.text_logits)
        smaller = SimilarityGame(*tensors, there[:4], there[4:])
        alone += closed_form(smaller, pairs="all").player_values[player]
    interaction = coalition_interaction(game, members[:4], members[4:])
    assert abs(float(interaction)) > 1e-3
    assert float(together) == pytest.approx(float(alone + interaction), abs=1e-12)


@every_weighting
def test_padding_is_no_member(weighting):
    singles = [random_game(2, 3, weighting), random_game(3, 5, weighting)]
    game, _ = padded(singles)
    video = torch.tensor([[True, False, True], [True, True, False]])
    text = torch.tensor([True, True, False, True, True])
    result = coalition_interaction(game, video, text)
    expected = coalition_interaction(singles[0], video[0, 1:], text[:3])
    assert float(result[0]) == pytest.approx(float(expected), abs=1e-13)
    expected = coalition_interaction(singles[1], video[1], text)
    assert float(result[1]) == pytest.approx(float(expected), abs=1e-13)


@every_weighting
@pytest.mark.parametrize("spread", [2.0, 2000.0])
def test_gradients_of_coalition_interaction(weighting, spread):
    game = random_game(3, 4, weighting, spread=spread)
    tensors = (game.similarity, game.video_logits, game.text_logits)
    video, text = torch.tensor([True, False, True]), torch.tensor([True, True, False, False])

    def interaction(*tensors):
        return coalition_interaction(SimilarityGame(*tensors, weighting=weighting), video, text)

    assert torch.autograd.gradcheck(interaction, [x.clone().requires_grad_() for x in tensors])


@pytest.mark.parametrize(
    ("video", "text", "error", "message"),
    [
        (torch.ones(2), torch.ones(4), ValueError, "for the video tokens, but the game has 3"),
        (torch.ones(3), torch.ones(3), ValueError, "for the text tokens, but the game has 4"),
        (torch.tensor(1.0), torch.ones(4), ValueError, "for the video tokens"),
        (torch.ones(3, 3), torch.ones(5, 4), ValueError, "do not broadcast"),
        (torch.ones(3, dtype=torch.int64), torch.ones(4, dtype=torch.int64), TypeError, "int64"),
    ],
)
def test_unfit_arguments_are_refused(video, text, error, message):
    game = random_game(3, 4, batch=(2,))
    with pytest.raises(error, match=message):
        multilinear_extension(game, video, text)
    members = (video, text) if error is TypeError else (video.bool(), text.bool())
    with pytest.raises(error, match=message):
        coalition_interaction(game, *members)


@pytest.mark.parametrize("wrong", [-0.1, 1.1, torch.nan])
def test_probabilities_are_checked(wrong):
    video = torch.tensor([0.5, wrong])
    with pytest.raises(ValueError, match=r"not in \[0, 1\]"):
        multilinear_extension(random_game(2, 3), video, torch.rand(3))
