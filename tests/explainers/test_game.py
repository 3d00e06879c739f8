"""The characteristic function."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from explainers import (
    WEIGHTINGS,
    SimilarityGame,
    closed_form,
    enumerate_coalitions,
    sample_coalitions,
)
from support import oracles
from support.oracles import random_game


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_value_of_every_coalition(weighting):
    game = random_game(3, 3, weighting, spread=20.0)
    coalitions = list(oracles.subsets([(s, k) for s in "vt" for k in range(3)]))
    members = {
        side: torch.tensor([[(side, k) in c for k in range(3)] for c in coalitions])
        for side in "vt"
    }
    expected = torch.tensor(
        [
            oracles.characteristic(
                game.similarity.tolist(),
                game.video_logits.tolist(),
                game.text_logits.tolist(),
                weighting,
                coalition,
            )
            for coalition in coalitions
        ],
        dtype=torch.float64,
    )
    assert (game.value(members["v"], members["t"]) - expected).abs().max() < 1e-14
    assert game.grand_value() == pytest.approx(float(expected[-1]), abs=1e-14)


def test_coalitions_of_a_batch_of_games():
    batch = random_game(3, 4, batch=(2,))
    generator = torch.Generator().manual_seed(1)
    video = torch.rand(5, 1, 3, generator=generator) < 0.5
    text = torch.rand(5, 1, 4, generator=generator) < 0.5
    values = batch.value(video, text)
    assert values.shape == (5, 2)
    for row in range(2):
        single = SimilarityGame(
            batch.similarity[row], batch.video_logits[row], batch.text_logits[row]
        )
        assert torch.equal(values[:, row], single.value(video[:, 0], text[:, 0]))


def test_all_pairs_broadcast():
    """One logit per video and per text is enough for the games of every video with every text."""
    game = random_game(3, 4, batch=(2, 5))
    pairs = SimilarityGame(
        game.similarity, game.video_logits[:, :1], game.text_logits[:1], weighting="fixed"
    )
    assert pairs.grand_value().shape == (2, 5)


def test_value_has_gradients_at_empty_coalitions():
    game = random_game(2, 2)
    similarity = game.similarity.clone().requires_grad_()
    logits = game.video_logits.clone().requires_grad_()
    empty = torch.zeros(2, dtype=torch.bool)
    value = SimilarityGame(similarity, logits, game.text_logits).value(empty, ~empty)
    value.backward()
    assert value == 0
    assert torch.equal(similarity.grad, torch.zeros(2, 2, dtype=torch.float64))
    assert torch.equal(logits.grad, torch.zeros(2, dtype=torch.float64))


METHODS = {
    "closed form": closed_form,
    "enumeration": enumerate_coalitions,
    "sampling": lambda g: sample_coalitions(g, 64, torch.Generator().manual_seed(0)),
}
every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


@every_method
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(method, dtype):
    game = random_game(2, 3)
    halves = [x.to(dtype) for x in (game.similarity, game.video_logits, game.text_logits)]
    half, single = (SimilarityGame(*tensors) for tensors in (halves, [x.float() for x in halves]))
    assert half.grand_value().dtype == torch.float32
    assert torch.equal(method(half).values, method(single).values)


@every_method
def test_the_layout_in_memory_changes_nothing(method):
    """Turned, every second one, one for all."""
    game = random_game(4, 6)
    similarity = torch.zeros(12, 8, dtype=torch.float64)[::2, ::2].copy_(game.similarity.mT).mT
    logits = torch.zeros(1, dtype=torch.float64).expand(4)
    strange = SimilarityGame(similarity, logits, game.text_logits)
    plain = SimilarityGame(game.similarity, torch.zeros(4), game.text_logits)
    assert torch.equal(method(strange).values, method(plain).values)


@pytest.mark.parametrize("method", [enumerate_coalitions, sample_coalitions])
def test_no_gradient_comes_out_of_what_is_not_differentiable(method):
    game = random_game(2, 3)
    learned = SimilarityGame(
        game.similarity.requires_grad_(), game.video_logits.requires_grad_(), game.text_logits
    )
    results = [method(learned), method(learned.coalition_values, players=5)]
    assert not any(result.values.requires_grad for result in results)
    assert closed_form(learned).values.requires_grad


def test_the_game_keeps_what_it_was_given():
    """Whoever gave it may go on to use the tensors."""
    similarity, video, text = torch.rand(2, 3), torch.rand(2), torch.rand(3)
    video_mask, text_mask = torch.tensor([True, True]), torch.tensor([True, False, True])
    game = SimilarityGame(similarity, video, text, video_mask, text_mask)
    expected = closed_form(game).values
    similarity.zero_(), video.fill_(9.0), text.fill_(torch.nan)
    video_mask.zero_(), text_mask.fill_(True)
    assert torch.equal(closed_form(game).values, expected)
    assert game.players == 4


def test_arrays_are_taken_as_tensors():
    """Whatever their layout: reversed, of another byte order, in half precision."""
    game = random_game(2, 3)
    similarity = game.similarity.numpy()
    mask = np.array([True, False, True])
    arrays = (
        np.flip(similarity[:, ::-1], 1),
        game.video_logits.numpy().astype(">f8"),
        game.text_logits.numpy(),
        None,
        mask,
    )
    taken = SimilarityGame(*arrays)
    given = SimilarityGame(
        game.similarity, game.video_logits, game.text_logits, text_mask=torch.from_numpy(mask)
    )
    assert torch.equal(closed_form(taken).values, closed_form(given).values)
    members = np.array([[True, False, True, True, False]])
    assert taken.value(members[:, :2], members[:, 2:]) == given.coalition_values(
        torch.from_numpy(members)
    )
    assert taken.coalition_values(members) == given.coalition_values(torch.from_numpy(members))
    half = SimilarityGame(similarity.astype(np.float16), np.zeros(2), np.zeros(3))
    assert half.similarity.dtype == torch.float32


@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["similarity", "video_logits", "text_logits"])
def test_real_tokens_are_finite_and_padding_may_be_anything(name, wrong, weighting):
    tensors = {
        "similarity": torch.rand(2, 2, 3),
        "video_logits": torch.zeros(2, 2),
        "text_logits": torch.zeros(2, 3),
    }
    tensors[name][1, 1] = wrong
    with pytest.raises(ValueError, match=f"{name} is not finite in .* cells") as refused:
        SimilarityGame(**tensors, weighting=weighting)
    assert "mask padding tokens" in str(refused.value)
    assert "has diverged" in str(refused.value)
    assert str(wrong) in str(refused.value)
    side = "text" if name == "text_logits" else "video"
    mask = torch.ones(2, 3 if side == "text" else 2, dtype=torch.bool)
    mask[1, 1] = False
    game = SimilarityGame(**tensors, **{f"{side}_mask": mask}, weighting=weighting)
    assert game.grand_value().isfinite().all()


def test_large_numbers_are_finite():
    """Their sum is not."""
    game = SimilarityGame(torch.full((2, 2), 3e38), torch.zeros(2), torch.zeros(2))
    assert game.similarity.isfinite().all()


ONES = torch.ones(2, 3), torch.zeros(2), torch.zeros(3)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((torch.ones(3), torch.zeros(3), torch.zeros(3)), ValueError, r"\[\.\.\., V, T\]"),
        (
            (torch.ones(2, 3), torch.zeros(3), torch.zeros(3)),
            ValueError,
            r"video_logits must be \[\.\.\., V\], got \[3\], but similarity \[2, 3\] has 2 video",
        ),
        ((torch.ones(2, 3), torch.zeros(2), torch.zeros(2)), ValueError, "3 text tokens"),
        ((*ONES, None, torch.ones(2).bool()), ValueError, r"text_mask must be \[\.\.\., T\]"),
        ((torch.ones(2, 3), torch.tensor(0.0), torch.zeros(3)), ValueError, "2 video tokens"),
        ((torch.ones(2, 3).long(), torch.zeros(2), torch.zeros(3)), TypeError, "floating point"),
        ((torch.ones(2, 3).bool(), torch.zeros(2), torch.zeros(3)), TypeError, "floating point"),
        ((torch.ones(2, 3) + 0j, torch.zeros(2), torch.zeros(3)), TypeError, "complex64"),
        ((np.ones((2, 3), int), torch.zeros(2), torch.zeros(3)), TypeError, "floating point"),
        (([[1.0]], torch.zeros(1), torch.zeros(1)), TypeError, "a tensor or an array, got list"),
        ((torch.ones(2, 3), None, torch.zeros(3)), TypeError, "video_logits must be a tensor"),
        ((np.ones((2, 3), "O"), torch.zeros(2), torch.zeros(3)), TypeError, "a tensor or an array"),
        ((torch.ones(2, 3), torch.zeros(2), torch.zeros(3), torch.ones(2)), TypeError, "bool"),
        ((torch.ones(0, 3), torch.zeros(0), torch.zeros(3)), ValueError, "no tokens"),
        (
            (torch.ones(4, 2, 3), torch.zeros(5, 2), torch.zeros(3)),
            ValueError,
            r"do not broadcast: similarity \[\.\.\., V, T\] is \[4, 2, 3\], video_logits \[5, 2\]",
        ),
        ((*ONES[:2], torch.zeros(3, device="meta")), ValueError, "text_logits is on meta, simil"),
    ],
)
def test_wrong_input_is_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        SimilarityGame(*arguments)


@pytest.mark.parametrize(
    ("video", "text", "error", "message"),
    [
        ([True], [True] * 3, ValueError, r"video_members must be \[\.\.\., V\], got \[1\]"),
        ([True] * 2, [True], ValueError, r"got \[1\] for the text tokens, but the game has 3"),
        ([1, 1], [True] * 3, TypeError, r"members must be bool .* got torch\.int64"),
        ([True] * 2, [1.0] * 3, TypeError, r"got torch\.float32"),
    ],
)
def test_members_are_one_for_each_token(video, text, error, message):
    """A single one would broadcast to all."""
    with pytest.raises(error, match=message):
        random_game(2, 3).value(torch.tensor(video), torch.tensor(text))


def test_members_of_all_players():
    with pytest.raises(
        ValueError, match=r"members must be \[\.\.\., V \+ T\] = \[\.\.\., 5\], got"
    ):
        random_game(2, 3).coalition_values(torch.ones(4, 6, dtype=torch.bool))


def test_unknown_weighting_is_refused():
    with pytest.raises(ValueError, match="renormalised"):
        SimilarityGame(torch.ones(2, 3), torch.zeros(2), torch.zeros(3), weighting="softmax")
