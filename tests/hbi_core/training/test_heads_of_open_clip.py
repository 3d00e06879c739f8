"""Heads for any model of open_clip: one command, and then it is explained with."""

from __future__ import annotations

import colorsys

import pytest
from PIL import Image

from hbi_core.checkpoints.checkpoint import load_checkpoint
from hbi_core.pipeline import explain
from hbi_core.train import main
from support.demo import CAFE, ROOT
from support.open_clip_models import write_model

SHORT = {
    "model.text_players": "words",
    "model.text_context": 0,
    "model.width": 16,
    "model.weight_hidden": 8,
    "model.head_channels": 4,
    "optimiser.epochs": 2,
    "optimiser.batch_size": 8,
    "data.train": "all",
    "data.validation": "null",
    "data.views": 1,
    "data.workers": 0,
}


@pytest.fixture
def photographs(tmp_path):
    """Twelve coloured walls, in the layout of Flickr8k."""
    rows = ["image,caption"]
    (tmp_path / "Images").mkdir()
    for number in range(12):
        colour = tuple(int(255 * part) for part in colorsys.hsv_to_rgb(number / 12, 1, 0.8))
        Image.new("RGB", (64, 48), colour).save(tmp_path / "Images" / f"{number}.jpg")
        rows += [f"{number}.jpg,a cat sips espresso beside {number} stairs"]
    (tmp_path / "captions.txt").write_text("\n".join(rows) + "\n")
    return tmp_path


@pytest.mark.parametrize("family", ["siglip", "roberta-mlp", "coca"])
def test_one_command_makes_heads(family, photographs, tmp_path, monkeypatch):
    """On frozen features, each clip encoded once."""
    name, file = write_model(family, tmp_path)
    encoder, out, cache = f"open_clip:{name}:{file}", tmp_path / "run", tmp_path / "features"
    monkeypatch.chdir(ROOT)
    arguments = ["--config", "configs/flickr8k.yaml", f"encoder={encoder}"]
    arguments += [f"{name}={value}" for name, value in SHORT.items()]
    arguments += [f"data.root={photographs}", f"data.cache={cache}"]
    assert main([*arguments, f"out={out}"]) == 0
    written = {path: path.stat().st_mtime_ns for path in cache.rglob("*.safetensors")}
    assert len(written) == 24  # the frames and the captions of 12
    assert main([*arguments, f"out={tmp_path / 'again'}", "seed=1"]) == 0
    assert written == {path: path.stat().st_mtime_ns for path in cache.rglob("*.safetensors")}

    heads = load_checkpoint(out / "best.safetensors")
    assert heads.encoder == encoder
    assert heads.config.video_width == heads.config.text_width == 16
    result = explain(
        CAFE, "a tabby cat sips espresso", frames=4, checkpoint=out / "best.safetensors"
    )
    assert result.encoder == encoder
