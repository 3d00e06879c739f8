"""Text-video retrieval: a batch of pairs -> the losses of Eq. 10, by name."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import torch
from torch import Tensor, nn

from hbi_core.data.batch import Batch
from hbi_core.devices import gather
from hbi_core.encoders import Encoder
from hbi_core.encoders.tokens import frame_tokens, word_tokens
from hbi_core.errors import NotFiniteError
from hbi_core.losses import (
    LOWEST_LEARNED_TEMPERATURE,
    BanzhafLoss,
    LossConfig,
    contrastive_loss,
    distillation_loss,
)
from hbi_core.model import Hierarchy, LevelTokens, Players, Tokens


class RetrievalTask(nn.Module):
    """The model, what it is trained for, and the temperature.

    Args:
        hierarchy: the model.
        config: of the losses.
        words: text players at most.
        encoder: one that learns; None where the batches hold frozen features.
        text_players: "words" or "tokens", of the encoder.
        padded_frames: frames that every video has, where padding is to be encoded for a released
            checkpoint; else None.
    """

    def __init__(
        self,
        hierarchy: Hierarchy,
        config: LossConfig,
        words: int,
        encoder: Encoder | None = None,
        text_players: str = "words",
        padded_frames: int | None = None,
    ) -> None:
        super().__init__()
        self.hierarchy = hierarchy
        self.encoder = encoder
        self.config = config
        self.words, self.text_players, self.padded_frames = words, text_players, padded_frames
        self.log_scale = nn.Parameter(
            torch.tensor(-math.log(config.temperature)), requires_grad=config.learned_temperature
        )
        self.banzhaf = None if config.target == "none" else BanzhafLoss(config)
        names = [level.name for level in hierarchy.levels]
        self.supervised = [name for name in names if name in config.supervised]
        self.distilled = [pair for pair in config.distilled if set(pair) <= set(names)]

    @property
    def losses(self) -> list[str]:
        """Names of the losses, "total" left out."""
        kinds = ["contrastive"] if self.banzhaf is None else ["contrastive", "banzhaf"]
        names = [f"{kind}/{level}" for level in self.supervised for kind in kinds]
        return names + [f"distillation/{teacher}>{student}" for teacher, student in self.distilled]

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Losses by name, each a float []; "total" is what training minimises.

        With several processes, every one compares the pairs of all of them.

        Raises:
            NotFiniteError: the model computes values that are not finite.
        """
        levels = self.hierarchy(*self.tokens(batch))
        ids = gather(batch.ids)
        same_video = ids.unsqueeze(0) == ids.unsqueeze(1)
        temperature = self._temperature()
        losses, scores = {}, {}
        for level, module, scale in zip(
            levels, self.hierarchy.levels, self.config.interaction_scale, strict=True
        ):
            scores[level.name] = self._scores(level)
            if level.name not in self.supervised:
                continue
            losses[f"contrastive/{level.name}"] = contrastive_loss(
                scores[level.name], temperature, same_video
            )
            if self.banzhaf is not None:
                losses[f"banzhaf/{level.name}"] = self.banzhaf(level, module.head, scale)
        for teacher, student in self.distilled:
            losses[f"distillation/{teacher}>{student}"] = distillation_loss(
                scores[student], scores[teacher]
            )
        weights = {"contrastive": 1.0, "banzhaf": self.config.alpha}
        weights["distillation"] = self.config.beta
        total = sum(weights[name.split("/")[0]] * loss for name, loss in losses.items())
        return losses | {"total": total}

    def _scores(self, level: LevelTokens) -> Tensor:
        """S of every video with every text of all processes, [B, B]."""
        try:
            game = _of_all_processes(level).game(self.config.weighting, all_pairs=True)
        except NotFiniteError as error:
            names = [f"loss/{n}" for n in self.losses if level.name in re.split("[/>]", n)]
            raise NotFiniteError(f"Not finite: {', '.join(names)}. {error}") from error
        return game.grand_value()

    def _temperature(self) -> Tensor:
        """τ; a learned one is kept in its range first, as CLIP's is."""
        if self.log_scale.requires_grad:
            self.log_scale.data.clamp_(max=-math.log(LOWEST_LEARNED_TEMPERATURE))
        return (-self.log_scale).exp()

    def tokens(self, batch: Batch) -> tuple[Tokens, Tokens]:
        """The encoder's features of a batch."""
        if self.encoder is None:
            return (
                Tokens.original(batch.frames, batch.frame_mask),
                Tokens.original(batch.words, batch.word_mask),
            )
        encoded = self.encoder.frame_features(batch.frames[batch.frame_mask])
        videos = encoded.split(batch.frame_mask.sum(-1).tolist())
        padded = self.padded_frames is not None
        texts = self.encoder.text_features(batch.words, self.text_players, self.words, padded)
        length = self.padded_frames or batch.frame_mask.shape[1]
        return (
            frame_tokens(self.encoder, videos, length, padded),
            word_tokens(texts, self.words),
        )


def _of_all_processes(level: LevelTokens) -> LevelTokens:
    """The players of all processes, in the order of their ranks, with gradients."""

    def gathered(players: Players) -> Players:
        tokens = players.tokens
        features, mask, logits = map(gather, (tokens.features, tokens.mask, players.logits))
        return Players(replace(tokens, features=features, mask=mask), logits)

    return replace(level, video=gathered(level.video), text=gathered(level.text))
