"""python -m hbi_core.evaluate TASK|ablation: measure a model, or what its parts are worth."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated, ClassVar

import tyro

from hbi_core.checkpoints.checkpoint import Checkpoint, RetrievalSettings, TaskState
from hbi_core.chosen_model import choose_model
from hbi_core.command_line import command, parsed
from hbi_core.data import Corpus
from hbi_core.data.config import DataConfig
from hbi_core.data.corpus import measured_split
from hbi_core.data.encoding import encode_captions, encode_corpus
from hbi_core.data.features import Features
from hbi_core.data.files import MISSING_RULES
from hbi_core.data.reading import LIMITS, ClipReader
from hbi_core.devices import choose_device
from hbi_core.encoders import Encoder
from hbi_core.errors import CheckpointError, SettingsError
from hbi_core.inputs.video import VideoLimits
from hbi_core.settings import COUNT, NOT_NEGATIVE, POSITIVE, check, each, one_of, optional, whole
from hbi_core.task_model import ANSWERS, CAPTIONS
from hbi_core.tasks import load_task, task_named
from hbi_core.tasks.base import Results, Task
from hbi_core.tasks.querybank import SHARPNESS
from hbi_core.tasks.reranking import retrieval_scores
from hbi_core.tasks.retrieval_metrics import retrieval_metrics
from hbi_core.written import check_file, check_folder


@dataclass(frozen=True)
class Measured:
    """What every task is measured with; a subclass names the task, and says what is measured."""

    task: ClassVar[str]

    dataset: str
    """This data set is measured on; docs/train.md has their names and layouts."""
    root: Path
    """The data set lies in this folder."""
    json: Path
    """The metrics are written to this file."""
    split: str | None = None
    """This split is measured; where none is given, the test split, or all of flickr8k or folder."""
    checkpoint: str | None = None
    """This is the trained model. Where none is given, lite takes the one that we ship; with
    "untrained", retrieval takes none."""
    encoder: str = "auto"
    """This encodes frames and words; with auto, it is the one of the checkpoint."""
    frames: int | None = None
    """So many frames of each clip are read; where it is not given, as many as in training."""
    words: int | None = None
    """A text has so many text players at most; where it is not given, as many as in training."""
    missing: str = "skip"
    """Clips without a file are left out (skip) or end the evaluation (stop)."""
    cache: Path | None = None
    """The features are kept in this folder; where none is given, they are not kept."""
    workers: int = 2
    """So many processes read clips; with 0, none beside this one."""
    video_limits: VideoLimits = LIMITS
    """Videos beyond these limits are refused; one that takes longer to read ends the evaluation."""

    def __post_init__(self) -> None:
        check(
            self,
            **dict.fromkeys(("frames", "words"), optional(COUNT)),
            missing=one_of(MISSING_RULES),
            workers=whole(0),
        )

    def run(self) -> None:
        check_file(self.json, "--json FILE")
        if self.cache is not None:
            check_folder(self.cache, "--cache FOLDER")
        split = self.measured_split
        corpus = self.corpus(split)
        encoder, heads = choose_model(self.model(), self.encoder, choose_device())
        heads = replace(heads, retrieval=self.reads(heads.retrieval))
        task = self.loaded(heads).to(choose_device())
        with ClipReader(encoder, workers=self.workers, limits=self.video_limits) as reader:
            features = encode_as_read(encoder, heads, corpus, self.cache, self.missing, reader)
        metrics = self.measure(task, features, encoder, heads)
        self.json.parent.mkdir(parents=True, exist_ok=True)
        self.json.write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
        print(
            f"{corpus.name} {split}: {len(features.clips)} clips, {len(features.owners)} texts; "
            f"encoder {heads.encoder}, heads {heads.name}, frames {heads.retrieval.frames}, "
            f"words {heads.retrieval.words}, levels {list(heads.retrieval.level_weights)}"
        )
        left_out = len(corpus.missing) + len(corpus.clips) - len(features.clips)
        if left_out:
            print(f"{left_out} clips have no file that can be read and were left out.")
        print(table(metrics))

    @property
    def measured_split(self) -> str:
        """The name of the split that is measured."""
        return self.split or measured_split(self.dataset)

    def corpus(self, split: str) -> Corpus:
        """A split of the data set, as the task reads it."""
        data = DataConfig(self.dataset, self.root, missing=self.missing)
        return task_named(self.task).corpus(data, split)

    def measure(
        self, task: Task, features: Features, encoder: Encoder, heads: Checkpoint
    ) -> Results:
        """The metrics of a finished model."""
        return task.evaluate(features)

    def model(self) -> str | Path | None:
        """The checkpoint that is measured; None for the heads that we ship."""
        return self.checkpoint

    def reads(self, trained: RetrievalSettings) -> RetrievalSettings:
        """As in training, but for what was asked for."""
        asked = {field.name: getattr(self, field.name, None) for field in fields(trained)}
        return replace(trained, **{k: v for k, v in asked.items() if v is not None})

    def loaded(self, heads: Checkpoint) -> Task:
        """The task of a checkpoint, which must be the one that is measured.

        Raises:
            CheckpointError: it is another one.
        """
        if heads.task.name != self.task:
            raise CheckpointError(
                f"{heads.name} was trained for {heads.task.name}, not for {self.task}: measure it "
                f"with `evaluate {heads.task.name}`, or name another checkpoint."
            )
        return load_task(heads)


@dataclass(frozen=True)
class Retrieval(Measured):
    """Measure retrieval, text to video and video to text: R@1, R@5, R@10, median and mean rank.

    The data set is msrvtt, activitynet, didemo, msvd, flickr8k, folder (one's own clips) or
    synthetic. Ties count against the model. A table is printed, and JSON is written. The exit
    status is 0, or 2 for input that cannot be used.
    """

    task: ClassVar[str] = "retrieval"

    level_weights: tuple[float, ...] | None = None
    """Each level has this share in the score, entity first; where not given, that of training."""
    querybank: str | None = None
    """The captions of this split, train say, tell what each clip scores with any text; that is
    taken off its scores with texts (querybank normalisation, Bogolin et al., CVPR 2022)."""
    querybank_captions: int = 30_000
    """About so many of them at most, those of clips evenly spaced."""
    sharpness: float = SHARPNESS
    """The captions nearest to a clip count the more for its querybank, the larger this is."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check(
            self,
            level_weights=optional(each(NOT_NEGATIVE)),
            querybank_captions=COUNT,
            sharpness=POSITIVE,
        )
        if self.querybank is not None and self.querybank == self.measured_split:
            raise SettingsError(
                f"--querybank {self.querybank} is the split that is measured: queries would tell "
                "of each other. Take the one that the model was trained on."
            )

    def run(self) -> None:
        if self.querybank is not None:
            self.corpus(self.querybank)  # so that one that is not there is told before the work
        super().run()

    def measure(
        self, task: Task, features: Features, encoder: Encoder, heads: Checkpoint
    ) -> Results:
        if self.querybank is None:
            return task.evaluate(features)
        corpus = self.corpus(self.querybank)
        bank = encode_bank(encoder, heads, corpus, self.querybank_captions, self.cache)
        of_texts, of_videos = retrieval_scores(
            task.hierarchy, features, heads.retrieval, True, bank=bank, sharpness=self.sharpness
        )
        return retrieval_metrics(of_texts, features.owners, of_videos)

    def loaded(self, heads: Checkpoint) -> Task:
        """Retrieval with any model, whatever it was trained for: all of them have similarities."""
        return load_task(replace(heads, task=TaskState()))


@dataclass(frozen=True)
class QuestionAnswering(Measured):
    """Measure answers to questions: top-1 and top-5 accuracy in percent, also by kind of question.

    The data set is msrvtt_qa, flickr8k_questions or synthetic_questions. An answer that the model
    does not know counts as wrong. A table is printed, and JSON is written. The exit status is 0, or
    2 for input that cannot be used.
    """

    task: ClassVar[str] = "question_answering"

    def model(self) -> str | Path | None:
        """The checkpoint that is measured; the answerer that we ship where none is given."""
        return ANSWERS.chosen(self.checkpoint)


@dataclass(frozen=True)
class Captioning(Measured):
    """Measure captions that a model writes: BLEU-4, METEOR, ROUGE-L and CIDEr, in hundredths.

    The data set is msrvtt (its splits captioning-train, -validate and -test), msvd, flickr8k,
    folder (one's own clips) or synthetic. Where there is no Java, METEOR is missing and the words
    are told apart by a tokenizer of ours, as the results say. A table is printed, and JSON is
    written. The exit status is 0, or 2 for input that cannot be used.
    """

    task: ClassVar[str] = "captioning"

    def model(self) -> str | Path | None:
        """The checkpoint that is measured; the captioner that we ship where none is given."""
        return CAPTIONS.chosen(self.checkpoint)


def encode_as_read(
    encoder: Encoder,
    heads: Checkpoint,
    corpus: Corpus,
    cache: Path | None,
    missing: str,
    reader: ClipReader | None = None,
) -> Features:
    """The features of a corpus as heads read them in retrieval; arguments as of `encode_corpus`."""
    return encode_corpus(
        encoder,
        corpus,
        heads.retrieval.frames,
        players=heads.config.text_players,
        words=heads.retrieval.words,
        padded=heads.config.reads_padding,
        cache=cache,
        missing=missing,
        reader=reader,
    )


def encode_bank(
    encoder: Encoder, heads: Checkpoint, corpus: Corpus, captions: int, cache: Path | None
) -> Features:
    """About so many captions of a corpus, of clips evenly spaced, as heads read them."""
    step = math.ceil(sum(len(clip.captions) for clip in corpus.clips) / captions)
    return encode_captions(
        encoder,
        replace(corpus, clips=corpus.clips[::step]),
        players=heads.config.text_players,
        words=heads.retrieval.words,
        padded=heads.config.reads_padding,
        cache=cache,
    )


def table(metrics: Results) -> str:
    """The metrics as a text table."""
    columns = list(next(iter(metrics.values())))
    width = max(14, *(len(group) for group in metrics))
    wide = {name: max(8, len(name) + 2) for name in columns}
    lines = [" " * width + "".join(f"{name:>{wide[name]}}" for name in columns)]
    for group, row in metrics.items():
        name = group.replace("_", " ")
        lines.append(f"{name:{width}}" + "".join(f"{row[c]:{wide[c]}.1f}" for c in columns))
    return "\n".join(lines)


@dataclass(frozen=True)
class Ablate:
    """Train and score the model without its parts, as the paper's ablations do."""

    config: Path
    """This YAML file names the rows, as configs/ablation_flickr.yaml does."""
    root: Path | None = None
    """The data set lies in this folder instead of the one that the file names."""

    def run(self) -> None:
        from hbi_core.training.ablation import Ablation, run_ablation
        from hbi_core.training.config_file import read_config

        ablation = read_config(Ablation, ["--config", str(self.config)])
        if self.root:
            ablation.overrides["data.root"] = str(self.root)
        run_ablation(ablation)
        print(ablation.document.read_text())


Command = (
    Annotated[Retrieval, tyro.conf.subcommand("retrieval")]
    | Annotated[QuestionAnswering, tyro.conf.subcommand("question_answering")]
    | Annotated[Captioning, tyro.conf.subcommand("captioning")]
    | Annotated[Ablate, tyro.conf.subcommand("ablation")]
)


@command
def main(argv: list[str] | None = None) -> None:
    parsed(Command, "evaluate", argv).run()


if __name__ == "__main__":
    sys.exit(main())
