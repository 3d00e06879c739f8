"""Querybank normalisation: what a video scores with any text is taken off its score with a query.

Some videos are near to many texts and win where they should not. A bank of other texts, captions of
the training split say, tells by how much: for the score S of a query with the video v, and a bank
of B texts b,

    S(v, query) - log(mean over b of exp(β S(v, b))) / β

(Bogolin et al., Cross Modal Retrieval with Querybank Normalisation, CVPR 2022, Eq. 5, as a
difference of logarithms: the same order of videos, and the scale of S). It is a constant of each
video: no interaction changes by it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from tqdm import tqdm

from hbi_core.checkpoints.checkpoint import RetrievalSettings
from hbi_core.data.features import Features
from hbi_core.errors import SettingsError
from hbi_core.model import Hierarchy, Players
from hbi_core.tasks.retrieval_metrics import scores_of_players

SHARPNESS = 15.0  # of the mean over the levels; chosen for lite on the development list of Flickr8k


@torch.inference_mode()
def fit_of_any_text(
    hierarchy: Hierarchy,
    videos: Sequence[Players],
    bank: Features,
    reads: RetrievalSettings,
    sharpness: float = SHARPNESS,
    progress: bool = False,
    at_once: int = 1024,
) -> Tensor:
    """What each video scores with any text: the second term above.

    Args:
        hierarchy: in evaluation mode, without a reconstruction.
        videos: the players of N videos at every level, on the CPU.
        bank: B captions; its clips are not looked at.
        reads: words and level weights.
        sharpness: β of the mean over the levels, above 0: near 0 the mean of the bank is taken off,
            far above it the most similar text counts alone.
        progress: whether to draw a bar.
        at_once: captions that are held at once; the result does not depend on it.

    Returns:
        float32 [N], on the scale of the levels added by their weights, on the CPU.

    Raises:
        SettingsError: the model reconstructs, so that all pairs have no scores of the same kind.
        NotFiniteError: the model computes values that are not finite.
    """
    if hierarchy.reconstructs:
        raise SettingsError(
            "A querybank is for models without a reconstruction, whose scores of all pairs are of "
            "one kind."
        )
    device = next(hierarchy.parameters()).device
    beta = sharpness / sum(reads.level_weights)
    parts = []
    starts = range(0, len(bank.owners), at_once)
    for start in tqdm(starts, "querybank", disable=not progress, leave=False):
        tokens = bank.texts(slice(start, start + at_once), reads.words)
        texts = hierarchy.players("text", tokens.map(lambda x: x.to(device)))
        scores = scores_of_players(hierarchy, videos, texts, reads.level_weights)
        parts.append((beta * scores).logsumexp(-1))
    return (torch.stack(parts).logsumexp(0) - math.log(len(bank.owners))) / beta
