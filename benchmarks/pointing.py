"""What the links tell on photographs that were not trained on: retrieval, montages and foils.

    python -m benchmarks.pointing --root DIR --cache DIR

DIR has the Flickr8k layout (captions.txt, Images/ and the lists of its splits).

Retrieval: text to image among all photographs, by the scores of all levels; and by what is left of
them when what a photograph scores with any caption of the training list is taken off
(`hbi_core.tasks.querybank`).

Montages show three photographs, each as many frames as the heads read in training; the caption is
one caption of each, joined. Sentences and single content words point at a photograph, by the exact
interaction and by the cosine similarity; chance is 33 %.

How much interaction there is between frames and words of different photographs is measured too, of
that between those of the same.

Foils are captions in which one noun was replaced by another of its kind. The true one should score
higher, and in the false one the noun that was put in should have the lowest Banzhaf value of all
nouns. `benchmarks.measures` and `hbi_core.data.foils` define what is counted.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import tyro
from torch import Tensor
from tqdm import tqdm

from benchmarks.links import Links, encode, links_of_tokens, play
from benchmarks.measures import (
    HEADER,
    Count,
    Units,
    content_words,
    rows_of,
    sentences_point,
    strayed,
    words_point,
)
from benchmarks.report import report
from explainers import closed_form
from hbi_core.checkpoints.checkpoint import Checkpoint
from hbi_core.chosen_model import choose_model
from hbi_core.data import Clip, Corpus, montages, photograph_of_words, read_corpus
from hbi_core.data.features import Features
from hbi_core.data.foils import FREQUENT, Foil, frequent_nouns, make_foil
from hbi_core.devices import choose_device
from hbi_core.evaluate import encode_as_read, encode_bank
from hbi_core.inputs.text import Caption, parse_caption
from hbi_core.predictor import Predictor
from hbi_core.tasks.reranking import retrieval_scores
from hbi_core.tasks.retrieval_metrics import ranks, similarity_scores

PHOTOGRAPHS = 3  # of a montage
AT_ONCE = 64  # captions that go through the model together


@dataclass(frozen=True)
class Settings:
    """Retrieval, right photograph for sentences and words, and foils."""

    root: Path
    """Folder in the Flickr8k layout."""
    split: str = "validation"
    """Photographs to take; the official development list where it is in the folder."""
    photographs: int = 0
    """So many photographs at most, chosen by a hash; 0 takes all."""
    montages: int = 150
    foils: int = 2
    """So many captions of each photograph are foiled, where they have a noun to replace."""
    seed: int = 0
    """Of montages, foils and the bootstrap."""
    checkpoint: str | None = None
    """Trained heads; those we ship where none are given, "untrained" for none."""
    cache: Path | None = None
    """Folder in which features are kept."""
    querybank: int = 30_000
    """So many captions of the training list; 0 leaves those rows out."""
    report: str = "pointing"
    """Name of the files in results/."""


@dataclass(frozen=True, eq=False)
class Drawn:
    """A montage.

    Attributes:
        caption: as it was joined.
        photographs: their numbers in the features, as they are shown.
        parts: int [W], for each word the place among these that it belongs to.
    """

    caption: Caption
    photographs: list[int]
    parts: Tensor


@dataclass(frozen=True)
class FoiledPair:
    """A foil, and what it was made of.

    Attributes:
        photograph: its number in the features.
        true: the caption.
        foil: the false one.
    """

    photograph: int
    true: Caption
    foil: Foil


def measure_retrieval(
    heads: Checkpoint, features: Features, bank: Features | None, units: Units
) -> None:
    """Text to image: for each photograph, how many of its captions rank it among the first."""
    hierarchy = heads.hierarchy.to(choose_device())
    of_texts, of_videos = retrieval_scores(
        hierarchy, features, heads.retrieval, progress=True, bank=bank
    )
    kinds = {"text → image": of_texts}
    if bank is not None:  # which changes the scores for texts alone
        kinds = {"text → image": of_videos, "text → image with a querybank": of_texts}
    if heads.hierarchy.reconstructs:
        kinds["text → image by single-modal scores"] = similarity_scores(
            heads.hierarchy, features, heads.retrieval.words, heads.retrieval.level_weights
        )
    for kind, known in kinds.items():
        of_texts, _ = ranks(known, features.owners)
        for first in (1, 5, 10):
            found = (of_texts <= first).double()
            units[f"{kind}, R@{first}", "all"] = [
                Count(float(found[features.owners == n].sum()), int((features.owners == n).sum()))
                for n in range(len(features.clips))
            ]


def measure_montages(
    predictor: Predictor, features: Features, chosen: Sequence[Drawn], units: Units
) -> None:
    """Where sentences and words point; a unit is a montage."""
    for montage in tqdm(chosen, desc="montages", leave=False):
        (text,) = encode(predictor, [montage.caption])
        if text is None:
            continue
        frames, parts = features.joined_frames(montage.photographs), montage.parts
        shown = torch.arange(PHOTOGRAPHS).repeat_interleave(features.plain)
        content = content_words(montage.caption)
        for level in play(predictor, [frames], [text]):
            links = links_of_tokens(level, 0)
            units["|I| where nothing belongs together, of |I| where it does", links.level].append(
                strayed(links, shown, parts)
            )
            for link, strength in links.strengths.items():
                units[f"sentence → photograph, {link}", links.level].append(
                    _total(sentences_point(links, strength, shown, parts))
                )
                units[f"content word → photograph, {link}", links.level].append(
                    _total(words_point(links, strength, shown, parts, content))
                )


def draw_montages(corpus: Corpus, count: int, seed: int) -> list[Drawn]:
    """Montages of photographs of a corpus, which the features number in the same order."""
    number_of = {clip.files[0]: number for number, clip in enumerate(corpus.clips)}
    chosen = []
    for montage in montages(corpus, count, seed, (PHOTOGRAPHS,)):
        caption = parse_caption(montage.captions[0])
        parts = torch.tensor(photograph_of_words(caption, montage))
        chosen.append(Drawn(caption, [number_of[file] for file in montage.files], parts))
    return chosen


def draw_foils(
    clips: Sequence[Clip], frequent: frozenset[str], captions: int, seed: int
) -> list[FoiledPair]:
    """Foils of the first captions of each clip, where one can be made."""
    drawn, pairs = random.Random(seed), []
    for number, clip in enumerate(clips):
        parsed = [parse_caption(text) for text in clip.captions]
        said = {word.text.lower() for caption in parsed for word in caption.words}
        for caption in parsed[:captions]:
            foil = make_foil(caption, said, frequent, drawn)
            if foil is not None:
                pairs.append(FoiledPair(number, caption, foil))
    return pairs


def measure_foils(
    predictor: Predictor, features: Features, pairs: Sequence[FoiledPair], units: Units
) -> None:
    """Whether the true caption scores higher, and its foil's noun is worth least; a unit is a pair.

    Equal scores count as wrong. Of a foil with one noun nothing is asked about values.
    """
    reads = predictor.heads.retrieval
    for start in tqdm(range(0, len(pairs), AT_ONCE), desc="foils", leave=False):
        batch = pairs[start : start + AT_ONCE]
        true = encode(predictor, [pair.true for pair in batch])
        false = encode(predictor, [pair.foil.caption for pair in batch])
        read = [n for n, texts in enumerate(zip(true, false, strict=True)) if None not in texts]
        videos = [features.joined_frames([batch[n].photograph]) for n in read]
        levels = [
            play(predictor, videos, [text for n in read if (text := texts[n]) is not None])
            for texts in (true, false)
        ]
        gains = torch.stack(
            [t.game().grand_value() - f.game().grand_value() for t, f in zip(*levels, strict=True)]
        ).cpu()  # [levels, B]
        names = [level.name for level in levels[0]]
        weights = torch.tensor(reads.level_weights, dtype=gains.dtype)
        for name, gain in [("all", weights @ gains), *zip(names, gains, strict=True)]:
            units["true caption above its foil", name] += [
                Count(float(x > 0), 1) for x in gain.tolist()
            ]
        for sample, n in enumerate(read):
            foil = batch[n].foil
            if len(foil.nouns) > 1:
                links = links_of_tokens(levels[1][0], sample)
                lowest = Count(float(foil_is_lowest(links, foil)), 1)
                units["replaced noun has the lowest value", links.level].append(lowest)
                units["the same by chance", links.level].append(Count(1 / len(foil.nouns), 1))
                units["|I| of the replaced noun, of |I| of the others", links.level].append(
                    foil_strayed(links, foil)
                )


def foil_is_lowest(links: Links, foil: Foil) -> bool:
    """Whether the noun that was put in is worth less than every other noun of the caption.

    The value of a noun is the exact Banzhaf value of the text player that it belongs to.
    """
    values = closed_form(links.game, pairs="all").player_values
    assert values is not None  # of all pairs, it is there
    text = values[len(links.frames) :].tolist()
    value = {word: text[number] for number, own in enumerate(links.words) for word in own}
    return all(value[foil.word] < value[noun] for noun in foil.nouns if noun != foil.word)


def foil_strayed(links: Links, foil: Foil) -> Count:
    """How much the noun that was put in interacts with the frames, of what the others do.

    The mean |I| over the frames of its text player, over the mean of the players of the other
    nouns. The frames do not show it: without bias, it is 0. Where they have one player, nothing is
    counted.
    """
    strength = links.exact.abs().mean(0)  # [T]
    player = {word: number for number, own in enumerate(links.words) for word in own}
    others = {player[noun] for noun in foil.nouns} - {player[foil.word]}
    if not others:
        return Count(0, 0)
    return Count(float(strength[player[foil.word]]), float(strength[sorted(others)].mean()))


def _total(counts: Sequence[Count]) -> Count:
    hits, of = zip(*counts, strict=True)
    return Count(sum(hits), sum(of))


def measured(checkpoint: str | None, settings: Settings) -> tuple[Units, str]:
    """All measures of a checkpoint, and what was measured."""
    encoder, heads = choose_model(checkpoint, device=choose_device())
    predictor = Predictor(encoder, heads)
    corpus = read_corpus("flickr8k", settings.root, settings.split)
    if settings.photographs:
        corpus = corpus.subset(settings.photographs)
    features = encode_as_read(encoder, heads, corpus, settings.cache, "skip")
    corpus = replace(corpus, clips=features.clips)  # without those that cannot be read
    units: Units = defaultdict(list)
    trained = read_corpus("flickr8k", settings.root, "train")
    bank = None
    if settings.querybank and not heads.hierarchy.reconstructs:
        bank = encode_bank(encoder, heads, trained, settings.querybank, settings.cache)
    measure_retrieval(heads, features, bank, units)
    drawn = draw_montages(corpus, settings.montages, settings.seed)
    measure_montages(predictor, features, drawn, units)
    said = frequent_nouns((text for clip in trained.clips for text in clip.captions), FREQUENT)
    pairs = draw_foils(features.clips, said, settings.foils, settings.seed)
    measure_foils(predictor, features, pairs, units)
    return units, (
        f"{len(features.clips)} photographs of the {settings.split} part, {settings.montages} "
        f"montages of three, {len(pairs)} foils, {heads.encoder}, {heads.name}"
    )


def main(settings: Settings) -> None:
    units, told = measured(settings.checkpoint, settings)
    report(settings.report, told, HEADER, rows_of(units, settings.seed))


if __name__ == "__main__":
    main(tyro.cli(Settings))
