"""Do the links point at the right pictures? Montages of three photographs with their captions.

    python -m benchmarks.pointing --root DIR

DIR has the Flickr8k layout (captions.txt and Images/). A montage shows three photographs, each as
four frames, and its caption is one caption of each, joined. A text token points at the video token
of its highest link; a word in it counts as right in the measure in which the frames of that token
show the photograph that its caption belongs to. A sentence points at the video token of the highest
mean link of its words. Chance is 33 %.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro
from tqdm import tqdm

from benchmarks.report import report
from hbi_core.data import montages, photograph_of_words, read_corpus, read_frames
from hbi_core.devices import choose_device
from hbi_core.explanation import Level
from hbi_core.inputs.text import parse_caption
from hbi_core.inputs.video import Video
from hbi_core.predictor import Predictor, choose_model

PHOTOGRAPHS, FRAMES = 3, 12


@dataclass(frozen=True)
class Settings:
    """Right photograph for words and sentences, by interaction and by cosine similarity."""

    root: Path
    """Folder in the Flickr8k layout."""
    split: str = "validation"
    """Photographs to take; the validation part was not trained on."""
    montages: int = 150
    seed: int = 0
    checkpoint: str | None = None
    """Trained heads; those we ship where none are given, "untrained" for none."""
    report: str = "pointing"
    """Name of the files in results/."""


def pointed_right(
    level: Level, strength: torch.Tensor, shown: torch.Tensor, photographs: torch.Tensor
) -> dict[str, tuple[float, int]]:
    """How many words and sentences point at their photograph, and of how many.

    Args:
        level: of one montage.
        strength: [V, T], of the links.
        shown: [F], the photograph that each frame shows.
        photographs: [W], the photograph that each word belongs to.
    """
    of_frame = torch.stack([(shown == n).double() for n in range(PHOTOGRAPHS)], -1)  # [F, P]
    shares = torch.stack([of_frame[list(t.frames)].mean(0) for t in level.video_tokens])  # [V, P]
    token_of = {word: n for n, token in enumerate(level.text_tokens) for word in token.words}
    by_word = strength[:, [token_of[word] for word in range(len(token_of))]]  # [V, W]
    words = shares[by_word.argmax(0), photographs]
    by_sentence = torch.stack(
        [by_word[:, photographs == n].mean(-1) for n in range(PHOTOGRAPHS)], -1
    )
    sentences = shares[by_sentence.argmax(0), torch.arange(PHOTOGRAPHS)]
    return {
        "words": (float(words.sum()), len(words)),
        "sentences": (float(sentences.sum()), PHOTOGRAPHS),
    }


def main(settings: Settings) -> None:
    corpus = read_corpus("flickr8k", settings.root, settings.split)
    device = choose_device()
    predictor = Predictor(*choose_model(settings.checkpoint, device=device))
    heads = predictor.heads
    right: dict[tuple[str, str, str], float] = defaultdict(float)
    total: dict[str, int] = defaultdict(int)
    chosen = montages(corpus, settings.montages, settings.seed, parts=(PHOTOGRAPHS,))
    for montage in tqdm(chosen, desc="montages"):
        caption = parse_caption(montage.captions[0])
        frames = read_frames(montage, FRAMES)
        seconds = tuple(map(float, range(len(frames.pixels))))
        predictor.set_video(Video(frames.pixels, seconds, float(len(seconds)), montage.id))
        explanation = predictor.explain(caption)
        words = explanation.levels[0].text_tokens
        if len(words) != len(caption.words) or explanation.words_left_out:
            continue  # a word without tokens, or more words than can be explained
        photographs = torch.tensor(photograph_of_words(caption, montage))
        for level in explanation.levels:
            for link, strength in {
                "exact interaction": level.interactions.values,
                "cosine similarity": level.similarity,
            }.items():
                counts = pointed_right(level, strength, torch.tensor(frames.shown), photographs)
                for unit, (hits, _) in counts.items():
                    right[level.name, link, unit] += hits
        for unit, (_, of) in counts.items():
            total[unit] += of
    rows = [
        [level, link, *(f"{100 * right[level, link, u] / total[u]:.1f} %" for u in total)]
        for level, link in dict.fromkeys((level, link) for level, link, _ in right)
    ]
    report(
        settings.report,
        f"Right photograph, {settings.montages} montages of three, {settings.split} part, "
        f"{heads.encoder}, {heads.name}",
        ["level", "link", "words", "sentences"],
        rows,
    )


if __name__ == "__main__":
    main(tyro.cli(Settings))
