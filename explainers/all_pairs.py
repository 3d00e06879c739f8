"""Eq. 1 of every video with every text of a batch, without a game for each pair."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from explainers.tensors import exact_precision, masked_softmax


def grand_values(
    videos: Tensor,
    texts: Tensor,
    video_logits: Tensor,
    text_logits: Tensor,
    video_mask: Tensor,
    text_mask: Tensor,
) -> Tensor:
    """The similarity S of HBI, Eq. 1, of A videos with B texts, faster than by games.

    The numbers are those of `SimilarityGame.grand_value` to the last bit, whatever the weighting,
    and so are the gradients; but for tokens that reach the same maximum: a game divides its
    gradient among them, here it goes to one.

    Args:
        videos: float [A, V, D], tokens of unit length.
        texts: float [B, T, D], likewise.
        video_logits, text_logits: float [A, V], [B, T]; token weights are w = exp(logit).
        video_mask, text_mask: bool [A, V], [B, T], True where the token is real.

    Returns:
        float [A, B]; 0 where a side has no token. Differentiable once.
    """
    pairs = len(videos), len(texts)
    with exact_precision(videos):
        best_text, best_video = _Best.apply(videos, texts, video_mask, text_mask)
        # The weights of each pair by itself, so that sums have the order that they have in a game.
        video_weights, text_weights = (
            masked_softmax(logits.expand(*pairs, -1), mask.expand(*pairs, -1))
            for logits, mask in (
                (video_logits.unsqueeze(1), video_mask.unsqueeze(1)),
                (text_logits, text_mask),
            )
        )
        return 0.5 * ((video_weights * best_text).sum(-1) + (text_weights * best_video).sum(-1))


class _Best(torch.autograd.Function):
    """The similarity of each video token to its best text token, [A, B, V], and back, [A, B, T].

    0 for padding. Where the maxima stand is kept for the gradient instead of the similarities.
    """

    @staticmethod
    def forward(
        ctx: Any, videos: Tensor, texts: Tensor, video_mask: Tensor, text_mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        similarity = torch.einsum("avd,btd->abvt", videos, texts)
        similarity.masked_fill_(~text_mask.unsqueeze(-2), -torch.inf)
        best_text, text = similarity.max(-1)
        similarity.masked_fill_(~video_mask[:, None, :, None], -torch.inf)
        best_video, video = similarity.max(-2)
        real_video = video_mask.unsqueeze(1) & text_mask.any(-1, keepdim=True)  # [A, B, V]
        real_text = video_mask.any(-1)[:, None, None] & text_mask  # [A, B, T]
        ctx.save_for_backward(videos, texts, text, video, real_video, real_text)
        return torch.where(real_video, best_text, 0.0), torch.where(real_text, best_video, 0.0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, to_text: Tensor, to_video: Tensor) -> tuple[Tensor | None, ...]:
        videos, texts, text, video, real_video, real_text = ctx.saved_tensors
        cells = videos.new_zeros(*videos.shape[:2], *texts.shape[:2])  # [A, V, B, T]
        of_pairs = cells.transpose(1, 2)
        to_text, to_video = to_text.where(real_video, 0.0), to_video.where(real_text, 0.0)
        of_pairs.scatter_(-1, text.unsqueeze(-1), to_text.unsqueeze(-1))
        of_pairs.scatter_add_(-2, video.unsqueeze(-2), to_video.unsqueeze(-2))
        cells = cells.flatten(2).flatten(0, 1)
        to_videos = cells @ texts.flatten(0, 1)
        to_texts = (videos.flatten(0, 1).T @ cells).T
        return to_videos.view_as(videos), to_texts.view(texts.shape), None, None
