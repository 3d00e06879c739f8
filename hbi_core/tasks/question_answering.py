"""Question answering: a video and a question -> the answer, one of a vocabulary (App. A.2, C.4)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from hbi_core.checkpoints.checkpoint import Checkpoint
from hbi_core.data import Clip, Corpus
from hbi_core.data.batch import Batch
from hbi_core.data.config import DataConfig
from hbi_core.data.features import Features
from hbi_core.encoders import Encoder
from hbi_core.errors import DataError, SettingsError
from hbi_core.losses import BanzhafLoss, LossConfig, total_loss
from hbi_core.model import LevelTokens, Tokens
from hbi_core.model.answer_head import AnswerHeads
from hbi_core.settings import COUNT, SHARE_BELOW_ONE, TEXT, check, distinct
from hbi_core.tasks.base import Results, RunSettings, Task

_UNKNOWN = -1  # in place of the class of an answer that is not in the vocabulary
_NO_RANK = 2**31  # of an answer that is not in the vocabulary, which may be small
_AT_ONCE = 256  # questions that are measured together
_ALL = "all"  # the group of all kinds of questions


@dataclass(frozen=True)
class AnswerSettings:
    """Settings of question answering.

    Attributes:
        classes: The vocabulary is so many answers at most, the most frequent ones of training.
        hidden: A pair of a frame and a word has so many features.
        dropout: This share of the features of a level is dropped in training.
        vocabulary: The answers themselves; where none are given, they follow from training.
    """

    classes: int = 1000
    hidden: int = 512
    dropout: float = 0.0
    vocabulary: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check(
            self,
            "task_settings.",
            classes=COUNT,
            hidden=COUNT,
            dropout=SHARE_BELOW_ONE,
            vocabulary=distinct(TEXT),
        )


class Answer(NamedTuple):
    """An answer of the vocabulary.

    Attributes:
        text: as it is said.
        number: its place in the vocabulary.
        probability: that the model gives it.
    """

    text: str
    number: int
    probability: float


class QuestionAnsweringTask(Task):
    """Which answer of a vocabulary is right, by what frames and words say together.

    The logit of an answer is its bias and the mean over the levels of what an `AnswerHead` says at
    each; what a level says is a game of its frames and words. The paper classifies "on top of the
    final language features"; here the classifier reads pairs, so that it can be explained.

    Args:
        heads: the model with what it reads.
        loss: settings of the losses.
        encoder: one that learns; None where the batches hold frozen features.
        settings: with the vocabulary.
    """

    name = "question_answering"
    Settings = AnswerSettings
    score_name = "top-1 accuracy"
    own: AnswerHeads
    settings: AnswerSettings

    def __init__(
        self,
        heads: Checkpoint,
        loss: LossConfig,
        encoder: Encoder | None = None,
        settings: AnswerSettings = AnswerSettings(),
    ) -> None:
        super().__init__(heads, loss, encoder, settings)
        names, answers = heads.config.levels, len(settings.vocabulary)
        shape = heads.config.width, settings.hidden, answers, settings.dropout
        self.own = AnswerHeads(names, *shape)
        self.banzhaf = None if loss.target == "none" else BanzhafLoss(loss)
        self.supervised = [name for name in names if name in loss.supervised]
        self.distilled = [pair for pair in loss.distilled if set(pair) <= set(names)]
        self._classes = {answer: number for number, answer in enumerate(settings.vocabulary)}
        self._right = torch.empty(0, dtype=torch.long)

    @classmethod
    def check(cls, config: RunSettings) -> None:
        """Whether each sample is one question about one clip, and the losses fit the levels.

        Raises:
            SettingsError: not so.
        """
        data, loss = config.data, config.loss
        if data.montages or data.validation_parts > 1:
            raise SettingsError(
                "Questions are about one clip each: set data.montages to 0 and "
                "data.validation_parts to 1."
            )
        if loss.pointing:
            raise SettingsError("loss.pointing is learnt from montages, and not here: set it to 0.")
        if loss.foil:
            raise SettingsError("loss.foil is learnt from captions, and not here: set it to 0.")
        levels, scales = config.model.levels, loss.interaction_scale
        if loss.target != "none" and len(scales) != len(levels):
            raise SettingsError(
                f"{len(scales)} loss.interaction_scale for {len(levels)} levels: give one for each "
                f"of {', '.join(levels)}."
            )

    @classmethod
    def corpus(cls, data: DataConfig, split: str) -> Corpus:
        """The clips of a split, with their questions.

        Raises:
            DataError: they cannot be read, or are no questions.
        """
        corpus = super().corpus(data, split)
        if not all(clip.answers for clip in corpus.clips):
            raise DataError(
                f"{corpus.name} has no questions. Choose a data set of questions, such as "
                "msrvtt_qa, flickr8k_questions or synthetic_questions."
            )
        return corpus

    @classmethod
    def complete(cls, settings: AnswerSettings, clips: Sequence[Clip]) -> AnswerSettings:
        """With the vocabulary: the most frequent answers, of equally frequent ones by alphabet."""
        if settings.vocabulary:
            return settings
        counts = Counter(chain.from_iterable(clip.answers for clip in clips))
        ranked = sorted(counts, key=lambda answer: (-counts[answer], answer))
        return replace(settings, vocabulary=tuple(ranked[: settings.classes]))

    def prepare(self, clips: Sequence[Clip]) -> None:
        self._right = self._classes_of(clips)

    @property
    def losses(self) -> list[str]:
        """Names of the losses, "total" left out."""
        kinds = ["answer"] if self.banzhaf is None else ["answer", "banzhaf"]
        names = [f"{kind}/{level}" for level in self.supervised for kind in kinds]
        distilled = [f"distillation/{teacher}>{student}" for teacher, student in self.distilled]
        return ["answer/mean", *names, *distilled]

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """See `Task`. A question whose answer is not in the vocabulary counts as nothing."""
        levels = self.read(*self.tokens(batch))
        said = self.level_logits(levels)
        bias = self.own.bias
        right = self._right[[sample.captions[0] for sample in batch.samples]].to(bias.device)

        def missed(logits: Tensor) -> Tensor:
            each = functional.cross_entropy(
                logits + bias, right, ignore_index=_UNKNOWN, reduction="none"
            )
            return each.mean()  # over all of a batch, so that each question counts the same

        losses = {"answer/mean": missed(_mean(said))}
        for level, module, logits, scale in zip(
            levels, self.hierarchy.levels, said, self._scales_of_levels(), strict=True
        ):
            if level.name not in self.supervised:
                continue
            losses[f"answer/{level.name}"] = missed(logits)
            if self.banzhaf is not None:
                losses[f"banzhaf/{level.name}"] = self.banzhaf(level, module.head, scale)
        by_level = {level.name: logits + bias for level, logits in zip(levels, said, strict=True)}
        for teacher, student in self.distilled:
            losses[f"distillation/{teacher}>{student}"] = _divergence(
                by_level[student], by_level[teacher].detach()
            )
        return losses | {"total": total_loss(losses, self.loss)}

    def read(self, videos: Tokens, texts: Tokens) -> list[LevelTokens]:
        """The levels of each video with its own question, of the encoder's features."""
        return self.hierarchy(videos, texts)

    def validate(self, features: Features) -> Results:
        """Top-1 and top-5 accuracy in percent, of all questions and of each kind."""
        kinds = [kind for clip in features.clips for kind in clip.kinds]
        return accuracies(self.ranks(features), kinds)

    @torch.inference_mode()
    def ranks(self, features: Features) -> Tensor:
        """How high the right answer to each question ranks, int64 [C], from 1.

        Ties count against the model; an answer that is not in the vocabulary has no rank that
        counts.
        """
        device = self.own.bias.device
        right = self._classes_of(features.clips)
        ranks = []
        for numbers in torch.arange(len(right)).split(_AT_ONCE):
            videos = features.videos(features.owners[numbers].tolist())
            texts = features.texts(numbers.tolist(), self.retrieval.words)
            both = (tokens.map(lambda x: x.to(device)) for tokens in (videos, texts))
            ranks.append(_ranks(self.logits(self.read(*both)).cpu(), right[numbers]))
        return torch.cat(ranks)

    def score(self, results: Results) -> float:
        """The top-1 accuracy of all questions."""
        return results[_ALL]["top-1"]

    def level_logits(self, levels: Sequence[LevelTokens]) -> list[Tensor]:
        """What each level says about each answer, without its bias: float [B, C] each.

        Raises:
            NotFiniteError: the model computes values that are not finite.
        """
        for level in levels:
            level.check_finite()
        return self.own(levels)

    def logits(self, levels: Sequence[LevelTokens]) -> Tensor:
        """The logits of the answers, float [B, C]: the bias, and the mean of the levels.

        Args:
            levels: of each video with its own question, as the hierarchy gives them.

        Raises:
            NotFiniteError: the model computes values that are not finite.
        """
        return self.own.bias + _mean(self.level_logits(levels))

    @torch.no_grad()
    def answer(self, levels: Sequence[LevelTokens], count: int = 5) -> list[list[Answer]]:
        """The likeliest answers of each video to its own question, the likeliest first.

        Args:
            levels: as of `logits`.
            count: answers wanted; fewer where the vocabulary has fewer.

        Raises:
            NotFiniteError: the model computes values that are not finite.
        """
        likely = self.logits(levels).softmax(-1).sort(descending=True, stable=True)
        vocabulary = self.settings.vocabulary
        return [
            [Answer(vocabulary[n], n, p) for n, p in zip(numbers, probabilities, strict=True)]
            for numbers, probabilities in zip(
                likely.indices[:, :count].tolist(), likely.values[:, :count].tolist(), strict=True
            )
        ]

    def pair_values(self, level: LevelTokens, answers: Sequence[int]) -> Tensor:
        """What each pair of a frame and a word says about some answers at one level.

        The mean over the pairs by the token weights is what the level adds to the logit, times the
        number of levels: see `level_logits`.

        Args:
            level: of each video with its own question.
            answers: places in the vocabulary.

        Returns:
            float [B, len(answers), V, T]; 0 for padding.
        """
        return self.own.levels[level.name].pair_values(level, answers)

    def _scales_of_levels(self) -> tuple[float, ...]:
        """Those of the Banzhaf losses; of no meaning where there are none."""
        levels = len(self.hierarchy.levels)
        return (1.0,) * levels if self.banzhaf is None else self.loss.interaction_scale

    def _classes_of(self, clips: Sequence[Clip]) -> Tensor:
        """The right class of each question of all clips, int64 [C]."""
        answers = chain.from_iterable(clip.answers for clip in clips)
        return torch.tensor([self._classes.get(answer, _UNKNOWN) for answer in answers])


def accuracies(ranks: Tensor, kinds: Sequence[str]) -> Results:
    """Top-1 and top-5 accuracy in percent, with the number of questions; of all and of each kind.

    Args:
        ranks: int64 [C], rank of the right answer to each question, from 1.
        kinds: of the questions.
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for rank, kind in zip(ranks.tolist(), kinds, strict=True):
        groups[kind].append(rank)

    def measured(own: Tensor) -> dict[str, float]:
        shares = {f"top-{k}": 100.0 * float((own <= k).double().mean()) for k in (1, 5)}
        return shares | {"questions": float(len(own))}

    by_kind = {kind: measured(torch.tensor(groups[kind])) for kind in sorted(groups)}
    return {_ALL: measured(ranks)} | by_kind


def _ranks(logits: Tensor, right: Tensor) -> Tensor:
    """The rank of the right answer, int64 [B]: ties count against the model.

    A logit that is not finite ranks last, and so does an answer that is not in the vocabulary.
    """
    logits = logits.masked_fill(~logits.isfinite(), -torch.inf)
    own = logits.gather(-1, right.clamp(min=0).unsqueeze(-1))
    ranks = (logits >= own).sum(-1)
    return ranks.masked_fill(right == _UNKNOWN, _NO_RANK)


def _mean(logits: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(logits)).mean(0)


def _divergence(student: Tensor, teacher: Tensor) -> Tensor:
    """Eq. 9 of distributions over answers: the mean of KL(D^student ‖ D^teacher), float []."""
    own, target = student.log_softmax(-1), teacher.log_softmax(-1)
    return (own.exp() * (own - target)).sum(-1).mean()
