"""Any CLIP of open_clip, from the local cache or a file; never from the network."""

from __future__ import annotations

import logging
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hbi_core.encoders.base import Encoder, TextFeatures
from hbi_core.encoders.clip_tokens import CaptionTokens, tokenize
from hbi_core.errors import InputError, WeightsError
from hbi_core.inputs.text import Caption

_LOG = logging.getLogger(__name__)
DEFAULT_MODEL = "ViT-B-32-quickgelu"
DEFAULT_WEIGHTS = "openai"
IN_CHECKPOINT = "checkpoint"  # instead of a pretrained tag or a file
_HUB_FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")


class OpenClipEncoder(Encoder):
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

    model: Any  # open_clip has no types for what it builds

    def __init__(
        self, model: nn.Module, preprocess, tokenizer, model_name: str, weights: str
    ) -> None:
        super().__init__()
        self.model = model
        self.preprocess = preprocess
        self.tokenizer = tokenizer
        self.name = f"open_clip:{model_name}:{weights}"
        self.architecture = f"open_clip:{model_name}:{IN_CHECKPOINT}"
        last = self.text_tower.text_projection
        width = last.out_features if isinstance(last, nn.Linear) else last.shape[-1]
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

    def frame_padding(self) -> Tensor:
        """float [1, D]: zeros encoded; they stand after normalising, so that they are no black."""
        pixels = self.normalised(self.prepare_frames(np.zeros((1, 32, 32, 3), np.uint8)))
        return self.model.encode_image(torch.zeros_like(pixels, device=self._device))

    def text_features(
        self,
        captions: Sequence[Caption],
        players: str = "words",
        limit: int | None = None,
        padded: bool = False,
    ) -> list[TextFeatures]:
        """Words (or tokens), [BOS] and [EOS] -> float [T, D]."""
        length = self.tokenizer.context_length
        if padded:
            if limit is None or limit > length:
                raise InputError(f"Texts are padded to {limit} tokens; the encoder has {length}.")
            length = limit
        tokens = [tokenize(self.tokenizer, caption, players, limit) for caption in captions]
        ids = torch.zeros(len(captions), length, dtype=torch.long)
        real = torch.zeros_like(ids, dtype=torch.bool)
        for row, known, own in zip(ids, real, tokens, strict=True):
            row[: len(own.ids)], known[: len(own.ids)] = torch.tensor(own.ids), True
        states = self.padded_states(ids, real) if padded else self.token_states(ids)
        return [
            self._players(caption, own, state, players, padded)
            for caption, own, state in zip(captions, tokens, states, strict=True)
        ]

    def token_states(self, text: Tensor) -> Tensor:
        """Token ids [B, 77], padded with 0 -> projected states [B, 77, D]."""
        output = self.model.forward_intermediates(
            text=text.to(self._device),
            text_indices=1,
            normalize_intermediates=True,
            intermediates_only=True,
        )
        return self._project(output["text_intermediates"][-1])

    def padded_states(self, text: Tensor, real: Tensor) -> Tensor:
        """Token ids [B, L], bool [B, L] -> projected states [B, L, D], of the padding too.

        As the research code of the paper has them: no token sees padding, not even padding itself.
        """
        tower, length = self.text_tower, text.shape[1]
        states = tower.token_embedding(text.to(self._device)) + tower.positional_embedding[:length]
        later = torch.ones(length, length, dtype=torch.bool).triu(1)
        unseen = (later | ~real.unsqueeze(1)).to(self._device)  # [B, L, L]
        mask = torch.zeros(unseen.shape, device=self._device).masked_fill(unseen, -torch.inf)
        heads = tower.transformer.resblocks[0].attn.num_heads
        states = tower.transformer(states, attn_mask=mask.repeat_interleave(heads, 0))
        return self._project(tower.ln_final(states))

    def _players(
        self, caption: Caption, tokens: CaptionTokens, states: Tensor, players: str, padded: bool
    ) -> TextFeatures:
        """The players of one caption, of its states [L, D]."""
        end = len(tokens.ids)
        if players == "tokens":
            labels = [self.tokenizer.decode([id]).strip() for id in tokens.ids[1:-1]]
            features = states[:end]
        else:
            labels = [caption.words[word].text for word in tokens.words]
            pieces = [[0], *map(list, tokens.pieces), [end - 1]]
            features = torch.stack([states[own].mean(0) for own in pieces])
        padding = states[end:] if padded else None
        return TextFeatures(features, ("[BOS]", *labels, "[EOS]"), tokens.left_out, padding)

    def _project(self, states: Tensor) -> Tensor:
        projection = self.text_tower.text_projection
        return projection(states) if isinstance(projection, nn.Module) else states @ projection

    @property
    def text_tower(self) -> Any:
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
    file: Path | None
    source: dict[str, Any]
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
        with _without_alarm():
            network = open_clip.create_model(
                model,
                pretrained=file and str(file),
                require_pretrained=file is not None,
                force_preprocess_cfg=preprocessing,
            )
    except Exception as error:  # open_clip raises what its loader raises, of many types
        raise WeightsError(f"{file} cannot be loaded as {model}: {error}") from error
    preprocess = image_transform_v2(PreprocessCfg(**network.visual.preprocess_cfg), is_train=False)
    tokenizer = open_clip.get_tokenizer(model)
    return OpenClipEncoder(network, preprocess, tokenizer, model, weights)


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


def _cached_weights(model: str, tag: str, quick_gelu: bool) -> tuple[Path, dict[str, Any]]:
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
        f"The weights {tag!r} of {model} are not on this machine, and this program downloads "
        "nothing. With a network, fetch them once:\n"
        f"  python -c \"import open_clip; open_clip.create_model('{model}', pretrained='{tag}')\"\n"
        f"or give a file: open_clip:{model}:/path/to/weights.safetensors"
    )
