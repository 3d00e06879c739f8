"""Captions that a model writes, beside those that need no model, with intervals.

    python -m benchmarks.captioning --root DIR --cache DIR --clips DIR

DIR has the Flickr8k layout; captions are of the photographs of its validation list. Beside the
model: the caption of the most similar training photograph (by the frozen features, and by the heads
that we ship), a template with the name of an ImageNet class, the model without the video, and
people, one of whose five captions is measured by the other four. Of clips in another folder with
captions.csv (file, caption) it is told what the model says of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
import tyro
from torch import Tensor
from torch.nn import functional

from benchmarks.report import report
from hbi_core.checkpoints.checkpoint import SHIPPED, load_checkpoint
from hbi_core.data import read_corpus
from hbi_core.data.annotations import read_rows
from hbi_core.data.encoding import encode_corpus
from hbi_core.data.features import Features
from hbi_core.encoders import Encoder, load_encoder
from hbi_core.encoders.base import encode_frames
from hbi_core.encoders.lite import LiteEncoder, class_prompts
from hbi_core.inputs.video import read_video
from hbi_core.model import Tokens
from hbi_core.task_model import CAPTIONS
from hbi_core.tasks import load_task
from hbi_core.tasks.captioning import CaptioningTask
from hbi_core.tasks.captioning_metrics import (
    WITH_JAVA,
    CaptionScores,
    bleu,
    has_java,
    measure,
)

ROUNDS = 2000  # of the bootstrap over photographs
_AT_ONCE = 100  # of them, to bound memory
_CONSE = 384  # features of a frame that share a space with the class names
FRAMES = 12  # of a real clip


@dataclass(frozen=True)
class Settings:
    """Measure a captioner and what it must beat."""

    root: Path
    """Folder in the Flickr8k layout."""
    checkpoint: Path = CAPTIONS.file
    """The captioner; the one that we ship where none is given."""
    cache: Path | None = None
    """Folder in which features are kept; that of its training has them."""
    views: int = 6
    """Views of the training photographs, as in training, so that they are in the cache."""
    degraded: float = 0.5
    """Share of them that look like frames of a video, likewise."""
    clips: Path | None = None
    """Folder with clips and captions.csv, of which it is told what the model says."""


def main(settings: Settings) -> None:
    task = cast(CaptioningTask, load_task(load_checkpoint(settings.checkpoint)))
    encoder = load_encoder("lite")
    train = encoded(settings, task, encoder, "train", settings.views, settings.degraded)
    seen = encoded(settings, task, encoder, "validation")
    people = [list(clip.captions) for clip in seen.clips]
    said = captions_of(task, encoder, train, seen)
    measured = {name: measure(captions, people, has_java()) for name, captions in said.items()}
    alone = [[own[k] for own in people] for k in range(min(map(len, people)))]
    others = [[text for n, text in enumerate(own) if n != 0] for own in people]
    measured["people: one caption by the other four"] = measure(alone[0], others, has_java())
    first = next(iter(measured.values()))
    columns = ["captions", "BLEU-4", "METEOR", "ROUGE-L", "CIDEr", "CIDEr of the model over it"]
    report(
        "captioning",
        f"Captions of {len(people)} photographs of the validation list, five of people each, in "
        "hundredths, with 95 % intervals over the photographs"
        + ("" if first.name == WITH_JAVA else "; without Java, by a tokenizer of ours"),
        columns,
        [[name, *cells(scores, first)] for name, scores in measured.items()],
    )
    if settings.clips is not None:
        report(
            "captioning_clips",
            f"What {settings.checkpoint.name} says of clips, {FRAMES} frames each",
            ["clip", "the model", "log-probability of a word", "people"],
            list(told(task, encoder, settings.clips)),
        )


def encoded(
    settings: Settings,
    task: CaptioningTask,
    encoder: Encoder,
    split: str,
    views: int = 0,
    degraded: float = 0.0,
) -> Features:
    """The features of a split, as the captioner was trained on them."""
    heads = load_checkpoint(settings.checkpoint)
    return encode_corpus(
        encoder,
        read_corpus("flickr8k", settings.root, split),
        task.retrieval.frames,
        views=views,
        degraded=degraded,
        players=heads.config.text_players,
        words=task.retrieval.words,
        cache=settings.cache,
        missing="skip",
    )


@torch.inference_mode()
def captions_of(
    task: CaptioningTask, encoder: LiteEncoder, train: Features, seen: Features
) -> dict[str, list[str]]:
    """A caption of each photograph by each way of making one, the model first."""
    shipped = load_checkpoint(SHIPPED).hierarchy

    def by_heads(features: Features) -> Tensor:
        parts = [
            torch.cat(
                [pooled(p.tokens) for p in shipped.players("video", features.videos(rows))], 1
            )
            for start in range(0, len(features.clips), 256)
            for rows in [slice(start, start + 256)]
        ]
        return torch.cat(parts)

    known = train.frames[:, : train.plain].float()
    centre, scale = known.mean((0, 1)), known.std((0, 1)).clamp(min=1e-6)

    def by_features(features: Features) -> Tensor:
        tokens = features.videos(slice(None))
        return pooled(replace(tokens, features=(tokens.features - centre) / scale))

    said = {f"the model, beam search of {task.settings.beams}": task.captions(seen)}
    task.settings, usual = replace(task.settings, beams=1), task.settings
    said["the model, the most probable word each time"] = task.captions(seen)
    task.settings = usual
    first = replace(seen, clips=seen.clips[:1], frames=seen.frames[:1])
    blind = replace(first, frame_mask=torch.zeros_like(seen.frame_mask[:1]))
    said["the model without the video"] = task.captions(blind) * len(seen.clips)
    for name, describe in (
        ("nearest photograph's first caption, by the features", by_features),
        ("nearest photograph's first caption, by the shipped heads", by_heads),
    ):
        nearest = (describe(seen) @ describe(train).mT).argmax(-1).tolist()
        said[name] = [train.clips[n].captions[0] for n in nearest]
    conse = seen.frames[:, 0, :_CONSE].float()  # of the whole photograph
    likeness = conse @ functional.normalize(encoder.classes, dim=-1).mT
    names = [prompt.removeprefix("a photo of ") for prompt in class_prompts()]
    said["template: a photo of …"] = [
        f"a photo of {names[n]}" for n in likeness.argmax(-1).tolist()
    ]
    return said


def pooled(tokens: Tokens) -> Tensor:
    """The mean direction of the tokens of each clip, [B, D] of unit length."""
    directions = functional.normalize(tokens.features, dim=-1) * tokens.mask.unsqueeze(-1)
    return functional.normalize(directions.sum(1), dim=-1)


def cells(scores: CaptionScores, model: CaptionScores) -> list[str]:
    """What is measured with its intervals, and how many times the model has its CIDEr."""
    drawn = np.random.default_rng(0)
    count = len(scores.cider)
    found: dict[str, list[np.ndarray]] = {"bleu": [], "rouge": [], "cider": [], "times": []}
    for _ in range(ROUNDS // _AT_ONCE):
        chosen = drawn.integers(0, count, (_AT_ONCE, count))
        found["bleu"].append(100 * bleu(scores.counts[chosen].sum(1)))
        found["rouge"].append(100 * scores.rouge[chosen].mean(1))
        cider = scores.cider[chosen].mean(1)
        found["cider"].append(100 * cider)
        found["times"].append(model.cider[chosen].mean(1) / cider)
    values = scores.metrics()
    times = values["CIDEr"] and model.metrics()["CIDEr"] / values["CIDEr"]
    return [
        interval(values["BLEU-4"], found["bleu"]),
        f"{values['METEOR']:.1f}" if "METEOR" in values else "no Java",
        interval(values["ROUGE-L"], found["rouge"]),
        interval(values["CIDEr"], found["cider"]),
        "" if scores is model else interval(times, found["times"], 2),
    ]


def interval(value: float, drawn: Sequence[np.ndarray], places: int = 1) -> str:
    low, high = np.quantile(np.concatenate(drawn), (0.025, 0.975))
    return f"{value:.{places}f} ({low:.{places}f} to {high:.{places}f})"


@torch.inference_mode()
def told(task: CaptioningTask, encoder: Encoder, folder: Path):
    """A row for each clip of captions.csv."""
    for name, text in read_rows(folder / "captions.csv", ("file", "caption")):
        frames = encode_frames(encoder, read_video(folder / name, FRAMES).frames)
        written = task.write(task.memory(Tokens.original(frames.unsqueeze(0))))
        words = written.words[0, 0]
        count = len(task.text(words).split()) + 1
        mean = float(written.log_probabilities[0, 0].sum()) / count
        yield [name, task.text(words), f"{mean:.2f}", text]


if __name__ == "__main__":
    main(tyro.cli(Settings))
