"""Do the links point at the right pictures? Montages of three photographs with their captions.

    python -m benchmarks.pointing --root DIR

DIR has the Flickr8k layout (captions.txt and Images/). A montage shows three photographs, each as
four frames (zooming in), and its caption is one caption of each, joined. A text token points at the
video token of its highest link; a word in it counts as right in the measure in which the frames of
that token show the photograph that its caption belongs to. Chance is 33 %.
"""

from __future__ import annotations

import csv
import random
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro
from PIL import Image, ImageOps
from tqdm import tqdm

from benchmarks.report import report
from explainers import closed_form
from hbi_core.checkpoint import untrained
from hbi_core.encoders import encode_frames, encode_text, load_encoder
from hbi_core.model import LevelTokens, Tokens
from hbi_core.text import parse_caption

ZOOMS = (1.0, 0.93, 0.86, 0.8)
SIZE = 320  # pixels


@dataclass(frozen=True)
class Settings:
    """Right photograph for the words of a caption, by interaction and by cosine similarity."""

    root: Path
    """Folder in the Flickr8k layout."""
    montages: int = 100
    seed: int = 0


def frames_of(path: Path) -> np.ndarray:
    """uint8 [4, SIZE, SIZE, 3]: a photograph, zooming in."""
    with Image.open(path) as image:
        image = ImageOps.fit(image.convert("RGB"), (SIZE, SIZE))
    frames = []
    for zoom in ZOOMS:
        margin = SIZE * (1 - zoom) / 2
        box = (margin, margin, SIZE - margin, SIZE - margin)
        frames.append(np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BICUBIC, box)))
    return np.stack(frames)


def right_words(level: LevelTokens, strength: torch.Tensor, photographs: list[int]) -> float:
    """How many words of a level point at their photograph; a split token counts in part.

    Args:
        level: of one montage.
        strength: [V, T], of the links.
        photographs: for each word, the number of its photograph.
    """
    frames, words = level.video.tokens.groups[0], level.text.tokens.groups[0]
    shown = torch.arange(frames.shape[1]) // len(ZOOMS)
    strength = strength.masked_fill(~level.video.tokens.mask[0].unsqueeze(-1), -torch.inf)
    right = 0.0
    for text in level.text.tokens.mask[0].nonzero().flatten().tolist():
        pointed = shown[frames[strength[:, text].argmax()]]
        for word in words[text].nonzero().flatten().tolist():
            right += float((pointed == photographs[word]).float().mean())
    return right


def main(settings: Settings) -> None:
    chosen = random.Random(settings.seed)
    captions: dict[str, list[str]] = defaultdict(list)
    with (settings.root / "captions.txt").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            captions[row["image"]].append(row["caption"].strip(" ."))
    encoder, heads = load_encoder("lite"), untrained("lite", (1664, 384))
    right: dict[tuple[str, str], float] = defaultdict(float)
    total = 0
    for _ in tqdm(range(settings.montages), desc="montages"):
        names = chosen.sample(sorted(captions), 3)
        parts = [chosen.choice(captions[name]) for name in names]
        pixels = np.concatenate([frames_of(settings.root / "Images" / name) for name in names])
        caption = parse_caption(". ".join(parts) + ".")
        starts = np.cumsum([0] + [len(part) + 2 for part in parts[:-1]])
        photographs = [
            int(np.searchsorted(starts, word.start, side="right")) - 1 for word in caption.words
        ]
        video = Tokens.original(encode_frames(encoder, pixels).unsqueeze(0).double())
        text = Tokens.original(encode_text(encoder, caption).features.unsqueeze(0).double())
        total += len(photographs)
        for level in heads.hierarchy(video, text):
            game = level.game()
            for link, strength in {
                "exact interaction": closed_form(game).values[0],
                "cosine similarity": game.similarity[0],
            }.items():
                right[level.name, link] += right_words(level, strength, photographs)
    report(
        "pointing",
        f"Right photograph for a word, {settings.montages} montages of three, lite, {heads.name}",
        ["level", "link", "right"],
        [[level, link, f"{100 * n / total:.1f} %"] for (level, link), n in right.items()],
    )


if __name__ == "__main__":
    main(tyro.cli(Settings))
