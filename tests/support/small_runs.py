"""Training runs that take a second or two, and what they leave."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from hbi_core.checkpoints.checkpoint import Checkpoint, RetrievalSettings
from hbi_core.data import Clip
from hbi_core.data.config import DataConfig
from hbi_core.losses import LossConfig
from hbi_core.model import ModelConfig, build_hierarchy
from hbi_core.training.config import OptimiserConfig, TrainConfig
from hbi_core.training.loop import train
from support.toy import ToyEncoder

MODEL = ModelConfig(
    48,
    32,
    32,
    projection=True,
    temporal_layers=1,
    attention_heads=4,
    positions=8,
    text_clusters=(3, 2),
    head_channels=8,
)


def toy_heads(config=MODEL, words=24):
    """A model before training, for the toy encoder."""
    reads = RetrievalSettings(8, words, (1.0,) * len(config.levels))
    return Checkpoint("toy", config, build_hierarchy(config), reads, "toy")


def settings(out, root, *, data=(), model=(), loss=(), optimiser=(), **others):
    """A short run without randomness but the order of the samples."""
    steps = {"learning_rate": 1e-2, "encoder_learning_rate": 0.0, "epochs": 2, "batch_size": 16}
    return TrainConfig(
        out,
        DataConfig(
            **{"dataset": "synthetic", "root": root, "frames": 8, "cache": root / "cache"}
            | dict(data)
        ),
        model=replace(MODEL, **dict(model)),
        loss=LossConfig(**{"temperature": 0.05} | dict(loss)),
        optimiser=OptimiserConfig(**steps | dict(optimiser)),
        **others,
    )


def toy_train(config):
    """A run with the toy encoder, whatever the settings name."""
    return train(config, ToyEncoder())


def lines(out):
    """What was measured, but for the time that it took."""
    read = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    times = ("seconds", "data_seconds")
    return [{name: value for name, value in line.items() if name not in times} for line in read]


def losses(out):
    """The lines of the training steps."""
    return [line for line in lines(out) if "loss/total" in line]


def clips_with(*counts):
    return tuple(
        Clip(f"clip-{n}", (), tuple(f"caption {n} {c}" for c in range(count)))
        for n, count in enumerate(counts)
    )


def data_config(**options):
    return DataConfig("synthetic", Path("."), **options)
