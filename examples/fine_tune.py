"""Fine-tune the heads that we ship on one's own clips, see what it changed, and explain one.

    python -m examples.fine_tune FOLDER [OUT]

FOLDER has video files, and captions.csv with the columns video and caption; a column split (train,
validation) is optional. OUT, a new folder, gets the checkpoint, both evaluations and the
explanation. Needs requirements-train.txt.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from hbi_core.checkpoints.checkpoint import SHIPPED, load_checkpoint
from hbi_core.command_line import command
from hbi_core.data import read_corpus
from hbi_core.data.config import DataConfig
from hbi_core.evaluate import Retrieval
from hbi_core.losses import LossConfig
from hbi_core.pipeline import explain
from hbi_core.training.config import OptimiserConfig, TrainConfig
from hbi_core.training.loop import train


def evaluate(folder: Path, checkpoint: Path, out: Path, name: str) -> None:
    """Print how well the validation clips and their captions find each other, and write it."""
    print(f"\n{name} fine-tuning")
    Retrieval(
        "folder",
        folder,
        out / f"{name}.json",
        split="validation",
        checkpoint=str(checkpoint),
        cache=out / "features",
        workers=0,
    ).run()


@command
def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser("python -m examples.fine_tune")
    parser.add_argument("folder", type=Path, help="Videos and their captions.csv.")
    parser.add_argument("out", type=Path, nargs="?", default="runs/fine_tuned", help="The results.")
    given = parser.parse_args(argv)
    root, results = given.folder, given.out
    shipped = load_checkpoint(SHIPPED)
    clips = read_corpus("folder", root, "train").clips
    captions = sum(len(clip.captions) for clip in clips)
    config = TrainConfig(
        out=results / "run",
        data=DataConfig(
            "folder",
            root,
            frames=shipped.retrieval.frames,
            words=shipped.retrieval.words,
            cache=results / "features",  # of all frames and words, which are encoded once
            workers=0,
        ),
        encoder=shipped.encoder,
        model=shipped.config,
        start=SHIPPED,
        loss=LossConfig(temperature=0.05, distillation=()),  # as the heads were trained
        optimiser=OptimiserConfig(
            learning_rate=1e-4,  # a tenth of what the heads were trained with
            encoder_learning_rate=0.0,  # lite learns nothing
            epochs=10,
            batch_size=min(64, captions),  # pairs that are told apart in a step
        ),
    )
    evaluate(root, SHIPPED, results, "before")
    tuned = train(config)
    evaluate(root, tuned, results, "after")

    clip = read_corpus("folder", root, "validation").clips[0]
    explanation = explain(clip.files[0], clip.captions[0], checkpoint=tuned)
    explanation.save(results / "explanation")
    print(f"\n{clip.id}: {explanation.caption}")
    for level in explanation.levels:
        print(f"{level.name}: score {level.score:.3f}")
    print(f"Figure, table and graph: {results / 'explanation'}")


if __name__ == "__main__":
    sys.exit(main())
