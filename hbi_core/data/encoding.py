"""A corpus -> frozen features: encoded once, by one process or several, and kept on disk."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from hbi_core.data.cache import EncodingSettings, foils_name, frames_name, texts_name
from hbi_core.data.clips import Clip, Corpus
from hbi_core.data.digests import Digests
from hbi_core.data.encoded_texts import encode_foils, encode_texts
from hbi_core.data.features import Features, join_features
from hbi_core.data.files import is_photograph
from hbi_core.data.foils import foils_of_captions
from hbi_core.data.halves import half, halves
from hbi_core.data.reading import ClipReader, Pixels
from hbi_core.encoders import Encoder
from hbi_core.encoders.weights import weights_digest
from hbi_core.errors import DataError, InputError, VideoError, WeightsError
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
    foils: bool = False,
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
        foils: encode one foil of each caption too, where one can be made; for training.
        seed: of the views and the foils.
        cache: folder with a file for the frames of each clip, one for its texts and one for its
            foils; None keeps nothing. Frames are read from there if encoder (its weights too), the
            video's content and the arguments about them are the same, and so are texts; so that
            encoding can be interrupted, and corpora share what they have in common: the frames of
            a clip, if they ask other questions about it.
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
        encoded = _Encoded(encoder, corpus, settings, cache, reader, foils)
        if meeting is not None and processes > 1:
            encoded.add_share(rank, processes, meeting)
        else:
            encoded.add(corpus.clips, corpus.name)
        clips = tuple(clip for clip in corpus.clips if clip.id not in encoded.unreadable)
        reader.unreadable.update(encoded.unreadable)
    if not clips:
        raise DataError(f"No clip of {corpus.name} {corpus.split} can be read.")
    with torch.inference_mode():
        missing_frame = half(encoder.frame_padding(), encoder, "missing frames") if padded else None
    return join_features(
        clips,
        [encoded.tensors(clip) for clip in clips],
        frames,
        views,
        missing_frame,
        [encoded.foils(clip) for clip in clips] if foils else (),
    )


def encode_captions(
    encoder: Encoder,
    corpus: Corpus,
    *,
    players: str = "words",
    words: int | None = None,
    padded: bool = False,
    cache: Path | None = None,
) -> Features:
    """As `encode_corpus`, of the captions alone: no video is read, and no clip has frames.

    Args:
        encoder, corpus, players, words, padded, cache: as of `encode_corpus`.

    Raises:
        DataError: the encoder can read no word of a caption.
        NotFiniteError: the encoder's features of a caption are not finite.
        SettingsError: the cache cannot be written.
    """
    settings = EncodingSettings(0, 0, 0.0, players, words, padded, 0, "stop")
    kept, weights = _Kept(cache), "" if cache is None else weights_digest(encoder)
    names = [texts_name(encoder, weights, clip.captions, settings) for clip in corpus.clips]
    for clip, name in zip(
        tqdm(corpus.clips, f"texts of {corpus.name}", leave=False), names, strict=True
    ):
        if name not in kept:
            kept[name] = encode_texts(encoder, clip, settings)
    none = torch.zeros(0, encoder.widths[0])
    return join_features(
        tuple(corpus.clips),
        [{"frames": none} | kept[name] for name in names],
        frames=0,
        views=0,
        missing_frame=torch.zeros(1, encoder.widths[0]) if padded else None,
    )


class _Kept:
    """Tensors by the name of their file: in a cache, or without one in memory."""

    def __init__(self, cache: Path | None) -> None:
        if cache is not None:
            check_folder(cache, "cache=FOLDER")
            cache.mkdir(parents=True, exist_ok=True)
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
        foils: bool,
    ) -> None:
        self.encoder, self.corpus, self.settings = encoder, corpus, settings
        self.reader = reader
        self.unreadable: dict[str, str] = {}
        self._kept = _Kept(cache)
        self.weights = "" if cache is None else weights_digest(encoder)
        known = encoder, self.weights
        self._texts = {c.id: texts_name(*known, c.captions, settings) for c in corpus.clips}
        made = foils_of_captions(corpus.clips, settings.seed) if foils else {}
        self._made = {id: own for id, own in made.items() if any(own)}
        self._foils = {id: foils_name(*known, own, settings) for id, own in self._made.items()}
        digests = Digests(cache) if cache else None
        self._frames = {
            clip.id: frames_name(*known, clip.id, contents, settings)
            for clip in tqdm(corpus.clips, f"files of {corpus.name}", leave=False)
            if (contents := _contents(clip, digests)) is not None
        }
        if digests is not None:
            digests.save()

    def has(self, clip: Clip) -> bool:
        return self._has_frames(clip) and self._has_texts(clip)

    def _has_texts(self, clip: Clip) -> bool:
        foils = self._foils.get(clip.id)
        return self._texts[clip.id] in self._kept and (foils is None or foils in self._kept)

    def _has_frames(self, clip: Clip) -> bool:
        return clip.id in self._frames and self._frames[clip.id] in self._kept

    def tensors(self, clip: Clip) -> dict[str, Tensor]:
        """frames [at most F, Dv], views [V, Dv], and what `encode_texts` returns."""
        return self._kept[self._frames[clip.id]] | self._kept[self._texts[clip.id]]

    def foils(self, clip: Clip) -> dict[str, Tensor] | None:
        """What `encode_foils` returns; None where no caption has a foil."""
        name = self._foils.get(clip.id)
        return None if name is None else self._kept[name]

    def add(self, clips: Sequence[Clip], of: str) -> None:
        """Encode what is not yet: the texts, which take less time, then the frames."""
        settings = self.settings
        untold = [clip for clip in clips if not self._has_texts(clip)]
        for clip in tqdm(untold, f"texts of {of}", leave=False):
            name, foils = self._texts[clip.id], self._foils.get(clip.id)
            if name not in self._kept:
                self._kept[name] = encode_texts(self.encoder, clip, settings)
            if foils is not None and foils not in self._kept:
                made = self._made[clip.id]
                self._kept[foils] = encode_foils(self.encoder, clip, made, settings)
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
    return halves(tensors, encoder, clip)
