"""The table of captions: what is measured, its intervals, and how many times the model has it."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from benchmarks.captioning import cells, pooled
from hbi_core.model import Tokens
from hbi_core.tasks.captioning_metrics import measure

PEOPLE = [[f"a {colour} dog runs on the {place}"] for colour in "abcdef" for place in "uvwxyz"]
GOOD = [own[0] for own in PEOPLE]
POOR = [own[0] if n % 3 else "a cat sleeps on a sofa" for n, own in enumerate(PEOPLE)]


def numbers(cell):
    return [float(number) for number in re.findall(r"-?\d+\.\d+", cell)]


def test_a_row_has_intervals_around_what_is_measured():
    good, poor = (measure(captions, PEOPLE, java=False) for captions in (GOOD, POOR))
    row = cells(poor, good)
    metrics = poor.metrics()
    for cell, name in zip((row[0], row[2], row[3]), ("BLEU-4", "ROUGE-L", "CIDEr"), strict=True):
        value, low, high = numbers(cell)
        assert value == pytest.approx(metrics[name], abs=0.06)
        assert low < value < high
    assert row[1] == "no Java"
    times, low, high = numbers(row[4])
    assert times == pytest.approx(good.metrics()["CIDEr"] / metrics["CIDEr"], abs=0.006)
    assert 1 < low < times < high
    assert cells(good, good)[4] == ""
    spread = np.std(
        [poor.cider[np.random.default_rng(n).integers(0, 36, 36)].mean() for n in range(500)]
    )
    value, low, high = numbers(row[3])
    assert high - low == pytest.approx(100 * 2 * 1.96 * spread, rel=0.15)


def test_clips_are_alike_where_their_tokens_are():
    features = torch.tensor([[[3.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [9.0, 9.0]]])
    mask = torch.tensor([[True, True], [True, False]])
    found = pooled(Tokens.original(features, mask))
    assert torch.allclose(found, torch.tensor([[0.5**0.5, 0.5**0.5], [1.0, 0.0]]))
