"""What learns, and how fast."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hbi_core.losses import LossConfig
from hbi_core.tasks.retrieval import RetrievalTask
from hbi_core.training.config import OptimiserConfig
from hbi_core.training.optimiser import learning_rates, parameter_groups
from support.small_runs import toy_heads
from support.toy import ToyEncoder


def test_learning_rates():
    config = OptimiserConfig(learning_rate=2.0, encoder_learning_rate=0.5, warmup=0.2)
    rates = [learning_rates(config, step, 100) for step in range(100)]
    assert rates[0] == pytest.approx((0.1, 0.025))  # no step is without effect
    assert rates[9] == pytest.approx((1.0, 0.25))
    assert rates[19] == rates[20] == pytest.approx((2.0, 0.5))
    assert rates[60] == pytest.approx((1.0, 0.25))  # half of the cosine
    assert 0 < rates[99][0] < 0.01
    model = [rate for rate, _ in rates]
    assert model[:20] == sorted(model[:20])
    assert model[20:] == sorted(model[20:], reverse=True)
    assert learning_rates(replace(config, warmup=0.0), 0, 100) == (2.0, 0.5)
    assert learning_rates(replace(config, warmup=0.01), 0, 3) == (2.0, 0.5)


def test_with_an_encoder_that_learns_the_temperature_has_its_rate():
    encoder = ToyEncoder(learns=True)
    task = RetrievalTask(toy_heads(), LossConfig(learned_temperature=True), encoder)
    model, encoder, temperature = parameter_groups(task, OptimiserConfig())
    assert [group["rate"] for group in (model, encoder, temperature)] == [0, 1, 1]
    assert len(encoder["params"]) == 2
    everything = [*model["params"], *encoder["params"], *temperature["params"]]
    assert {id(p) for p in everything} == {id(p) for p in task.parameters()}
    assert len(everything) == len(set(map(id, everything)))
