"""Any CLIP of open_clip, from the local cache or a file; never from the network."""

from __future__ import annotations

import logging
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from hbi_core.encoders.base import TextFeatures, pool_words
from hbi_core.errors import WeightsError
from hbi_core.text import Caption

_LOG = logging.getLogger(__name__)
DEFAULT_MODEL = "ViT-B-32-quickgelu"
DEFAULT_WEIGHTS = "openai"
IN_CHECKPOINT = "checkpoint"  # instead of a pretrained tag or a file
_HUB_FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")


class OpenClipEncoder(nn.Module):
    """Frames and words by a CLIP of open_clip, in its joint space.

    A word is the mean of its tokens' states after the final layer norm, projected into the joint
    space. The start and end tokens are players too, [BOS] and [EOS]: a CLIP puts the meaning of
    the sentence into its end token.

    Args:
        model: a model of open_clip with the BPE tokenizer of CLIP.
        preprocess: open_clip's, PIL image -> float [3, S, S]: what it does to pictures, then
            ToTensor and Normalize.
        tokenizer: its open_clip SimpleTokenizer.
        model_name: its name in open_clip.
        weights: the pretrained tag or file that it has, or "checkpoint".
    """

    def __init__(
        self, model: nn.Module, preprocess, tokenizer, model_name: str, weights: str
    ) -> None:
        super().__init__()
        self.model = model
        self.preprocess = preprocess
        self.tokenizer = tokenizer
        self.name = f"open_clip:{model_name}:{weights}"
        self.architecture = f"open_clip:{model_name}:{IN_CHECKPOINT}"
        width = self.text_tower.text_projection
        width = width.weight.shape[0] if isinstance(width, nn.Linear) else width.shape[-1]
        self.widths = (width, width)

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
        return self.model.encode_image(self.normalised(pixels.to(self._device)))

    def text_features(
        self, captions: Sequence[Caption], players: str = "words"
    ) -> list[TextFeatures]:
        """Words (or tokens), [BOS] and [EOS] -> float [T, D]."""
        tokenized = [self.tokenize(caption) for caption in captions]
        text = torch.zeros(len(captions), self.tokenizer.context_length, dtype=torch.long)
        for row, (ids, _, _) in zip(text, tokenized, strict=True):
            row[: len(ids)] = torch.tensor(ids)
        states = self.token_states(text)
        return [
            self._players(caption, *tokens, own, players)
            for caption, tokens, own in zip(captions, tokenized, states, strict=True)
        ]

    def token_states(self, text: Tensor) -> Tensor:
        """Token ids [B, L], padded with 0 -> projected states [B, L, D]."""
        output = self.model.forward_intermediates(
            text=text.to(self._device), text_indices=1, normalize_intermediates=True,
            intermediates_only=True,
        )  # fmt: skip
        return self._project(output["text_intermediates"][-1])

    def _players(
        self,
        caption: Caption,
        ids: list[int],
        pieces: list[list[int]],
        read: int,
        states: Tensor,
        players: str,
    ) -> TextFeatures:
        """The players of one caption; what `tokenize` returned, and states [L, D]."""
        beyond = tuple(word.text for word in caption.words[read:]) + caption.left_out
        if players == "tokens":
            labels = [self.tokenizer.decode([id]).strip() for id in ids[1:-1]]
            return TextFeatures(states[: len(ids)], ("[BOS]", *labels, "[EOS]"), beyond)
        labels = ["[BOS]", *(word.text for word in caption.words[:read]), "[EOS]"]
        return pool_words(states, pieces, labels, beyond)

    def tokenize(self, caption: Caption) -> tuple[list[int], list[list[int]], int]:
        """Token ids with start and end; the positions of [BOS], each word and [EOS]; words read.

        The tokenizer splits at spaces and punctuation anyway, so words and what stands between
        them can be tokenised one by one. Words whose tokens do not all fit are not read.
        """
        limit = self.tokenizer.context_length - 1  # leave room for the end token
        ids, pieces, end = [self.tokenizer.sot_token_id], [[0]], 0
        for word in caption.words:
            between = self.tokenizer.encode(caption.text[end : word.start])
            tokens = self.tokenizer.encode(word.text)
            if len(ids) + len(between) + len(tokens) > limit:
                break
            first = len(ids) + len(between)
            ids += between + tokens
            pieces.append(list(range(first, len(ids))))
            end = word.end
        read = len(pieces) - 1
        if read == len(caption.words):
            rest = self.tokenizer.encode(caption.text[end:])
            ids += rest[: limit - len(ids)]
        ids.append(self.tokenizer.eot_token_id)
        return ids, [*pieces, [len(ids) - 1]], read

    def _project(self, states: Tensor) -> Tensor:
        projection = self.text_tower.text_projection
        return projection(states) if isinstance(projection, nn.Module) else states @ projection

    @property
    def text_tower(self) -> nn.Module:
        """What holds the text encoder's parts; some models keep them on the top."""
        return getattr(self.model, "text", self.model)

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
        WeightsError: the model or its weights are unknown, missing or do not fit; the message
            says what to do. The network is never asked.
    """
    import open_clip
    from open_clip.transform import PreprocessCfg, image_transform_v2

    config = open_clip.get_model_config(model)
    if config is None:
        raise WeightsError(
            f"open_clip has no model {model!r}; open_clip.list_models() lists those it has."
        )
    text_config = config.get("text_cfg", {})
    if "hf_tokenizer_name" in text_config or "multimodal_cfg" in config:
        raise WeightsError(
            f"{model} has another text side than CLIP's, whose tokens cannot be shown as words. "
            f"Choose a model with CLIP's tokenizer, for example {DEFAULT_MODEL}."
        )
    if weights == IN_CHECKPOINT:
        file, source = None, {}
    elif Path(weights).is_file():
        file, source = Path(weights), {}
        if open_clip.get_model_config(f"{model}-quickgelu") is not None:
            _LOG.warning(
                "%s has the activation GELU, and a file does not tell what it was trained with: "
                "for OpenAI's weights use %s-quickgelu.",
                model,
                model,
            )
    else:
        file, source = _cached_weights(model, weights, bool(config.get("quick_gelu")))
    if file is not None:
        _refuse_torchscript(file)
    preprocessing = {
        k: source[k] for k in ("mean", "std", "interpolation", "resize_mode") if k in source
    }
    try:
        network = open_clip.create_model(
            model, pretrained=file and str(file), require_pretrained=file is not None,
            force_preprocess_cfg=preprocessing,
        )  # fmt: skip
    except Exception as error:  # open_clip raises what its loader raises, of many types
        raise WeightsError(f"{file} cannot be loaded as {model}: {error}") from error
    preprocess = image_transform_v2(PreprocessCfg(**network.visual.preprocess_cfg), is_train=False)
    tokenizer = open_clip.get_tokenizer(model)
    return OpenClipEncoder(network, preprocess, tokenizer, model, weights)


def is_torchscript(file: Path) -> bool:
    """Whether a file is an archive of torch.jit, as OpenAI's own files are."""
    if not zipfile.is_zipfile(file):
        return False
    with zipfile.ZipFile(file) as archive:
        return any(name.endswith("constants.pkl") for name in archive.namelist())


def _refuse_torchscript(file: Path) -> None:
    """Such files are programs, not tensors: loading one would run it."""
    if is_torchscript(file):
        raise WeightsError(
            f"{file} is a TorchScript archive: a program, not run here. Take the weights out of "
            "it once and give the new file:\n"
            f"  python -m hbi_core.convert '{file}' '{file.with_suffix('.safetensors')}'"
        )


def _cached_weights(model: str, tag: str, quick_gelu: bool) -> tuple[Path, dict]:
    """The file of a pretrained tag in the local cache, and how its images are prepared."""
    import open_clip
    from huggingface_hub import try_to_load_from_cache

    source = open_clip.get_pretrained_cfg(model, tag)
    if not source:
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(model)) or "none"
        raise WeightsError(
            f"{tag!r} is neither a file nor a pretrained tag of {model} (its tags: {tags})."
        )
    if bool(source.get("quick_gelu")) != quick_gelu:
        other = model.removesuffix("-quickgelu") if quick_gelu else f"{model}-quickgelu"
        raise WeightsError(
            f"The weights {tag!r} were trained with another activation than {model} has: "
            f"use the model {other}."
        )
    repository, _, name = source.get("hf_hub", "").rpartition("/")
    for candidate in filter(None, [name, *_HUB_FILES]):
        cached = try_to_load_from_cache(repository, candidate) if repository else None
        if isinstance(cached, str):
            return Path(cached), source
    downloaded = Path("~/.cache/clip").expanduser() / source.get("url", "").rpartition("/")[2]
    if downloaded.is_file():
        return downloaded, source
    raise WeightsError(
        f"The weights {tag!r} of {model} are not on this machine, and nothing is downloaded while "
        "explaining. With a network, fetch them once:\n"
        f"  python -c \"import open_clip; open_clip.create_model('{model}', pretrained='{tag}')\"\n"
        f"or give a file: open_clip:{model}:/path/to/weights.safetensors"
    )
