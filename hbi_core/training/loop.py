"""The training loop for retrieval, on one screen."""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict, replace
from pathlib import Path

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from accelerate.utils import set_seed
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from hbi_core.checkpoint import Checkpoint, RetrievalSettings, save_checkpoint
from hbi_core.data import Corpus, read_corpus
from hbi_core.data.encoding import encode_corpus
from hbi_core.data.features import Features, join_clips
from hbi_core.data.reading import ClipReader
from hbi_core.encoders import Encoder, build_encoder
from hbi_core.evaluation import recall_sum, retrieval_metrics, similarity_scores
from hbi_core.model import build_hierarchy
from hbi_core.tasks.retrieval import RetrievalTask
from hbi_core.training.batches import (
    FeatureBatches,
    PixelBatches,
    batches_of_epoch,
    share_of_process,
)
from hbi_core.training.config import OptimiserConfig, TrainConfig
from hbi_core.training.initialise import fit_projections, initialise_from_clip
from hbi_core.training.progress import Metrics, Progress, save_state, saved_states

BEST = "best.safetensors"
_MONTAGES = 0  # seed of the montages that are validated on: the same in every run


def train(config: TrainConfig, encoder: Encoder | None = None) -> Path:
    """Train, or go on with the run in config.out.

    Args:
        config: the settings.
        encoder: the encoder itself, instead of the one that config.encoder names.

    Returns:
        The best checkpoint, by the sum of recalls on the validation split.

    Raises:
        DataError, VideoError: the data cannot be read.
        WeightsError: the encoder's weights are missing.
    """
    accelerator = Accelerator(
        mixed_precision=config.optimiser.precision,
        gradient_accumulation_steps=config.optimiser.accumulation,
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
    )
    set_seed(config.seed)
    config.out.mkdir(parents=True, exist_ok=True)
    encoder = (encoder or build_encoder(config.encoder)).to(accelerator.device)
    run = _Run(config, encoder, accelerator)
    task, optimiser = accelerator.prepare(run.task, run.optimiser)
    set_seed(config.seed, device_specific=True)  # noise of its own in every process
    progress = Progress()
    accelerator.register_for_checkpointing(progress)
    if run.average is not None:
        accelerator.register_for_checkpointing(run.average)
    if states := saved_states(config.out):
        accelerator.load_state(str(states[-1]))
    metrics = Metrics(config.out, progress.step, accelerator.is_main_process)
    bar = tqdm(
        total=run.steps,
        initial=progress.step,
        desc="training",
        disable=not accelerator.is_main_process,
    )
    for epoch, batches in enumerate(run.epochs):
        first = sum(map(len, run.epochs[:epoch]))
        if epoch < progress.epochs:
            continue
        left = [
            share_of_process(batch, accelerator.process_index, accelerator.num_processes)
            for batch in batches[progress.step - first :]
        ]
        for batch in run.source(left):
            started = time.perf_counter()
            rates = learning_rates(config.optimiser, progress.step, run.steps)
            for group, rate in zip(optimiser.param_groups, rates, strict=True):
                group["lr"] = rate
            with accelerator.accumulate(task):
                losses = task(batch.to(accelerator.device))
                accelerator.backward(losses["total"])
                if accelerator.sync_gradients and config.optimiser.clip_norm:
                    accelerator.clip_grad_norm_(task.parameters(), config.optimiser.clip_norm)
                optimiser.step()
                optimiser.zero_grad()
            if run.average is not None and accelerator.sync_gradients:
                run.average.update_parameters(run.task.hierarchy)
            progress.step += 1
            numbers = {f"loss/{name}": float(value.detach()) for name, value in losses.items()}
            seconds = time.perf_counter() - started
            metrics.write(progress.step, numbers | {"learning_rate": rates[0], "seconds": seconds})
            bar.update()
            bar.set_postfix(loss=f"{numbers['loss/total']:.3f}", Rsum=f"{progress.best:.1f}")
            due = progress.step % config.save_every == 0 and accelerator.sync_gradients
            if due and progress.step < first + len(batches):
                save_state(accelerator, config.out, progress.step)
        progress.epochs += 1
        if progress.epochs % config.evaluate_every == 0 or progress.epochs == len(run.epochs):
            results = run.validate()
            metrics.write(progress.step, _flat(results))
            if not results or recall_sum(results) > progress.best:
                progress.best, progress.results = recall_sum(results), results
                if accelerator.is_main_process:
                    run.save(config.out / BEST, progress)
        save_state(accelerator, config.out, progress.step)
    bar.close()
    metrics.close()
    accelerator.wait_for_everyone()
    return config.out / BEST


class _Run:
    """What a run is made of: data, model, optimiser; and its validation."""

    def __init__(self, config: TrainConfig, encoder: Encoder, accelerator: Accelerator) -> None:
        self.config, self.encoder = config, encoder
        data, frozen = config.data, config.optimiser.encoder_learning_rate == 0
        self.model_config = replace(
            config.model, video_width=encoder.widths[0], text_width=encoder.widths[1]
        )
        hierarchy = build_hierarchy(self.model_config)
        initialise_from_clip(hierarchy, encoder)
        self.task = RetrievalTask(
            hierarchy,
            config.loss,
            data.words,
            None if frozen else encoder,
            config.model.text_players,
        )
        self.optimiser = torch.optim.AdamW(
            _groups(self.task, config.optimiser), weight_decay=config.optimiser.weight_decay
        )

        encoder.eval()
        self.validation_features = None
        self.reader = ClipReader(
            encoder, workers=data.workers, limits=data.video_limits,
            ahead=config.optimiser.batch_size // accelerator.num_processes,
        )  # fmt: skip
        with accelerator.main_process_first():  # the others find its features in the cache
            corpus = self._corpus(data.train)
            self.validation = data.validation and self._corpus(data.validation)
            if frozen:
                self.source = FeatureBatches(self._encoded(corpus, data.views, data.cache), data)
                if self.validation:
                    self.validation_features = self._encoded(self.validation, 0, data.cache)
                fit_projections(hierarchy, self.source.features)
                self.reader.close()
            else:
                self.source = PixelBatches(corpus.clips, data, self.reader)
        self.task.train()  # an encoder that learns too
        self.average = None
        if config.optimiser.average:
            self.average = AveragedModel(
                hierarchy, multi_avg_fn=get_ema_multi_avg_fn(config.optimiser.average)
            ).to(accelerator.device)
        self.epochs = [
            batches_of_epoch(
                self.source.clips, data, config.optimiser.batch_size, config.seed, epoch
            )
            for epoch in range(config.optimiser.epochs)
        ]
        self.steps = sum(map(len, self.epochs))
        if not self.steps:
            raise ValueError(
                f"an epoch has fewer samples than a batch of {config.optimiser.batch_size}"
            )

    def _corpus(self, split: str) -> Corpus:
        data = self.config.data
        corpus = read_corpus(data.dataset, data.root, split, data.missing)
        return corpus.subset(data.clips) if data.clips else corpus

    def _encoded(self, corpus: Corpus, views: int, cache: Path | None) -> Features:
        return encode_corpus(
            self.encoder, corpus, self.config.data.frames, views=views, cache=cache,
            players=self.config.model.text_players, seed=0, missing=self.config.data.missing,
            reader=self.reader,
        )  # fmt: skip

    @property
    def evaluated(self) -> nn.Module:
        return self.task.hierarchy if self.average is None else self.average.module

    def validate(self) -> dict[str, dict[str, float]]:
        """Retrieval on the validation split; nothing if there is none."""
        if self.validation is None:
            return {}
        self.task.eval()
        features = self.validation_features or self._encoded(self.validation, 0, cache=None)
        if self.config.data.validation_parts > 1:
            features = join_clips(features, self.config.data.validation_parts, _MONTAGES)
        scores = similarity_scores(
            self.evaluated.eval(), features, self.config.data.words, self.config.level_weights
        )
        self.task.train()
        return retrieval_metrics(scores, features.owners)

    def save(self, path: Path, progress: Progress) -> None:
        settings = json.loads(json.dumps(asdict(self.config), default=str))
        training = {"settings": settings, "step": progress.step, "validation": progress.results}
        name = self.encoder.name if self.task.encoder is None else self.encoder.architecture
        data, weights = self.config.data, self.config.level_weights
        retrieval = RetrievalSettings(data.frames, data.words, weights)
        checkpoint = Checkpoint(
            name, self.model_config, self.evaluated, retrieval, path.name, training=training
        )
        dtype = torch.float16 if self.config.half else torch.float32
        save_checkpoint(path, checkpoint, self.task.encoder, dtype)


def learning_rates(config: OptimiserConfig, step: int, steps: int) -> tuple[float, float]:
    """Of the model and of the encoder at a step, counted from 0: warm-up, then cosine.

    Warm-up takes N steps, the first at 1 / N of the rate and the last at all of it.
    """
    warm = math.ceil(config.warmup * steps)
    if step < warm:
        factor = (step + 1) / warm
    else:
        factor = 0.5 + 0.5 * math.cos(math.pi * (step - warm) / (steps - warm))
    return config.learning_rate * factor, config.encoder_learning_rate * factor


def _groups(task: RetrievalTask, config: OptimiserConfig) -> list[dict]:
    """Two groups of parameters, in the order of `learning_rates`."""
    encoder = list(task.encoder.parameters()) if task.encoder is not None else []
    known = set(map(id, encoder))
    rest = [p for p in task.parameters() if id(p) not in known and p.requires_grad]
    return [{"params": rest}, {"params": encoder}]


def _flat(results: dict[str, dict[str, float]]) -> dict[str, float]:
    return {f"{d}/{name}": value for d, row in results.items() for name, value in row.items()}
