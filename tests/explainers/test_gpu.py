"""The engine on a GPU gives what it gives on the CPU."""

from __future__ import annotations

import pytest
import torch

from explainers import (
    INDICES,
    WEIGHTINGS,
    BilinearGame,
    Estimator,
    SimilarityGame,
    closed_form,
    compare,
    enumerate_coalitions,
    estimate,
    sample_coalitions,
)
from explainers.prediction_head import CellNetwork
from support.oracles import random_game

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")


def assert_equal(on_gpu, on_cpu, tolerance):
    for name in ("values", "standard_error", "player_values", "player_standard_error"):
        one, other = getattr(on_gpu, name), getattr(on_cpu, name)
        assert (one is None) == (other is None)
        if one is not None:
            assert one.device.type == "cuda"
            assert (one.cpu() - other).abs().max() < tolerance
    assert on_gpu.device.startswith("cuda")


@pytest.mark.parametrize("index", INDICES)
@pytest.mark.parametrize("pairs", ["cross", "all"])
@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize("kind", [SimilarityGame, BilinearGame])
def test_exact_values(kind, weighting, pairs, index):
    text_mask = torch.tensor([[True] * 6, [True, False, True, True, False, True]])
    game = random_game(5, 6, weighting, batch=(2,), text_mask=text_mask, kind=kind)
    for method in (closed_form, enumerate_coalitions):
        results = (method(g, pairs=pairs, index=index) for g in (game.to("cuda"), game))
        assert_equal(*results, 1e-12)


def test_large_enumeration():
    game = random_game(12, 16).to("cuda")
    exact = closed_form(game.to("cpu"), pairs="all")
    assert_equal(enumerate_coalitions(game, pairs="all"), exact, 1e-10)


def test_sampling_draws_the_same_coalitions():
    game = random_game(4, 5, batch=(2,))
    results = (
        sample_coalitions(g, 512, torch.Generator().manual_seed(3), pairs="all")
        for g in (game.to("cuda"), game)
    )
    assert_equal(*results, 1e-6)
    own = torch.Generator("cuda").manual_seed(3)
    assert sample_coalitions(game.to("cuda"), 512, own).values.is_cuda


def test_functions():
    def values(members):
        assert members.is_cuda
        return members.double().cumprod(-1).sum(-1)

    exact = enumerate_coalitions(values, players=6, device="cuda")
    estimated = sample_coalitions(values, 20_000, players=6, device="cuda")
    off = (estimated.values - exact.values).abs()
    assert (off <= 5 * estimated.standard_error + 1e-12).all()


def test_estimator_and_comparison():
    torch.manual_seed(0)
    estimator, game = Estimator(8, unit=0.1).eval(), random_game(4, 5)
    expected = estimate(game, estimator).values
    estimator = estimator.cuda()
    result = compare(
        game.to("cuda"), ("estimator", "enumeration", "sampling"), (512,), estimator=estimator
    )
    assert (result.estimates[0].values.cpu() - expected).abs().max() < 1e-4
    assert result.rows[1].agreement.max_error < 1e-12
    assert {row.device for row in result.rows} == {"cuda:0"}


def test_attention_of_the_prediction_head():
    """Its fused kernels, with a matrix that is all padding, in an odd size."""
    torch.manual_seed(0)
    network = CellNetwork("cnn+sa", 16)
    masks = torch.arange(7) < torch.tensor([[7], [4], [0]]), torch.arange(9) < torch.tensor([[9]])
    results = []
    for device in ("cpu", "cuda"):
        network.to(device).zero_grad()
        similarity = random_game(7, 9, batch=(3,)).similarity.float().to(device).requires_grad_()
        values = network(similarity, masks[0].to(device), masks[1].expand(3, -1).to(device))
        values.square().sum().backward()
        gradients = [similarity.grad, *(p.grad for p in network.parameters())]
        results.append([x.detach().cpu().clone() for x in (values, *gradients)])
    for one, other in zip(*results, strict=True):
        assert other.isfinite().all()
        assert (one - other).abs().max() < 1e-3 * one.abs().max().clamp(min=1)  # TF32 allowed
