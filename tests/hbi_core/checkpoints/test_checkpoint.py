"""Checkpoints keep what belongs to a model, and refuse what is none."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, replace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from hbi_core.checkpoints.checkpoint import (
    SHIPPED,
    Checkpoint,
    RetrievalSettings,
    load_checkpoint,
    save_checkpoint,
    untrained,
)
from hbi_core.encoders.loading import fill_encoder
from hbi_core.errors import CheckpointError, NotFiniteError, SettingsError
from hbi_core.model import ModelConfig, build_hierarchy
from support.toy import ToyEncoder

SMALL = ModelConfig(8, 8, 8, temporal_layers=1, attention_heads=2, head_channels=4)
RETRIEVAL = RetrievalSettings(5, 7, (1.0, 0.5, 0.0))


@pytest.fixture
def saved(tmp_path):
    """A small checkpoint with an encoder in it."""
    path = tmp_path / "small.safetensors"
    model = build_hierarchy(SMALL)
    save_checkpoint(path, Checkpoint("toy", SMALL, model, RETRIEVAL, ""), ToyEncoder())
    return path


def rewritten(path, change_settings=None, tensors=None, schema="hbi-checkpoint/2"):
    """Write the file again with other settings or tensors."""
    with safe_open(path, "pt") as file:
        settings = json.loads(file.metadata()["settings"])
    if change_settings:
        change_settings(settings)
    metadata = {"schema": schema, "settings": json.dumps(settings)}
    save_file(load_file(path) | (tensors or {}), path, metadata)
    return path


def test_what_is_written_is_read(saved):
    read = load_checkpoint(saved)
    assert (read.retrieval, read.config, read.encoder, read.path) == (
        RETRIEVAL,
        SMALL,
        "toy",
        saved,
    )
    assert read.name == "small.safetensors"


def test_a_model_of_phrases(tmp_path):
    """Its settings and all its tensors come back."""
    config = replace(
        SMALL,
        projection=True,
        text_players="phrases",
        text_context=6,
        video_path=0.5,
        text_path=1.0,
    )
    hierarchy = build_hierarchy(config)
    for tensor in hierarchy.state_dict().values():
        tensor.normal_()
    save_checkpoint(tmp_path / "a", Checkpoint("toy", config, hierarchy, RETRIEVAL, ""))
    read = load_checkpoint(tmp_path / "a")
    assert read.config == config
    merges = [
        level.text[-1] if n == 1 else level.text for n, level in enumerate(read.hierarchy.levels)
    ]
    assert [merge.path for merge in merges[1:]] == [1.0, 1.0]
    assert [level.video.path for level in read.hierarchy.levels[1:]] == [0.5, 0.5]
    expected = hierarchy.state_dict()
    assert read.hierarchy.state_dict().keys() == expected.keys()
    for name, tensor in read.hierarchy.state_dict().items():
        assert torch.equal(tensor, expected[name])


def test_files_from_before_text_players_had_context(saved):
    def as_before(settings):
        for name in ("text_context", "video_path", "text_path"):
            del settings["config"][name]

    assert load_checkpoint(rewritten(saved, as_before)).config == SMALL


def test_files_from_before_there_was_a_reconstruction(saved):
    """They have none, and say nothing of what is ranked anew."""

    def as_before(settings):
        del settings["config"]["reconstruction"], settings["retrieval"]["reranked"]

    read = load_checkpoint(rewritten(saved, as_before))
    assert (read.config, read.retrieval) == (SMALL, RETRIEVAL)
    assert not read.hierarchy.reconstructs


def test_a_model_that_reconstructs(tmp_path):
    config = replace(SMALL, reconstruction=True)
    hierarchy = build_hierarchy(config)
    for tensor in hierarchy.state_dict().values():
        tensor.normal_()
    reads = replace(RETRIEVAL, reranked=7)
    save_checkpoint(tmp_path / "a", Checkpoint("toy", config, hierarchy, reads, ""))
    read = load_checkpoint(tmp_path / "a")
    assert (read.config, read.retrieval) == (config, reads)
    for name, tensor in hierarchy.state_dict().items():
        assert torch.equal(read.hierarchy.state_dict()[name], tensor)


def test_files_whose_projections_have_one_scale(tmp_path):
    config = replace(SMALL, projection=True)
    hierarchy = build_hierarchy(config)
    path = tmp_path / "small.safetensors"
    save_checkpoint(path, Checkpoint("toy", config, hierarchy, RETRIEVAL, ""))
    scales = {name: torch.tensor(0.25) for name in load_file(path) if name.endswith(".scale")}
    assert len(scales) == 2
    read = load_checkpoint(rewritten(path, tensors=scales)).hierarchy.state_dict()
    for name in scales:
        assert read[name].shape == hierarchy.state_dict()[name].shape
        assert (read[name] == 0.25).all()


@pytest.mark.parametrize(
    ("training", "expected"),
    [
        (
            {"settings": {"data": {"frames": 4, "words": 9}, "level_weights": [0.5, 0, 2]}},
            RetrievalSettings(4, 9, (0.5, 0, 2)),
        ),
        ({"converted_from": "published.pth"}, RetrievalSettings(12, 24, (1.0, 0.0, 0.0))),
        ({}, RetrievalSettings(12, 64, (1.0, 1.0, 1.0))),
    ],
    ids=["trained", "converted", "nothing told"],
)
def test_files_of_the_first_schema(saved, training, expected):
    """They told it among the settings of the training, or not at all."""

    def as_before(settings):
        del settings["retrieval"]
        settings["training"] = training

    assert load_checkpoint(rewritten(saved, as_before, schema="hbi-checkpoint/1")).retrieval == (
        expected
    )


def test_the_heads_we_ship_read_what_they_were_trained_on():
    assert load_checkpoint(SHIPPED).retrieval == RetrievalSettings(4, 64, (1.0, 1.0, 1.0))


@pytest.mark.parametrize(
    "wrong",
    [
        {"frames": 0},
        {"words": 2.5},
        {"level_weights": [1, 1]},
        {"level_weights": [0, 0, 0]},
        {"level_weights": [1, -1, 1]},
        {"seconds": 3},
        {"frames": 78},
    ],
)
def test_settings_that_are_refused(saved, wrong):
    rewritten(saved, lambda settings: settings["retrieval"].update(wrong))
    with pytest.raises(CheckpointError, match=r"small\.safetensors"):
        load_checkpoint(saved)


@pytest.mark.parametrize(
    "task", [None, [], {"name": ["retrieval"]}, {"name": None}, {"settings": None}, {"speed": 3}]
)
def test_a_damaged_task_is_refused(saved, task):
    rewritten(saved, lambda settings: settings.update(task=task))
    with pytest.raises(CheckpointError, match=r"small\.safetensors"):
        load_checkpoint(saved)


def test_level_weights_belong_to_levels():
    heads = untrained("toy", (8, 8))
    with pytest.raises(SettingsError, match="2 level_weights for 3 levels"):
        replace(heads, retrieval=replace(heads.retrieval, level_weights=(1.0, 1.0)))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite_are_refused(saved, value):
    name = "levels.1.text_logits.0.bias"
    broken = load_file(saved)[name]
    broken[3] = value
    rewritten(saved, tensors={name: broken})
    with pytest.raises(CheckpointError, match=rf"small\.safetensors.*{name}.*not finite"):
        load_checkpoint(saved)


def test_so_are_those_of_the_encoder(saved):
    rewritten(saved, tensors={"encoder.pixels.weight": torch.full((48, 192), float("nan"))})
    load_checkpoint(saved)
    with pytest.raises(CheckpointError, match=r"encoder\.pixels\.weight.*not finite"):
        fill_encoder(ToyEncoder(), saved)


def test_what_diverged_is_not_written(saved, tmp_path):
    """Also where only half precision cannot hold it. What was there before stays."""
    before = saved.read_bytes()
    heads = load_checkpoint(saved)
    heads.hierarchy.levels[2].video_logits[0].bias.data[0] = 1e5
    save_checkpoint(tmp_path / "float32.safetensors", heads)
    with pytest.raises(NotFiniteError, match=r"levels\.2\.video_logits\.0\.bias"):
        save_checkpoint(saved, heads, dtype=torch.float16)
    assert saved.read_bytes() == before


def test_others_may_read_it_where_they_may_read_other_files(saved, tmp_path):
    old = os.umask(0o027)
    try:
        save_checkpoint(tmp_path / "new.safetensors", load_checkpoint(saved))
        (tmp_path / "other").touch()
    finally:
        os.umask(old)
    assert (tmp_path / "new.safetensors").stat().st_mode == (tmp_path / "other").stat().st_mode
    assert (tmp_path / "new.safetensors").stat().st_mode & 0o777 == 0o640
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"small.safetensors", "new.safetensors", "other"}


def test_settings_are_plain_json(saved):
    with safe_open(saved, "pt") as file:
        settings = json.loads(file.metadata()["settings"])
    assert settings["retrieval"] == asdict(RETRIEVAL) | {"level_weights": [1.0, 0.5, 0.0]}
