"""A model that encodes nothing until a file is there, for tests of what lasts."""

from __future__ import annotations

import os
import time
from pathlib import Path

import torch

from hbi_core.own_model import TokenFeatures

GO_ON = "HBI_GO_ON"  # variable of the environment, the file's path


class Patient:
    name = "patient"

    def encode(self, frames):
        while not Path(os.environ[GO_ON]).exists():
            time.sleep(0.02)
        return torch.eye(len(frames), 64)

    def answer(self, encoded, words):
        return TokenFeatures(video=encoded, text=torch.eye(len(words), 64))


def patient() -> Patient:
    return Patient()
