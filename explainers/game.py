"""The characteristic functions: how well tokens match, and how far they speak for an answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from explainers.tensors import applied
from explainers.token_game import TokenGame, member_weights


@dataclass(frozen=True, eq=False, init=False)
class SimilarityGame(TokenGame):
    """The cooperative game of a video and a text; the players are their tokens.

    A coalition S = A ∪ B of video tokens A and text tokens B is worth the similarity of HBI,
    Eq. 1, restricted to its members:

        φ(A, B) = ½ [ Σ_{v∈A} ω_v(A) max_{t∈B} a[v,t] + Σ_{t∈B} ω_t(B) max_{v∈A} a[v,t] ]

    and φ = 0 if A or B is empty. The grand coalition is worth exactly Eq. 1.

    Args:
        similarity: a, float [..., V, T]; cosine similarities, usually in [-1, 1].
        video_logits: float [..., V]; token weights are w = exp(logit). Any finite values: a weight
            of 0 would leave a coalition of such tokens without a value, so that -inf is refused.
        text_logits: float [..., T].
        video_mask: bool [..., V], True where the token is real; None means all are.
            Padding tokens are no players: whatever stands in their cells has no effect.
        text_mask: bool [..., T], likewise.
        weighting: how ω follows from w. "renormalised" takes the softmax over the members of
            the coalition, ω_v(A) = w_v / Σ_{u∈A} w_u; "fixed" over all tokens, whatever the
            coalition.

    Tensors or arrays, which are copied. Leading dimensions are a batch of independent games and
    broadcast against each other. Half-precision input is computed in float32. In the cells of
    padding tokens, similarity and logits become 0.

    Raises:
        TypeError: something is no tensor, not floating point, or a mask is not bool.
        ValueError: shapes do not fit together, tensors are on several devices, a side has no
            tokens, the weighting is unknown, or a similarity or a logit of a real token is not
            finite.

    Example:
        Two frames and two words of equal weight:

        >>> import torch
        >>> from explainers import SimilarityGame
        >>> similarity = torch.tensor([[0.9, 0.1], [0.2, 0.6]])
        >>> game = SimilarityGame(similarity, torch.zeros(2), torch.zeros(2))
        >>> game.grand_value()
        tensor(0.7500)
        >>> game.value(torch.tensor([True, False]), torch.tensor([True, True]))
        tensor(0.7000)
    """

    similarity: Tensor

    name_of_cells: ClassVar[str] = "similarity"
    match: ClassVar[str] = "best"

    def __init__(
        self,
        similarity: Tensor | np.ndarray,
        video_logits: Tensor | np.ndarray,
        text_logits: Tensor | np.ndarray,
        video_mask: Tensor | np.ndarray | None = None,
        text_mask: Tensor | np.ndarray | None = None,
        weighting: str = "renormalised",
    ) -> None:
        super().__init__(
            similarity, video_logits, text_logits, video_mask, text_mask, weighting=weighting
        )

    @property
    def cells(self) -> Tensor:
        return self.similarity

    def _value(self, video_members: Tensor, text_members: Tensor) -> Tensor:
        both = (video_members.any(-1) & text_members.any(-1)).unsqueeze(-1)
        similarity = self.similarity
        best_text = similarity.masked_fill(~text_members.unsqueeze(-2), -torch.inf).amax(-1)
        best_video = similarity.masked_fill(~video_members.unsqueeze(-1), -torch.inf).amax(-2)
        video_part = member_weights(self.video, video_members) * torch.where(both, best_text, 0.0)
        text_part = member_weights(self.text, text_members) * torch.where(both, best_video, 0.0)
        return 0.5 * (video_part.sum(-1) + text_part.sum(-1))


@dataclass(frozen=True, eq=False, init=False)
class BilinearGame(TokenGame):
    """The cooperative game of a video and a question that are pooled in pairs.

    A coalition of video tokens A and text tokens B is worth the weighted mean of its pairs:

        φ(A, B) = Σ_{v∈A} Σ_{t∈B} ω_v(A) ω_t(B) a[v,t]

    and 0 if A or B is empty. If a[v,t] is what a pair of tokens says for an answer, the grand
    coalition is worth the logit of that answer, less its bias. The difference of two answers'
    logits is such a game as well, of the differences of a, and so are their indices.

    Args:
        values: a, float [..., V, T], any finite values.
        video_logits, text_logits, video_mask, text_mask, weighting: as in `SimilarityGame`.

    Raises:
        TypeError, ValueError: as `SimilarityGame`.

    Example:
        Two frames and two words of equal weight:

        >>> import torch
        >>> from explainers import BilinearGame, closed_form
        >>> values = torch.tensor([[4.0, 0.0], [0.0, 0.0]])
        >>> game = BilinearGame(values, torch.zeros(2), torch.zeros(2))
        >>> game.grand_value()
        tensor(1.)
        >>> closed_form(game).values
        tensor([[ 2.2500, -0.7500],
                [-0.7500,  0.2500]])
    """

    values: Tensor

    name_of_cells: ClassVar[str] = "values"
    match: ClassVar[str] = "mean"

    def __init__(
        self,
        values: Tensor | np.ndarray,
        video_logits: Tensor | np.ndarray,
        text_logits: Tensor | np.ndarray,
        video_mask: Tensor | np.ndarray | None = None,
        text_mask: Tensor | np.ndarray | None = None,
        weighting: str = "renormalised",
    ) -> None:
        super().__init__(
            values, video_logits, text_logits, video_mask, text_mask, weighting=weighting
        )

    @property
    def cells(self) -> Tensor:
        return self.values

    def _value(self, video_members: Tensor, text_members: Tensor) -> Tensor:
        mean = applied(self.values, member_weights(self.text, text_members))
        return (member_weights(self.video, video_members) * mean).sum(-1)
