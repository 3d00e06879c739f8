"""explain(video, caption) -> Explanation: the one way through the house."""

from __future__ import annotations

import logging
import reprlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from explainers import WEIGHTINGS, SimilarityGame, closed_form
from explainers.timing import Progress
from hbi_core.checkpoints.checkpoint import (
    SHIPPED,
    UNTRAINED,
    Checkpoint,
    load_checkpoint,
    read_settings,
    untrained,
)
from hbi_core.checks import whole_number
from hbi_core.devices import choose_device
from hbi_core.encoders import Encoder, TextFeatures, encode_frames, encode_text, load_encoder
from hbi_core.encoders.loading import file_identity
from hbi_core.errors import CheckpointError, InputError
from hbi_core.explanation import Explanation, Level, TextToken, VideoToken
from hbi_core.inputs.text import Caption, parse_caption
from hbi_core.inputs.video import VideoLimits, read_video
from hbi_core.model import LevelTokens, Tokens, pad
from hbi_core.model.published import padded_tokens

_LOG = logging.getLogger(__name__)
MAX_FRAMES = 64  # the paper's longest video (ActivityNet, DiDeMo)
USUAL_FRAMES = 12  # the paper's of a short one (MSR-VTT)


def explain(
    video: str | Path,
    caption: str,
    encoder: str = "auto",
    frames: int | None = None,
    checkpoint: str | Path | None = None,
    weighting: str = "renormalised",
    device: str | None = None,
    limits: VideoLimits | None = None,
    progress: Progress | None = None,
) -> Explanation:
    """Explain how a video and a caption fit together.

    Args:
        video: a video file.
        caption: a text of at least one word.
        encoder: "lite", "open_clip[:MODEL[:WEIGHTS]]", or "auto": the one that the checkpoint
            was trained with, lite without a checkpoint.
        frames: frames to look at, 1 to 64. None takes 12; or, of a checkpoint that reads padding,
            as released ones do, as many as it reads. With another number such a checkpoint gives
            other scores, about which a warning is logged.
        checkpoint: trained heads; None takes the ones we ship for lite and runs other encoders
            without; "untrained" runs every encoder without.
        weighting: of the game, "renormalised" or "fixed".
        device: a torch device; None takes a GPU if there is one.
        limits: on the video, see VideoLimits.
        progress: called with a fraction in [0, 1] and what is being done.

    Raises:
        InputError: VideoError, CaptionError, WeightsError or CheckpointError, with a message
            for the user.
    """
    if progress is None:  # not `or`: gradio's progress is false while it has no bar
        progress = _no_progress
    if weighting not in WEIGHTINGS:
        raise InputError(
            f"The weighting is {reprlib.repr(weighting)}; use one of {', '.join(WEIGHTINGS)}."
        )
    if frames is None:
        frames = _frames_of(checkpoint)
    frames = whole_number(frames, "{} frames were asked for", 1, MAX_FRAMES)
    device = choose_device(device)
    parsed = parse_caption(caption)
    seconds: dict[str, float] = {}

    progress(0.05, "Reading the video")
    with _timed(seconds, "decoding"):
        clip = read_video(video, frames, limits)
    network, heads = choose_model(checkpoint, encoder, device, progress)
    if heads.config.reads_padding and frames != heads.retrieval.frames:
        _LOG.warning(
            "%s reads %d frames of each video: with %d its scores are others than those that it "
            "was trained for.", heads.name, heads.retrieval.frames, frames,
        )  # fmt: skip
    progress(0.5, "Encoding frames and words")
    with _timed(seconds, "encoding"):
        tokens, text = _tokens(network, heads, clip.frames, frames, parsed)
    progress(0.8, "Merging tokens into clips and phrases")
    with _timed(seconds, "merging"), torch.inference_mode():
        merged = heads.hierarchy.to(device, torch.float64)(*tokens)
    progress(0.9, "Playing the game")
    with _timed(seconds, "game"), torch.inference_mode():
        levels = tuple(_level(tokens, weighting, text.labels) for tokens in merged)
    return Explanation(
        parsed.text,
        clip,
        network.name,
        heads.name,
        weighting,
        levels,
        text.left_out,
        seconds,
        text.unreadable,
    )


def choose_model(
    checkpoint: str | Path | None,
    encoder: str = "auto",
    device: str = "cpu",
    progress: Progress | None = None,
) -> tuple[Encoder, Checkpoint]:
    """The encoder on its device, and the heads that go with it. Arguments as `explain`.

    Raises:
        CheckpointError: it cannot be loaded, or was trained with another encoder.
        WeightsError: the encoder's weights are missing.
    """
    if checkpoint is None and encoder in ("auto", "lite"):
        checkpoint = SHIPPED
    trained = _is_file(checkpoint)
    before = file_identity(Path(checkpoint)) if trained else None
    heads = load_checkpoint(checkpoint) if trained else None
    if heads and encoder not in ("auto", heads.encoder):
        raise CheckpointError(
            f"{heads.name} was trained with the encoder {heads.encoder}, not {encoder}: use that "
            "or 'auto'."
        )
    name = heads.encoder if heads else "lite" if encoder == "auto" else encoder
    if progress:
        progress(0.3, f"Loading the encoder {name}")
    network = load_encoder(name, device, heads.path if heads else None)
    if heads and heads.path and file_identity(heads.path) != before:
        raise CheckpointError(
            f"{heads.name} was written anew while it was read, so its heads and its encoder may be "
            "of different runs. Try again."
        )
    return network, heads or untrained(network.name, network.widths)


def _is_file(checkpoint: str | Path | None) -> bool:
    return checkpoint is not None and str(checkpoint) != UNTRAINED


def _frames_of(checkpoint: str | Path | None) -> int:
    """How many frames are looked at where nobody says it. Padding stands for those missing."""
    if _is_file(checkpoint):
        config, retrieval = read_settings(checkpoint)
        if config.reads_padding:
            return retrieval.frames
    return USUAL_FRAMES


@torch.inference_mode()
def _tokens(
    network: Encoder, heads: Checkpoint, pixels: np.ndarray, frames: int, caption: Caption
) -> tuple[tuple[Tokens, Tokens], TextFeatures]:
    """Frames and caption as the heads were trained to see them, float64; and what was read."""
    padded, words = heads.config.reads_padding, heads.retrieval.words
    video = encode_frames(network, pixels)
    text = encode_text(network, caption, heads.config.text_players, words, padded)
    if padded:
        tokens = padded_tokens(network, [video], [text], frames, words)
    else:
        tokens = pad([video], len(video)), pad([text.features], len(text.features))
    return tuple(Tokens(t.features.double(), t.mask, t.groups) for t in tokens), text


def _level(tokens: LevelTokens, weighting: str, labels: tuple[str, ...]) -> Level:
    """Play the game of the only sample of a batch; players in the order of frames and words.

    Padding is no player, though a released checkpoint counts it in the score.
    """
    game = tokens.game(weighting)
    video, frames = _in_order(tokens.video.tokens)
    text, words = _in_order(tokens.text.tokens)

    similarity = game.similarity[0][video][:, text]
    video_logits, text_logits = game.video_logits[0][video], game.text_logits[0][text]
    played = closed_form(SimilarityGame(similarity, video_logits, text_logits, weighting=weighting))
    return Level(
        tokens.name,
        float(game.grand_value()),
        tuple(VideoToken(group) for group in frames),
        tuple(TextToken(group, " ".join(labels[word] for word in group)) for group in words),
        similarity.cpu(),
        video_logits.cpu(),
        text_logits.cpu(),
        replace(played, values=played.values.cpu()),
    )


def _in_order(tokens: Tokens) -> tuple[list[int], list[tuple[int, ...]]]:
    """Indices of the tokens that have members by their first one, and the members of each."""
    members = {
        index: tuple(group.nonzero().flatten().tolist())
        for index, group in enumerate(tokens.groups[0])
        if group.any()
    }
    order = sorted(members, key=members.__getitem__)
    return order, [members[index] for index in order]


def _no_progress(fraction: float, step: str) -> None:
    pass


@contextmanager
def _timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[step] = time.perf_counter() - started
