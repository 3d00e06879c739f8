"""Frozen features of a corpus: encoded once, kept on disk, read in moments."""

from __future__ import annotations

import hashlib
import json
import logging
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
from hbi_core.errors import DataError, VideoError
from hbi_core.model import Tokens
from hbi_core.tensor_file import read_tensors, write_tensors
from hbi_core.text import parse_caption

_LOG = logging.getLogger(__name__)


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
    for row, own in enumerate(features):
        own = own[:length]
        batch[row, : len(own)], mask[row, : len(own)] = own, True
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
    missing: str = "stop",
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
        cache: folder with a file for each clip; None keeps nothing. A clip is read from there if
            encoder, file, captions and the arguments are the same; so that encoding can be
            interrupted, and splits share what they have in common.
        missing: what to do about a file that cannot be read: "stop", or "skip" its clip.

    Raises:
        VideoError: a file cannot be read.
        DataError: none can.
    """
    settings = (frames, views, players, seed)
    clips, encoded = [], []
    for clip in tqdm(corpus.clips, f"features of {corpus.name}", leave=False):
        try:
            encoded.append(_features_of(encoder, clip, settings, cache))
            clips.append(clip)
        except VideoError as error:
            if missing == "stop":
                raise
            _LOG.warning("%s is left out: %s", clip.id, error)
    if not clips:
        raise DataError(f"No clip of {corpus.name} {corpus.split} can be read.")
    frame_features = torch.zeros(len(clips), frames + views, encoder.widths[0]).half()
    mask = torch.zeros(frame_features.shape[:2], dtype=torch.bool)
    for row, real, tensors in zip(frame_features, mask, encoded, strict=True):
        shown = len(tensors["frames"])
        row[:shown], real[:shown] = tensors["frames"], True
        if views:
            row[frames:], real[frames:] = tensors["views"], True
    lengths = torch.cat([tensors["lengths"] for tensors in encoded])
    return Features(
        tuple(clips),
        frame_features,
        mask,
        frames,
        torch.cat([tensors["words"] for tensors in encoded]),
        torch.cat([lengths.new_zeros(1), lengths.cumsum(0)]),
        torch.tensor([n for n, clip in enumerate(clips) for _ in clip.captions]),
    )


def _features_of(
    encoder: Encoder, clip: Clip, settings: tuple, cache: Path | None
) -> dict[str, Tensor]:
    """What `_encode_clip` gives, from the cache if it is there."""
    if cache is None or not all(file.is_file() for file in clip.files):
        return _encode_clip(encoder, clip, *settings)  # which tells what is missing
    path = cache / f"{_fingerprint(encoder, clip, *settings)}.safetensors"
    if path.is_file():
        return read_tensors(path)[0]
    tensors = _encode_clip(encoder, clip, *settings)
    cache.mkdir(parents=True, exist_ok=True)
    write_tensors(path, tensors, {})
    return tensors


def _fingerprint(encoder: Encoder, clip: Clip, *settings) -> str:
    files = [(str(f), f.stat().st_size, f.stat().st_mtime_ns) for f in clip.files]
    everything = json.dumps(
        [encoder.name, encoder.widths, clip.id, files, clip.captions, *settings]
    )
    return hashlib.sha256(everything.encode()).hexdigest()[:24]


@torch.inference_mode()
def _encode_clip(
    encoder: Encoder, clip: Clip, frames: int, views: int, players: str, seed: int
) -> dict[str, Tensor]:
    """frames [at most F, Dv], views [views, Dv], words [all captions' words, Dt], lengths [C]."""
    pixels = [read_frames(clip, frames).pixels]
    if views:
        chosen = np.random.default_rng([seed, *clip.id.encode()])
        pixels.append(random_views(clip.files[0], views, chosen))
    encoded = [encoder.frame_features(encoder.prepare_frames(x)).half().cpu() for x in pixels]
    captions = [parse_caption(text) for text in clip.captions]
    words = [text.features.half().cpu() for text in encoder.text_features(captions, players)]
    tensors = dict(zip(("frames", "views"), encoded, strict=False))
    return tensors | {"words": torch.cat(words), "lengths": torch.tensor(list(map(len, words)))}
