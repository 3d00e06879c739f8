"""The captions of a clip, and their foils -> the features that are kept of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor

from hbi_core.data.cache import EncodingSettings
from hbi_core.data.clips import Clip
from hbi_core.data.foils import Foil, label_of
from hbi_core.data.halves import halves
from hbi_core.encoders import Encoder, TextFeatures
from hbi_core.encoders.tokens import TextPlayers
from hbi_core.errors import CaptionError, DataError
from hbi_core.inputs.text import parse_caption


@torch.inference_mode()
def encode_texts(encoder: Encoder, clip: Clip, settings: EncodingSettings) -> dict[str, Tensor]:
    """The captions of a clip.

    Returns:
        words [all captions' players, Dt], lengths int64 [C]; with `padded`, padding [what the
        captions lack, Dt]; and of players that may be phrases counts, context, steps.

    Raises:
        DataError: the encoder can read no word of a caption.
        NotFiniteError: features are not finite.
    """
    return _kept(_encoded(encoder, clip, settings), encoder, clip, settings)


@torch.inference_mode()
def encode_foils(
    encoder: Encoder, clip: Clip, foils: Sequence[Foil | None], settings: EncodingSettings
) -> dict[str, Tensor]:
    """The foils of the captions of a clip, of which at least one has some.

    Returns:
        As `encode_texts`, of those that there are; and int64 [of them], captions, the place of the
        caption that each belongs to; nouns, the label of the noun that was put in; and replaced,
        that of the noun in the true caption. -1 where the labels do not tell.
    """
    made = {place: foil for place, foil in enumerate(foils) if foil is not None}
    false = replace(clip, captions=tuple(foil.caption.text for foil in made.values()))
    texts = _encoded(encoder, false, settings)
    nouns = replaced = _labels(false.captions, made.values(), texts)
    if settings.players == "tokens":  # words stand at the same place in both
        true = replace(clip, captions=tuple(clip.captions[place] for place in made))
        replaced = _labels(true.captions, made.values(), _encoded(encoder, true, settings))
    return _kept(texts, encoder, clip, settings) | {
        "captions": torch.tensor(list(made)),
        "nouns": torch.tensor(nouns),
        "replaced": torch.tensor(replaced),
    }


def _labels(
    captions: Sequence[str], foils: Iterable[Foil], texts: Sequence[TextFeatures]
) -> list[int]:
    """The label at each foil's place in a caption, -1 for none."""
    told = [
        label_of(parse_caption(caption), foil.word, text.labels)
        for caption, foil, text in zip(captions, foils, texts, strict=True)
    ]
    return [-1 if label is None else label for label in told]


def _kept(
    texts: Sequence[TextFeatures], encoder: Encoder, clip: Clip, settings: EncodingSettings
) -> dict[str, Tensor]:
    players = TextPlayers.listed([TextPlayers.of(text) for text in texts])
    tensors = {"words": players.features}
    if settings.padded:
        tensors["padding"] = torch.cat([cast(Tensor, text.padding) for text in texts])
    if players.context is not None:
        tensors["context"] = players.context
    if players.steps is not None:
        tensors["steps"] = players.steps
    known = halves(tensors, encoder, clip)
    if players.counts is not None:
        known["counts"] = players.counts.cpu()
    return known | {"lengths": torch.tensor([len(text.features) for text in texts])}


def _encoded(encoder: Encoder, clip: Clip, settings: EncodingSettings) -> list[TextFeatures]:
    options = settings.players, settings.words, settings.padded
    captions = [parse_caption(text) for text in clip.captions]
    try:
        return encoder.text_features(captions, *options)
    except CaptionError:
        for caption in captions:
            try:
                encoder.text_features([caption], *options)
            except CaptionError as error:
                raise DataError(
                    f"{clip.id}: {encoder.name} cannot read the caption {caption.text!r}: {error} "
                    "Take it out of the annotations, or choose another encoder."
                ) from error
        raise
