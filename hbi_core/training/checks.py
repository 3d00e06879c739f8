"""Whether settings fit the encoder, the data and the processes that they meet."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from hbi_core.data import Clip, Corpus, shared_with_test
from hbi_core.data.config import DataConfig
from hbi_core.data.montage import LARGEST_MONTAGE
from hbi_core.encoders import Encoder
from hbi_core.errors import InputError, SettingsError
from hbi_core.inputs.text import parse_caption
from hbi_core.training.batches import batches_of_epoch
from hbi_core.training.config import TrainConfig

_LOG = logging.getLogger(__name__)
_FEW = 50  # clips; one is 2 % of them then


def check_fit(
    config: TrainConfig,
    encoder: Encoder,
    corpus: Corpus,
    validation: Corpus | None,
    processes: int,
) -> None:
    """Whether settings fit the encoder, the data and the processes; before anything is encoded.

    Args:
        config: the settings.
        encoder: of the run.
        corpus: what is trained on.
        validation: what chooses the checkpoint, or None.
        processes: of the run.

    Raises:
        SettingsError: they do not; it names all that is wrong.
    """
    wrong, model = [], config.model
    video, text = encoder.widths
    if not model.projection and not video == text == model.width:
        wrong.append(
            f"{encoder.name} has {video} features for frames and {text} for words: set "
            "model.projection=true" + (f" or model.width={video}" if video == text else "")
        )
    try:
        (read,) = encoder.text_features(
            [parse_caption("a word")], model.text_players, config.data.words, model.reads_padding
        )
    except InputError as error:
        wrong.append(f"model.text_players={model.text_players} does not fit: {error}")
    else:
        context = 0 if read.context is None else read.context.shape[-1]
        if model.text_context not in (0, context):
            wrong.append(
                f"the {model.text_players} of {encoder.name} have a context of {context} features: "
                f"set model.text_context={context}"
            )
    longest = config.data.frames * max(
        config.data.validation_parts, LARGEST_MONTAGE if config.data.montages else 1
    )
    if model.temporal_layers and longest > model.positions:
        wrong.append(
            f"the temporal transformer has {model.positions} positions for up to "
            f"{longest} frames: set model.positions={longest} or fewer data.frames"
        )
    batch = config.optimiser.batch_size
    if batch < processes * (LARGEST_MONTAGE if config.data.montages else 1):
        wrong.append(f"optimiser.batch_size={batch} is too few for {processes} processes")
    if not batches_of_epoch(corpus.clips, config.data, batch, config.seed, 0):
        wrong.append(too_few(corpus.clips, config))
    if validation:
        wrong += _wrong_validation(config.data, corpus, validation)
    if wrong:
        raise SettingsError("; ".join(wrong) + ".")


def _wrong_validation(data: DataConfig, corpus: Corpus, validation: Corpus) -> list[str]:
    wrong = []
    tested = shared_with_test(validation, data.root)
    trained = validation.overlap(corpus)
    for shared, split in ((tested, "the test split"), (trained, f"{data.train}, trained on")):
        if shared:
            wrong.append(
                f"data.validation={data.validation} has {len(shared)} clips of {split}: use "
                "another split, or null"
            )
    samples = len(validation.clips) // data.validation_parts
    if not samples:
        wrong.append(f"data.validation={data.validation} has too few clips for a montage")
    elif samples < _FEW:
        _LOG.warning(
            "%d clips are few to choose a checkpoint on: each is %.1f %% of what is measured.",
            samples,
            100 / samples,
        )
    return wrong


def too_few(clips: Sequence[Clip], config: TrainConfig) -> str:
    """What is wrong where an epoch has no batch."""
    return (
        f"{len(clips)} clips of {config.data.train} have fewer samples than a batch of "
        f"{config.optimiser.batch_size}: set optimiser.batch_size lower"
    )
