"""What the pairs of a level's tokens say about each answer to a question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from explainers.tensors import masked_softmax
from hbi_core.model.hierarchy import LevelTokens


class AnswerHead(nn.Module):
    """Pairs of a frame and a word of one level -> a logit for each answer.

    A pair is read together, f(v, t) = GELU(p + q + p ⊙ q) with p and q linear in the normed tokens,
    and says W_c f(v, t) about answer c. The logit of an answer is the mean over all pairs by the
    token weights of Eq. 1, Σ_v Σ_t ω_v ω_t W_c f(v, t): bilinear in the weights, so that the
    Banzhaf interactions of this game have a closed form too.

    Args:
        width: D.
        hidden: features of a pair, H.
        answers: their number, C.
        dropout: share of the features of a level that is set to zero, in training.
    """

    def __init__(self, width: int, hidden: int, answers: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.video = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, hidden))
        self.text = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, hidden))
        self.dropout = nn.Dropout(dropout)
        self.answers = nn.Linear(hidden, answers, bias=False)

    def forward(self, level: LevelTokens) -> Tensor:
        """The logits of each video with its own question, float [B, C]."""
        video, text = (
            masked_softmax(_exact(players.logits), players.tokens.mask)
            for players in (level.video, level.text)
        )
        said = torch.einsum("bv,bt,bvth->bh", video, text, _exact(self._pairs(level)))
        return self.answers(self.dropout(said))

    def pair_values(self, level: LevelTokens, answers: Sequence[int]) -> Tensor:
        """What each pair says about some answers, float [B, len(answers), V, T]; 0 for padding."""
        values = self._pairs(level) @ self.answers.weight[list(answers)].mT
        real = level.video.tokens.mask.unsqueeze(-1) & level.text.tokens.mask.unsqueeze(-2)
        return values.masked_fill(~real.unsqueeze(-1), 0.0).movedim(-1, 1)

    def _pairs(self, level: LevelTokens) -> Tensor:
        """f, [B, V, T, H]"""
        video = self.video(level.video.tokens.without_padding()).unsqueeze(2)
        text = self.text(level.text.tokens.without_padding()).unsqueeze(1)
        return functional.gelu(video + text + video * text)


def _exact(x: Tensor) -> Tensor:
    """At least in float32."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


class AnswerHeads(nn.Module):
    """An `AnswerHead` of each level, and how likely each answer is before anything is seen.

    Attributes:
        levels: the heads by the name of their level.
        bias: float [C].

    Args:
        names: of the levels.
        width, hidden, answers, dropout: of each head.
    """

    levels: Mapping[str, AnswerHead]

    def __init__(
        self, names: Sequence[str], width: int, hidden: int, answers: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        shape = width, hidden, answers, dropout
        heads = nn.ModuleDict({name: AnswerHead(*shape) for name in names})
        self.levels = cast("Mapping[str, AnswerHead]", heads)  # torch's is not generic
        self.bias = nn.Parameter(torch.zeros(answers))

    def forward(self, levels: Sequence[LevelTokens]) -> list[Tensor]:
        """What each level says, without the bias: float [B, C] each."""
        return [self.levels[level.name](level) for level in levels]
