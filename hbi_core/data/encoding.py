"""A corpus -> frozen features: encoded once, by one process or several, and kept on disk."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import cast

import torch
from torch import Tensor
from tqdm import tqdm

from hbi_core.data.cache import EncodingSettings, frames_name, texts_name
from hbi_core.data.clips import Clip, Corpus
from hbi_core.data.digests import Digests
from hbi_core.data.features import Features, join_features
from hbi_core.data.files import is_photograph
from hbi_core.data.reading import ClipReader, Pixels
from hbi_core.encoders import Encoder, TextFeatures
from hbi_core.encoders.tokens import TextPlayers
from hbi_core.encoders.weights import weights_digest
from hbi_core.errors import (
    CaptionError,
    DataError,
    InputError,
    NotFiniteError,
    VideoError,
    WeightsError,
)
from hbi_core.inputs.text import parse_caption
from hbi_core.tensor_file import read_tensors, write_tensors
from hbi_core.written import check_folder, write_text

_PAUSE = 0.2  # seconds between two looks for what another process encodes


def encode_corpus(
    encoder: Encoder,
    corpus: Corpus,
    frames: int,
    *,
    views: int = 0,
    degraded: float = 0.0,
    players: str = "words",
    words: int | None = None,
    padded: bool = False,
    seed: int = 0,
    cache: Path | None = None,
    missing: str = "stop",
    reader: ClipReader | None = None,
    rank: int = 0,
    processes: int = 1,
    meeting: Path | None = None,
) -> Features:
    """Encode a corpus, or read what was encoded before.

    Several processes each encode a share of the clips, clips[rank::processes], and find those of
    the others in the cache. They wait for files, not for each other in a collective, so no process
    group runs out of time; and all of them get the same features. One that has to stop at a clip
    tells the others; one that is killed leaves them waiting, until the launcher ends them. What
    they tell holds for this call alone, since a file may be mended, or a limit raised.

    Args:
        encoder: on its device, in evaluation mode.
        corpus: clips and captions.
        frames: of each clip.
        views: random views of each clip beside them (crops, mirrored, other colours), for
            training. Only of photographs.
        degraded: share of the views that look like frames of a video.
        players: "words", "phrases" or "tokens".
        words: text players of a caption at most, see `Encoder.text_features`; None for no limit.
        padded: encode padding too, for released checkpoints.
        seed: of the views.
        cache: folder with a file for the frames of each clip and one for its texts; None keeps
            nothing. Frames are read from there if encoder (its weights too), the video's content
            and the arguments about them are the same, and so are texts; so that encoding can be
            interrupted, and corpora share what they have in common: the frames of a clip, if they
            ask other questions about it.
        missing: what to do about a file that cannot be read: "stop", or "skip" its clip.
        reader: reads clips while others are encoded, and lists those that cannot be read; without
            one, they are read one by one.
        rank: which process this is.
        processes: how many there are; several need a cache on a disk that all of them see.
        meeting: folder there in which they tell each other; the same for all of them, and a new
            one for each call.

    Raises:
        VideoError: a file cannot be read.
        DataError: none can; views of videos are asked for; the encoder can read no word of a
            caption; or another process had to stop.
        NotFiniteError: the encoder's features of a clip are not finite.
        SettingsError: the cache cannot be written.
        WeightsError: another process has an encoder with other weights.
        ValueError: several processes have no cache, or nowhere to meet.
    """
    if processes > 1 and (cache is None or meeting is None):
        raise ValueError("several processes need a cache, and a folder in which they meet")
    if views and not all(is_photograph(file) for clip in corpus.clips for file in clip.files):
        raise DataError(
            f"Random views are of photographs; {corpus.name} has videos. Set data.views=0."
        )
    settings = EncodingSettings(frames, views, degraded, players, words, padded, seed, missing)
    with nullcontext(reader) if reader else ClipReader(encoder) as reader:
        encoded = _Encoded(encoder, corpus, settings, cache, reader)
        if meeting is not None and processes > 1:
            encoded.add_share(rank, processes, meeting)
        else:
            encoded.add(corpus.clips, corpus.name)
        clips = tuple(clip for clip in corpus.clips if clip.id not in encoded.unreadable)
        reader.unreadable.update(encoded.unreadable)
    if not clips:
        raise DataError(f"No clip of {corpus.name} {corpus.split} can be read.")
    with torch.inference_mode():
        missing_frame = (
            _half(encoder.frame_padding(), encoder, "missing frames") if padded else None
        )
    return join_features(clips, [encoded.tensors(c) for c in clips], frames, views, missing_frame)


class _Kept:
    """Tensors by the name of their file: in a cache, or without one in memory."""

    def __init__(self, cache: Path | None) -> None:
        self._cache = cache
        self._memory: dict[str, dict[str, Tensor]] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._memory if self._cache is None else (self._cache / name).is_file()

    def __getitem__(self, name: str) -> dict[str, Tensor]:
        return self._memory[name] if self._cache is None else read_tensors(self._cache / name)[0]

    def __setitem__(self, name: str, tensors: dict[str, Tensor]) -> None:
        if self._cache is None:
            self._memory[name] = tensors
        else:
            write_tensors(self._cache / name, tensors, {})


class _Encoded:
    """The clips of a corpus that are encoded, the frames and the texts of each.

    Attributes:
        unreadable: id of each clip that could not be read -> why.
    """

    def __init__(
        self,
        encoder: Encoder,
        corpus: Corpus,
        settings: EncodingSettings,
        cache: Path | None,
        reader: ClipReader,
    ) -> None:
        self.encoder, self.corpus, self.settings = encoder, corpus, settings
        self.reader = reader
        self.unreadable: dict[str, str] = {}
        if cache is not None:
            check_folder(cache, "cache=FOLDER")
            cache.mkdir(parents=True, exist_ok=True)
        self._kept = _Kept(cache)
        self.weights = "" if cache is None else weights_digest(encoder)
        known = encoder, self.weights
        self._texts = {c.id: texts_name(*known, c.captions, settings) for c in corpus.clips}
        digests = Digests(cache) if cache else None
        self._frames = {
            clip.id: frames_name(*known, clip.id, contents, settings)
            for clip in tqdm(corpus.clips, f"files of {corpus.name}", leave=False)
            if (contents := _contents(clip, digests)) is not None
        }
        if digests is not None:
            digests.save()

    def has(self, clip: Clip) -> bool:
        return self._has_frames(clip) and self._texts[clip.id] in self._kept

    def _has_frames(self, clip: Clip) -> bool:
        return clip.id in self._frames and self._frames[clip.id] in self._kept

    def tensors(self, clip: Clip) -> dict[str, Tensor]:
        """frames [at most F, Dv], views [V, Dv], words [all captions' players, Dt], lengths [C];
        with `padded`, padding [what the captions lack, Dt]; and of players that may be phrases
        counts, context, steps.
        """
        return self._kept[self._frames[clip.id]] | self._kept[self._texts[clip.id]]

    def add(self, clips: Sequence[Clip], of: str) -> None:
        """Encode what is not yet: the texts, which take less time, then the frames."""
        settings = self.settings
        untold = [clip for clip in clips if self._texts[clip.id] not in self._kept]
        for clip in tqdm(untold, f"texts of {of}", leave=False):
            self._kept[self._texts[clip.id]] = _encode_texts(self.encoder, clip, settings)
        unseen = [clip for clip in clips if not self._has_frames(clip)]
        pixels = self.reader(
            unseen,
            settings.frames,
            views=settings.views,
            degraded=settings.degraded,
            seed=settings.seed,
            missing=settings.missing,
        )
        read = zip(unseen, pixels, strict=True)
        for clip, own in tqdm(read, f"frames of {of}", total=len(unseen), leave=False):
            if own is None:
                self.unreadable[clip.id] = self.reader.unreadable[clip.id]
            else:
                self._kept[self._frames[clip.id]] = _encode_frames(self.encoder, clip, own)

    def add_share(self, rank: int, processes: int, meeting: Path) -> None:
        """Encode the share of this process, and wait for those of the others."""
        shares = [self.corpus.clips[n::processes] for n in range(processes)]
        reports = [meeting / f"{n}.json" for n in range(processes)]
        meeting.mkdir(parents=True, exist_ok=True)
        try:
            self.add(shares[rank], f"{self.corpus.name}, share {rank + 1} of {processes}")
        except InputError as error:
            write_text(reports[rank], json.dumps({"stopped": str(error)}))
            raise
        told = {"unreadable": self.unreadable, "weights": self.weights}
        write_text(reports[rank], json.dumps(told))
        for other in range(processes):
            if other != rank:
                self._wait(shares[other], reports[other], f"share {other + 1}")

    def _wait(self, clips: Sequence[Clip], report: Path, share: str) -> None:
        """Until another process tells that it has encoded its share, or that it cannot.

        What it could not read is left out here too, even if it lies in the cache by now.
        """
        for clip in tqdm(clips, f"waiting for {share}", leave=False):
            while not self.has(clip) and not report.is_file():
                time.sleep(_PAUSE)
        while not report.is_file():
            time.sleep(_PAUSE)
        told = json.loads(report.read_text(encoding="utf-8"))
        if "stopped" in told:
            raise DataError(told["stopped"])
        if told["weights"] != self.weights:
            raise WeightsError(
                f"{share} was encoded by {self.encoder.name} with other weights than this process "
                "has. Give all processes the same files."
            )
        self.unreadable |= told["unreadable"]
        lost = [clip for clip in clips if clip.id not in self.unreadable]
        self.add(lost, f"the rest of {share}")  # what has been deleted meanwhile


def _contents(clip: Clip, digests: Digests | None) -> list[str] | None:
    """What tells the files of a clip; None if one is missing: the reader says so."""
    if not all(file.is_file() for file in clip.files):
        return None
    try:
        return [str(file) if digests is None else digests.of(file) for file in clip.files]
    except VideoError:
        return None


@torch.inference_mode()
def _encode_frames(encoder: Encoder, clip: Clip, pixels: Pixels) -> dict[str, Tensor]:
    """frames, and views if there are some, as `_Encoded.tensors` returns them."""
    tensors = {"frames": encoder.frame_features(pixels.frames)}
    if pixels.views is not None:
        tensors["views"] = encoder.frame_features(pixels.views)
    return _halves(tensors, encoder, clip)


@torch.inference_mode()
def _encode_texts(encoder: Encoder, clip: Clip, settings: EncodingSettings) -> dict[str, Tensor]:
    """The rest of what `_Encoded.tensors` returns."""
    texts = _encode_captions(encoder, clip, settings)
    players = TextPlayers.listed([TextPlayers.of(text) for text in texts])
    tensors = {"words": players.features}
    if settings.padded:
        tensors["padding"] = torch.cat([cast(Tensor, text.padding) for text in texts])
    if players.context is not None:
        tensors["context"] = players.context
    if players.steps is not None:
        tensors["steps"] = players.steps
    known = _halves(tensors, encoder, clip)
    if players.counts is not None:
        known["counts"] = players.counts.cpu()
    return known | {"lengths": torch.tensor([len(text.features) for text in texts])}


def _halves(tensors: dict[str, Tensor], encoder: Encoder, clip: Clip) -> dict[str, Tensor]:
    return {
        name: _half(value, encoder, f"the {name} of {clip.id}") for name, value in tensors.items()
    }


def _half(features: Tensor, encoder: Encoder, of: str) -> Tensor:
    """In half precision, on the CPU.

    Raises:
        NotFiniteError: they are not finite, or beyond what half precision can hold.
    """
    halves = features.half().cpu()
    if halves.isfinite().all():
        return halves
    reason = "too large for half precision" if features.isfinite().all() else "not finite"
    raise NotFiniteError(
        f"The features of {of} that {encoder.name} gives are {reason}: its weights are broken. "
        "Take another file of them, or another encoder."
    )


def _encode_captions(
    encoder: Encoder, clip: Clip, settings: EncodingSettings
) -> list[TextFeatures]:
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
