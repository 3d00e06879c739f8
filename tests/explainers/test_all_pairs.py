"""Eq. 1 of all pairs at once is what the games of the pairs say, and so is its gradient."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from explainers import WEIGHTINGS, SimilarityGame
from explainers.all_pairs import grand_values

COUNTS = [3, 1, 4, 2, 0], [5, 2, 0, 3]  # real tokens of five videos and of four texts


def sides(width=6, seed=0):
    """Features, logits and masks of both sides."""
    drawn = torch.Generator().manual_seed(seed)
    found = []
    for counts in COUNTS:
        shape = len(counts), max(counts)
        features = torch.randn(*shape, width, generator=drawn, dtype=torch.float64)
        logits = 2 * torch.randn(shape, generator=drawn, dtype=torch.float64)
        mask = torch.arange(shape[1]) < torch.tensor(counts).unsqueeze(-1)
        found.append((features.requires_grad_(), logits.requires_grad_(), mask))
    return found


def at_once(video, text):
    video_features, text_features = (
        functional.normalize(side[0], dim=-1) for side in (video, text)
    )
    return grand_values(video_features, text_features, video[1], text[1], video[2], text[2])


def game_by_game(video, text, weighting="renormalised"):
    rows = []
    for v in range(len(COUNTS[0])):
        own = functional.normalize(video[0][v], dim=-1)
        rows.append(
            torch.stack(
                [
                    SimilarityGame(
                        own @ functional.normalize(text[0][t], dim=-1).T,
                        video[1][v],
                        text[1][t],
                        video[2][v],
                        text[2][t],
                        weighting,
                    ).grand_value()
                    for t in range(len(COUNTS[1]))
                ]
            )
        )
    return torch.stack(rows)


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_values_and_gradients_are_those_of_the_games(weighting):
    video, text = sides()
    leaves = [*video[:2], *text[:2]]
    drawn = torch.randn(5, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    results = []
    for values in (at_once(video, text), game_by_game(video, text, weighting)):
        results.append([values, *torch.autograd.grad((values * drawn).sum(), leaves)])
    for found, expected in zip(*results, strict=True):
        assert torch.allclose(found, expected, atol=1e-14)
    assert not results[0][0][4].any()  # a side without a token
    assert not results[0][0][:, 2].any()


def test_what_stands_in_padding_has_no_influence():
    video, text = sides()
    expected = at_once(video, text)
    for features, logits, mask in (video, text):
        features.data[~mask], logits.data[~mask] = torch.nan, torch.inf
    assert torch.equal(at_once(video, text), expected)


def test_gradients_agree_with_differences():
    (videos, video_logits, video_mask), (texts, text_logits, text_mask) = sides(3, seed=2)
    assert torch.autograd.gradcheck(
        lambda a, b, c, d: grand_values(a, b, c, d, video_mask, text_mask),
        (videos, texts, video_logits, text_logits),
    )


def test_of_equal_tokens_one_gets_the_gradient():
    """In a game each gets a part of it; together it is the same."""
    similarity = torch.tensor([[[1.0], [1.0], [0.5]]])
    videos, texts = similarity.requires_grad_(), torch.ones(1, 1, 1)
    masks = torch.ones(1, 3, dtype=torch.bool), torch.ones(1, 1, dtype=torch.bool)
    values = grand_values(videos, texts, torch.zeros(1, 3), torch.zeros(1, 1), *masks)
    (gradient,) = torch.autograd.grad(values.sum(), videos)
    whole = 0.5 * (1 / 3 + 1)
    assert sorted(gradient.flatten().tolist()) == pytest.approx([1 / 6, 1 / 6, whole])
    assert gradient[0, 2, 0] == pytest.approx(1 / 6)
