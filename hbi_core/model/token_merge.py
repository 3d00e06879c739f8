"""Token merge: tokens of one level become the fewer tokens of the next (HBI, Sec. 3.2, Fig. 4)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from explainers.game import masked_softmax
from hbi_core.model.tokens import Tokens
from hbi_core.model.untrained import Uniform, keep_first


def dpc_knn(points: Tensor, mask: Tensor, clusters: int, neighbours: int = 3) -> Tensor:
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

    Returns:
        bool [B, N, C], C = min(clusters, N): membership. Clusters are ordered by their centre's
        position; empty clusters come last.
    """
    length = points.shape[1]
    clusters, neighbours = min(clusters, length), min(neighbours, length)
    distance = torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist").square()
    real_pair = mask.unsqueeze(-1) & mask.unsqueeze(-2)
    nearest = distance.masked_fill(~real_pair, torch.inf).topk(neighbours, largest=False).values
    known = nearest.isfinite()
    mean = nearest.where(known, 0.0).sum(-1) / known.sum(-1).clamp(min=1)
    density = (-mean).exp()

    position = torch.arange(length, device=points.device)
    ahead = density.unsqueeze(-2) - density.unsqueeze(-1)  # [b, i, j] = ρ_j - ρ_i
    denser = (ahead > 0) | ((ahead == 0) & (position < position.unsqueeze(-1)))
    nearest_denser = distance.masked_fill(~(denser & real_pair), torch.inf).amin(-1)
    farthest = distance.masked_fill(~real_pair, 0.0).amax(-1)
    delta = torch.where(nearest_denser.isfinite(), nearest_denser, farthest)

    score = (density * delta).masked_fill(~mask, -1.0)
    centres = score.argsort(dim=-1, descending=True, stable=True)[:, :clusters]
    # Padding can be among the centres only where real tokens are fewer; it sorts to the end.
    centres = centres.where(mask.gather(-1, centres), length).sort(-1).values
    real_cluster = centres < length
    index = centres.clamp(max=length - 1).unsqueeze(-2).expand(-1, length, -1)
    to_centre = distance.gather(-1, index).masked_fill(~real_cluster.unsqueeze(-2), torch.inf)
    is_centre = position.unsqueeze(-1) == centres.unsqueeze(-2)
    to_centre = to_centre.masked_fill(is_centre, -1.0)  # a centre stays in its own cluster
    label = to_centre.argmin(-1)
    return functional.one_hot(label, clusters).bool() & mask.unsqueeze(-1)


class UnitNorm(nn.Module):
    """Features scaled to length 1, so that DPC-KNN sees cosine distances."""

    def forward(self, features: Tensor) -> Tensor:
        return functional.normalize(features, dim=-1)


class TokenMerge(nn.Module):
    """Merge tokens into clusters: mix, normalise, cluster, average, attend (HBI, Fig. 4).

    The parts are injected; those left out do nothing, which is the model before training.

    Args:
        clusters: number of tokens after merging.
        neighbours: K of Eq. 6.
        mix: features [B, N, D], mask [B, N] -> [B, N, D]; the 1-D convolution.
        norm: [B, N, D] -> [B, N, D], of about unit length.
        logits: [B, N, D] -> [B, N]; MLP_w, the weights of the average.
        attention: merged [B, C, D], originals [B, N, D], their mask [B, N] -> [B, C, D].
    """

    def __init__(
        self,
        clusters: int,
        neighbours: int = 3,
        *,
        mix: Callable[[Tensor, Tensor], Tensor] = keep_first,
        norm: nn.Module | None = None,
        logits: nn.Module | None = None,
        attention: Callable[[Tensor, Tensor, Tensor], Tensor] = keep_first,
    ) -> None:
        super().__init__()
        self.clusters = clusters
        self.neighbours = neighbours
        self.mix = mix
        self.norm = norm or UnitNorm()
        self.logits = logits or Uniform()
        self.attention = attention

    def forward(self, tokens: Tokens) -> Tokens:
        features = tokens.features.masked_fill(~tokens.mask.unsqueeze(-1), 0.0)
        points = self.norm(self.mix(features, tokens.mask))
        members = dpc_knn(points.detach(), tokens.mask, self.clusters, self.neighbours).mT
        weights = masked_softmax(self.logits(points).unsqueeze(-2), members)  # [B, C, N]
        merged = self.attention(weights @ points, points, tokens.mask)
        groups = members.to(points.dtype) @ tokens.groups.to(points.dtype) > 0
        return Tokens(merged, members.any(-1), groups)
