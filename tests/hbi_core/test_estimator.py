"""The tiny network: its cells against loops, padding, its file."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file
from torch.utils._python_dispatch import TorchDispatchMode

from explainers import Estimator, estimate
from explainers.prediction_head import STRUCTURES, CellAttention, CellNetwork
from hbi_core.estimator import load_estimator, save_estimator
from support.oracles import random_game


def network(structure):
    torch.manual_seed(0)
    return CellNetwork(structure, 3).double().requires_grad_(False)


def masks(videos=4, texts=5):
    """Of two matrices: one without padding, one with some on both sides."""
    return (
        torch.arange(videos) < torch.tensor([[videos], [2]]),
        torch.arange(texts) < torch.tensor([[texts], [3]]),
    )


def convolved(layer, cells, places):
    """A convolution by loops: {place: [inputs]} -> {place: [outputs]}, zero outside."""
    reach = layer.weight.shape[-1] // 2
    result = {}
    for v, t in places:
        total = layer.bias.clone()
        for dv in range(-reach, reach + 1):
            for dt in range(-reach, reach + 1):
                if (v + dv, t + dt) in cells:
                    weight = layer.weight[:, :, dv + reach, dt + reach]
                    total = total + weight @ cells[v + dv, t + dt]
        result[v, t] = total
    return result


def by_loops(module, similarity, videos, texts):
    """`CellNetwork` of one matrix, of whose cells the first `videos` x `texts` are real."""
    places = [(v, t) for v in range(videos) for t in range(texts)]
    cells = convolved(module.encode, {p: similarity[p].view(1) for p in places}, places)
    cells = {place: cell.clamp(min=0) for place, cell in cells.items()}
    if module.attention is not None:
        attended = {}
        for place, cell in cells.items():
            query = cell @ module.attention.query
            logits = torch.stack([query @ (c @ module.attention.key) for c in cells.values()])
            values = torch.stack([c @ module.attention.value for c in cells.values()])
            attended[place] = cell + logits.softmax(0) @ values
        cells = attended
    result = torch.zeros_like(similarity)
    for place, value in convolved(module.decode, cells, places).items():
        result[place] = value
    return result


@pytest.mark.parametrize("structure", STRUCTURES)
def test_cell_network_equals_the_loops(structure):
    module, game = network(structure), random_game(4, 5, batch=(2,))
    video_mask, text_mask = masks()
    result = module(game.similarity, video_mask, text_mask)
    for row, (videos, texts) in enumerate([(4, 5), (2, 3)]):
        expected = by_loops(module, game.similarity[row], videos, texts)
        assert (result[row] - expected).abs().max() < 1e-12
        assert expected.abs().max() > 1e-3


@pytest.mark.parametrize("structure", STRUCTURES)
def test_padding_has_no_influence(structure):
    """Whatever stands in the padding cells, and however many there are."""
    module, similarity = network(structure), random_game(4, 5, batch=(2,)).similarity
    video_mask, text_mask = masks()
    padded = module(similarity, video_mask, text_mask)
    real = video_mask.unsqueeze(-1) & text_mask.unsqueeze(-2)
    other = module(torch.where(real, similarity, 7.0), video_mask, text_mask)
    assert torch.equal(padded, other)
    assert not padded[~real].any()
    alone = module(similarity[1:, :2, :3], video_mask[1:, :2], text_mask[1:, :3])
    assert (padded[1, :2, :3] - alone[0]).abs().max() < 1e-12


def plain_attention(self, cells, real):
    """The whole [V·T, V·T] matrix, by its definition."""
    flat = cells.flatten(2).mT
    logits = (flat @ self.query) @ (flat @ self.key).mT
    share = logits.masked_fill(~real.flatten(2), -1e30).softmax(-1)
    return (share @ (flat @ self.value)).mT.view_as(cells)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_fused_attention_and_its_gradients(monkeypatch, dtype):
    """Beside the plain one; a matrix that is all padding is 0 and reaches no gradient."""
    torch.manual_seed(0)
    module = CellNetwork("cnn+sa", 16).to(dtype)
    video_mask, text_mask = torch.arange(7) < torch.tensor([[7], [4], [0]]), torch.arange(9) < 6
    results = []
    for forward in (CellAttention.forward, plain_attention):
        monkeypatch.setattr(CellAttention, "forward", forward)
        similarity = random_game(7, 9, batch=(3,)).similarity.to(dtype).requires_grad_()
        module.zero_grad()
        values = module(similarity, video_mask, text_mask.expand(3, -1))
        values.square().sum().backward()
        results.append([values, similarity.grad, *(p.grad for p in module.parameters())])
    for one, other in zip(*results, strict=True):
        assert one.isfinite().all()
        assert (one - other).detach().abs().max() < 1e-6 * other.detach().abs().max().clamp(min=1)
    assert not results[0][0][2].any()
    assert not results[0][1][2].any()
    assert results[0][0][:2].abs().max() > 1e-3


def test_attention_does_not_hold_every_pair_of_cells():
    """No tensor of a step is as large as (V·T)²: 576² numbers."""
    largest = 0

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            nonlocal largest
            result = function(*args, **(kwargs or {}))
            for tensor in result if isinstance(result, tuple | list) else (result,):
                if isinstance(tensor, torch.Tensor):
                    largest = max(largest, tensor.untyped_storage().nbytes() // 4)
            return result

    masks = torch.ones(1, 24, dtype=torch.bool), torch.ones(1, 24, dtype=torch.bool)
    with Watch():
        CellNetwork("cnn+sa", 8)(torch.randn(1, 24, 24), *masks).sum().backward()
    assert 24**2 * 8 <= largest < 576**2 / 4


def test_unknown_structure_is_refused():
    with pytest.raises(ValueError, match="cnn\\+sa"):
        CellNetwork("rnn")


def test_estimate():
    """Any batch dimensions, in the dtype of the game and the unit of the network."""
    torch.manual_seed(0)
    estimator = Estimator(4, unit=0.25)
    game = random_game(3, 4, batch=(2, 5))
    result = estimate(game, estimator)
    assert result.values.shape == (2, 5, 3, 4)
    assert result.values.dtype == torch.float64
    assert (result.standard_error, result.method, result.coalitions_evaluated) == (
        None,
        "estimator",
        0,
    )
    everything = torch.ones(1, 3, dtype=torch.bool), torch.ones(1, 4, dtype=torch.bool)
    cells = estimator.network(game.similarity[1, 2][None].float(), *everything)[0]
    assert torch.allclose(result.values[1, 2].float(), 0.25 * cells, atol=1e-6)


def test_file_keeps_the_network(tmp_path):
    torch.manual_seed(0)
    estimator = Estimator(8, unit=0.25)
    estimator.error = {"rmse": 0.5}
    save_estimator(tmp_path / "copy.safetensors", estimator)
    assert [file.name for file in tmp_path.iterdir()] == ["copy.safetensors"]
    copy, game = load_estimator(tmp_path / "copy.safetensors"), random_game(3, 4)
    assert not copy.training
    assert not any(p.requires_grad for p in copy.parameters())
    assert torch.equal(estimate(game, copy).values, estimate(game, estimator).values)
    assert (copy.error, copy.channels) == (estimator.error, 8)


def test_an_error_that_was_not_measured(tmp_path):
    """As of an estimator of somebody else; it can be saved, read and used."""
    for number, error in enumerate(({}, None)):
        estimator = Estimator(2)
        estimator.error = error
        save_estimator(tmp_path / f"{number}.safetensors", estimator)
        assert load_estimator(tmp_path / f"{number}.safetensors").error == {}


def test_other_files_are_refused(tmp_path):
    other = tmp_path / "other.safetensors"
    save_file({"x": torch.ones(2)}, other)
    with pytest.raises(ValueError, match=r"other\.safetensors is no estimator"):
        load_estimator(other)
    text = tmp_path / "text.safetensors"
    text.write_text("hello")
    with pytest.raises(ValueError, match=r"text\.safetensors"):
        load_estimator(text)
    with pytest.raises(ValueError, match=r"absent\.safetensors"):
        load_estimator(tmp_path / "absent.safetensors")
    wrong = tmp_path / "wrong.safetensors"
    metadata = {"schema": "hbi-estimator/1", "settings": '{"channels": 4, "unit": 1, "error": {}}'}
    save_file({"x": torch.ones(2)}, wrong, metadata)
    with pytest.raises(ValueError, match=r"wrong\.safetensors"):
        load_estimator(wrong)
