"""Token merge: tokens of one level become the fewer tokens of the next (HBI, Sec. 3.2, Fig. 4)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from explainers.tensors import masked_softmax
from hbi_core.model.tokens import Tokens

_APART = 1e-3  # what every step has beside its length, so that still pictures keep their order


def dpc_knn(
    distance: Tensor,
    mask: Tensor,
    clusters: int,
    neighbours: int = 3,
    wanted: Tensor | None = None,
) -> Tensor:
    """Density-peak clustering with k nearest neighbours (HBI, Eqs. 6 and 7).

    The points with the largest ρ·δ become centres, every point joins its nearest centre.
    Deterministic: of two equally dense points the earlier counts as the denser, of two equally
    near or equally good centres the earlier is taken. Padding has no influence.

    Args:
        distance: float [B, N, N], of the points, at least 0.
        mask: bool [B, N].
        clusters: clusters wanted; a sequence with fewer real tokens gets one for each.
        neighbours: K of Eq. 6; fewer where there are fewer tokens.
        wanted: int64 [B], clusters wanted of each sequence, where that is fewer.

    Returns:
        bool [B, N, C], C = min(clusters, N): membership. Clusters are ordered by their centre's
        position; empty clusters come last.
    """
    length = mask.shape[-1]
    clusters = min(clusters, length)
    to_real = distance.masked_fill(~mask.unsqueeze(-2), torch.inf)
    density = local_density(to_real, neighbours)
    nearest_denser = distance_to_denser(to_real, density, mask)
    farthest = to_real.masked_fill(~to_real.isfinite(), 0.0).amax(-1)
    delta = torch.where(nearest_denser.isfinite(), nearest_denser, farthest).square()

    score = (density * delta).masked_fill(~mask, -1.0)
    centres = score.argsort(dim=-1, descending=True, stable=True)[:, :clusters]
    # Padding, and centres beyond those wanted, sort to the end.
    chosen = mask.gather(-1, centres)
    if wanted is not None:
        chosen &= torch.arange(clusters, device=mask.device) < wanted.unsqueeze(-1)
    centres = centres.where(chosen, length).sort(-1).values
    return join_nearest(distance, centres, mask)


def pair_distances(points: Tensor) -> Tensor:
    """Points [B, N, D] -> their distances [B, N, N], without the rounding of a matrix product."""
    return torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")


def path_distances(points: Tensor, mask: Tensor, steps: Tensor | None = None) -> Tensor:
    """How long the way along the sequence is from token to token; not of the paper.

    The sum, over the steps between them, of the distance of neighbours, times the factor of the
    step, and 0.001. So the tokens stand on a line in their order, and whatever the centres are,
    those that are nearest to the same one are contiguous. Padding is stepped over.

    Args:
        points: float [B, N, D], finite.
        mask: bool [B, N].
        steps: float [B, N], at least 0: factor of the step to each token; None for 1.

    Returns:
        float [B, N, N]; of no meaning where one of the two is padding.
    """
    position = torch.arange(mask.shape[-1], device=mask.device)
    last = position.where(mask, -1).cummax(-1).values  # real token, up to each position
    before = functional.pad(last[:, :-1], (1, 0), value=-1)
    neighbour = points.gather(1, before.clamp(min=0).unsqueeze(-1).expand_as(points))
    step = (points - neighbour).norm(dim=-1)
    if steps is not None:
        step = step * steps
    walked = (step + _APART).masked_fill(~mask | (before < 0), 0.0).cumsum(-1)
    return (walked.unsqueeze(-1) - walked.unsqueeze(-2)).abs()


def local_density(distance: Tensor, neighbours: int) -> Tensor:
    """ρ of Eq. 6: exp(-mean squared distance to the nearest neighbours, the point itself included).

    Args:
        distance: float [B, N, N], infinite to points that count for none.
        neighbours: K; fewer where there are fewer points.

    Returns:
        float [B, N], in [0, 1].
    """
    count = min(neighbours, distance.shape[-1])
    nearest = distance.topk(count, largest=False).values.square()
    known = nearest.isfinite()
    mean = nearest.where(known, 0.0).sum(-1) / known.sum(-1).clamp(min=1)
    return (-mean).exp()


def distance_to_denser(distance: Tensor, density: Tensor, mask: Tensor) -> Tensor:
    """√δ of Eq. 7: how far the nearest denser point is, float [B, N]; infinite where none is.

    Of two equally dense points the earlier counts as the denser; padding is no point.
    """
    position = torch.arange(density.shape[-1], device=density.device)
    ahead = density.unsqueeze(-2) - density.unsqueeze(-1)  # [b, i, j] = ρ_j - ρ_i
    denser = (ahead > 0) | ((ahead == 0) & (position < position.unsqueeze(-1)))
    real_pair = mask.unsqueeze(-1) & mask.unsqueeze(-2)
    return distance.masked_fill(~(denser & real_pair), torch.inf).amin(-1)


def join_nearest(distance: Tensor, centres: Tensor, mask: Tensor) -> Tensor:
    """Every point joins its nearest centre, and a centre itself.

    Args:
        distance: float [B, N, N].
        centres: int64 [B, C], the points that are centres; N for none.
        mask: bool [B, N].

    Returns:
        bool [B, N, C]: membership. Padding joins none.
    """
    length, clusters = distance.shape[-1], centres.shape[-1]
    index = centres.clamp(max=length - 1).unsqueeze(-2).expand(-1, length, -1)
    to_centre = distance.gather(-1, index)
    to_centre = to_centre.masked_fill((centres == length).unsqueeze(-2), torch.inf)
    position = torch.arange(length, device=distance.device)
    is_centre = position.unsqueeze(-1) == centres.unsqueeze(-2)
    label = to_centre.masked_fill(is_centre, -1.0).argmin(-1)
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
        path: λ, 0 to 1: the distance by which tokens are clustered is (1 - λ) that of their
            features and λ the way along the sequence. With 1, clusters are contiguous; below,
            they may not be; 0 is the paper.
    """

    def __init__(
        self,
        width: int,
        clusters: int | float,
        neighbours: int = 3,
        heads: int = 8,
        path: float = 0.0,
    ) -> None:
        super().__init__()
        self.clusters = clusters
        self.neighbours = neighbours
        self.path = path
        self.mix = nn.Conv1d(width, width, 3, padding=1, bias=False)
        self.norm = nn.LayerNorm(width)
        self.score = nn.Linear(width, 1)
        self.attention = MergeAttention(width, heads)
        for parameter in (self.mix.weight, self.score.weight, self.score.bias):
            nn.init.zeros_(parameter)

    def forward(self, tokens: Tokens) -> Tokens:
        """Tokens [B, N, D] -> [B, C, D], with the steps of their first members, and no context."""
        features = self.read(tokens)
        points = self.norm(features + self.mix(features.mT).mT)
        place = points.detach() / math.sqrt(points.shape[-1])  # about unit length
        distance = self.distances(place, tokens.mask, tokens.steps)
        members = self.cluster(distance, tokens.mask).mT  # [B, C, N]
        score = self.score(points).squeeze(-1)
        merged = self.weights(score, members) @ points
        merged = self.attention(merged, points, score, tokens.mask)
        groups = members.to(points.dtype) @ tokens.groups.to(points.dtype) > 0
        steps = tokens.steps
        if steps is not None:
            steps = steps.gather(-1, members.int().argmax(-1))
        return Tokens(merged, members.any(-1), groups, steps)

    def read(self, tokens: Tokens) -> Tensor:
        """The features [B, N, D] that are read."""
        return tokens.without_padding()

    def distances(self, points: Tensor, mask: Tensor, steps: Tensor | None) -> Tensor:
        """Points [B, N, D] -> the distances [B, N, N] by which they are clustered."""
        direct = pair_distances(points)
        if self.path == 0:
            return direct
        return (1 - self.path) * direct + self.path * path_distances(points, mask, steps)

    def cluster(self, distance: Tensor, mask: Tensor) -> Tensor:
        """Distances [B, N, N] -> membership, bool [B, N, C]."""
        wanted = None
        if self.clusters < 1:
            wanted = (mask.sum(-1) * self.clusters).ceil().long()
        return dpc_knn(distance, mask, self.most(mask.shape[-1]), self.neighbours, wanted)

    def most(self, length: int) -> int:
        """Tokens after merging `length` of them, where none is padding."""
        return int(self.clusters) if self.clusters >= 1 else math.ceil(length * self.clusters)

    def weights(self, score: Tensor, members: Tensor) -> Tensor:
        """Scores [B, N] and members [B, C, N] -> weights of each cluster's average, [B, C, N]."""
        return masked_softmax(score.unsqueeze(-2), members)


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
