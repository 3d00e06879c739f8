"""What players of a level stand for: parts of a montage that belong together, and single words."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from hbi_core.data.batch import Batch
from hbi_core.model import LevelTokens, Players, Tokens


def alignment(level: LevelTokens, videos: Tokens, texts: Tokens, batch: Batch) -> Tensor:
    """How much of a pair of players of a level belongs together.

    A player that stands for tokens of several parts belongs to each of them with its share of the
    tokens: a clip of two frames of one photograph and one of another, together with a phrase about
    the first, is worth 2/3.

    Args:
        level: of a batch of videos, each with its own text.
        videos, texts: the tokens of the batch, of which the level's are made.
        batch: its frame_parts and word_parts are known.

    Returns:
        float [B, V, T] in [0, 1]; 0 where there is padding.
    """
    assert batch.frame_parts is not None  # as those who make batches of montages know them
    assert batch.word_parts is not None
    parts = int(torch.stack([batch.frame_parts.max(), batch.word_parts.max()]).max()) + 1
    video, text = (
        _shares(players.tokens.groups, original.groups, of_token, parts)
        for players, original, of_token in (
            (level.video, videos, batch.frame_parts),
            (level.text, texts, batch.word_parts),
        )
    )
    return video @ text.mT


def players_of_words(texts: Players, words: Tensor) -> Tensor:
    """Which player stands for a word of each text: bool [B, T], False where a text is cut before.

    Args:
        texts: of a level.
        words: int64 [B], places in their groups.
    """
    groups = texts.tokens.groups
    return groups[torch.arange(len(groups), device=groups.device), :, words]


def _shares(groups: Tensor, original: Tensor, of_token: Tensor, parts: int) -> Tensor:
    """Of what players [B, N] stand for, the share that is of each part: float [B, N, parts].

    Args:
        groups, original: bool [B, N, O] of the players, [B, M, O] of the tokens that they are
            made of.
        of_token: int64 [B, M], the part of each token, -1 for none.
        parts: how many there are.
    """
    members = (groups.float() @ original.float().mT > 0).float()  # [B, N, M]
    counts = members @ functional.one_hot(of_token + 1, parts + 1)[..., 1:].float()
    return counts / counts.sum(-1, keepdim=True).clamp(min=1)
