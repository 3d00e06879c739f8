"""python -m hbi_core.convert SOURCE TARGET: the released PyTorch files, read without running them.

Checkpoints of the paper's research code (HBI, CVPR 2023) become checkpoints of this program, with
the CLIP inside, and its estimators estimators; OpenAI's CLIP files become safetensors files for
open_clip.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import tyro

from hbi_core.checkpoints.checkpoint import PUBLISHED_RETRIEVAL
from hbi_core.checkpoints.published import convert
from hbi_core.command_line import command, parsed


@dataclass(frozen=True)
class Arguments:
    """Convert a PyTorch file to safetensors. Nothing in it is run.

    A retrieval checkpoint of the paper's research code becomes a checkpoint of this program, its
    estimator a file beside it; an estimator's own file becomes one of this program; OpenAI's CLIP
    (ViT-B/32 or ViT-B/16) becomes a file for the encoder open_clip:ViT-B-32-quickgelu:TARGET. The
    exit status is 0, or 2 for input that cannot be used.
    """

    source: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="SOURCE")]
    """This is the PyTorch file, or a safetensors file with the same tensors."""
    target: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="TARGET")]
    """This file is written, NAME.safetensors."""
    frames: int = PUBLISHED_RETRIEVAL.frames
    """A retrieval checkpoint reads so many frames of each video: 64 for ActivityNet and DiDeMo."""
    words: int = PUBLISHED_RETRIEVAL.words
    """A retrieval checkpoint reads so many tokens of each text at most: 64 for these too."""


@command
def main(argv: list[str] | None = None) -> None:
    arguments = parsed(Arguments, "convert", argv)
    read = replace(PUBLISHED_RETRIEVAL, frames=arguments.frames, words=arguments.words)
    done = convert(arguments.source, arguments.target, read)
    print(f"It is {done.kind}")
    print(f"Assumed, because the file does not say it: {done.assumed}")
    print(f"Taken off the names: {', '.join(done.taken_off) or 'nothing'}")
    print(f"Not used ({len(done.unused)}): {', '.join(done.unused) or 'nothing'}")
    if done.note:
        print(f"Note: {done.note}")
    for path in done.written:
        print(path)


if __name__ == "__main__":
    sys.exit(main())
