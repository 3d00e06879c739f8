"""How far the answerer that we ship reaches, beside what needs no frames.

    python -m benchmarks.question_answering --root DIR

On the questions of Flickr8k's development list: top-1 and top-5 accuracy of the model, of the same
model when it is shown another photograph, of one that was trained in the same way without frames,
and of the most frequent answer. Intervals are a bootstrap over photographs, whose questions belong
together. Training the one without frames takes as long as configs/lite_questions.yaml.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import tyro
from torch import Tensor

from benchmarks.measures import Count, Estimate, difference, estimate
from benchmarks.report import report
from hbi_core.checkpoints.checkpoint import Checkpoint, load_checkpoint
from hbi_core.data import Clip, Corpus
from hbi_core.data.features import Features
from hbi_core.encoders import build_encoder
from hbi_core.evaluate import encode_as_read
from hbi_core.model import LevelTokens, Tokens
from hbi_core.task_model import ANSWERS
from hbi_core.tasks import TASKS, load_task
from hbi_core.tasks.question_answering import QuestionAnsweringTask
from hbi_core.training.config import TrainConfig
from hbi_core.training.config_file import read_config
from hbi_core.training.loop import train

CONFIG = Path(__file__).parents[1] / "configs" / "lite_questions.yaml"
COLUMNS = ["questions", "answered by", "top-1", "95 % interval", "top-5", "number"]
BY_KIND, FREQUENT, BLIND, OTHER, MODEL = (
    "most frequent answer to the kind of question",
    "most frequent answer to the question",
    "question only",
    "model, another photograph",
    "model",
)


class QuestionOnly(QuestionAnsweringTask):
    """The same model, to which all frames look alike."""

    name = "question_only"

    def read(self, videos: Tokens, texts: Tokens) -> list[LevelTokens]:
        blank = replace(videos, features=torch.zeros_like(videos.features))
        return super().read(blank, texts)


def frequent_ranks(known: Sequence[Clip], asked: Sequence[Clip], by_text: bool = True) -> Tensor:
    """Ranks of the right answers, int64 [C], by how often training gave them to the same question.

    To one that training did not ask, or to all without `by_text`, by how often it gave them to
    questions of the kind.
    """
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for text, answer, kind in _questions(known):
        counts[text][answer] += 1
        counts[kind][answer] += 1
    ranks = []
    for text, answer, kind in _questions(asked):
        own = (by_text and counts[text]) or counts[kind]
        ranks.append(1 + sum(n >= own[answer] for a, n in own.items() if a != answer))
    return torch.tensor(ranks)


def another_photograph(features: Features) -> Features:
    """Each question about the next photograph of the list."""
    return replace(
        features, frames=features.frames.roll(1, 0), frame_mask=features.frame_mask.roll(1, 0)
    )


def units(ranks: Tensor, features: Features, most: int, kind: str | None = None) -> list[Count]:
    """Of each photograph, how many of its questions have the right answer among the first."""
    kinds = [own for clip in features.clips for own in clip.kinds]
    chosen = torch.tensor([kind in (None, own) for own in kinds])
    return [
        Count(float((ranks[own] <= most).sum()), int(own.sum()))
        for own in (chosen & (features.owners == n) for n in range(len(features.clips)))
    ]


def table(ranks: dict[str, Tensor], features: Features) -> list[list[str]]:
    """A row for each way to answer, of all questions and of each kind."""
    rows = []
    for kind in (None, *sorted({kind for clip in features.clips for kind in clip.kinds})):
        for name, own in ranks.items():
            first, five = (estimate(units(own, features, most, kind)) for most in (1, 5))
            questions = int(sum(count.of for count in units(own, features, 1, kind)))
            value, interval, _ = first.cells()
            rows.append(
                [kind or "all", name, value, interval, f"{100 * five.value:.1f} %", str(questions)]
            )
    return rows


def gain(ranks: dict[str, Tensor], features: Features, over: str) -> Estimate:
    """How many more questions the model answers, in shares of 1."""
    return difference([units(ranks[MODEL], features, 1)], [units(ranks[over], features, 1)])


@dataclass(frozen=True)
class Settings:
    """The answerer that we ship, and what needs no frames."""

    root: Path
    """Folder in the Flickr8k layout."""
    cache: Path = Path("runs/features")
    """The features are kept in this folder."""
    out: Path = Path("runs/question_only")
    """The run without frames; one that is there goes on."""
    checkpoint: Path = ANSWERS.file
    """The answerer."""


def main(arguments: Settings) -> None:
    TASKS[QuestionOnly.name] = QuestionOnly
    settings = [f"data.root={arguments.root}", f"data.cache={arguments.cache}"]
    settings += [f"out={arguments.out}", f"task={QuestionOnly.name}"]
    config = read_config(TrainConfig, ["--config", str(CONFIG), *settings])
    blind = load_checkpoint(train(config))

    heads = load_checkpoint(arguments.checkpoint)
    task = _answerer(heads)
    trained_on = task.corpus(config.data, config.data.train)
    features = _encoded(task.corpus(config.data, "validation"), heads, arguments.cache)
    ranks = {
        BY_KIND: frequent_ranks(trained_on.clips, features.clips, by_text=False),
        FREQUENT: frequent_ranks(trained_on.clips, features.clips),
        BLIND: _answerer(blind).ranks(features),
        OTHER: task.ranks(another_photograph(features)),
        MODEL: task.ranks(features),
    }
    rows = table(ranks, features)
    for over in (BLIND, OTHER):
        value, low, high, _ = gain(ranks, features, over)
        points = f"{100 * value:+.1f} points"
        interval = f"{100 * low:+.1f} to {100 * high:+.1f}"
        rows.append(["all", f"model, less: {over}", points, interval, "", ""])
    report("question_answering", "Questions about photographs", COLUMNS, rows)


def _questions(clips: Sequence[Clip]) -> Iterator[tuple[str, str, str]]:
    """Text, answer and kind."""
    for clip in clips:
        yield from zip(clip.captions, clip.answers, clip.kinds, strict=True)


def _answerer(heads: Checkpoint) -> QuestionAnsweringTask:
    task = load_task(heads)
    assert isinstance(task, QuestionAnsweringTask)
    return task


def _encoded(corpus: Corpus, heads: Checkpoint, cache: Path) -> Features:
    return encode_as_read(build_encoder(heads.encoder).eval(), heads, corpus, cache, "skip")


if __name__ == "__main__":
    main(tyro.cli(Settings, description=__doc__))
