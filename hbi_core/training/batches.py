"""Which samples an epoch has, and what a batch of them holds.

The samples of an epoch follow from the seed and its number alone, so that a run can go on from any
step, and every process can work out its share.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence, Sized
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from hbi_core.data import Clip
from hbi_core.data.batch import Batch, Foils, Sample
from hbi_core.data.config import DataConfig
from hbi_core.data.features import Features
from hbi_core.data.montage import LARGEST_MONTAGE, groups_of_pairs, join_captions
from hbi_core.data.reading import ClipReader, Pixels
from hbi_core.encoders.tokens import TextPlayers, player_tokens
from hbi_core.errors import DataError
from hbi_core.inputs.text import Caption, parse_caption
from hbi_core.model import Tokens, pad

_MIXED = (0.2, 0.45)  # share of the next photograph in a dissolve; the first one still prevails


def batches_of_epoch(
    clips: tuple[Clip, ...], config: DataConfig, batch_size: int, seed: int, epoch: int
) -> list[list[Sample]]:
    """The batches of an epoch, of all processes together.

    Every clip with each of its captions (or as many as config.captions_per_clip) is in one of
    them, shuffled; what does not fill a batch is left for another epoch. In some batches the
    photographs are put together to montages of one to four.
    """
    chosen = random.Random(f"{seed} {epoch}")
    pairs, first = [], 0
    for clip, count in enumerate(len(clip.captions) for clip in clips):
        wanted = min(count, config.captions_per_clip or count)
        pairs += [(clip, first + caption) for caption in chosen.sample(range(count), wanted)]
        first += count
    chosen.shuffle(pairs)
    batches = []
    for start in range(0, len(pairs) - batch_size + 1, batch_size):
        most = LARGEST_MONTAGE if chosen.random() < config.montages else 1
        groups = groups_of_pairs(pairs[start : start + batch_size], most, chosen)
        batches.append(
            [Sample(tuple(g), tuple(g.values()), chosen.getrandbits(32)) for g in groups]
        )
    return batches


def share_of_process(batch: list[Sample], rank: int, processes: int) -> list[Sample]:
    """As many samples as every other process gets; a remainder is left out."""
    share = len(batch) // processes
    return batch[rank * share : (rank + 1) * share]


class FeatureBatches:
    """Batches of frozen features, as long as their longest video and text."""

    def __init__(self, features: Features, config: DataConfig) -> None:
        self.features, self.config = features, config
        self.clips = features.clips

    def __call__(self, batches: list[list[Sample]]) -> Iterator[Batch]:
        return map(self._batch, batches)

    def _batch(self, samples: list[Sample]) -> Batch:
        if self.features.padding is not None:  # for a released checkpoint: as evaluation has them
            video = self.features.videos([clip for s in samples for clip in s.clips])
            text = self.features.texts([c for s in samples for c in s.captions], self.config.words)
            return _paired(samples, video, text)
        videos = [self._frames(sample) for sample in samples]
        texts = [[self.features.players(n) for n in sample.captions] for sample in samples]
        frames = [torch.cat(parts) for parts in videos]
        video = pad(frames, max(map(len, frames)))
        text = _joined(texts, self.config.words)
        return replace(
            _paired(samples, video, text),
            frame_parts=_parts(videos, video.mask.shape[1]),
            word_parts=_parts(texts, text.mask.shape[1]).masked_fill(~text.mask, -1),
            foils=self._foils(samples),
        )

    def _foils(self, samples: list[Sample]) -> Foils | None:
        """Of the samples of one clip whose caption has one; montages are left out."""
        known = {
            row: foil
            for row, sample in enumerate(samples)
            if len(sample.captions) == 1
            and (foil := self.features.foils.get(sample.captions[0])) is not None
        }
        if not known:
            return None
        return Foils(
            rows=torch.tensor(list(known)),
            nouns=torch.tensor([foil.noun for foil in known.values()]),
            replaced=torch.tensor([foil.replaced for foil in known.values()]),
            texts=_joined([[foil.players] for foil in known.values()], self.config.words),
        )

    def _frames(self, sample: Sample) -> list[Tensor]:
        """Of each clip float [at most frames, Dv]: with random views where there are some."""
        if not self.config.views:
            return [self.features.joined_frames([clip]) for clip in sample.clips]
        chosen = np.random.default_rng(sample.seed)
        shown = []
        for clip in sample.clips:
            features = self.features.frames[clip]
            shown.append(features[chosen.choice(len(features), self._shown(chosen))].float())
        if self.config.dissolves:
            self._dissolve(shown, sample.clips, chosen)
        return shown

    def _dissolve(
        self, shown: list[Tensor], clips: tuple[int, ...], chosen: np.random.Generator
    ) -> None:
        """Mix the last view of a clip with one of the next clip, in some of the cuts."""
        for views, following in zip(shown[:-1], clips[1:], strict=True):
            if chosen.random() < self.config.dissolves:
                features = self.features.frames[following]
                other = features[int(chosen.integers(len(features)))].float()
                views[-1].lerp_(other, chosen.uniform(*_MIXED))

    def _shown(self, chosen: np.random.Generator) -> int:
        """One view or more, so that the model learns from single frames and from several."""
        return int(chosen.integers(1, self.config.frames, endpoint=True))


class PixelBatches:
    """Batches of pixels and captions, for an encoder that learns."""

    def __init__(self, clips: tuple[Clip, ...], config: DataConfig, reader: ClipReader) -> None:
        self.clips, self.config, self.reader = clips, config, reader
        self.captions = [caption for clip in clips for caption in clip.captions]

    def __call__(self, batches: list[list[Sample]]) -> Iterator[Batch]:
        clips = [self.clips[n] for batch in batches for sample in batch for n in sample.clips]
        read = self.reader(clips, self.config.frames, missing=self.config.missing)
        for samples in batches:
            yield self._batch(samples, read)

    def _batch(self, samples: list[Sample], read: Iterator[Pixels | None]) -> Batch:
        """The samples; in place of one that cannot be read, another one of the batch again."""
        videos = {}
        for sample in samples:
            parts = [next(read) for _ in sample.clips]
            shown = [part.frames for part in parts if part is not None]
            if len(shown) == len(parts):
                videos[sample] = torch.cat(shown)
        if not videos:
            raise DataError("No video of a batch can be read; the log says why.")
        known = list(videos)
        kept = [s if s in videos else known[n % len(known)] for n, s in enumerate(samples)]
        longest = max(map(len, videos.values()))
        frames = videos[known[0]].new_zeros(
            len(kept), longest, *videos[known[0]].shape[1:], pin_memory=torch.cuda.is_available()
        )
        mask = torch.zeros(frames.shape[:2], dtype=torch.bool)
        for row, real, sample in zip(frames, mask, kept, strict=True):
            video = videos[sample]
            row[: len(video)], real[: len(video)] = video, True
        captions = tuple(self._caption(sample) for sample in kept)
        return Batch(
            frames=frames,
            frame_mask=mask,
            words=captions,
            word_mask=None,
            ids=_ids(kept),
            samples=tuple(kept),
        )

    def _caption(self, sample: Sample) -> Caption:
        return parse_caption(join_captions([self.captions[n] for n in sample.captions]))


def _joined(texts: list[list[TextPlayers]], most: int) -> Tokens:
    """The texts of each sample one after another, of `most` words at most."""
    joined = [TextPlayers.joined(parts).within(most) for parts in texts]
    words = max(text.words for text in joined)
    return player_tokens(joined, words, length=max(map(len, joined)))


def _parts(sequences: Sequence[Sequence[Sized]], length: int) -> Tensor:
    """int64 [B, length]: the part of its sample that a token is of; -1 for none."""
    parts = torch.full((len(sequences), length), -1)
    for row, sequence in zip(parts, sequences, strict=True):
        lengths = torch.tensor([len(part) for part in sequence])
        numbers = torch.arange(len(sequence)).repeat_interleave(lengths)[:length]
        row[: len(numbers)] = numbers
    return parts


def _paired(samples: list[Sample], video: Tokens, text: Tokens) -> Batch:
    return Batch(
        frames=video.features,
        frame_mask=video.mask,
        words=text.features,
        word_mask=text.mask,
        ids=_ids(samples),
        samples=tuple(samples),
        word_groups=text.groups,
        word_steps=text.steps,
        word_context=text.context,
    )


def _ids(samples: list[Sample]) -> Tensor:
    """A number for each set of clips; the same in every process."""
    return torch.tensor([hash(sample.clips) for sample in samples])
