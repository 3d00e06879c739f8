"""The losses of training (HBI, Eqs. 2, 5, 9), each a plain function of tensors."""

from __future__ import annotations

import torch
from torch import Tensor


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
) -> Tensor:
    """Eq. 5: KL(D^R ‖ D^I) from each video token to the texts', and from each text token.

    Padding is no part of the distributions. The mean is over the real tokens of a pair, then over
    the pairs.

    Args:
        relation: R of the prediction head, float [B, V, T].
        interactions: I, float [B, V, T], in the unit of the similarity. No gradient flows into it.
        video_mask, text_mask: bool [B, V], [B, T].
        interaction_scale: factor on I before its softmax; 1 leaves it nearly flat.

    Returns:
        float [].
    """
    target = interactions.detach() * interaction_scale
    video_to_text = _divergence(relation, target, text_mask.unsqueeze(-2))  # [B, V]
    text_to_video = _divergence(relation.mT, target.mT, video_mask.unsqueeze(-2))  # [B, T]
    return (
        _mean_of_real(video_to_text, video_mask) + _mean_of_real(text_to_video, text_mask)
    ).mean()


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


def _divergence(logits: Tensor, other: Tensor, mask: Tensor) -> Tensor:
    """KL(softmax(logits) ‖ softmax(other)) over the last dimension, among its real cells."""
    own, target = (
        x.masked_fill(~mask, -torch.inf).log_softmax(-1).masked_fill(~mask, 0.0)
        for x in (logits, other)
    )
    return (own.exp() * (own - target) * mask).sum(-1)


def _mean_of_real(values: Tensor, mask: Tensor) -> Tensor:
    return (values * mask).sum(-1) / mask.sum(-1)
