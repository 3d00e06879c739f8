"""Training that starts from a checkpoint."""

from __future__ import annotations

import json
import re
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
from hbi_core.training.config import TrainConfig
from hbi_core.training.config_file import read_config
from hbi_core.training.folder import BEST, read_facts
from hbi_core.training.initialise import starting_point
from hbi_core.training.loop import train
from hbi_core.training.state import save_state
from support.demo import ROOT
from support.small_runs import MODEL, lines, losses, settings
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


def starting(out, root, file, **others):
    """A run that starts from `checkpoint`, with its model."""
    return replace(settings(out, root, start=file, **others), model=TRAINED, encoder="toy")


SLOW = {"learning_rate": 1e-9, "epochs": 1}


def test_training_starts_from_the_weights_of_a_checkpoint(small, tmp_path):
    """And with its centre and scale: only what is learned since then differs."""
    file = checkpoint(tmp_path / "start.safetensors")
    config = starting(tmp_path / "run", small, file, optimiser=SLOW)
    best, start = load_checkpoint(train(config, ToyEncoder())), load_checkpoint(file)
    assert best.config == start.config == TRAINED
    weights = best.hierarchy.state_dict()
    for name, value in start.hierarchy.state_dict().items():
        assert torch.allclose(weights[name], value, atol=1e-6), name
    facts = json.loads((tmp_path / "run" / "run.json").read_text())
    assert facts["starts from"] == "the model of start.safetensors; noise 0.2, dropout 0"
    told = read_config(TrainConfig, ["--config", str(tmp_path / "run" / "config.yaml")])
    assert (told.model, told.encoder, told.start) == (TRAINED, "toy", file)


def test_it_goes_on_and_ends_as_any_run(small, tmp_path):
    file = checkpoint(tmp_path / "start.safetensors")
    config = starting(tmp_path / "run", small, file, optimiser=SLOW)
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
    config = starting(
        tmp_path / "run",
        small,
        file,
        data={"workers": 0},
        optimiser=SLOW | {"encoder_learning_rate": rate},
    )
    encoder = ToyEncoder(learns=rate > 0)
    best = load_checkpoint(train(config, encoder))
    assert best.path == tmp_path / "run" / BEST
    assert torch.allclose(encoder.pixels.weight, taught.pixels.weight, atol=1e-6)
    facts = json.loads((tmp_path / "run" / "run.json").read_text())
    assert facts["starts from"].startswith("the model and the encoder of start.safetensors; ")


def test_it_learns_from_there(small, tmp_path):
    first = train(settings(tmp_path / "first", small), ToyEncoder())
    config = settings(tmp_path / "second", small, start=first)
    train(config, ToyEncoder())
    assert (
        losses(tmp_path / "second")[0]["loss/total"] < losses(tmp_path / "first")[0]["loss/total"]
    )


def read(out, *typed, start=SHIPPED):
    """The settings of a command line that names a checkpoint to start from."""
    data = ["data.dataset=flickr8k", f"data.root={out}"]
    return read_config(TrainConfig, [f"out={out / 'run'}", *data, f"start={start}", *typed])


def test_the_heads_that_we_ship_can_be_started_from(tmp_path):
    """With nothing said about the model or the encoder, and in configs/, where they are said."""
    config, start = read(tmp_path), load_checkpoint(SHIPPED)
    assert (config.encoder, config.model) == ("lite", start.config)
    assert config.model != ModelConfig()
    assert starting_point(config).config == start.config
    assert starting_point(replace(config, start=None)) is None
    file = ["--config", str(ROOT / "configs" / "lite.yaml")]
    assert read(tmp_path, *file, "model.head_channels=32").model.noise == 0.3


def test_noise_and_dropout_may_be_others(tmp_path):
    """Also none, which is what they are where nobody says anything."""
    shipped = load_checkpoint(SHIPPED).config
    assert shipped.noise > 0
    model = read(tmp_path, "model.noise=0.0", "model.dropout=0.25").model
    assert model == replace(shipped, noise=0.0, dropout=0.25)


SHAPE = r"The model of lite_heads\.safetensors has another shape: "


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("encoder=open_clip", "belongs to the encoder lite, not open_clip: set encoder=lite"),
        ("model.width=16", rf"{SHAPE}model\.width is 16, not \d+\."),
        ("model.projection=false", rf"{SHAPE}model\.projection is False, not True\."),
        ("model.temporal_layers=4", rf"{SHAPE}model\.temporal_layers is 4, not [01]\."),
    ],
    ids=str,
)
def test_what_is_said_is_never_left_out(tmp_path, capsys, typed, told):
    """Though open_clip, no projection and 4 layers are what they are where nobody says anything."""
    arguments = [f"out={tmp_path / 'run'}", "data.dataset=synthetic", f"data.root={tmp_path}"]
    assert main([*arguments, f"start={SHIPPED}", typed]) == 2
    assert re.search(told, capsys.readouterr().err.splitlines()[-1])
    assert not (tmp_path / "run").exists()


def test_encoders_are_told_apart_by_their_full_names(small, tmp_path):
    """Before any weights are loaded; what lies in the checkpoint needs no weights of its own."""
    config = starting(tmp_path / "run", small, tmp_path / "start.safetensors")
    for encoder, inside, others in (
        ("open_clip:ViT-B-32-quickgelu:openai", None, ("lite", "open_clip:ViT-B-16:openai")),
        ("open_clip:ViT-B-32-quickgelu:checkpoint", ToyEncoder(), ("lite", "open_clip:ViT-B-16")),
    ):
        heads = replace(load_checkpoint(checkpoint(config.start)), encoder=encoder)
        save_checkpoint(config.start, heads, inside)
        for fitting in ("open_clip", "open_clip:ViT-B-32-quickgelu", encoder):
            assert starting_point(replace(config, encoder=fitting)).encoder == encoder
        for other in others:
            with pytest.raises(SettingsError, match=f"belongs to the encoder {encoder}"):
                starting_point(replace(config, encoder=other))


class Stopped(KeyboardInterrupt):
    """By its user, after the first state."""


def stop_after_a_state(accelerator, folder, step):
    save_state(accelerator, folder, step)
    raise Stopped


def began(out, root, file, **others):
    """A run that was stopped after its first epoch of two."""
    config = starting(out, root, file, data={"workers": 0}, **others)
    with pytest.raises(Stopped):
        train(config, ToyEncoder(), stop_after_a_state)
    return config


def test_a_run_needs_the_file_no_more_than_once(small, tmp_path):
    """It ends as one whose file stayed; and one that has ended needs nothing."""
    file = checkpoint(tmp_path / "start.safetensors")
    config, whole = (began(tmp_path / name, small, file) for name in ("run", "whole"))
    train(whole, ToyEncoder())
    file.rename(tmp_path / "elsewhere")
    typed = [f"--config={config.out / 'config.yaml'}"]
    assert read_config(TrainConfig, typed) == config
    facts = read_facts(config.out)
    assert train(config, ToyEncoder()) == config.out / BEST
    assert read_facts(config.out)["starts from"] == facts["starts from"]
    assert read_facts(config.out)["digest of start"] == facts["digest of start"]
    assert lines(config.out) == lines(whole.out)
    ours, theirs = (load_checkpoint(c.out / BEST).hierarchy.state_dict() for c in (config, whole))
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())
    assert train(config, ToyEncoder()) == config.out / BEST


def test_a_run_takes_from_its_own_settings_what_is_left_out(small, tmp_path):
    file = checkpoint(tmp_path / "start.safetensors")
    config = began(tmp_path / "run", small, file)
    file.unlink()
    known = read(tmp_path, start=file)
    assert (known.model, known.encoder) == (TRAINED, "toy")
    with pytest.raises(SettingsError, match=r"model\.noise: 0\.2 -> 0\.0"):
        train(replace(config, model=read(tmp_path, "model.noise=0.0", start=file).model))


def test_an_encoder_in_the_file_is_needed_again(small, tmp_path):
    file = checkpoint(tmp_path / "start.safetensors", ToyEncoder())
    config = began(tmp_path / "run", small, file)
    file.unlink()
    with pytest.raises(SettingsError, match=r"cannot go on without .*start\.safetensors"):
        train(config, ToyEncoder())


def test_a_file_with_other_content_is_noticed(small, tmp_path):
    file = checkpoint(tmp_path / "start.safetensors")
    config = began(tmp_path / "run", small, file)
    before = file.read_bytes()
    checkpoint(file, drawn=4)
    with pytest.raises(SettingsError, match=r"digest of start: \w{16} -> \w{16}\)"):
        train(config, ToyEncoder())
    file.write_bytes(before)
    train(config, ToyEncoder())


def test_another_shape_is_refused_by_name(small, tmp_path):
    file = checkpoint(tmp_path / "start.safetensors")
    config = starting(tmp_path / "run", small, file)
    config = replace(config, model=replace(TRAINED, width=16, head="mlp"))
    with pytest.raises(SettingsError) as told:
        train(config, ToyEncoder())
    assert "start.safetensors has another shape" in str(told.value)
    assert "model.width is 16, not 32; model.head is 'mlp', not 'cnn+sa'" in str(told.value)
    assert not (tmp_path / "run").exists()


class Another(ToyEncoder):
    name = architecture = "another"


def test_another_encoder_is_refused(small, tmp_path):
    file = checkpoint(tmp_path / "start.safetensors")
    config = starting(tmp_path / "run", small, file)
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
