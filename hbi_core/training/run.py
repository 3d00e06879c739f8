"""What a run is made of: data, model, optimiser; and its validation."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from hbi_core.checkpoints.checkpoint import Checkpoint, RetrievalSettings, save_checkpoint
from hbi_core.data import Clip, Corpus, read_corpus
from hbi_core.data.clips import digest
from hbi_core.data.encoding import encode_corpus
from hbi_core.data.features import Features, join_clips
from hbi_core.data.reading import ClipReader
from hbi_core.encoders import Encoder
from hbi_core.errors import NotFiniteError, SettingsError
from hbi_core.model import Hierarchy, build_hierarchy
from hbi_core.settings import plain
from hbi_core.tasks.retrieval import RetrievalTask
from hbi_core.tasks.retrieval_metrics import retrieval_metrics, similarity_scores
from hbi_core.training.batches import FeatureBatches, PixelBatches, batches_of_epoch
from hbi_core.training.config import OptimiserConfig, TrainConfig
from hbi_core.training.fit import check_fit, too_few
from hbi_core.training.folder import UNREADABLE
from hbi_core.training.initialise import (
    check_encoder,
    fill_from,
    fit_projections,
    initialise_from_clip,
)
from hbi_core.training.processes import check_same_clips, new_name, take_state
from hbi_core.training.progress import Progress

_MONTAGES = 0  # seed of the montages that are validated on: the same in every run


class Run:
    """A run, ready to start.

    Attributes:
        task: the model and its losses.
        optimiser: of two groups of parameters, see `learning_rates` in the loop.
        average: moving average of the task, or None.
        source: batches of the training clips.
        epochs: the batches of each epoch.
        steps: of all epochs.
        facts: what the run is, by name, to be shown.
        left_out: split, id and reason of clips that are not used.

    Raises:
        SettingsError: settings do not fit the encoder or the data; all of them are named.
        DataError, VideoError: the data cannot be read.
    """

    def __init__(
        self,
        config: TrainConfig,
        encoder: Encoder,
        accelerator: Accelerator,
        start: Checkpoint | None = None,
    ) -> None:
        self.config, self.encoder, self.accelerator = config, encoder, accelerator
        self.frozen = config.optimiser.encoder_learning_rate == 0
        self.left_out: list[tuple[str, str, str]] = []
        if start is not None:
            check_encoder(start, encoder)
        with accelerator.main_process_first():  # which draws the synthetic clips
            corpus = self._corpus(config.data.train)
            self.validation = config.data.validation and self._corpus(config.data.validation)
        for known in filter(None, (corpus, self.validation)):
            check_same_clips(known.clips, known.split)
        check_fit(config, encoder, corpus, self.validation, accelerator.num_processes)
        self.model_config = replace(
            config.model, video_width=encoder.widths[0], text_width=encoder.widths[1]
        )
        hierarchy = build_hierarchy(self.model_config)
        if start is None:
            begins = f"temporal transformer: {initialise_from_clip(hierarchy, encoder)}"
        else:
            begins = fill_from(start, hierarchy, encoder)
        self.encoder_in_file = not self.frozen or (start is not None and start.path is not None)
        learning = None if self.frozen else encoder
        padded_frames = config.data.frames if config.model.reads_padding else None
        self.task = RetrievalTask(
            hierarchy, config.loss, config.data.words, learning, config.model.text_players,
            padded_frames,
        )  # fmt: skip
        self.optimiser = torch.optim.AdamW(_groups(self.task, config.optimiser))
        encoder.eval()
        self.average = self.validation_features = None
        self.reader = ClipReader(
            encoder, workers=config.data.workers, limits=config.data.video_limits,
            ahead=0 if self.frozen else config.optimiser.batch_size // accelerator.num_processes,
            listed=config.out / UNREADABLE,
        )  # fmt: skip
        if self.frozen:
            cache = config.data.cache
            if cache is None and accelerator.num_processes > 1:
                cache = config.out / "features"
            features = self._encoded(corpus, cache, config.data.views)
            self.source = FeatureBatches(features, config.data)
            if self.validation:
                self.validation_features = self._encoded(self.validation, cache)
            if start is None:
                fit_projections(hierarchy, features)
            self.reader.close()
        else:
            self.source = PixelBatches(corpus.clips, config.data, self.reader)
        self.task.train()  # an encoder that learns too
        if config.optimiser.average:
            decay = get_ema_multi_avg_fn(config.optimiser.average)
            self.average = AveragedModel(self.task, multi_avg_fn=decay).to(accelerator.device)
        self.epochs = [
            batches_of_epoch(
                self.source.clips, config.data, config.optimiser.batch_size, config.seed, epoch
            )
            for epoch in range(config.optimiser.epochs)
        ]
        self.steps = sum(map(len, self.epochs))
        if not self.steps:
            raise SettingsError(too_few(self.source.clips, config))
        self.facts = self._facts(begins)

    def _corpus(self, split: str) -> Corpus:
        data = self.config.data
        corpus = read_corpus(data.dataset, data.root, split, data.missing)
        self.left_out += [(split, id, "no file") for id in corpus.missing]
        self.left_out += [(split, id, "no caption") for id in corpus.without_text]
        return corpus.subset(data.clips) if data.clips else corpus

    def _encoded(self, corpus: Corpus, cache: Path | None, views: int = 0) -> Features:
        """The features of a corpus; several processes each encode a share, and meet in a cache."""
        data, model, accelerator = self.config.data, self.config.model, self.accelerator
        _, encoder = self._evaluated()
        meeting = cache and cache / f"meeting-{new_name()}"
        features = encode_corpus(
            encoder, corpus, data.frames, views=views, players=model.text_players,
            words=data.words, padded=model.reads_padding, seed=0, cache=cache,
            missing=data.missing, reader=self.reader, rank=accelerator.process_index,
            processes=accelerator.num_processes, meeting=meeting,
        )  # fmt: skip
        check_same_clips(features.clips, corpus.split)
        if accelerator.is_main_process and accelerator.num_processes > 1:
            shutil.rmtree(meeting)  # now that all have read what lies there
        read = {clip.id for clip in features.clips}
        why = self.reader.unreadable
        unread = [(corpus.split, c.id, why[c.id]) for c in corpus.clips if c.id not in read]
        self.left_out += [entry for entry in unread if entry not in self.left_out]
        return features

    def _validation_now(self) -> Features:
        """Of an encoder that learns: anew each time, so a cache serves only to share the work."""
        if self.accelerator.num_processes == 1:
            return self._encoded(self.validation, None)
        take_state(self._evaluated()[1])
        folder = self.config.out / "validation-features"
        self._remove(folder)  # what a run that was killed may have left
        features = self._encoded(self.validation, folder)
        self._remove(folder)
        return features

    def _remove(self, folder: Path) -> None:
        """While no process reads in it."""
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process:
            shutil.rmtree(folder, ignore_errors=True)
        self.accelerator.wait_for_everyone()

    def check_weights(self) -> None:
        """Before they take the place of earlier ones on the disk.

        Raises:
            NotFiniteError: the weights have diverged.
        """
        for name, weights in self.task.named_parameters():
            if not weights.isfinite().all():
                raise NotFiniteError(f"The weights {name} are not finite.")

    def validate(self) -> dict[str, dict[str, float]]:
        """Retrieval on the validation split; nothing if there is none.

        Raises:
            NotFiniteError: the weights have diverged.
        """
        if self.validation is None:
            return {}
        self.task.eval()
        hierarchy, _ = self._evaluated()
        features = self.validation_features or self._validation_now()
        if self.config.data.validation_parts > 1:
            features = join_clips(features, self.config.data.validation_parts, _MONTAGES)
        scores = similarity_scores(
            hierarchy, features, self.config.data.words, self.config.level_weights
        )
        self.task.train()
        return retrieval_metrics(scores, features.owners)

    def save(self, path: Path, progress: Progress) -> None:
        """Write the checkpoint.

        Raises:
            NotFiniteError: the weights have diverged, or half precision cannot hold them.
        """
        config = self.config
        hierarchy, encoder = self._evaluated()
        retrieval = RetrievalSettings(config.data.frames, config.data.words, config.level_weights)
        training = {
            "settings": plain(config), "step": progress.step, "validation": progress.results
        }  # fmt: skip
        name = encoder.architecture if self.encoder_in_file else encoder.name
        checkpoint = Checkpoint(
            name, self.model_config, hierarchy, retrieval, path.name, training=training
        )
        dtype = torch.float16 if config.half else torch.float32
        save_checkpoint(path, checkpoint, encoder if self.encoder_in_file else None, dtype)

    def _evaluated(self) -> tuple[Hierarchy, Encoder]:
        """The model that is measured and saved, in evaluation mode: the average if there is one."""
        task = self.task if self.average is None else self.average.module.eval()
        return task.hierarchy.eval(), task.encoder or self.encoder

    def _facts(self, begins: str) -> dict[str, str]:
        config, accelerator = self.config, self.accelerator
        data, optimiser = config.data, config.optimiser

        def counted(split: str, clips: Sequence[Clip]) -> str:
            captions = sum(len(clip.captions) for clip in clips)
            left_out = sum(name == split for name, _, _ in self.left_out)
            told = f"; {left_out} left out, see missing.txt" if left_out else ""
            return f"{split}: {len(clips):,} clips, {captions:,} captions{told}"

        encoded = self.validation_features or self.validation
        validated = encoded.clips if encoded else ()
        parts = data.validation_parts
        montages = f", in montages of {parts}" if parts > 1 else ""

        def parameters(module: nn.Module) -> str:
            count = sum(p.numel() for p in module.parameters())
            learn = sum(p.numel() for p in module.parameters() if id(p) in learning)
            return f"{count:,} parameters, {learn:,} of them learn"

        learning = {id(p) for group in self.optimiser.param_groups for p in group["params"]}

        levels = ", ".join(self.model_config.levels)
        return {
            "folder": str(config.out),
            "data set": f"{data.dataset} in {data.root}",
            "train": counted(data.train, self.source.clips),
            "digest of train": digest(self.source.clips),
            "validation": counted(data.validation, validated) + montages if validated else "none",
            "digest of validation": digest(validated),
            "steps": f"{self.steps:,} in {optimiser.epochs} epochs, batches of "
            f"{optimiser.batch_size} over all processes, {optimiser.accumulation} added up",
            "model": f"{parameters(self.task.hierarchy)}; levels {levels}",
            "encoder": f"{self.encoder.name}: {parameters(self.encoder)}",
            "starts from": begins,
            "losses": ", ".join(self.task.losses),
            "processes": f"{accelerator.num_processes} ({accelerator.device.type})",
            "precision": "float32" if optimiser.precision == "no" else optimiser.precision,
        }


def _groups(task: RetrievalTask, config: OptimiserConfig) -> list[dict]:
    """Groups of parameters; "rate" says which of `learning_rates` they have."""
    encoder = [] if task.encoder is None else list(task.encoder.parameters())
    known = {id(task.log_scale), *map(id, encoder)}
    rest = [p for p in task.parameters() if id(p) not in known and p.requires_grad]
    temperature = [task.log_scale] if task.log_scale.requires_grad else []
    return [
        {"params": rest, "weight_decay": config.weight_decay, "rate": 0},
        {"params": encoder, "weight_decay": config.weight_decay, "rate": 1},
        {"params": temperature, "weight_decay": 0.0, "rate": 1 if encoder else 0},
    ]
