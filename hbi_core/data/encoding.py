"""A corpus -> frozen features: encoded once, by one process or several, and kept on disk."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from hbi_core.data.clips import Clip, Corpus
from hbi_core.data.features import Features
from hbi_core.data.files import is_photograph
from hbi_core.data.reading import ClipReader, Pixels
from hbi_core.encoders import Encoder, TextFeatures
from hbi_core.errors import CaptionError, DataError, InputError, VideoTimeoutError
from hbi_core.tensor_file import read_tensors, write_tensors
from hbi_core.text import parse_caption
from hbi_core.written import check_folder, write_text

_VERSION = 2  # of what is encoded; another one where the frames or words of a file change
_PAUSE = 0.2  # seconds between two looks for what another process encodes


def encode_corpus(
    encoder: Encoder,
    corpus: Corpus,
    frames: int,
    *,
    views: int = 0,
    players: str = "words",
    words: int | None = None,
    padded: bool = False,
    seed: int = 0,
    cache: Path | None = None,
    missing: str = "stop",
    reader: ClipReader | None = None,
    rank: int = 0,
    processes: int = 1,
) -> Features:
    """Encode a corpus, or read what was encoded before.

    Several processes each encode a share of the clips, clips[rank::processes], and find those of
    the others in the cache. They wait for files, not for each other in a collective, so no process
    group runs out of time; and all of them get the same features. One that has to stop at a clip
    tells the others; one that is killed leaves them waiting, until the launcher ends them.

    Args:
        encoder: on its device, in evaluation mode.
        corpus: clips and captions.
        frames: of each clip.
        views: random views of each clip beside them (crops, mirrored, other colours), for
            training. Only of photographs.
        players: "words" or "tokens".
        words: text players of a caption at most, see `Encoder.text_features`; None for no limit.
        padded: encode padding too, for released checkpoints.
        seed: of the views.
        cache: folder with a file for each clip; None keeps nothing. A clip is read from there if
            encoder, file, captions and the arguments are the same; so that encoding can be
            interrupted, and splits share what they have in common. An encoder that learns keeps
            its name: its features need a new folder each time.
        missing: what to do about a file that cannot be read: "stop", or "skip" its clip.
        reader: reads clips while others are encoded, and lists those that cannot be read; without
            one, they are read one by one.
        rank: which process this is.
        processes: how many there are; several need a cache on a disk that all of them see.

    Raises:
        VideoError: a file cannot be read.
        DataError: none can; views of videos are asked for; or the encoder can read no word of a
            caption.
        ValueError: several processes have no cache.
    """
    if processes > 1 and cache is None:
        raise ValueError("several processes need a cache, to find each other's features there")
    if views and not all(is_photograph(file) for clip in corpus.clips for file in clip.files):
        raise DataError(
            f"Random views are of photographs; {corpus.name} has videos. Set data.views=0."
        )
    settings = _Settings(frames, views, players, words, padded, seed, missing)
    with nullcontext(reader) if reader else ClipReader(encoder) as reader:
        encoded = _Encoded(encoder, corpus, settings, cache, reader)
        if processes == 1:
            encoded.add(corpus.clips, f"features of {corpus.name}")
        else:
            encoded.add_share(rank, processes)
        clips = tuple(clip for clip in corpus.clips if clip.id not in encoded.unreadable)
        reader.unreadable.update(encoded.unreadable)
    if not clips:
        raise DataError(f"No clip of {corpus.name} {corpus.split} can be read.")
    with torch.inference_mode():
        missing_frame = encoder.frame_padding().half().cpu() if padded else None
    return _joined(clips, [encoded.tensors(c) for c in clips], frames, views, missing_frame)


@dataclass(frozen=True)
class _Settings:
    """What else than its file and captions the features of a clip depend on; and `missing`."""

    frames: int
    views: int
    players: str
    words: int | None
    padded: bool
    seed: int
    missing: str


class _Encoded:
    """The clips of a corpus that are encoded: in files of the cache, or without one in memory.

    Attributes:
        unreadable: id of each clip that could not be read -> why.
    """

    def __init__(
        self,
        encoder: Encoder,
        corpus: Corpus,
        settings: _Settings,
        cache: Path | None,
        reader: ClipReader,
    ) -> None:
        self.encoder, self.corpus, self.settings = encoder, corpus, settings
        self.cache, self.reader = cache, reader
        self.unreadable: dict[str, str] = {}
        self._memory: dict[str, dict[str, Tensor]] = {}
        self._paths: dict[str, Path] = {}
        if cache is not None:
            check_folder(cache, "cache=FOLDER")
            cache.mkdir(parents=True, exist_ok=True)
            for clip in corpus.clips:
                if all(file.is_file() for file in clip.files):  # or the reader says what is missing
                    name = f"{_fingerprint(encoder, clip, settings)}.safetensors"
                    self._paths[clip.id] = cache / name

    def has(self, clip: Clip) -> bool:
        if self.cache is None:
            return clip.id in self._memory
        return clip.id in self._paths and self._paths[clip.id].is_file()

    def tensors(self, clip: Clip) -> dict[str, Tensor]:
        """frames [at most F, Dv], views [V, Dv], words [all captions' words, Dt], lengths [C]; and
        with `padded`, padding [what the captions lack, Dt].
        """
        return (
            self._memory[clip.id] if self.cache is None else read_tensors(self._paths[clip.id])[0]
        )

    def add(self, clips: Sequence[Clip], title: str) -> None:
        """Encode those that are not yet."""
        left, settings = [clip for clip in clips if not self.has(clip)], self.settings
        pixels = self.reader(
            left, settings.frames, views=settings.views, seed=settings.seed,
            missing=settings.missing,
        )  # fmt: skip
        read = zip(left, pixels, strict=True)
        for clip, own in tqdm(read, title, total=len(left), leave=False):
            if own is None:
                self.unreadable[clip.id] = self.reader.unreadable[clip.id]
                continue
            tensors = _encode_clip(self.encoder, clip, own, settings)
            if self.cache is None:
                self._memory[clip.id] = tensors
            else:
                write_tensors(self._paths[clip.id], tensors, {})

    def add_share(self, rank: int, processes: int) -> None:
        """Encode the share of this process, and wait for those of the others."""
        shares = [self.corpus.clips[n::processes] for n in range(processes)]
        title = f"features of {self.corpus.name}, share {rank + 1} of {processes}"
        report = self._report(rank, processes)
        try:
            self.add(shares[rank], title)
        except VideoTimeoutError:
            raise  # it may go well the next time, so nothing is written down
        except InputError as error:
            write_text(report, json.dumps({"stopped": str(error)}))
            raise
        write_text(report, json.dumps({"unreadable": self.unreadable}))
        for other in range(processes):
            if other != rank:
                self._wait(shares[other], self._report(other, processes), f"share {other + 1}")

    def _wait(self, clips: Sequence[Clip], report: Path, share: str) -> None:
        """Until another process has encoded its share, or has told that it cannot."""
        for clip in tqdm(clips, f"waiting for {share}", leave=False):
            while not self.has(clip) and not report.is_file():
                time.sleep(_PAUSE)
        left = [clip for clip in clips if not self.has(clip)]
        if not left:
            return
        told = json.loads(report.read_text(encoding="utf-8"))
        if "stopped" in told:
            raise DataError(told["stopped"])
        self.unreadable |= told["unreadable"]
        lost = [clip for clip in left if clip.id not in self.unreadable]
        if lost:  # files of an earlier run that told the same
            self.add(lost, f"the rest of {share}")

    def _report(self, rank: int, processes: int) -> Path:
        """Where a process tells that its share is done; for these clips and settings alone."""
        names = [self._paths[c.id].name if c.id in self._paths else c.id for c in self.corpus.clips]
        everything = json.dumps([names, self.settings.missing, rank, processes])
        return self.cache / f"{hashlib.sha256(everything.encode()).hexdigest()[:24]}.share.json"


def _fingerprint(encoder: Encoder, clip: Clip, settings: _Settings) -> str:
    files = [(str(f), f.stat().st_size, f.stat().st_mtime_ns) for f in clip.files]
    chosen = {name: value for name, value in vars(settings).items() if name != "missing"}
    everything = [_VERSION, encoder.name, encoder.widths, clip.id, files, clip.captions, chosen]
    return hashlib.sha256(json.dumps(everything).encode()).hexdigest()[:24]


@torch.inference_mode()
def _encode_clip(
    encoder: Encoder, clip: Clip, pixels: Pixels, settings: _Settings
) -> dict[str, Tensor]:
    """What `_Encoded.tensors` returns."""
    shown = {"frames": pixels.frames}
    if pixels.views is not None:
        shown["views"] = pixels.views
    tensors = {name: encoder.frame_features(own).half().cpu() for name, own in shown.items()}
    texts = _encode_captions(encoder, clip, settings)
    if settings.padded:
        tensors["padding"] = torch.cat([text.padding for text in texts]).half().cpu()
    return tensors | {
        "words": torch.cat([text.features for text in texts]).half().cpu(),
        "lengths": torch.tensor([len(text.features) for text in texts]),
    }


def _encode_captions(encoder: Encoder, clip: Clip, settings: _Settings) -> list[TextFeatures]:
    options = settings.players, settings.words, settings.padded
    captions = [parse_caption(text) for text in clip.captions]
    try:
        return encoder.text_features(captions, *options)
    except CaptionError:
        for caption in captions:
            try:
                encoder.text_features([caption], *options)
            except CaptionError as error:
                raise DataError(
                    f"{clip.id}: {encoder.name} cannot read the caption {caption.text!r}: {error} "
                    "Take it out of the annotations, or choose another encoder."
                ) from error
        raise


def _joined(
    clips: tuple[Clip, ...],
    encoded: list[dict[str, Tensor]],
    frames: int,
    views: int,
    missing_frame: Tensor | None,
) -> Features:
    """The clips' tensors one after another, padded to the same number of frames."""
    width = encoded[0]["frames"].shape[-1]
    frame_features = torch.zeros(len(clips), frames + views, width).half()
    if missing_frame is not None:
        frame_features[:] = missing_frame
    mask = torch.zeros(frame_features.shape[:2], dtype=torch.bool)
    for row, real, tensors in zip(frame_features, mask, encoded, strict=True):
        shown = len(tensors["frames"])
        row[:shown], real[:shown] = tensors["frames"], True
        if views:
            row[frames:], real[frames:] = tensors["views"], True
    lengths = torch.cat([tensors["lengths"] for tensors in encoded])
    return Features(
        clips,
        frame_features,
        mask,
        frames,
        torch.cat([tensors["words"] for tensors in encoded]),
        torch.cat([lengths.new_zeros(1), lengths.cumsum(0)]),
        torch.tensor([n for n, clip in enumerate(clips) for _ in clip.captions]),
        None if missing_frame is None else torch.cat([t["padding"] for t in encoded]),
    )
