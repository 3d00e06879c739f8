"""Any model of open_clip, from the local cache or a file; never from the network."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hbi_core.encoders.base import Encoder, TextFeatures
from hbi_core.encoders.clip_text import (
    SENTENCE,
    in_joint_space,
    joint_width,
    pooling,
    sentence_positions,
    text_tower,
    token_states,
)
from hbi_core.encoders.clip_tokens import (
    CaptionTokenizer,
    CaptionTokens,
    ClipTokenizer,
    HubTokenizer,
    tokenize,
)
from hbi_core.encoders.open_clip_files import (
    IN_CHECKPOINT,
    files_of,
    model_config,
    preprocessing,
)
from hbi_core.errors import InputError, WeightsError
from hbi_core.inputs.text import Caption

DEFAULT_MODEL = "ViT-B-32-quickgelu"
DEFAULT_WEIGHTS = "openai"


class OpenClipEncoder(Encoder):
    """Frames and words by a model of open_clip, in its joint space.

    A word is the mean of its tokens' last states, put into the joint space as the model puts its
    pooled text there: see `clip_text`. The token that the model reads as the sentence is a player
    too: [EOS] of a CLIP, which has its start token [BOS] beside it; the class token [CLS] of a CoCa
    or a BERT; the last one, [LAST], of a SigLIP, behind all padding. Where the model takes the mean
    of all tokens, there is none.

    Args:
        model: a model of open_clip.
        preprocess: open_clip's, PIL image -> float [3, S, S]: what it does to pictures, then
            ToTensor and Normalize.
        tokenizer: its own; None in a model that is only saved.
        model_name: its name in open_clip.
        weights: the pretrained tag or file that it has, or "checkpoint".
    """

    model: Any  # open_clip has no types for what it builds

    def __init__(
        self,
        model: nn.Module,
        preprocess: Any,
        tokenizer: CaptionTokenizer | None,
        model_name: str,
        weights: str,
    ) -> None:
        super().__init__()
        self.model = model
        self.preprocess = preprocess
        self.tokenizer: Any = tokenizer
        self.pooling = pooling(model)
        self.name = f"open_clip:{model_name}:{weights}"
        self.architecture = f"open_clip:{model_name}:{IN_CHECKPOINT}"
        self.widths = (joint_width(model),) * 2

    def prepare_frames(self, frames: np.ndarray) -> Tensor:
        """uint8 [F, H, W, 3] RGB -> uint8 [F, 3, S, S] on the CPU: resized and cropped."""
        from PIL import Image
        from torchvision.transforms import Compose

        crop = Compose(self.preprocess.transforms[:-2])
        pixels = np.stack([np.asarray(crop(Image.fromarray(frame))) for frame in frames])
        return torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()

    def normalised(self, pixels: Tensor) -> Tensor:
        """uint8 [F, 3, S, S] -> float [F, 3, S, S], as ToTensor and Normalize give them."""
        return self.preprocess.transforms[-1](pixels.float() / 255)

    def frame_features(self, pixels: Tensor) -> Tensor:
        """uint8 [F, 3, S, S] -> float [F, D]."""
        return self._encode(self.normalised(pixels.to(self._device)))

    def frame_padding(self) -> Tensor:
        """float [1, D]: zeros encoded; they stand after normalising, so that they are no black."""
        pixels = self.normalised(self.prepare_frames(np.zeros((1, 32, 32, 3), np.uint8)))
        return self._encode(torch.zeros_like(pixels, device=self._device))

    def text_features(
        self,
        captions: Sequence[Caption],
        players: str = "words",
        limit: int | None = None,
        padded: bool = False,
    ) -> list[TextFeatures]:
        """Words (or tokens), and the special tokens that are players -> float [T, D]."""
        if players not in ("words", "tokens"):
            raise InputError(f"The players of {self.name} are words or tokens, not {players}.")
        own = self.tokenizer
        length = own.context_length
        if padded:
            self._check_padding(limit)
            length = limit
        special = self._special_players(players)
        tokens = [tokenize(own, caption, players, limit, special) for caption in captions]
        ids = torch.full((len(captions), length), own.padding)
        real = torch.zeros_like(ids, dtype=torch.bool)
        for row, known, read in zip(ids, real, tokens, strict=True):
            row[: len(read.ids)], known[: len(read.ids)] = torch.tensor(read.ids), True
        ids = ids.to(self._device)
        states = self.padded_states(ids, real) if padded else token_states(self.model, ids)
        sentences = sentence_positions(self.model, ids)
        return [
            self._players(caption, read, own, sentence, players, padded)
            for caption, read, own, sentence in zip(
                captions, tokens, states, sentences, strict=True
            )
        ]

    def padded_states(self, text: Tensor, real: Tensor) -> Tensor:
        """Token ids [B, L], bool [B, L] -> last states [B, L, W], of the padding too.

        As the research code of the paper has them: no token sees padding, not even padding itself.
        """
        tower, length = self.text_tower, text.shape[1]
        states = tower.token_embedding(text) + tower.positional_embedding[:length]
        later = torch.ones(length, length, dtype=torch.bool).triu(1)
        unseen = (later | ~real.unsqueeze(1)).to(self._device)  # [B, L, L]
        mask = torch.zeros(unseen.shape, device=self._device).masked_fill(unseen, -torch.inf)
        heads = tower.transformer.resblocks[0].attn.num_heads
        states = tower.transformer(states, attn_mask=mask.repeat_interleave(heads, 0))
        return tower.ln_final(states)

    def _check_padding(self, limit: int | None) -> None:
        """Whether this is a CLIP, whose text attention is causal, and has room."""
        if self.pooling != "argmax" or self.text_tower.attn_mask is None:
            raise InputError(
                f"compatibility=published needs a CLIP; {self.name} gives padding no features."
            )
        length = self.tokenizer.context_length
        if limit is None or limit > length:
            raise InputError(f"Texts are padded to {limit} tokens; the encoder has {length}.")

    def _special_players(self, players: str) -> int:
        """How many players are no part of the caption."""
        if players == "words":
            return {"mean": 0, "argmax": 2, "eos": 2}.get(self.pooling, 1)
        around = len(self.tokenizer.before) + len(self.tokenizer.after)
        return around + (self.pooling in ("class", "last"))

    def _players(
        self,
        caption: Caption,
        tokens: CaptionTokens,
        states: Tensor,
        sentence: int | None,
        players: str,
        padded: bool,
    ) -> TextFeatures:
        """The players of one caption, of its states [L, W] and the place of its sentence token."""
        end = len(tokens.ids)
        if players == "tokens":
            labels = [self.tokenizer.label(id) for id in tokens.ids]
            pieces = [[n] for n in range(end)]
        else:
            labels = [caption.words[word].text for word in tokens.words]
            pieces = [list(own) for own in tokens.pieces]
            if SENTENCE.get(self.pooling) == "[EOS]":
                labels, pieces = ["[BOS]", *labels], [[0], *pieces]
        if sentence is not None and [sentence] not in pieces:
            labels, pieces = [*labels, SENTENCE[self.pooling]], [*pieces, [sentence]]
        pooled = torch.stack([states[own].mean(0) for own in pieces])
        padding = in_joint_space(self.model, states[end:]) if padded else None
        return TextFeatures(
            in_joint_space(self.model, pooled),
            tuple(labels),
            tokens.left_out,
            padding,
            tokens.unreadable,
        )

    def _encode(self, pixels: Tensor) -> Tensor:
        return self.model.encode_image(pixels, normalize=False)

    @property
    def text_tower(self) -> Any:
        return text_tower(self.model)

    @property
    def _device(self) -> torch.device:
        return next(self.parameters()).device


def load_open_clip(model: str = DEFAULT_MODEL, weights: str = DEFAULT_WEIGHTS) -> OpenClipEncoder:
    """Load a model of open_clip, on the CPU.

    Args:
        model: its name, e.g. "ViT-B-32-quickgelu".
        weights: a pretrained tag whose file lies in the local cache, or a file; or "checkpoint":
            random weights, to be filled from the checkpoint that holds them.

    Raises:
        WeightsError: the model, its weights or its tokenizer are unknown, missing or do not fit;
            the message says what to do. The network is never asked.
    """
    import open_clip
    from open_clip.transform import PreprocessCfg, image_transform_v2

    files = files_of(model, weights).found(f"open_clip:{model}:{weights}")
    text = model_config(model)["text_cfg"]
    if files.text_config is not None:  # the folder in the cache, so that nothing asks the network
        text["hf_model_name"] = str(files.text_config.parent)
        text["hf_model_pretrained"] = False
    try:
        with _without_alarm():
            network = open_clip.create_model(
                model,
                pretrained=files.weights and str(files.weights),
                require_pretrained=files.weights is not None,
                force_preprocess_cfg=preprocessing(model, weights),
                pretrained_text=False,
                text_cfg=text,
            )
        tokenizer = _tokenizer(model, text, files.tokenizer)
    except Exception as error:  # open_clip raises what its loaders raise, of many types
        raise WeightsError(f"{weights} cannot be loaded as {model}: {error}") from error
    preprocess = image_transform_v2(PreprocessCfg(**network.visual.preprocess_cfg), is_train=False)
    return OpenClipEncoder(network, preprocess, tokenizer, model, weights)


def _tokenizer(model: str, text: dict[str, Any], file: Path | None) -> CaptionTokenizer:
    import open_clip

    if file is None:
        return ClipTokenizer(open_clip.get_tokenizer(model))
    options = text.get("tokenizer_kwargs", {})
    length = text.get("context_length", open_clip.tokenizer.DEFAULT_CONTEXT_LENGTH)
    mode = text.get("tokenizer_mode")
    known = open_clip.tokenizer.HFTokenizer(
        str(file.parent), length, tokenizer_mode=mode, local_files_only=True, **options
    )
    return HubTokenizer(known)


@contextmanager
def _without_alarm() -> Iterator[None]:
    """Without open_clip's warning of random weights: a checkpoint fills them, a file must."""

    def wanted(record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith("No pretrained weights loaded")

    logging.getLogger().addFilter(wanted)
    try:
        yield
    finally:
        logging.getLogger().removeFilter(wanted)
