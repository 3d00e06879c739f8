"""Tensors by the names of the research code compute what they compute there."""

from __future__ import annotations

import pytest
import torch

from hbi_core.checkpoints.published_names import published_model
from hbi_core.model import Tokens
from support import published
from support.published_files import (
    D,
    double,
    heads_shapes,
    random_state,
)

LENGTHS = (24, 3, 4, 5, 11)  # tokens of the texts, start and end included


FRAMES = (12, 3, 7, 1, 5)


def masks(lengths, most):
    return torch.arange(most) < torch.tensor(lengths)[:, None]


def ours(hierarchy, frames, video_mask, text, text_mask):
    with torch.inference_mode():
        levels = hierarchy(Tokens.original(frames, video_mask), Tokens.original(text, text_mask))
        return [level.game(all_pairs=True).grand_value() for level in levels]


def difference(one, other):
    return max((a - b).abs().max().item() for a, b in zip(one, other, strict=True))


def random_batch(seed, most=(12, 24)):
    """Features of a batch, in the padding too, and their masks."""
    generator = torch.Generator().manual_seed(100 + seed)
    frames = torch.randn(len(FRAMES), most[0], D, generator=generator)
    text = torch.randn(len(LENGTHS), most[1], D, generator=generator)
    return frames, masks(FRAMES, most[0]), text, masks(LENGTHS, most[1])


@pytest.mark.parametrize(("seed", "most"), [*((n, (12, 24)) for n in range(4)), (4, (32, 40))])
def test_three_levels(seed, most):
    """Padding in texts, very short ones among them, and in frames; every video with every text.

    The last have several clusters of nothing but padding, which are the same vector.
    """
    state = random_state(heads_shapes(), seed)
    batch = random_batch(seed, most)
    _, hierarchy, _, _ = published_model(state)
    frames, video_mask, text, text_mask = batch
    expected = published.similarities(
        double(state), frames.double(), video_mask, text.double(), text_mask
    )
    result = ours(hierarchy.eval(), *batch)
    for level, values in zip(result, expected, strict=True):
        assert level.shape == (len(FRAMES), len(LENGTHS))
        assert values.std() > 0.01
    assert difference(result, expected) < 1e-6


def test_every_part_matters():
    """A change of any tensor changes the similarities: the equality above tests them all."""
    _, hierarchy, _, _ = published_model(random_state(heads_shapes()))
    frames, video_mask, text, text_mask = (x[:2] for x in random_batch(0))
    levels = hierarchy(Tokens.original(frames, video_mask), Tokens.original(text, text_mask))
    scores = torch.stack([level.game(all_pairs=True).grand_value() for level in levels])
    scores.square().sum().backward()
    for name, parameter in hierarchy.named_parameters():
        idle = (".head.", "logits.2.bias", "score.bias")  # training only; shifts inside a softmax
        if not any(part in name for part in idle):
            assert parameter.grad.abs().max() > 1e-6, name


@pytest.mark.parametrize("part", ["banzhafmodel", "banzhafmodel0", "banzhafmodel1", "estimator"])
def test_prediction_heads(part):
    state = random_state(heads_shapes())
    _, hierarchy, estimator, _ = published_model(state)
    if part == "estimator":
        head, part = estimator.network, "banzhafteacher"
    else:
        head = hierarchy.levels[("", "0", "1").index(part.removeprefix("banzhafmodel"))].head
    cells = torch.randn(2, 5, 7, generator=torch.Generator().manual_seed(0))  # [B, V, T]
    everybody = torch.ones(2, 5, dtype=torch.bool), torch.ones(2, 7, dtype=torch.bool)
    with torch.inference_mode():
        result = head(cells, *everybody)
    expected = [published.prediction_head(double(state), part, c.T.double()).T for c in cells]
    assert difference(result, expected) < 1e-4
