"""Text-video retrieval: a batch of pairs -> the losses of Eq. 10, by name."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn

from explainers.closed_forms import interaction_values
from hbi_core.checkpoints.checkpoint import Checkpoint, RetrievalSettings
from hbi_core.data.batch import Batch
from hbi_core.data.features import Features
from hbi_core.devices import gather, is_first_process
from hbi_core.encoders import Encoder
from hbi_core.errors import NotFiniteError, SettingsError
from hbi_core.losses import (
    LOWEST_LEARNED_TEMPERATURE,
    BanzhafLoss,
    LossConfig,
    contrastive_loss,
    distillation_loss,
    foil_loss,
    pointing_loss,
    total_loss,
)
from hbi_core.model import LevelTokens, Players, Tokens
from hbi_core.tasks.alignment import alignment, players_of_words
from hbi_core.tasks.base import NO_SETTINGS, NoSettings, Results, RunSettings, Task
from hbi_core.tasks.hard_negatives import hard_contrastive_loss
from hbi_core.tasks.reranking import retrieval_scores
from hbi_core.tasks.retrieval_metrics import recall_sum, retrieval_metrics


class RetrievalTask(Task):
    """Text-video retrieval (HBI, Sec. 3): losses of similarities and of interactions.

    With a reconstruction, single-modal scores of all pairs learn as without one, rebuilt ones among
    the hardest negatives, and the interactions are those of rebuilt tokens.

    Args:
        heads: the model with what it reads, and how it scores.
        loss: settings of the losses.
        encoder: one that learns; None where the batches hold frozen features.
        settings: none.
    """

    name = "retrieval"
    score_name = "Rsum"
    advice = ("a higher loss.temperature",)

    def __init__(
        self,
        heads: Checkpoint,
        loss: LossConfig,
        encoder: Encoder | None = None,
        settings: NoSettings = NO_SETTINGS,
    ) -> None:
        super().__init__(heads, loss, encoder, settings)
        self.log_scale = nn.Parameter(
            torch.tensor(-math.log(loss.temperature)), requires_grad=loss.learned_temperature
        )
        self.banzhaf = None if loss.target == "none" else BanzhafLoss(loss)
        names = heads.config.levels
        self.supervised = [name for name in names if name in loss.supervised]
        self.distilled = [pair for pair in loss.distilled if set(pair) <= set(names)]

    @classmethod
    def check(cls, config: RunSettings) -> None:
        """Whether each level has its numbers, pairs are told apart, and what is scored learns.

        Raises:
            SettingsError: not so.
        """
        levels = config.model.levels
        per_level = {
            "level_weights": config.level_weights,
            "loss.interaction_scale": config.loss.interaction_scale,
        }
        for name, values in per_level.items():
            if len(values) != len(levels):
                raise SettingsError(
                    f"{len(values)} {name} for {len(levels)} levels: give one for each of "
                    f"{', '.join(levels)}."
                )
        if not any(config.level_weights):
            raise SettingsError("level_weights are all 0: no level would count.")
        _check_levels(config)
        if config.loss.pointing and not config.data.montages:
            raise SettingsError(
                "loss.pointing is learnt from montages, in which it is known what belongs "
                "together: set data.montages above 0, or loss.pointing=0."
            )
        if config.loss.pointing and not config.frozen:
            raise SettingsError(
                "loss.pointing is for frozen features, whose captions are encoded one by one: set "
                "it to 0, or the optimiser.encoder_learning_rate."
            )
        if config.loss.foil and not config.frozen:
            raise SettingsError(
                "loss.foil is for frozen features, since the foils are encoded once: set it to 0, "
                "or the optimiser.encoder_learning_rate."
            )
        if config.loss.foil and config.model.reads_padding:
            raise SettingsError(
                "loss.foil is not for model.compatibility=published, whose padding is read: set it "
                "to 0."
            )

    @classmethod
    def reads(cls, config: RunSettings) -> RetrievalSettings:
        """With the share of each level in the score, and how many are ranked anew."""
        reads = super().reads(config)
        return replace(reads, level_weights=config.level_weights, reranked=config.reranked)

    @property
    def losses(self) -> list[str]:
        """Names of the losses, "total" left out."""
        kinds = ["contrastive"]
        if self.hierarchy.reconstructs:
            kinds.append("reconstruction")
        if self.banzhaf is not None:
            kinds.append("banzhaf")
        if self.loss.pointing:
            kinds.append("pointing")
        if self.loss.foil:
            kinds.append("foil")
        names = [f"{kind}/{level}" for level in self.supervised for kind in kinds]
        return names + [f"distillation/{teacher}>{student}" for teacher, student in self.distilled]

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """See `Task`. With several processes, every one compares the pairs of all of them."""
        videos, texts = self.tokens(batch)
        players = self.hierarchy.players("video", videos), self.hierarchy.players("text", texts)
        levels = self.hierarchy.pair(*players)
        ids = gather(batch.ids)
        same_video = ids.unsqueeze(0) == ids.unsqueeze(1)
        temperature = self.temperature()
        foiled = self._foiled(batch, players[0]) if self.loss.foil else {}
        losses, scores = {}, {}
        for alone, level, module, scale in zip(
            self.hierarchy.alone(*players),
            levels,
            self.hierarchy.levels,
            self.loss.interaction_scale,
            strict=True,
        ):
            everyone = _of_all_processes(alone)
            with self._naming(level.name):
                scores[level.name] = everyone.scores()
            if level.name not in self.supervised:
                continue
            losses[f"contrastive/{level.name}"] = contrastive_loss(
                scores[level.name], temperature, same_video
            )
            if module.reconstruction is not None:
                with self._naming(level.name):
                    losses[f"reconstruction/{level.name}"] = hard_contrastive_loss(
                        module,
                        everyone.video,
                        everyone.text,
                        scores[level.name],
                        same_video,
                        temperature,
                        self.loss.hard_negatives,
                    )
            if self.banzhaf is not None:
                losses[f"banzhaf/{level.name}"] = self.banzhaf(level, module.head, scale)
            if self.loss.pointing:
                losses[f"pointing/{level.name}"] = self._pointing(level, batch, videos, texts)
            if self.loss.foil:
                with self._naming(level.name):
                    losses[f"foil/{level.name}"] = self._foil(level, batch, foiled.get(level.name))
        for teacher, student in self.distilled:
            losses[f"distillation/{teacher}>{student}"] = distillation_loss(
                scores[student], scores[teacher]
            )
        return losses | {"total": total_loss(losses, self.loss)}

    def validate(self, features: Features) -> Results:
        """Recalls and ranks in both directions."""
        of_texts, of_videos = retrieval_scores(
            self.hierarchy, features, self.retrieval, progress=is_first_process()
        )
        return retrieval_metrics(of_texts, features.owners, of_videos)

    def score(self, results: Results) -> float:
        """The sum of recalls."""
        return recall_sum(results)

    @property
    def scales(self) -> list[nn.Parameter]:
        return [self.log_scale] if self.log_scale.requires_grad else []

    @contextmanager
    def _naming(self, level: str) -> Iterator[None]:
        """What is not finite in a level is told with the names of the losses that read it."""
        try:
            yield
        except NotFiniteError as error:
            names = [f"loss/{n}" for n in self.losses if level in re.split("[/>]", n)]
            raise NotFiniteError(f"Not finite: {', '.join(names)}. {error}") from error

    def _pointing(self, level: LevelTokens, batch: Batch, videos: Tokens, texts: Tokens) -> Tensor:
        """The pointing loss of the montages of a batch; 0 where it has none.

        Never left out, so that every process has the same losses.
        """
        several = [row for row, sample in enumerate(batch.samples) if len(sample.clips) > 1]
        if not several:
            return level.video.logits.new_zeros(())
        montages = torch.tensor(several, device=level.video.logits.device)
        belongs = alignment(level, videos, texts, batch)[montages]
        game = level.chosen(montages).game(self.loss.weighting)
        return pointing_loss(
            interaction_values(game),
            belongs,
            game.video_mask,
            game.text_mask,
            self.loss.pointing_scale,
        )

    def _foiled(self, batch: Batch, videos: Sequence[Players]) -> dict[str, LevelTokens]:
        """The videos of the samples with a foil together with their foils, by level."""
        if batch.foils is None:
            return {}
        rows = batch.foils.rows
        pairs = rows, torch.arange(len(rows), device=rows.device)
        texts = self.hierarchy.players("text", batch.foils.texts)
        return {level.name: level for level in self.hierarchy.pair(videos, texts, pairs)}

    def _foil(self, level: LevelTokens, batch: Batch, foiled: LevelTokens | None) -> Tensor:
        """The foil loss of the samples of a batch that have one; 0 where none has.

        Never left out, so that every process has the same losses.
        """
        if batch.foils is None or foiled is None:
            return level.video.logits.new_zeros(())
        true = level.chosen(batch.foils.rows)
        return foil_loss(
            interaction_values(true.game(self.loss.weighting)),
            interaction_values(foiled.game(self.loss.weighting)),
            players_of_words(true.text, batch.foils.replaced),
            players_of_words(foiled.text, batch.foils.nouns),
            true.video.tokens.mask,
            self.loss.foil_scale,
        )

    def temperature(self) -> Tensor:
        """τ; a learned one is kept in its range first, as CLIP's is."""
        if self.log_scale.requires_grad:
            self.log_scale.data.clamp_(max=-math.log(LOWEST_LEARNED_TEMPERATURE))
        return (-self.log_scale).exp()


def _check_levels(config: RunSettings) -> None:
    """Whether a level is told pairs apart, and one that is scored learns."""
    levels, loss = config.model.levels, config.loss
    supervised = set(levels) & set(loss.supervised)
    if not supervised:
        raise SettingsError(
            f"loss.supervised is {loss.supervised}: nothing would tell pairs apart. Name one "
            f"or more of the model's levels: {', '.join(levels)}."
        )
    taught = {s for t, s in loss.distilled if loss.beta and {t, s} <= set(levels)}
    scored = {level for level, w in zip(levels, config.level_weights, strict=True) if w}
    if not scored & (supervised | taught):
        raise SettingsError(
            f"level_weights are {config.level_weights}, but no level with a weight has a loss: "
            f"name one of {', '.join(sorted(scored))} in loss.supervised, or as a student in "
            "loss.distillation."
        )


def _of_all_processes(level: LevelTokens) -> LevelTokens:
    """The players of all processes, in the order of their ranks, with gradients.

    What they stand for does not come along.
    """

    def gathered(players: Players) -> Players:
        tokens = players.tokens
        features, mask, logits = map(gather, (tokens.features, tokens.mask, players.logits))
        return Players(Tokens.original(features, mask), logits)

    return replace(level, video=gathered(level.video), text=gathered(level.text))
