"""A model that describes videos, drawn at random on top of the heads that we ship."""

from __future__ import annotations

from dataclasses import replace

import torch

from hbi_core.checkpoints.checkpoint import SHIPPED, load_checkpoint, save_checkpoint
from hbi_core.losses import LossConfig
from hbi_core.model.decoder import END
from hbi_core.tasks.captioning import CaptioningSettings, CaptioningTask

WORDS = ("a", "the", "cat", "on", "cup", "of", "with", "<b>red</b>", "$3", "plays")
SMALL = {"width": 32, "layers": 1, "heads": 4, "hidden": 32, "longest": 6, "beams": 3}


def write_captioner(file, words=WORDS, heads=None, **options):
    """A checkpoint that lets frames have a say in the words, however senseless."""
    heads = heads or load_checkpoint(SHIPPED)
    torch.manual_seed(0)
    settings = CaptioningSettings(**SMALL | options, vocabulary=tuple(words))
    task = CaptioningTask(heads, LossConfig(), None, settings)
    for parameter in task.own.parameters():
        parameter.data *= 1.5
    task.own.bias.data[END] -= 2.0  # the end is not near
    training = {
        "settings": {"data": {"dataset": "flickr8k"}},
        "validation": {"captions": {"BLEU-4": 16.25, "CIDEr": 44.5}},
    }
    save_checkpoint(file, replace(heads, task=task.state(), training=training))
    return file
