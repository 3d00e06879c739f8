"""The losses of training (HBI, Eqs. 2, 5, 8, 9; of montages and of foils), and their settings."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from explainers import WEIGHTINGS, SimilarityGame, sample_coalitions
from explainers.closed_forms import interaction_values
from hbi_core.errors import SettingsError
from hbi_core.estimator import load_estimator
from hbi_core.model import LEVEL_NAMES, LevelTokens
from hbi_core.settings import (
    COUNT,
    NOT_NEGATIVE,
    POSITIVE,
    Allowed,
    check,
    distinct,
    each,
    number,
    one_of,
    whole,
)

TARGETS = ("closed_form", "sampling", "estimator", "none")
LOWEST_LEARNED_TEMPERATURE = 0.01  # as CLIP's
_PAIR = Allowed(
    f"teacher>student, two of {', '.join(LEVEL_NAMES)}",
    lambda pair: pair in [f"{a}>{b}" for a, b in permutations(LEVEL_NAMES, 2)],
)


@dataclass(frozen=True)
class LossConfig:
    """The terms of Eq. 10, of pointing and of foils.

    Attributes:
        alpha: The Banzhaf losses have this weight (Eq. 8).
        beta: The self-distillation losses have this weight (Eq. 10).
        pointing: The pointing losses have this weight: on montages, whose frames and words are
            known to belong together, they teach the exact interactions themselves; 0 makes none. It
            is not in the paper.
        pointing_scale: The interactions are multiplied by this before the softmax of the pointing
            loss.
        foil: The foil losses have this weight: of a caption and its foil, in which one noun is
            replaced by another of its kind, the exact interactions of the noun with the video are
            contrasted; 0 makes none, and encodes no foils. It is not in the paper.
        foil_scale: The difference of these interactions is multiplied by this before the sigmoid of
            the foil loss.
        target: The interactions of Eq. 5 come from "closed_form" (exact), "sampling" or
            "estimator"; with "none", there is no Banzhaf loss.
        detached: The target of Eq. 5 is a constant, as in the paper; if this is false, the gradient
            flows through the exact interactions too.
        coalitions: The target "sampling" draws so many for each pair of a video and its text.
        estimator: The target "estimator" is in this file.
        interaction_scale: The interactions are multiplied by this before the softmax of Eq. 4, one
            factor for each level: with fewer players, interactions are larger.
        weighting: The game is "renormalised" or "fixed".
        temperature: τ of Eq. 2 starts at this.
        learned_temperature: τ is trained if this is true, with the learning rate of the encoder
            (where that is frozen, of the rest), without weight decay, and never below 0.01: as
            CLIP's.
        hard_negatives: With model.reconstruction, the rebuilt score of each video and its text is
            told apart from those with so many other texts of the batch, and with as many other
            videos: those with the highest single-modal scores.
        supervised: These levels have losses of their own (deep supervision), if the model has them.
        distillation: These pairs of levels, "teacher>student", are distilled (Tab. C), if the model
            has them.
    """

    alpha: float = 1.0
    beta: float = 2.0
    pointing: float = 0.0
    pointing_scale: float = 200.0
    foil: float = 0.0
    foil_scale: float = 50.0
    target: str = "closed_form"
    detached: bool = True
    coalitions: int = 1000
    estimator: Path | None = None
    interaction_scale: tuple[float, ...] = (100.0, 20.0, 5.0)
    weighting: str = "renormalised"
    temperature: float = 0.01
    learned_temperature: bool = False
    hard_negatives: int = 4
    supervised: tuple[str, ...] = LEVEL_NAMES
    distillation: tuple[str, ...] = ("entity>action", "entity>event")

    def __post_init__(self) -> None:
        check(
            self,
            "loss.",
            **dict.fromkeys(("alpha", "beta", "pointing", "foil"), NOT_NEGATIVE),
            **dict.fromkeys(("pointing_scale", "foil_scale"), POSITIVE),
            target=one_of(TARGETS),
            coalitions=whole(4),
            interaction_scale=each(POSITIVE),
            weighting=one_of(WEIGHTINGS),
            temperature=(
                number(least=LOWEST_LEARNED_TEMPERATURE) if self.learned_temperature else POSITIVE
            ),
            hard_negatives=COUNT,
            supervised=distinct(one_of(LEVEL_NAMES)),
            distillation=distinct(_PAIR),
        )
        if self.target == "estimator" and self.estimator is None:
            raise SettingsError("The target 'estimator' needs the file of one: loss.estimator.")
        if not self.detached and self.target != "closed_form":
            raise SettingsError(
                f"loss.target is {self.target!r}, through which no gradient flows: set "
                "loss.target=closed_form, or loss.detached=true."
            )
        if not self.supervised:
            raise SettingsError("loss.supervised names no level: nothing would tell pairs apart.")

    @property
    def distilled(self) -> tuple[tuple[str, str], ...]:
        """(teacher, student) pairs."""
        pairs = (pair.split(">") for pair in self.distillation)
        return tuple((teacher, student) for teacher, student in pairs)


def contrastive_loss(
    similarity: Tensor, temperature: Tensor | float, same_video: Tensor | None = None
) -> Tensor:
    """Eq. 2: cross entropy of the matching pairs, mean of both directions.

    Two texts of one video are no negatives of each other's video: such pairs are left out of the
    sums of the denominators. With distinct videos this is Eq. 2 as it stands.

    Args:
        similarity: S, float [B, B]; rows are videos, columns texts, pairs on the diagonal.
        temperature: τ > 0.
        same_video: bool [B, B], True where the text of the column describes the row's video; None
            means that only the diagonal does.

    Returns:
        float [].
    """
    logits = similarity / temperature
    if same_video is not None:
        own = torch.eye(len(logits), dtype=torch.bool, device=logits.device)
        logits = logits.masked_fill(same_video & ~own, -torch.inf)
    video_to_text = logits.log_softmax(-1).diagonal()
    text_to_video = logits.log_softmax(-2).diagonal()
    return -0.5 * (video_to_text.mean() + text_to_video.mean())


def banzhaf_loss(
    relation: Tensor,
    interactions: Tensor,
    video_mask: Tensor,
    text_mask: Tensor,
    interaction_scale: float,
    detached: bool = True,
) -> Tensor:
    """Eq. 5: KL(D^R ‖ D^I) from each video token to the texts', and from each text token.

    Padding is no part of the distributions. The mean is over the real tokens of a pair, then over
    the pairs.

    Args:
        relation: R of the prediction head, float [B, V, T].
        interactions: I, float [B, V, T], in the unit of the similarity.
        video_mask, text_mask: bool [B, V], [B, T].
        interaction_scale: factor on I before its softmax; 1 leaves it nearly flat.
        detached: whether no gradient flows into I.

    Returns:
        float [].
    """
    target = (interactions.detach() if detached else interactions) * interaction_scale
    video_to_text = _divergence(relation, target, text_mask.unsqueeze(-2))  # [B, V]
    text_to_video = _divergence(relation.mT, target.mT, video_mask.unsqueeze(-2))  # [B, T]
    return (
        _mean_of_real(video_to_text, video_mask) + _mean_of_real(text_to_video, text_mask)
    ).mean()


class BanzhafLoss(nn.Module):
    """Eq. 5 of a level; Eq. 8 adds it over the levels.

    Args:
        config: where the interactions come from. Its target must not be "none".
    """

    def __init__(self, config: LossConfig) -> None:
        super().__init__()
        self.config = config
        self.estimator = None
        if config.target == "estimator" and config.estimator is not None:
            self.estimator = load_estimator(config.estimator)

    def forward(self, level: LevelTokens, head: nn.Module, interaction_scale: float) -> Tensor:
        """The loss of a level, float [].

        Args:
            level: a batch of videos, each with its own text.
            head: the prediction head of the level.
            interaction_scale: see `banzhaf_loss`.

        Raises:
            NotFiniteError: the model computes values that are not finite.
        """
        game = level.game(self.config.weighting)
        relation = head(game.similarity, game.video_mask, game.text_mask)
        return banzhaf_loss(
            relation.float(),
            self._interactions(game),
            game.video_mask,
            game.text_mask,
            interaction_scale,
            self.config.detached,
        )

    def _interactions(self, game: SimilarityGame) -> Tensor:
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.config.detached):
            if self.config.target == "closed_form":
                return interaction_values(game)
            if self.estimator is not None:
                return self.estimator(game)
            return sample_coalitions(game, self.config.coalitions).values


def pointing_loss(
    interactions: Tensor,
    alignment: Tensor,
    video_mask: Tensor,
    text_mask: Tensor,
    scale: float,
) -> Tensor:
    """Cross entropy of the interactions with what is known to belong together; not in the paper.

    From each text token, softmax(scale · I) over the video tokens is a distribution, and the loss
    is -log of its mass on the tokens that belong to the text token; likewise from each video token.
    The mean is over the tokens of a pair that something belongs to, then over the pairs; both
    directions are added. A pair in which nothing belongs together has no part in it.

    Args:
        interactions: I, float [B, V, T], in the unit of the similarity; differentiable.
        alignment: float [B, V, T] in [0, 1]: how much of a pair of tokens belongs together.
        video_mask, text_mask: bool [B, V], [B, T].
        scale: factor on I before its softmax.

    Returns:
        float [], at least 0; 0 where nothing is known.
    """
    real = video_mask.unsqueeze(-1) & text_mask.unsqueeze(-2)
    known = alignment * real
    logits = (interactions * scale).masked_fill(~real, -torch.inf)
    total = logits.new_zeros(())
    for own, belongs in ((logits, known), (logits.mT, known.mT)):
        taught = (belongs > 0).any(-1)
        # A token to which nothing belongs gets logits that are finite, and counts for nothing.
        own = own.masked_fill(~taught.unsqueeze(-1), 0.0)
        mass = (own + belongs.masked_fill(~taught.unsqueeze(-1), 1.0).log()).logsumexp(-1)
        missed = (own.logsumexp(-1) - mass) * taught  # -log mass
        pairs = taught.any(-1)
        mean = missed.sum(-1) / taught.sum(-1).clamp(min=1)
        total = total + mean.sum() / pairs.sum().clamp(min=1)
    return total


def foil_loss(
    true: Tensor,
    foiled: Tensor,
    true_players: Tensor,
    foiled_players: Tensor,
    video_mask: Tensor,
    scale: float,
) -> Tensor:
    """-log sigmoid(scale · (M - M')) of captions and their foils; not in the paper.

    M sums the interactions of all video tokens with the text token of the noun, in the game of the
    true caption; M' those with the token of the noun that replaces it, in the game of the same
    video and the foil. The mean is over the pairs in which both nouns have a token.

    Args:
        true, foiled: I of the two games, float [B, V, T] and [B, V, T'], in the unit of the
            similarity; differentiable.
        true_players, foiled_players: bool [B, T] and [B, T'], the token of the noun.
        video_mask: bool [B, V].
        scale: factor on the difference.

    Returns:
        float [], at least 0; 0 where no pair has both.
    """
    sums = [
        (values * (video_mask.unsqueeze(-1) & players.unsqueeze(-2))).sum((-1, -2))
        for values, players in ((true, true_players), (foiled, foiled_players))
    ]
    both = true_players.any(-1) & foiled_players.any(-1)
    missed = -functional.logsigmoid(scale * (sums[0] - sums[1])) * both
    return missed.sum() / both.sum().clamp(min=1)


def distillation_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Eq. 9: KL(D^student ‖ D^teacher) of the similarities of a batch, in both directions.

    The distributions are softmaxes of S itself, as in Eq. 4: without a temperature.

    Args:
        student, teacher: S of two levels, float [B, B]; rows videos, columns texts. No gradient
            flows into the teacher.

    Returns:
        float [].
    """
    teacher = teacher.detach()
    everything = torch.ones_like(student, dtype=torch.bool)
    return (
        _divergence(student, teacher, everything).mean()
        + _divergence(student.mT, teacher.mT, everything).mean()
    )


def total_loss(losses: dict[str, Tensor], config: LossConfig) -> Tensor:
    """Eq. 10: the weighted sum, with pointing and foils as further terms.

    Args:
        losses: at least one, each float [], by names that begin with their kind: "banzhaf/" is
            weighted by α, "distillation/" by β, "pointing/" and "foil/" by their weights, any other
            kind by 1.
        config: the weights.

    Returns:
        float [].
    """
    weights = {
        "banzhaf": config.alpha,
        "distillation": config.beta,
        "pointing": config.pointing,
        "foil": config.foil,
    }
    weighted = [weights.get(name.split("/")[0], 1.0) * loss for name, loss in losses.items()]
    return sum(weighted[1:], start=weighted[0])


def _divergence(logits: Tensor, other: Tensor, mask: Tensor) -> Tensor:
    """KL(softmax(logits) ‖ softmax(other)) over the last dimension, among its real cells."""
    own, target = (
        x.masked_fill(~mask, -torch.inf).log_softmax(-1).masked_fill(~mask, 0.0)
        for x in (logits, other)
    )
    return (own.exp() * (own - target) * mask).sum(-1)


def _mean_of_real(values: Tensor, mask: Tensor) -> Tensor:
    return (values * mask).sum(-1) / mask.sum(-1)
