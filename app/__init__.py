"""The page: a video and a caption in, three coalition graphs out."""

from __future__ import annotations

import importlib
import os

# The package of Hugging Face's ZeroGPU (app/zero_gpu.py), which is there on a Space. It stands here
# since it comes before whatever uses CUDA.
SPACES = (
    importlib.import_module("spaces")
    if os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")
    else None
)
