"""Which files a model of open_clip needs, and how it wants pictures prepared."""

from __future__ import annotations

import logging
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from hbi_core.encoders.hub import HubFile, check_network
from hbi_core.errors import WeightsError

_LOG = logging.getLogger(__name__)
IN_CHECKPOINT = "checkpoint"  # instead of a pretrained tag or a file
_WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
_VOCABULARIES = ("tokenizer.json", "spiece.model", "sentencepiece.bpe.model", "tokenizer.model")
_BESIDE = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "config.json")
_PREPROCESSING = ("mean", "std", "interpolation", "resize_mode")


class Found(NamedTuple):
    """The files of a model on this machine: see ModelFiles."""

    weights: Path | None
    tokenizer: Path | None
    text_config: Path | None


@dataclass(frozen=True)
class ModelFiles:
    """What a model is made of.

    Attributes:
        weights: its file; None where a checkpoint has them.
        tokenizer: a file in the folder of its tokenizer from the hub; None for CLIP's own.
        text_config: the configuration of its text tower from the hub; None for open_clip's own.
    """

    weights: HubFile | Path | None
    tokenizer: HubFile | Path | None
    text_config: HubFile | Path | None

    def found(self, name: str) -> Found:
        """Where they are on this machine.

        Args:
            name: of the encoder, for the message.

        Raises:
            WeightsError: some are not on this machine.
        """
        paths, missing = [], []
        for file in (self.weights, self.tokenizer, self.text_config):
            paths.append(file.cached() if isinstance(file, HubFile) else file)
            if isinstance(file, HubFile) and paths[-1] is None:
                missing.append(file.what)
        if missing:
            raise WeightsError(
                f"Of {name}, {' and '.join(missing)} are not on this machine, and nothing is "
                "downloaded unless asked for. With a network, fetch them once:\n"
                f'  python -m hbi_core.explain VIDEO "CAPTION" --out DIR --encoder {name} '
                "--download\n"
                "or, for the page, python app.py --download. Without one, give a file of weights "
                "in place of the last part of the name."
            )
        return Found(*paths)

    def fetch(self) -> None:
        """Download what is not on this machine.

        Raises:
            WeightsError: there is no network, or the hub does not give it.
        """
        files = (self.weights, self.tokenizer, self.text_config)
        missing = [f for f in files if isinstance(f, HubFile) and f.cached() is None]
        if missing:
            check_network()
        for file in missing:
            file.fetch()


def model_config(model: str) -> dict[str, Any]:
    """open_clip's configuration of a model.

    Raises:
        WeightsError: it has none of this name.
    """
    import open_clip

    config = open_clip.get_model_config(model) if ":" not in model else None
    if config is None:
        raise WeightsError(
            f"open_clip has no model {model!r}; open_clip.list_models() lists those it has."
        )
    return config


def files_of(model: str, weights: str) -> ModelFiles:
    """The files of a model, wherever they are.

    Args:
        model: its name in open_clip.
        weights: a pretrained tag, a file, or "checkpoint".

    Raises:
        WeightsError: there is no such model or tag, or the tag is of another activation.
    """
    config = model_config(model)
    text = config["text_cfg"]
    return ModelFiles(
        _weights(model, weights, bool(config.get("quick_gelu"))),
        _of_hub(text.get("hf_tokenizer_name"), "the tokenizer", _VOCABULARIES, _BESIDE),
        _of_hub(text.get("hf_model_name"), "the configuration of the text tower", ("config.json",)),
    )


def _of_hub(
    name: str | None, what: str, names: tuple[str, ...], beside: tuple[str, ...] = ()
) -> HubFile | Path | None:
    """A file that a model's configuration names by repository, or by a local folder."""
    if not name:
        return None
    if Path(name).is_dir():
        return Path(name, names[0])
    return HubFile(f"{what} {name}", name, names, beside)


def _weights(model: str, weights: str, quick_gelu: bool) -> HubFile | Path | None:
    import open_clip

    if weights == IN_CHECKPOINT:
        return None
    if Path(weights).is_file():
        if open_clip.get_model_config(f"{model}-quickgelu") is not None:
            _LOG.warning(
                "%s has the activation GELU, and a file does not tell what it was trained with: "
                "for OpenAI's weights use %s-quickgelu.",
                model,
                model,
            )
        refuse_torchscript(Path(weights))
        return Path(weights)
    source = open_clip.get_pretrained_cfg(model, weights)
    if not source:
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(model)) or "none"
        raise WeightsError(
            f"{weights!r} is neither a file nor a pretrained tag of {model} (its tags: {tags})."
        )
    if bool(source.get("quick_gelu")) != quick_gelu:
        other = model.removesuffix("-quickgelu") if quick_gelu else f"{model}-quickgelu"
        raise WeightsError(
            f"The weights {weights!r} were trained with another activation than {model} has: "
            f"use the model {other}."
        )
    repository, _, name = source.get("hf_hub", "").rpartition("/")
    names = tuple(filter(None, [name, *_WEIGHTS]))
    on_hub = HubFile(f"the weights {weights!r}", repository, names)
    older = Path("~/.cache/clip").expanduser() / source.get("url", "").rpartition("/")[2]
    return older if on_hub.cached() is None and older.is_file() else on_hub


def preprocessing(model: str, weights: str) -> dict[str, Any]:
    """Mean, standard deviation, interpolation and resize mode of the pictures of a model.

    A tag tells them. A file does not: they are those of the model's tags, if these agree, and
    otherwise open_clip's own, CLIP's.
    """
    import open_clip

    tags = open_clip.list_pretrained_tags_by_model(model)
    given = open_clip.get_pretrained_cfg(model, weights)
    sources = [given] if given else [open_clip.get_pretrained_cfg(model, tag) for tag in tags]
    told = [{k: source[k] for k in _PREPROCESSING if k in source} for source in sources]
    if told and all(one == told[0] for one in told):
        return told[0]
    if told:
        _LOG.warning(
            "The weights of %s differ in how pictures are prepared, and a file does not tell how "
            "its own are: they are prepared as OpenAI's CLIP does.",
            model,
        )
    return {}


def is_torchscript(file: Path) -> bool:
    """Whether a file is an archive of torch.jit, as OpenAI's own files are."""
    if not zipfile.is_zipfile(file):
        return False
    with zipfile.ZipFile(file) as archive:
        return any(name.endswith("constants.pkl") for name in archive.namelist())


def refuse_torchscript(file: Path) -> None:
    """Such files are programs, not tensors: loading one would run it.

    Raises:
        WeightsError: it is one.
    """
    if is_torchscript(file):
        raise WeightsError(
            f"{file} is a TorchScript archive: a program, not run here. Take the weights out of "
            "it once and give the new file:\n"
            f"  python -m hbi_core.convert '{file}' '{file.with_suffix('.safetensors')}'"
        )
