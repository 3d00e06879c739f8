"""The registry of methods: each entry does what it says of itself."""

from __future__ import annotations

import pytest
import torch

from explainers import Estimator, closed_form
from explainers.methods import METHODS, REFERENCE, Run
from support.oracles import random_game


def run(method, budget=0, seed=0):
    torch.manual_seed(0)
    given = Run(
        budget=budget,
        seed=seed,
        estimator=Estimator() if method.learned else None,
        limit_seconds=60.0,
        progress=lambda done, total: None,
    )
    return method.run(random_game(3, 4), given)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_is_what_it_says(name):
    """Exact ones equal the reference, and budgets and seeds matter to those that have them."""
    method = METHODS[name]
    result = run(method, budget=64, seed=0)
    error = (result.values - closed_form(random_game(3, 4)).values).abs().max()
    assert (error < 1e-10) == method.exact
    other_seed = run(method, budget=64, seed=1)
    assert torch.equal(result.values, other_seed.values) != method.budgeted
    larger = run(method, budget=128, seed=0)
    evaluated = [one.coalitions_evaluated for one in (result, larger)]
    assert (evaluated == [64, 128]) == method.budgeted


def test_the_reference_is_exact():
    assert METHODS[REFERENCE].exact


def test_methods_can_be_told_apart_in_grey():
    methods = METHODS.values()
    assert len({method.label for method in methods}) == len(METHODS)
    assert len({method.marker for method in methods}) == len(METHODS)
