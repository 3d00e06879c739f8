"""Predictor: a video, the costly half, once; a caption, the cheap half, as often as one likes."""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import torch
from torch import Tensor

from explainers.timing import Progress, or_silence
from hbi_core.checkpoints.checkpoint import Checkpoint
from hbi_core.checks import whole_number
from hbi_core.encoders import Encoder, TextFeatures, encode_frames, encode_text
from hbi_core.encoders.tokens import frame_tokens, word_tokens
from hbi_core.encoders.weights import weights_digest
from hbi_core.explanation import Explanation
from hbi_core.inputs.text import Caption, parse_caption
from hbi_core.inputs.video import Video, VideoLimits, read_video
from hbi_core.model import LevelTokens, Players, Tokens
from hbi_core.played import played_level

_LOG = logging.getLogger(__name__)
MAX_FRAMES = 64  # the paper's longest video (ActivityNet, DiDeMo)
USUAL_FRAMES = 12  # the paper's of a short one (MSR-VTT)


class Predictor:
    """Explains any number of captions of a video that is decoded and encoded once.

    Computes in float64. Several threads may call `explain` of one predictor at once; a predictor
    for another video with the same model is a `copy.copy`, which shares the networks.

    Args:
        encoder: for frames and words, in evaluation mode.
        heads: what was trained with it. They are copied, to the device that the encoder is on.

    Attributes:
        encoder, heads: the model; `heads.hierarchy` is the copy, on the device.
        video: the frames that are looked at, or None before `set_video`.
        features: float [F, Dv], what the encoder made of these frames.
        video_seconds: wall-clock time of each step of `set_video`, read only.

    Example:
        >>> from hbi_core.chosen_model import choose_model
        >>> predictor = Predictor(*choose_model())
        >>> predictor.set_video("assets/clips/cafe.mp4", frames=4)
        >>> cat, cup = map(predictor.explain, ["a tabby cat", "a cup of coffee"])
        >>> cat.video is cup.video
        True
        >>> list(predictor.video_seconds), list(cup.seconds)  # a caption decodes nothing
        (['decoding', 'encoding', 'merging'], ['encoding', 'merging', 'game'])
    """

    def __init__(self, encoder: Encoder, heads: Checkpoint) -> None:
        device = next(encoder.parameters()).device
        hierarchy = copy.deepcopy(heads.hierarchy).to(device, torch.float64)
        self.encoder, self.heads = encoder, replace(heads, hierarchy=hierarchy)
        self.video: Video | None = None
        self._players: list[Players] = []
        self.features = torch.empty(0)
        self.video_seconds: Mapping[str, float] = MappingProxyType({})

    def frames_of(self, frames: int | None) -> int:
        """How many frames of a file are looked at.

        Args:
            frames: asked for; see `set_video`.

        Returns:
            As many, or the usual number.

        Raises:
            InputError: they are no whole number in their range.

        Example:
            >>> from hbi_core.chosen_model import choose_model
            >>> Predictor(*choose_model()).frames_of(None)
            12
        """
        usual = self.heads.retrieval.frames if self.heads.config.reads_padding else USUAL_FRAMES
        return checked_frames(frames) or usual

    def set_video(
        self,
        video: str | Path | Video,
        frames: int | None = None,
        limits: VideoLimits | None = None,
        progress: Progress | None = None,
    ) -> None:
        """The costly half: read a video, encode its frames, merge them into clips and segments.

        Args:
            video: a video file; or frames that were read before, all of which are taken.
            frames: of a file, 1 to 64. None takes 12; or, with a checkpoint that reads padding, as
                released ones do, as many as it reads. With another number such a checkpoint gives
                other scores, about which a warning is logged.
            limits: on a file, see VideoLimits.
            progress: called with a fraction in [0, 1] and what is being done.

        Raises:
            VideoError: the file cannot be read, or not within the limits.
            InputError: `frames` is no whole number in its range.

        Example:
            >>> from hbi_core.inputs.video import read_video
            >>> from hbi_core.chosen_model import choose_model
            >>> predictor = Predictor(*choose_model())
            >>> predictor.set_video(read_video("assets/clips/cafe.mp4", frames=3))
            >>> [token.frames for token in predictor.explain("a cat").levels[0].video_tokens]
            [(0,), (1,), (2,)]
        """
        tell = or_silence(progress)
        seconds: dict[str, float] = {}
        padded, trained = self.heads.config.reads_padding, self.heads.retrieval.frames
        if isinstance(video, Video):
            wanted = max(len(video.frames), trained if padded else 0)
        else:
            wanted = self.frames_of(frames)
            with _timed(seconds, "decoding"):
                video = read_video(video, wanted, limits, lambda: tell(0.3, "Reading the video"))
        if padded and wanted != trained:
            _LOG.warning(
                "%s reads %d frames of each video: with %d its scores are others than those that "
                "it was trained for.",
                self.heads.name,
                trained,
                wanted,
            )
        tell(0.5, "Encoding the frames")
        with _timed(seconds, "encoding"), torch.inference_mode():
            features = encode_frames(self.encoder, video.frames)
        tell(0.7, "Merging frames into clips")
        with _timed(seconds, "merging"):
            players = self.video_players([features], wanted)
        self.video, self._players = video, players
        self.features = features
        self.video_seconds = MappingProxyType(seconds)

    def explain(
        self,
        caption: str | Caption,
        weighting: str = "renormalised",
        progress: Progress | None = None,
        with_video: bool = False,
    ) -> Explanation:
        """The cheap half: encode a caption, merge its words, and play the game of each level.

        Args:
            caption: a text of at least one word.
            weighting: of the game, "renormalised" or "fixed".
            progress: called with a fraction in [0, 1] and what is being done.
            with_video: the `video_seconds` count too: the video was read for this caption.

        Returns:
            The explanation, with the `seconds` that were spent on it.

        Raises:
            CaptionError: the caption has no word that can be encoded.
            NotFiniteError: the model computes values that are not finite.
            RuntimeError: no video was set.
            ValueError: there is no such weighting.

        Example:
            >>> from hbi_core.chosen_model import choose_model
            >>> predictor = Predictor(*choose_model())
            >>> predictor.set_video("assets/clips/cafe.mp4", frames=2)
            >>> explanation = predictor.explain("a cup of coffee", weighting="fixed")
            >>> " ".join(token.text for token in explanation.levels[0].text_tokens)
            'a cup of coffee'
        """
        if self.video is None:
            raise RuntimeError("set_video comes before explain")
        if isinstance(caption, str):
            caption = parse_caption(caption)
        tell = or_silence(progress)
        seconds = dict(self.video_seconds) if with_video else {}
        tell(0.8, "Encoding the words, and merging them into phrases")
        with _timed(seconds, "encoding"):
            text = self.encode_caption(caption)
        with _timed(seconds, "merging"):
            merged = self.levels(text)
        tell(0.9, "Playing the game")
        with _timed(seconds, "game"), torch.inference_mode():
            levels = tuple(
                played_level(tokens, tokens.game(weighting), text.labels) for tokens in merged
            )
        notes = (*text.notes, *self.heads.notes)
        for note in notes:
            _LOG.warning(note)
        return Explanation(
            caption=caption.text,
            words=text.labels,
            video=self.video,
            encoder=self.encoder.name,
            checkpoint=self.heads.name,
            weighting=weighting,
            levels=levels,
            words_left_out=text.left_out,
            words_unreadable=text.unreadable,
            notes=notes,
            seconds=seconds,
        )

    @torch.inference_mode()
    def levels(self, text: TextFeatures) -> list[LevelTokens]:
        """The video and a text together, as the model has them.

        Args:
            text: of `encode_caption`.

        Returns:
            The tokens of each level, float64, in one row.

        Raises:
            Nothing: before `set_video` there are no tokens.

        Example:
            >>> from hbi_core.chosen_model import choose_model
            >>> predictor = Predictor(*choose_model())
            >>> predictor.set_video("assets/clips/cafe.mp4", frames=3)
            >>> text = predictor.encode_caption(parse_caption("a cup"))
            >>> [level.name for level in predictor.levels(text)]
            ['entity', 'action', 'event']
        """
        return self.heads.hierarchy.pair(self._players, self.text_players(text))

    @cached_property
    def weights(self) -> str:
        """The `weights_digest` of the encoder, which no predictor changes.

        Example:
            >>> from hbi_core.chosen_model import choose_model
            >>> len(Predictor(*choose_model()).weights)
            64
        """
        return weights_digest(self.encoder)

    @torch.inference_mode()
    def video_players(self, videos: Sequence[Tensor], frames: int) -> list[Players]:
        """The players of several videos, which any number of texts can be paired with.

        Args:
            videos: features of the frames of each, float [F, Dv] as the encoder gives them.
            frames: that were asked for; a checkpoint that reads padding fills up to as many.

        Returns:
            Those of each level, float64, a row a video; rows of shorter videos are padded.

        Raises:
            Nothing of its own.

        Example:
            >>> import torch
            >>> from hbi_core.chosen_model import choose_model
            >>> predictor = Predictor(*choose_model())
            >>> width = predictor.encoder.widths[0]
            >>> levels = predictor.video_players([torch.ones(4, width), torch.ones(2, width)], 4)
            >>> levels[0].tokens.mask.sum(-1)
            tensor([4, 2])
        """
        padded = self.heads.config.reads_padding
        length = frames if padded else max(map(len, videos))
        tokens = frame_tokens(self.encoder, videos, length, padded)
        return self.heads.hierarchy.players("video", _in_double(tokens))

    def encode_caption(self, caption: Caption) -> TextFeatures:
        """The text players of a caption as this model reads them, without its heads.

        Args:
            caption: a parsed text.

        Returns:
            Features and words of the players, and what was left out.

        Raises:
            CaptionError: the caption has no word that can be encoded.

        Example:
            >>> from hbi_core.chosen_model import choose_model
            >>> predictor = Predictor(*choose_model())
            >>> predictor.encode_caption(parse_caption("a cup of coffee")).labels
            ('a', 'cup', 'of', 'coffee')
        """
        config, words = self.heads.config, self.heads.retrieval.words
        return encode_text(self.encoder, caption, config.text_players, words, config.reads_padding)

    @torch.inference_mode()
    def text_players(self, text: TextFeatures) -> list[Players]:
        """The players of one text, which any number of videos can be paired with.

        Args:
            text: of `encode_caption`.

        Returns:
            Those of each level, float64, in one row.

        Raises:
            Nothing of its own.

        Example:
            >>> from hbi_core.chosen_model import choose_model
            >>> predictor = Predictor(*choose_model())
            >>> text = predictor.encode_caption(parse_caption("a cup of coffee"))
            >>> len(predictor.text_players(text))
            3
        """
        words = self.heads.retrieval.words
        padded = self.heads.config.reads_padding
        lengths = (words, words) if padded else (len(text.labels), len(text.features))
        tokens = word_tokens([text], *lengths)
        return self.heads.hierarchy.players("text", _in_double(tokens))


def checked_frames(frames: int | None) -> int | None:
    """The number of frames that was asked for, as an int; None if none was.

    Args:
        frames: of any numeric type.

    Raises:
        InputError: it is no whole number from 1 to 64.

    Example:
        >>> checked_frames(12.0), checked_frames(None)
        (12, None)
    """
    if frames is None:
        return None
    return whole_number(frames, "{} frames were asked for", 1, MAX_FRAMES)


def _in_double(tokens: Tokens) -> Tokens:
    return tokens.map(lambda x: x.double() if x.is_floating_point() else x)


@contextmanager
def _timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[step] = seconds.get(step, 0.0) + time.perf_counter() - started
