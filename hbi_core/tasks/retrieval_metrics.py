"""Retrieval: how high the matching text or video ranks (HBI, Sec. 4.1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from tqdm import tqdm

from hbi_core.data.features import Features
from hbi_core.errors import SettingsError
from hbi_core.model import Hierarchy, Players, Side, Tokens


def retrieval_metrics(
    scores: Tensor, owners: Tensor, of_videos: Tensor | None = None
) -> dict[str, dict[str, float]]:
    """R@1, R@5, R@10 in percent, median and mean rank, in both directions.

    Args:
        scores: float [N, C], videos by texts.
        owners: int64 [C], the video of each text. Every video has one.
        of_videos: the scores by which videos look for their texts, where they are others.

    Returns:
        {"text_to_video": {"R@1": .., "R@5": .., "R@10": .., "MdR": .., "MnR": ..},
        "video_to_text": {...}}
    """
    text_ranks, video_ranks = ranks(scores, owners, of_videos)
    return {"text_to_video": _summary(text_ranks), "video_to_text": _summary(video_ranks)}


def ranks(scores: Tensor, owners: Tensor, of_videos: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The ranks, from 1, of the right video for each text, int64 [C], and of the right text for
    each video, int64 [N].

    A rank is 1 plus the number of wrong candidates that score as high or higher: ties count
    against the model. Of several texts of a video, the best one counts. A score that is not finite
    (infinite either way, or no number) ranks last, below every finite one.

    Args:
        scores, owners, of_videos: as of `retrieval_metrics`.
    """
    scores, of_videos = (
        known.masked_fill(~known.isfinite(), -torch.inf)
        for known in (scores, scores if of_videos is None else of_videos)
    )
    own = scores[owners, torch.arange(scores.shape[1])]  # [C]
    text_ranks = (scores >= own).sum(0)  # the right video is among them, once
    right = owners == torch.arange(len(scores)).unsqueeze(-1)  # [N, C]
    best = of_videos.masked_fill(~right, -torch.inf).amax(-1, keepdim=True)
    return text_ranks, 1 + ((of_videos >= best) & ~right).sum(-1)


def _summary(ranks: Tensor) -> dict[str, float]:
    ranks = ranks.double()
    recalls = {f"R@{k}": 100.0 * float((ranks <= k).double().mean()) for k in (1, 5, 10)}
    return recalls | {"MdR": float(ranks.quantile(0.5)), "MnR": float(ranks.mean())}


def recall_sum(metrics: dict[str, dict[str, float]]) -> float:
    """Rsum of both directions: the number that chooses the best checkpoint."""
    return sum(direction[f"R@{k}"] for direction in metrics.values() for k in (1, 5, 10))


@torch.inference_mode()
def similarity_scores(
    hierarchy: Hierarchy,
    features: Features,
    words: int,
    level_weights: Sequence[float],
    progress: bool = False,
    at_once: int = 256,
    block_cells: int = 2**24,
) -> Tensor:
    """S of Eq. 1 of every clip with every caption, the levels added by their weights.

    Of the tokens that each side has alone; `hbi_core.tasks.reranking` has rebuilt ones. Memory
    beside the result is bounded: the players of all levels, and one block of similarities.

    Args:
        hierarchy: in evaluation mode.
        features: N clips, C captions.
        words: text players at most.
        level_weights: one for each level; a level of weight 0 is not computed.
        progress: whether to draw a bar.
        at_once: clips or captions that go through the model together.
        block_cells: similarities of tokens that are held at once.

    Returns:
        float32 [N, C], on the CPU.

    Raises:
        SettingsError: level_weights has another length than there are levels.
        NotFiniteError: the model computes values that are not finite.
    """
    videos, texts = corpus_players(hierarchy, features, words, at_once)
    return scores_of_players(hierarchy, videos, texts, level_weights, progress, block_cells)


@torch.inference_mode()
def corpus_players(
    hierarchy: Hierarchy, features: Features, words: int, at_once: int = 256
) -> tuple[list[Players], list[Players]]:
    """The players of all clips and of all captions at every level, on the CPU.

    Args:
        hierarchy, features, words, at_once: as of `similarity_scores`.
    """
    device = next(hierarchy.parameters()).device
    clips, captions = len(features.clips), len(features.owners)
    videos = (features.videos(chosen) for chosen in _slices(clips, at_once))
    texts = (features.texts(chosen, words) for chosen in _slices(captions, at_once))
    return _players(hierarchy, "video", videos, device), _players(hierarchy, "text", texts, device)


@torch.inference_mode()
def scores_of_players(
    hierarchy: Hierarchy,
    videos: Sequence[Players],
    texts: Sequence[Players],
    level_weights: Sequence[float],
    progress: bool = False,
    block_cells: int = 2**24,
) -> Tensor:
    """As `similarity_scores`, of players that are known: N videos, C texts."""
    device = next(hierarchy.parameters()).device
    names = [level.name for level in hierarchy.levels]
    if len(level_weights) != len(names):
        raise SettingsError(f"{len(level_weights)} level weights for the levels {names}")
    clips, captions = len(videos[0].logits), len(texts[0].logits)
    scores = torch.zeros(clips, captions)
    levels = list(zip(hierarchy.levels, videos, texts, level_weights, strict=True))
    for level, video, text, weight in tqdm(levels, "levels", disable=not progress, leave=False):
        if weight == 0:
            continue
        cells = video.logits.shape[-1] * text.logits.shape[-1]
        size = max(1, int((block_cells // cells) ** 0.5))
        for v in _slices(clips, size):
            for t in _slices(captions, size):
                rows, columns = (
                    players.map(lambda x, chosen=chosen: x[chosen].to(device))
                    for players, chosen in ((video, v), (text, t))
                )
                scores[v, t] += weight * level.alone(rows, columns).scores().cpu()
    return scores


def _slices(length: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, length)) for start in range(0, length, size)]


def _players(
    hierarchy: Hierarchy, side: Side, batches: Iterable[Tokens], device: torch.device
) -> list[Players]:
    """The players of one side at every level, on the CPU."""
    parts: list[list[Players]] = []
    for tokens in batches:
        known = hierarchy.players(side, tokens.map(lambda x: x.to(device)))
        parts.append([players.map(Tensor.cpu) for players in known])
    return [_joined(level) for level in zip(*parts, strict=True)]


def _joined(parts: Sequence[Players]) -> Players:
    """Batches of one level, one after another."""
    tokens, logits = zip(*parts, strict=True)
    return Players(Tokens.joined(tokens), torch.cat(logits))
