"""What the frozen features of lite allow: retrieval by one vector a photograph and one a caption.

    python -m benchmarks.frozen_features --root DIR --cache DIR

DIR has the Flickr8k layout. A photograph is the mean of its frames, a caption the mean of its
words, each mapped to 256 features: no game, no levels. It is what a model on these features can
hardly exceed, and says which features and which maps are worth it. Trained on the train list as
configs/lite.yaml trains (views, noise, dropout, optimiser, temperature), measured on the
validation list.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from benchmarks.measures import HEADER, Count, Units, rows_of
from benchmarks.report import report
from hbi_core.data import read_corpus
from hbi_core.data.encoding import encode_corpus
from hbi_core.data.features import Features
from hbi_core.encoders import load_encoder
from hbi_core.losses import contrastive_loss
from hbi_core.model.entity import Projection
from hbi_core.model.tokens import Tokens
from hbi_core.tasks.retrieval_metrics import ranks
from hbi_core.training.config import TrainConfig
from hbi_core.training.config_file import read_config

RECIPE = Path(__file__).parents[1] / "configs" / "lite.yaml"
VIEWS = 2  # of a photograph in a batch
BLOCKS = {
    "class names and pooled features": slice(0, 384 + 1280),
    "and statistics of the last stages": slice(None),
}


@dataclass(frozen=True)
class Settings:
    """Text to image among all photographs of the validation list, for several maps."""

    root: Path
    """Folder in the Flickr8k layout."""
    cache: Path | None = None
    """Folder in which features are kept; that of the recipe's training has them."""
    epochs: int = 14
    seed: int = 0


class Map(nn.Module):
    """Tokens -> one vector each, float [B, D] of unit length: linear, or with a hidden layer."""

    def __init__(self, inputs: int, width: int, hidden: int, noise: float, dropout: float) -> None:
        super().__init__()
        self.linear = Projection(inputs, width, noise, dropout)
        self.beside = None
        if hidden:
            last = nn.Linear(hidden, width)
            nn.init.zeros_(last.weight)
            first = Projection(inputs, hidden, noise, dropout)
            nn.init.kaiming_uniform_(first.linear.weight)
            self.beside = nn.ModuleList([first, nn.Sequential(nn.GELU(), nn.Dropout(0.3), last)])

    def fit(self, features: Tensor) -> None:
        for step in self.modules():
            if isinstance(step, Projection):
                step.fit(features)

    def forward(self, tokens: Tokens) -> Tensor:
        mapped = self.linear(tokens).features
        if self.beside is not None:
            first, rest = self.beside
            mapped = mapped + rest(first(tokens).features)
        directions = functional.normalize(mapped, dim=-1) * tokens.mask.unsqueeze(-1)
        return functional.normalize(directions.sum(1), dim=-1)


def sentences(features: Features) -> Tensor:
    """float [C, 1, 384] of unit length: the mean state of the words of each caption."""
    assert features.context is not None  # phrases have it
    assert features.counts is not None
    states = features.context.float() * features.counts.unsqueeze(-1)
    owner = torch.arange(len(features.owners)).repeat_interleave(features.starts.diff())
    sums = torch.zeros(len(features.owners), states.shape[1]).index_add_(0, owner, states)
    return functional.normalize(sums, dim=-1).unsqueeze(1)


def trained(
    train: Features, block: slice, hidden: int, config: TrainConfig, settings: Settings
) -> tuple[Map, Map]:
    """The two maps, of frames and of captions."""
    generator = torch.Generator().manual_seed(settings.seed)
    torch.manual_seed(settings.seed)
    texts, model, optimiser = sentences(train), config.model, config.optimiser
    inputs = train.frames[:1, :1, block].shape[-1]
    maps = [
        Map(n, model.width, hidden, model.noise, model.dropout) for n in (inputs, texts.shape[-1])
    ]
    video, text = maps
    first = train.plain - 1  # the views, and the last of the plain frames
    video.fit(train.frames[:, first:, block].flatten(0, 1)[::7].float())
    text.fit(texts.flatten(0, 1))
    adam = torch.optim.AdamW(
        [p for one in maps for p in one.parameters()],
        lr=optimiser.learning_rate,
        weight_decay=optimiser.weight_decay,
    )
    size = optimiser.batch_size
    steps = settings.epochs * (len(texts) // size)
    rates = torch.optim.lr_scheduler.OneCycleLR(
        adam, optimiser.learning_rate, total_steps=steps, pct_start=optimiser.warmup
    )
    bar = tqdm(total=steps, desc=f"{inputs} features, {hidden} hidden", leave=False)
    for _ in range(settings.epochs):
        order = torch.randperm(len(texts), generator=generator)
        for batch in order.split(size)[: len(texts) // size]:
            owners = train.owners[batch]
            chosen = torch.rand(size, train.frames.shape[1] - first, generator=generator).argsort()[
                :, :VIEWS
            ]
            frames = train.frames[owners.unsqueeze(-1), first + chosen, block].float()
            scores = video(Tokens.original(frames)) @ text(Tokens.original(texts[batch])).mT
            same = owners.unsqueeze(-1) == owners
            loss = contrastive_loss(scores, config.loss.temperature, same)
            adam.zero_grad()
            loss.backward()
            adam.step()
            rates.step()
            bar.update()
    return video.eval(), text.eval()


def main(settings: Settings) -> None:
    config = read_config(TrainConfig, ["--config", str(RECIPE)])
    encoder, data = load_encoder("lite"), config.data
    parts = {
        split: encode_corpus(
            encoder,
            read_corpus("flickr8k", settings.root, split),
            data.frames,
            views=views,
            degraded=data.degraded if views else 0.0,
            players=config.model.text_players,
            words=data.words,
            cache=settings.cache,
            missing="skip",
        )
        for split, views in (("train", data.views), ("validation", 0))
    }
    seen = parts["validation"]
    units: Units = defaultdict(list)
    for name, block in BLOCKS.items():
        for hidden in (0, 512):
            video, text = trained(parts["train"], block, hidden, config, settings)
            with torch.inference_mode():
                shown = Tokens.original(seen.frames[..., block].float(), seen.frame_mask)
                scores = video(shown) @ text(Tokens.original(sentences(seen))).mT
            placed, _ = ranks(scores, seen.owners)
            for first in (1, 5, 10):
                units[f"R@{first}", f"{name}, {f'{hidden} hidden' if hidden else 'linear'}"] = [
                    Count(float(found.sum()), len(found))
                    for n in range(len(seen.clips))
                    for found in [placed[seen.owners == n] <= first]
                ]
    report(
        "frozen_features",
        f"Text to image among {len(seen.clips)} photographs, one vector each, lite, "
        f"{len(parts['train'].clips)} photographs to train on, seed {settings.seed}",
        ["measure", "features and map", *HEADER[2:]],
        rows_of(units, settings.seed),
    )


if __name__ == "__main__":
    main(tyro.cli(Settings))
