"""python -m hbi_core.evaluate retrieval|ablation: measure a model, or what its parts are worth."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import tyro

from hbi_core.checkpoints.checkpoint import RetrievalSettings
from hbi_core.command_line import command, parsed
from hbi_core.data import read_corpus
from hbi_core.data.encoding import encode_corpus
from hbi_core.data.files import MISSING_RULES
from hbi_core.data.reading import LIMITS, ClipReader
from hbi_core.devices import choose_device
from hbi_core.inputs.video import VideoLimits
from hbi_core.predictor import choose_model
from hbi_core.settings import COUNT, NOT_NEGATIVE, check, each, one_of, optional, whole
from hbi_core.tasks.retrieval_metrics import retrieval_metrics, similarity_scores
from hbi_core.written import check_file, check_folder


@dataclass(frozen=True)
class Retrieval:
    """Text-to-video and video-to-text retrieval: R@1, R@5, R@10, median and mean rank.

    Ties count against the model. Prints a table and writes JSON.
    """

    dataset: str
    """msrvtt, activitynet, didemo, msvd, flickr8k or synthetic."""
    root: Path
    """Folder of the data set."""
    json: Path
    """File to write."""
    split: str | None = None
    """Split to measure; the test split, of flickr8k everything."""
    checkpoint: str | None = None
    """Trained heads; those we ship where none are given, "untrained" for none."""
    encoder: str = "auto"
    """The encoder, where the checkpoint does not tell."""
    frames: int | None = None
    """Frames of each clip; as many as in training."""
    words: int | None = None
    """Text players at most; as many as in training."""
    level_weights: tuple[float, ...] | None = None
    """Share of each level in the score, entity first; as in training."""
    missing: str = "skip"
    """What to do about clips without a file: skip or stop."""
    cache: Path | None = None
    """Folder to keep the features in."""
    workers: int = 2
    """Processes that read clips."""
    video_limits: VideoLimits = LIMITS
    """What is refused; a video that takes longer to read stops the evaluation."""

    def __post_init__(self) -> None:
        check(
            self,
            **dict.fromkeys(("frames", "words"), optional(COUNT)),
            level_weights=optional(each(NOT_NEGATIVE)),
            missing=one_of(MISSING_RULES),
            workers=whole(0),
        )

    def run(self) -> None:
        check_file(self.json, "--json FILE")
        if self.cache is not None:
            check_folder(self.cache, "--cache FOLDER")
        split = self.split or ("all" if self.dataset == "flickr8k" else "test")
        corpus = read_corpus(self.dataset, self.root, split, self.missing)
        encoder, heads = choose_model(self.checkpoint, self.encoder, choose_device())
        heads = replace(heads, retrieval=self._retrieval(heads.retrieval))
        with ClipReader(encoder, workers=self.workers, limits=self.video_limits) as reader:
            features = encode_corpus(
                encoder,
                corpus,
                heads.retrieval.frames,
                players=heads.config.text_players,
                words=heads.retrieval.words,
                padded=heads.config.reads_padding,
                cache=self.cache,
                missing=self.missing,
                reader=reader,
            )
        scores = similarity_scores(
            heads.hierarchy.to(choose_device()),
            features,
            heads.retrieval.words,
            heads.retrieval.level_weights,
            progress=True,
        )
        metrics = retrieval_metrics(scores, features.owners)
        self.json.parent.mkdir(parents=True, exist_ok=True)
        self.json.write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
        print(
            f"{corpus.name} {split}: {len(features.clips)} clips, {len(features.owners)} captions; "
            f"encoder {heads.encoder}, heads {heads.name}, frames {heads.retrieval.frames}, "
            f"words {heads.retrieval.words}, levels {list(heads.retrieval.level_weights)}"
        )
        left_out = len(corpus.missing) + len(corpus.clips) - len(features.clips)
        if left_out:
            print(f"{left_out} clips have no file that can be read and were left out.")
        print(table(metrics))

    def _retrieval(self, trained: RetrievalSettings) -> RetrievalSettings:
        """As in training, but for what was asked for."""
        asked = {name: getattr(self, name) for name in ("frames", "words", "level_weights")}
        return replace(trained, **{k: v for k, v in asked.items() if v is not None})


def table(metrics: dict[str, dict[str, float]]) -> str:
    """The metrics as a text table."""
    columns = list(next(iter(metrics.values())))
    lines = [" " * 14 + "".join(f"{name:>8}" for name in columns)]
    for direction, row in metrics.items():
        name = direction.replace("_", " ")
        lines.append(f"{name:14}" + "".join(f"{row[column]:8.1f}" for column in columns))
    return "\n".join(lines)


@dataclass(frozen=True)
class Ablate:
    """Train and score the model without its parts, as the paper's ablations do."""

    config: Path
    """YAML file of the rows, see configs/ablation_flickr.yaml."""
    root: Path | None = None
    """Folder of the data set, instead of the one in the file."""

    def run(self) -> None:
        from hbi_core.train import read_config
        from hbi_core.training.ablation import Ablation, run_ablation

        ablation = read_config(Ablation, ["--config", str(self.config)])
        if self.root:
            ablation.overrides["data.root"] = str(self.root)
        run_ablation(ablation)
        print(ablation.document.read_text())


Command = (
    Annotated[Retrieval, tyro.conf.subcommand("retrieval")]
    | Annotated[Ablate, tyro.conf.subcommand("ablation")]
)


@command
def main(argv: list[str] | None = None) -> None:
    parsed(Command, "evaluate", argv).run()


if __name__ == "__main__":
    sys.exit(main())
