"""A model of one's own on the page, in the figure and in the files: here a plain CLIP.

    python app.py --model examples.own_model:tiny_clip
    python -m hbi_core.explain VIDEO "CAPTION" --out DIR --encoder own:examples.own_model:tiny_clip

`tiny_clip` is small and has random weights, without a download; `clip` has those of OpenAI. Both
say how similar every frame is to every word. `masked_clip` plays another game: a coalition is worth
the cosine of its frames' mean and of the text of its words alone.
"""

from __future__ import annotations

import numpy as np
import open_clip
import torch
from torch import Tensor
from torch.nn.functional import interpolate, normalize

from hbi_core.own_model import CoalitionValues, TokenFeatures

MEAN, SPREAD = open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD


class PlainClip:
    """Frames and words, each encoded by itself."""

    def __init__(self, name: str, model: open_clip.CLIP) -> None:
        self.name = name
        self.model = model.eval()
        self.tokenizer = open_clip.SimpleTokenizer()

    @torch.inference_mode()
    def encode(self, frames: np.ndarray) -> Tensor:
        """uint8 [F, H, W, 3] -> float [F, D]."""
        pixels = torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255
        pixels = interpolate(pixels, self.model.visual.image_size, mode="bicubic", antialias=True)
        mean, spread = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, SPREAD))
        return self.model.encode_image((pixels - mean) / spread)

    def answer(self, encoded: Tensor, words: tuple[str, ...]) -> TokenFeatures:
        """The words' features beside those of the frames; with token weights, give logits too."""
        return TokenFeatures(video=encoded, text=self.encode_texts(list(words)))

    @torch.inference_mode()
    def encode_texts(self, texts: list[str]) -> Tensor:
        """T texts -> float [T, D]."""
        return self.model.encode_text(self.tokenizer(texts))


class MaskedClip(PlainClip):
    """A game that sees the words of a coalition together, as a text."""

    def answer(self, encoded: Tensor, words: tuple[str, ...]) -> CoalitionValues:
        frames = normalize(encoded, dim=-1)

        def value(members: Tensor) -> Tensor:
            """bool [K, F + T] -> float [K]; each set of words is encoded once."""
            shown, said = members.split([len(frames), len(words)], -1)
            sets, which = said.unique(dim=0, return_inverse=True)
            texts = [
                " ".join(w for w, there in zip(words, row, strict=True) if there) for row in sets
            ]
            text = normalize(self.encode_texts(texts), dim=-1)[which]
            mean = normalize(shown.float() @ frames, dim=-1)
            both = shown.any(-1) & said.any(-1)
            return torch.where(both, (mean * text).sum(-1), 0.0)

        return CoalitionValues(value=value, coalitions=512)


def tiny_clip() -> PlainClip:
    """Random weights: what it draws means nothing, but it is drawn."""
    return PlainClip("a tiny CLIP", _tiny())


def masked_clip() -> MaskedClip:
    """The same networks, another game."""
    return MaskedClip("a tiny CLIP, masked", _tiny())


def clip() -> PlainClip:
    """OpenAI's ViT-B/32; its weights are fetched once if they are not there."""
    model = open_clip.create_model("ViT-B-32-quickgelu", "openai", require_pretrained=True)
    return PlainClip("CLIP ViT-B/32", model)


def _tiny() -> open_clip.CLIP:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return open_clip.CLIP(
            embed_dim=32,
            vision_cfg={
                "image_size": 32,
                "layers": 1,
                "width": 64,
                "head_width": 32,
                "patch_size": 8,
            },
            text_cfg={"width": 32, "heads": 2, "layers": 1},
        )
