"""A small encoder, so that a whole training run takes seconds; and a clock to play with."""

from __future__ import annotations

import zlib
from dataclasses import replace

import torch
from torch import nn
from torch.nn import functional

from hbi_core.encoders import TextFeatures
from hbi_core.encoders.phrases import phrase_players


class ToyEncoder(nn.Module):
    """Frames as means of rows and columns, words as random vectors: frozen unless `learns`.

    The means are those of 8 x 8 pixels, so that the place of a shape can be read from few numbers.
    """

    name = architecture = "toy"
    widths = (48, 32)

    def __init__(self, learns: bool = False):
        super().__init__()
        drawn = torch.Generator().manual_seed(0)
        self.table = nn.Embedding.from_pretrained(torch.randn(512, 32, generator=drawn))
        self.pixels = nn.Linear(192, 48, bias=False)
        each = torch.eye(192).view(192, 3, 8, 8)
        means = torch.cat([each.mean(-2), each.mean(-1)], -1)  # of columns, of rows
        self.pixels.weight.data = means.flatten(1).T.contiguous()
        self.requires_grad_(learns)

    def prepare_frames(self, frames):
        step = max(1, min(frames.shape[1:3]) // 32)  # large ones would take long
        pixels = torch.tensor(frames[:, ::step, ::step]).permute(0, 3, 1, 2).float() / 255
        return functional.interpolate(pixels, (8, 8), mode="area")

    def frame_features(self, pixels):
        return self.pixels(pixels.flatten(1))

    def frame_padding(self):
        return self.pixels(torch.full((1, 192), 0.5))

    def text_features(self, captions, players="words", limit=None, padded=False):
        """Padding is what stands first in the table."""
        read = [caption.words[:limit] for caption in captions]
        texts = [self._words(words) for words in read]
        if players == "phrases":
            return [phrase_players(text, words) for text, words in zip(texts, read, strict=True)]
        if not padded:
            return texts
        return [replace(t, padding=self.table.weight[: limit - len(t.labels)]) for t in texts]

    def _words(self, words):
        rows = torch.tensor([zlib.crc32(word.text.encode()) % 512 for word in words])
        return TextFeatures(self.table(rows), tuple(word.text for word in words), ())


class Clock:
    """Time passes when it is told to, and by `tick` whenever somebody looks."""

    def __init__(self, tick: float = 0.0):
        self.now, self.tick = 0.0, tick

    def __call__(self) -> float:
        self.now += self.tick
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


class Counted(ToyEncoder):
    """Knows how often it encoded frames."""

    def __init__(self):
        super().__init__()
        self.calls = 0

    def frame_features(self, pixels):
        self.calls += 1
        return super().frame_features(pixels)
