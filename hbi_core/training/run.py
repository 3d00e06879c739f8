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

from hbi_core.checkpoints.checkpoint import Checkpoint, save_checkpoint
from hbi_core.data import Clip, Corpus
from hbi_core.data.clips import digest
from hbi_core.data.encoding import encode_corpus
from hbi_core.data.features import Features, join_clips
from hbi_core.data.reading import ClipReader
from hbi_core.encoders import Encoder
from hbi_core.errors import NotFiniteError, SettingsError
from hbi_core.model import build_hierarchy
from hbi_core.settings import plain
from hbi_core.tasks import fill_task, task_named
from hbi_core.tasks.base import Results, Task
from hbi_core.training.batches import FeatureBatches, PixelBatches, batches_of_epoch
from hbi_core.training.checks import check_fit, too_few
from hbi_core.training.config import TrainConfig
from hbi_core.training.folder import BEGINS, BEST, DIGEST_OF_START, UNREADABLE, read_facts
from hbi_core.training.initialise import (
    check_encoder,
    complete_settings,
    digest_of_start,
    fill_from,
    fit_projections,
    initialise_from_clip,
)
from hbi_core.training.optimiser import parameter_groups
from hbi_core.training.processes import check_same_clips, new_name, take_state
from hbi_core.training.state import RunState

_MONTAGES = 0  # seed of the montages that are validated on: the same in every run


class Run:
    """A run, ready to start.

    Attributes:
        task: the model and its losses.
        optimiser: of `parameter_groups`.
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
        self.left_out: list[tuple[str, str, str]] = []
        if start is not None:
            check_encoder(start, encoder)
        kind = task_named(config.task)
        with accelerator.main_process_first():  # which draws the synthetic clips
            corpus = self._corpus(kind, config.data.train)
            self.validation = None
            if config.data.validation is not None:
                self.validation = self._corpus(kind, config.data.validation)
        for known in (corpus, self.validation):
            if known is not None:
                check_same_clips(known.clips, known.split)
        check_fit(config, encoder, corpus, self.validation, accelerator.num_processes)
        self.encoder_in_file = not config.frozen or (start is not None and start.path is not None)
        video_width, text_width = encoder.widths
        model = replace(config.model, video_width=video_width, text_width=text_width)
        self.heads = Checkpoint(
            encoder=encoder.architecture if self.encoder_in_file else encoder.name,
            config=model,
            hierarchy=build_hierarchy(model),
            retrieval=kind.reads(config),
            name=BEST,
        )
        if start is not None:
            taken = fill_from(start, self.heads.hierarchy, encoder)
            begins = f"{taken}; noise {model.noise:g}, dropout {model.dropout:g}"
        elif config.start is not None:  # which is gone; the state to go on from has the weights
            begins = read_facts(config.out)[BEGINS]
        else:
            copied = initialise_from_clip(self.heads.hierarchy, encoder)
            begins = f"temporal transformer: {copied}"
        encoder.eval()
        self.reader = ClipReader(
            encoder,
            workers=config.data.workers,
            limits=config.data.video_limits,
            ahead=0 if config.frozen else config.optimiser.batch_size // accelerator.num_processes,
            listed=config.out / UNREADABLE,
        )
        self.validation_features: Features | None = None
        self.source = self._source(corpus)
        if isinstance(self.source, FeatureBatches) and config.start is None:
            fit_projections(self.heads.hierarchy, self.source.features)
        self.task = kind(
            self.heads,
            config.loss,
            None if config.frozen else encoder,
            complete_settings(kind, config, start, self.source.clips),
        )
        if start is not None and start.task.name == kind.name:
            fill_task(self.task, start)
        self.task.prepare(self.source.clips)
        self.task.train()  # an encoder that learns too
        self.optimiser = torch.optim.AdamW(parameter_groups(self.task, config.optimiser))
        self.average = None
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

    def _corpus(self, kind: type[Task], split: str) -> Corpus:
        data = self.config.data
        corpus = kind.corpus(data, split)
        self.left_out += [(split, id, "no file") for id in corpus.missing]
        self.left_out += [(split, id, "no caption") for id in corpus.without_text]
        return corpus.subset(data.clips) if data.clips else corpus

    def _source(self, corpus: Corpus) -> FeatureBatches | PixelBatches:
        """The batches; of a frozen encoder, with all that it will ever encode encoded."""
        config = self.config
        if not config.frozen:
            return PixelBatches(corpus.clips, config.data, self.reader)
        cache = config.data.cache
        if cache is None and self.accelerator.num_processes > 1:
            cache = config.out / "features"
        features = self._encoded(
            self.encoder, corpus, cache, config.data.views, config.loss.foil > 0
        )
        if config.loss.foil and not features.foils:
            raise SettingsError(
                f"No caption of {corpus.name} {corpus.split} can be foiled: none has a noun of "
                "hbi_core.data.foils with another of its kind that is said often. Set loss.foil=0."
            )
        if self.validation is not None:
            self.validation_features = self._encoded(self.encoder, self.validation, cache)
        self.reader.close()
        return FeatureBatches(features, config.data)

    def _encoded(
        self,
        encoder: Encoder,
        corpus: Corpus,
        cache: Path | None,
        views: int = 0,
        foils: bool = False,
    ) -> Features:
        """The features of a corpus; several processes each encode a share, and meet in a cache."""
        data, model, accelerator = self.config.data, self.config.model, self.accelerator
        meeting = None if cache is None else cache / f"meeting-{new_name()}"
        features = encode_corpus(
            encoder,
            corpus,
            data.frames,
            views=views,
            degraded=data.degraded if views else 0.0,
            players=model.text_players,
            words=data.words,
            padded=model.reads_padding,
            foils=foils,
            seed=0,
            cache=cache,
            missing=data.missing,
            reader=self.reader,
            rank=accelerator.process_index,
            processes=accelerator.num_processes,
            meeting=meeting,
        )
        check_same_clips(features.clips, corpus.split)
        if meeting is not None and accelerator.is_main_process and accelerator.num_processes > 1:
            shutil.rmtree(meeting)  # now that all have read what lies there
        read = {clip.id for clip in features.clips}
        why = self.reader.unreadable
        unread = [(corpus.split, c.id, why[c.id]) for c in corpus.clips if c.id not in read]
        self.left_out += [entry for entry in unread if entry not in self.left_out]
        return features

    def _encoded_now(self, encoder: Encoder, corpus: Corpus) -> Features:
        """Of an encoder that learns: anew each time, so a cache serves only to share the work."""
        if self.accelerator.num_processes == 1:
            return self._encoded(encoder, corpus, None)
        take_state(encoder)
        folder = self.config.out / "validation-features"
        self._remove(folder)  # what a run that was killed may have left
        features = self._encoded(encoder, corpus, folder)
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

    def validate(self) -> Results:
        """The task's measures on the validation split; nothing if there is none.

        Raises:
            NotFiniteError: the weights have diverged.
        """
        if self.validation is None:
            return {}
        self.task.eval()
        task = self._evaluated()
        features = self.validation_features
        if features is None:
            features = self._encoded_now(task.encoder or self.encoder, self.validation)
        if self.config.data.validation_parts > 1:
            features = join_clips(features, self.config.data.validation_parts, _MONTAGES)
        results = task.validate(features)
        self.task.train()
        return results

    def save(self, path: Path, state: RunState) -> None:
        """Write the checkpoint.

        Raises:
            NotFiniteError: the weights have diverged, or half precision cannot hold them.
        """
        config, task = self.config, self._evaluated()
        training = {
            "settings": plain(config),
            "step": state.step,
            "validation": state.results,
        }
        checkpoint = replace(
            self.heads, hierarchy=task.hierarchy, training=training, task=task.state()
        )
        encoder = (task.encoder or self.encoder) if self.encoder_in_file else None
        save_checkpoint(path, checkpoint, encoder, torch.float16 if config.half else torch.float32)

    def _evaluated(self) -> Task:
        """What is measured and saved: the average if there is one."""
        if self.average is None:
            return self.task
        average = self.average.module.eval()
        assert isinstance(average, Task)  # of which it is a copy
        return average

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

        levels = ", ".join(self.heads.config.levels)
        foils, started = {}, {}
        if isinstance(self.source, FeatureBatches) and (known := self.source.features.foils):
            foils["foils"] = f"of {len(known):,} captions"
        if config.start is not None:
            started[DIGEST_OF_START] = digest_of_start(config.start, config.out)
        return {
            "folder": str(config.out),
            "data set": f"{data.dataset} in {data.root}",
            "train": counted(data.train, self.source.clips),
            "digest of train": digest(self.source.clips),
            **foils,
            "validation": counted(data.validation, validated) + montages
            if data.validation
            else "none",
            "digest of validation": digest(validated),
            "steps": f"{self.steps:,} in {optimiser.epochs} epochs, batches of "
            f"{optimiser.batch_size} over all processes, {optimiser.accumulation} added up",
            "model": f"{parameters(self.task.hierarchy)}; levels {levels}",
            "encoder": f"{self.encoder.name}: {parameters(self.encoder)}",
            BEGINS: begins,
            **started,
            **self.task.facts(),
            "processes": f"{accelerator.num_processes} ({accelerator.device.type})",
            "precision": "float32" if optimiser.precision == "no" else optimiser.precision,
        }
