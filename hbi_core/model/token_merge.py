"""Token merge: tokens of one level become the fewer tokens of the next (HBI, Sec. 3.2, Fig. 4)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from explainers.game import masked_softmax
from hbi_core.model.tokens import Tokens


def dpc_knn(
    points: Tensor,
    mask: Tensor,
    clusters: int,
    neighbours: int = 3,
    wanted: Tensor | None = None,
    published: bool = False,
) -> Tensor:
    """Density-peak clustering with k nearest neighbours (HBI, Eqs. 6 and 7).

    Density ρ = exp(-mean squared distance to the nearest neighbours, the point itself included);
    δ = squared distance to the nearest denser point (the largest distance for the densest); the
    points with the largest ρ·δ become centres, every point joins its nearest centre.
    Deterministic: of two equally dense points the earlier counts as the denser, of two equally
    near or equally good centres the earlier is taken. Padding has no influence.

    Args:
        points: float [B, N, D].
        mask: bool [B, N].
        clusters: clusters wanted; a sequence with fewer real tokens gets one for each.
        neighbours: K of Eq. 6; fewer where there are fewer tokens.
        wanted: int64 [B], clusters wanted of each sequence, where that is fewer.
        published: as the released checkpoints were trained. δ is the distance, not its square,
            and for the densest point the largest of the whole sequence; padding tokens lie beyond
            all others, so that they do count where real ones are fewer than the neighbours;
            clusters come in the order of ρ·δ.

    Returns:
        bool [B, N, C], C = min(clusters, N): membership. Clusters are ordered by their centre's
        position; empty clusters come last.
    """
    length = points.shape[1]
    clusters = min(clusters, length)
    between = torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")
    real_pair = mask.unsqueeze(-1) & mask.unsqueeze(-2)
    beyond = between.max() + 1.0 if published else torch.inf
    distance = torch.where(mask.unsqueeze(-2), between, beyond)
    nearest = distance.topk(min(neighbours, length), largest=False).values.square()
    known = nearest.isfinite()
    mean = nearest.where(known, 0.0).sum(-1) / known.sum(-1).clamp(min=1)
    density = (-mean).exp()

    position = torch.arange(length, device=points.device)
    ahead = density.unsqueeze(-2) - density.unsqueeze(-1)  # [b, i, j] = ρ_j - ρ_i
    denser = (ahead > 0) | ((ahead == 0) & (position < position.unsqueeze(-1)))
    nearest_denser = distance.masked_fill(~(denser & real_pair), torch.inf).amin(-1)
    farthest = distance.masked_fill(~distance.isfinite(), 0.0).amax(-1)
    if published:
        farthest = farthest.amax(-1, keepdim=True)
    delta = torch.where(nearest_denser.isfinite(), nearest_denser, farthest)

    if published:
        centres = (density * delta * mask).topk(clusters).indices
    else:
        score = (density * delta.square()).masked_fill(~mask, -1.0)
        centres = score.argsort(dim=-1, descending=True, stable=True)[:, :clusters]
        # Padding, and centres beyond those wanted, sort to the end.
        chosen = mask.gather(-1, centres)
        if wanted is not None:
            chosen &= position[:clusters] < wanted.unsqueeze(-1)
        centres = centres.where(chosen, length).sort(-1).values
    real_cluster = centres < length
    index = centres.clamp(max=length - 1).unsqueeze(-2).expand(-1, length, -1)
    to_centre = between.gather(-1, index).masked_fill(~real_cluster.unsqueeze(-2), torch.inf)
    is_centre = position.unsqueeze(-1) == centres.unsqueeze(-2)
    to_centre = to_centre.masked_fill(is_centre, -1.0)  # a centre stays in its own cluster
    label = to_centre.argmin(-1)
    return functional.one_hot(label, clusters).bool() & mask.unsqueeze(-1)


class TokenMerge(nn.Module):
    """Merge tokens into clusters: mix, normalise, cluster, average, attend (HBI, Fig. 4).

    Before training it clusters and averages, and nothing else: the convolution, the weights of
    the average and the attention's output start at zero.

    Args:
        width: D.
        clusters: tokens after merging, a count; or a share (below 1) of each sequence's tokens,
            rounded up.
        neighbours: K of Eq. 6.
        heads: attention heads.
        published: see `ModelConfig.compatibility`.
    """

    def __init__(
        self,
        width: int,
        clusters: int | float,
        neighbours: int = 3,
        heads: int = 8,
        published: bool = False,
    ) -> None:
        super().__init__()
        self.clusters = clusters
        self.neighbours = neighbours
        self.published = published
        self.mix = nn.Conv1d(width, width, 3, padding=1, bias=False)
        self.norm = nn.LayerNorm(width)
        self.score = nn.Linear(width, 1)
        self.attention = MergeAttention(width, heads)
        for parameter in (self.mix.weight, self.score.weight, self.score.bias):
            nn.init.zeros_(parameter)

    def forward(self, tokens: Tokens) -> Tokens:
        read = tokens.mask.unsqueeze(-1) | self.published
        features = tokens.features.masked_fill(~read, 0.0)
        points = self.norm(features + self.mix(features.mT).mT)
        place = points.detach() / math.sqrt(points.shape[-1])  # about unit length
        members = dpc_knn(
            place, tokens.mask, *self._clusters(tokens.mask), published=self.published
        ).mT  # [B, C, N]
        score = self.score(points).squeeze(-1)
        weights = masked_softmax(score.unsqueeze(-2), members)  # [B, C, N]
        if self.published:
            total = (members * score.exp().unsqueeze(-2)).sum(-1, keepdim=True)
            weights = weights * (total / (total + 1e-6))
        merged = weights @ points
        merged = self.attention(merged, points, score, tokens.mask)
        groups = members.to(points.dtype) @ tokens.groups.to(points.dtype) > 0
        mask = members.any(-1) | self.published
        return Tokens(merged, mask, groups)

    def _clusters(self, mask: Tensor) -> tuple[int, int, Tensor | None]:
        """Clusters at most, neighbours, and the clusters of each sequence if they differ."""
        if self.clusters >= 1:
            return int(self.clusters), self.neighbours, None
        wanted = (mask.sum(-1) * self.clusters).ceil().long()
        most = math.ceil(mask.shape[-1] * self.clusters)
        return most, self.neighbours, None if self.published else wanted


class MergeAttention(nn.Module):
    """Merged tokens (queries) attend to the original tokens (keys and values); Fig. 4.

    One layer norm for both; the scores that weighed the average are added to the logits; the
    result is added to the merged tokens.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.project = nn.Linear(width, width)
        nn.init.zeros_(self.project.weight)
        nn.init.zeros_(self.project.bias)

    def forward(self, merged: Tensor, original: Tensor, score: Tensor, mask: Tensor) -> Tensor:
        """merged [B, C, D], original [B, N, D], score [B, N], mask bool [B, N] -> [B, C, D]"""
        query = self._split(self.query(self.norm(merged)))
        key, value = map(self._split, self.key_value(self.norm(original)).chunk(2, -1))
        bias = score.masked_fill(~mask, -torch.inf)[:, None, None, :]
        attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        return merged + self.project(attended.transpose(1, 2).flatten(2))

    def _split(self, features: Tensor) -> Tensor:
        """[B, N, D] -> [B, heads, N, D / heads]"""
        return features.unflatten(-1, (self.heads, -1)).transpose(1, 2)
