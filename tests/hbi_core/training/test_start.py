"""Training that starts from a checkpoint."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from hbi_core.checkpoints.checkpoint import (
    SHIPPED,
    Checkpoint,
    RetrievalSettings,
    load_checkpoint,
    save_checkpoint,
)
from hbi_core.data.config import DataConfig
from hbi_core.errors import CheckpointError, SettingsError
from hbi_core.model import ModelConfig, build_hierarchy
from hbi_core.train import main
from hbi_core.training.config import ANY_ENCODER, TrainConfig
from hbi_core.training.config_file import read_config
from hbi_core.training.folder import BEST
from hbi_core.training.initialise import starting_point
from hbi_core.training.loop import train
from support.small_runs import MODEL, losses, settings
from support.toy import ToyEncoder

TRAINED = replace(MODEL, noise=0.2, logit_bound=0.5)


def checkpoint(path, encoder=None, drawn=3):
    """A checkpoint for the toy encoder, every weight drawn anew."""
    torch.manual_seed(drawn)
    hierarchy = build_hierarchy(TRAINED)
    for parameter in hierarchy.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    heads = Checkpoint("toy", TRAINED, hierarchy, RetrievalSettings(4, 9, (1.0, 1.0, 1.0)), "")
    save_checkpoint(path, heads, encoder)
    return path


def usual(config):
    """The settings of a user who names a checkpoint and nothing else of the model."""
    return replace(config, model=ModelConfig(), encoder=ANY_ENCODER)


SLOW = {"learning_rate": 1e-9, "epochs": 1}


def test_training_starts_from_the_weights_of_a_checkpoint(small, tmp_path):
    """And with its centre and scale: only what is learned since then differs."""
    file = checkpoint(tmp_path / "start.safetensors")
    config = usual(settings(tmp_path / "run", small, start=file, optimiser=SLOW))
    best, start = load_checkpoint(train(config, ToyEncoder())), load_checkpoint(file)
    assert best.config == start.config == TRAINED
    weights = best.hierarchy.state_dict()
    for name, value in start.hierarchy.state_dict().items():
        assert torch.allclose(weights[name], value, atol=1e-6), name
    facts = json.loads((tmp_path / "run" / "run.json").read_text())
    assert facts["starts from"] == "the model of start.safetensors"
    told = read_config(TrainConfig, ["--config", str(tmp_path / "run" / "config.yaml")])
    assert (told.model, told.encoder, told.start) == (TRAINED, "toy", file)


def test_it_goes_on_and_ends_as_any_run(small, tmp_path):
    file = checkpoint(tmp_path / "start.safetensors")
    config = usual(settings(tmp_path / "run", small, start=file, optimiser=SLOW))
    assert train(config, ToyEncoder()) == tmp_path / "run" / BEST
    before = (tmp_path / "run" / "metrics.jsonl").read_text()
    (tmp_path / "run" / "result.json").unlink()
    train(config, ToyEncoder())
    assert (tmp_path / "run" / "metrics.jsonl").read_text() == before
    with pytest.raises(SettingsError, match=r"start: .*start\.safetensors -> None"):
        train(settings(tmp_path / "run", small, optimiser=SLOW), ToyEncoder())


@pytest.mark.parametrize("rate", [0.0, 1e-9], ids=["frozen", "learning"])
def test_an_encoder_in_the_checkpoint_goes_on_too(small, tmp_path, rate):
    """Frozen or not, it lies in the new checkpoint again: no name stands for its weights."""
    taught = ToyEncoder(learns=True)
    taught.pixels.weight.data += 0.25
    file = checkpoint(tmp_path / "start.safetensors", taught)
    config = settings(
        tmp_path / "run",
        small,
        data={"workers": 0},
        optimiser=SLOW | {"encoder_learning_rate": rate},
        start=file,
    )
    encoder = ToyEncoder(learns=rate > 0)
    best = load_checkpoint(train(usual(config), encoder))
    assert best.path == tmp_path / "run" / BEST
    assert torch.allclose(encoder.pixels.weight, taught.pixels.weight, atol=1e-6)
    facts = json.loads((tmp_path / "run" / "run.json").read_text())
    assert facts["starts from"] == "the model and the encoder of start.safetensors"


def test_it_learns_from_there(small, tmp_path):
    first = train(settings(tmp_path / "first", small), ToyEncoder())
    config = settings(tmp_path / "second", small, start=first)
    train(usual(config), ToyEncoder())
    assert (
        losses(tmp_path / "second")[0]["loss/total"] < losses(tmp_path / "first")[0]["loss/total"]
    )


def test_the_heads_that_we_ship_can_be_started_from(tmp_path):
    """With nothing said about the model or the encoder."""
    data = DataConfig("flickr8k", tmp_path)
    config, start = starting_point(TrainConfig(tmp_path / "run", data, start=SHIPPED))
    assert config.encoder == start.encoder == "lite"
    assert config.model == start.config
    assert config.model != ModelConfig()
    assert starting_point(replace(config, start=None)) == (replace(config, start=None), None)
    assert starting_point(config)[0] == config


def test_noise_and_dropout_may_be_others(small, tmp_path):
    file = checkpoint(tmp_path / "start.safetensors")
    config = settings(tmp_path, small, start=file, model={"noise": 0.7, "dropout": 0.4})
    model = starting_point(config)[0].model
    assert model == replace(TRAINED, noise=0.7, dropout=0.4)


def test_another_shape_is_refused_by_name(small, tmp_path):
    file = checkpoint(tmp_path / "start.safetensors")
    config = settings(tmp_path / "run", small, start=file, model={"width": 16, "head": "mlp"})
    with pytest.raises(SettingsError) as told:
        train(config, ToyEncoder())
    assert "start.safetensors has another shape" in str(told.value)
    assert "model.width is 16, not 32; model.head is 'mlp', not 'cnn+sa'" in str(told.value)
    assert not (tmp_path / "run").exists()


class Another(ToyEncoder):
    name = architecture = "another"


def test_another_encoder_is_refused(small, tmp_path):
    file = checkpoint(tmp_path / "start.safetensors")
    config = settings(tmp_path / "run", small, start=file)
    with pytest.raises(SettingsError, match="belongs to the encoder toy, not another"):
        train(config, Another())
    assert not (tmp_path / "run").exists()


def test_a_checkpoint_that_is_none_is_told(small, tmp_path, capsys):
    (tmp_path / "broken.safetensors").write_text("no checkpoint")
    config = settings(tmp_path / "run", small, start=tmp_path / "broken.safetensors")
    with pytest.raises(CheckpointError, match=r"broken\.safetensors"):
        train(config, ToyEncoder())
    arguments = [f"out={tmp_path / 'run'}", "data.dataset=synthetic", f"data.root={small}"]
    assert main([*arguments, f"start={tmp_path / 'absent.safetensors'}"]) == 2
    assert "absent.safetensors" in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "run").exists()


def test_random_weights_can_be_filled_from_a_checkpoint(tmp_path):
    name, data = "open_clip:ViT-B-32-quickgelu:checkpoint", DataConfig("msvd", tmp_path)
    assert TrainConfig(tmp_path, data, name, start=tmp_path / "x.safetensors").encoder == name
    with pytest.raises(SettingsError, match="start=FILE"):
        TrainConfig(tmp_path, data, name)
