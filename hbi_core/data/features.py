"""Frozen features of a corpus: encoded once, kept on disk, read in moments."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from hbi_core.data.clips import Clip, Corpus
from hbi_core.data.frames import read_frames
from hbi_core.data.montage import join_captions
from hbi_core.data.views import random_views
from hbi_core.encoders import Encoder
from hbi_core.model import Tokens
from hbi_core.tensor_file import read_tensors, write_tensors
from hbi_core.text import parse_caption

_CAPTIONS_AT_ONCE = 64


@dataclass(frozen=True, eq=False)
class Features:
    """The features of the clips of a corpus.

    Attributes:
        clips: as in the corpus.
        frames: float16 [N, M, Dv]: the frames of each clip, then the views drawn for training.
        frame_mask: bool [N, M].
        plain: how many of the M are the clip's frames as they are; the rest are random views.
        words: float16 [W, Dt]: the words of all captions of all clips, one after another.
        starts: int64 [C + 1], the first word of each caption.
        owners: int64 [C], the clip of each caption.
    """

    clips: tuple[Clip, ...]
    frames: Tensor
    frame_mask: Tensor
    plain: int
    words: Tensor
    starts: Tensor
    owners: Tensor

    def caption(self, number: int) -> Tensor:
        """float32 [T, Dt]"""
        return self.words[self.starts[number] : self.starts[number + 1]].float()

    def videos(self, numbers: slice) -> Tokens:
        """The clips as they are, without random views."""
        return Tokens.original(
            self.frames[numbers, : self.plain].float(), self.frame_mask[numbers, : self.plain]
        )

    def texts(self, numbers: slice, words: int) -> Tokens:
        """These captions, padded to (and cut at) this many words."""
        chosen = range(len(self.owners))[numbers]
        return pad([self.caption(number) for number in chosen], words)


def join_clips(features: Features, parts: int, seed: int) -> Features:
    """Montages: `parts` clips one after another, no clip in two of them.

    The n-th caption of a montage is made of the n-th captions of its clips, so that it has as many
    as the clip with the fewest.
    """
    order = torch.randperm(
        len(features.clips), generator=torch.Generator().manual_seed(seed)
    ).tolist()
    groups = [order[n : n + parts] for n in range(0, len(order) - parts + 1, parts)]
    own = [(features.owners == clip).nonzero().flatten().tolist() for clip in range(len(order))]
    clips, frames, words = [], [], []
    for group in groups:
        clips_of_group = [features.clips[clip] for clip in group]
        together = list(zip(*(own[clip] for clip in group), strict=False))
        files = tuple(file for clip in clips_of_group for file in clip.files)
        captions = tuple(zip(*(clip.captions for clip in clips_of_group), strict=False))
        clips.append(
            Clip("+".join(c.id for c in clips_of_group), files, tuple(map(join_captions, captions)))
        )
        frames.append(
            torch.cat([features.videos(slice(c, c + 1)).features[0].half() for c in group])
        )
        words += [torch.cat([features.caption(n).half() for n in numbers]) for numbers in together]
    masks = [
        torch.cat([features.frame_mask[c, : features.plain] for c in group]) for group in groups
    ]
    return Features(
        clips=tuple(clips),
        frames=torch.stack(frames),
        frame_mask=torch.stack(masks),
        plain=parts * features.plain,
        words=torch.cat(words),
        starts=torch.tensor([0, *map(len, words)]).cumsum(0),
        owners=torch.tensor([n for n, clip in enumerate(clips) for _ in clip.captions]),
    )


def pad(features: Sequence[Tensor], length: int) -> Tokens:
    """Sequences [n, D] -> Tokens [B, length, D]; what is longer is cut."""
    batch = torch.zeros(len(features), length, features[0].shape[-1], device=features[0].device)
    mask = torch.zeros(len(features), length, dtype=torch.bool, device=features[0].device)
    for row, real, own in zip(batch, mask, features, strict=True):
        own = own[:length]
        row[: len(own)], real[: len(own)] = own, True
    return Tokens.original(batch, mask)


def encode_corpus(
    encoder: Encoder,
    corpus: Corpus,
    frames: int,
    *,
    views: int = 0,
    players: str = "words",
    seed: int = 0,
    cache: Path | None = None,
) -> Features:
    """Encode a corpus, or read what was encoded before.

    Args:
        encoder: on its device, in evaluation mode.
        corpus: clips and captions.
        frames: of each clip.
        views: random views of each clip beside them (crops, mirrored, other colours), for
            training. Only of photographs.
        players: "words" or "tokens".
        seed: of the views.
        cache: folder for the features; None keeps none. A file there is used if encoder, clips,
            captions and the arguments are the same.

    Raises:
        VideoError: a file cannot be read.
    """
    path = cache and cache / f"{_fingerprint(encoder, corpus, frames, views, players, seed)}"
    if path and path.with_suffix(".safetensors").is_file():
        tensors, _ = read_tensors(path.with_suffix(".safetensors"))
    else:
        tensors = _encode_frames(encoder, corpus, frames, views, seed)
        tensors |= _encode_captions(encoder, corpus, players)
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_tensors(path.with_suffix(".safetensors"), tensors, {})
    owners = [n for n, clip in enumerate(corpus.clips) for _ in clip.captions]
    return Features(corpus.clips, plain=frames, owners=torch.tensor(owners), **tensors)


def _fingerprint(encoder, corpus: Corpus, *arguments) -> str:
    files = [
        (clip.id, [(str(f), f.stat().st_size, f.stat().st_mtime_ns) for f in clip.files])
        for clip in corpus.clips
    ]
    captions = [clip.captions for clip in corpus.clips]
    everything = json.dumps([encoder.name, encoder.widths, files, captions, *arguments])
    return f"{corpus.name}-{hashlib.sha256(everything.encode()).hexdigest()[:16]}"


@torch.inference_mode()
def _encode_frames(
    encoder: Encoder, corpus: Corpus, frames: int, views: int, seed: int
) -> dict[str, Tensor]:
    features = torch.zeros(len(corpus.clips), frames + views, encoder.widths[0]).half()
    mask = torch.zeros(features.shape[:2], dtype=torch.bool)
    for number, clip in enumerate(tqdm(corpus.clips, f"frames of {corpus.name}", leave=False)):
        pixels = read_frames(clip, frames).pixels
        mask[number, : len(pixels)] = True
        if views:
            drawn = random_views(clip.files[0], views, np.random.default_rng([seed, number]))
            mask[number, frames:] = True
            features[number, frames:] = _frames(encoder, drawn)
        features[number, : len(pixels)] = _frames(encoder, pixels)
    return {"frames": features, "frame_mask": mask}


def _frames(encoder: Encoder, pixels: np.ndarray) -> Tensor:
    return encoder.frame_features(encoder.prepare_frames(pixels)).half().cpu()


@torch.inference_mode()
def _encode_captions(encoder: Encoder, corpus: Corpus, players: str) -> dict[str, Tensor]:
    captions = [parse_caption(text) for clip in corpus.clips for text in clip.captions]
    words = []
    for start in tqdm(
        range(0, len(captions), _CAPTIONS_AT_ONCE), f"captions of {corpus.name}", leave=False
    ):
        batch = encoder.text_features(captions[start : start + _CAPTIONS_AT_ONCE], players)
        words += [text.features.half().cpu() for text in batch]
    starts = torch.tensor([0, *map(len, words)]).cumsum(0)
    return {"words": torch.cat(words), "starts": starts}
