"""Slow, obvious versions of what the packages compute fast, in plain Python, and random games."""

from __future__ import annotations

import math
from itertools import combinations

import torch

from explainers import SimilarityGame


def random_game(
    videos,
    texts,
    weighting="renormalised",
    *,
    seed=0,
    spread=2.0,
    batch=(),
    kind=SimilarityGame,
    **options,
):
    generator = torch.Generator().manual_seed(seed)

    def uniform(*shape):
        return torch.rand(*batch, *shape, generator=generator, dtype=torch.float64) * 2 - 1

    return kind(
        uniform(videos, texts),
        uniform(videos) * spread / 2,
        uniform(texts) * spread / 2,
        weighting=weighting,
        **options,
    )


def in_room(game, video_mask, text_mask):
    """The same game where the masks are true, and padding elsewhere."""
    similarity = torch.full((len(video_mask), len(text_mask)), torch.nan).double()
    similarity[video_mask.unsqueeze(1) & text_mask] = game.similarity.flatten()
    video_logits, text_logits = (torch.zeros(len(m)).double() for m in (video_mask, text_mask))
    video_logits[video_mask], text_logits[text_mask] = game.video_logits, game.text_logits
    return SimilarityGame(
        similarity, video_logits, text_logits, video_mask, text_mask, game.weighting
    )


def subsets(items):
    items = list(items)
    for size in range(len(items) + 1):
        yield from combinations(items, size)


def characteristic(similarity, video_logits, text_logits, weighting, coalition):
    """φ of Eq. 1 for a set of players ("v", i) and ("t", j), with a softmax by hand."""
    frames, words = sides_of(coalition)
    if not frames or not words:
        return 0.0
    video = weights(video_logits, frames, weighting)
    text = weights(text_logits, words, weighting)
    return 0.5 * math.fsum(
        [video[i] * max(similarity[i][j] for j in words) for i in frames]
        + [text[j] * max(similarity[i][j] for i in frames) for j in words]
    )


def bilinear(values, video_logits, text_logits, weighting, coalition):
    """φ of a `BilinearGame`, likewise: the weighted mean of the pairs of a set of players."""
    frames, words = sides_of(coalition)
    if not frames or not words:
        return 0.0
    video = weights(video_logits, frames, weighting)
    text = weights(text_logits, words, weighting)
    return math.fsum(video[i] * text[j] * values[i][j] for i in frames for j in words)


def sides_of(coalition):
    return [[k for side, k in coalition if side == one] for one in "vt"]


def weights(logits, members, weighting):
    """The softmax of the members, over these or over all."""
    among = members if weighting == "renormalised" else range(len(logits))
    peak = max(logits[k] for k in among)
    total = math.fsum(math.exp(logits[k] - peak) for k in among)
    return {k: math.exp(logits[k] - peak) / total for k in members}


def banzhaf_interactions(similarity, video_logits, text_logits, weighting):
    """Eq. 3 as it is written: the mean over all coalitions of the other players."""
    players = [("v", i) for i in range(len(video_logits))]
    players += [("t", j) for j in range(len(text_logits))]
    value = {
        frozenset(s): characteristic(similarity, video_logits, text_logits, weighting, s)
        for s in subsets(players)
    }
    result = []
    for i in range(len(video_logits)):
        row = []
        for j in range(len(text_logits)):
            pair = frozenset({("v", i), ("t", j)})
            rest = [frozenset(s) for s in subsets(p for p in players if p not in pair)]
            terms = [
                value[s | pair] + value[s] - value[s | {("v", i)}] - value[s | {("t", j)}]
                for s in rest
            ]
            row.append(math.fsum(terms) / len(terms))
        result.append(row)
    return result


def set_values(game):
    """φ of every set of the players 0..n-1 of one game without padding, video tokens first."""
    phi = characteristic if isinstance(game, SimilarityGame) else bilinear
    tensors = (game.cells, game.video_logits, game.text_logits)
    arguments = [*(x.tolist() for x in tensors), game.weighting]
    videos, texts = game.cells.shape
    names = [("v", i) for i in range(videos)] + [("t", j) for j in range(texts)]
    return {
        frozenset(s): phi(*arguments, [names[p] for p in s]) for s in subsets(range(len(names)))
    }


def coalition_interaction(game, coalition):
    """I(C) of App. B.4 for a set of players: together, less each alone, on average (Banzhaf)."""
    value, coalition = set_values(game), frozenset(coalition)
    rest = [s for s in value if not s & coalition]
    return math.fsum(
        value[s | coalition] - value[s] - math.fsum(value[s | {p}] - value[s] for p in coalition)
        for s in rest
    ) / len(rest)


def expected_value(game, probabilities):
    """Mean of φ where player p joins with probabilities[p], one set after the other."""
    return math.fsum(
        value * math.prod(x if p in members else 1 - x for p, x in enumerate(probabilities))
        for members, value in set_values(game).items()
    )


def distances(points, path=0.0, steps=None):
    """Of points, a list of lists: (1 - path) |x_i - x_j|, and path times the way from i to j.

    The way is walked from neighbour to neighbour; a step is as long as their distance times the
    factor of the point that it leads to, and 0.001.
    """

    def way(i, j):
        return math.fsum(
            math.dist(points[k - 1], points[k]) * (1.0 if steps is None else steps[k]) + 0.001
            for k in range(min(i, j) + 1, max(i, j) + 1)
        )

    every = range(len(points))
    return [
        [(1 - path) * math.dist(points[i], points[j]) + path * way(i, j) for j in every]
        for i in every
    ]


def dpc_knn(distance, clusters, neighbours):
    """Eqs. 6 and 7 with loops; distance is a list of lists. Returns a cluster label per point.

    Ties in density count the earlier point as denser; clusters are numbered by their centre.
    """
    n = len(distance)
    clusters = min(clusters, n)
    neighbours = min(neighbours, n)
    distance = [[d**2 for d in row] for row in distance]
    density = [math.exp(-sum(sorted(row)[:neighbours]) / neighbours) for row in distance]

    def denser(a, b):
        return density[a] > density[b] or (density[a] == density[b] and a < b)

    score = []
    for i in range(n):
        above = [distance[i][j] for j in range(n) if denser(j, i)]
        score.append(density[i] * (min(above) if above else max(distance[i])))
    centres = sorted(sorted(range(n), key=lambda i: (-score[i], i))[:clusters])
    labels = []
    for i in range(n):
        if i in centres:
            labels.append(centres.index(i))
        else:
            labels.append(min(range(clusters), key=lambda c: (distance[i][centres[c]], c)))
    return labels


def merge_points(module, tokens):
    """What `TokenMerge` clusters, [N, D] float64, one token at a time: 1-D convolution, norm."""
    n, width = tokens.shape
    points = []
    for i in range(n):
        mixed = tokens[i].clone()
        for offset in (-1, 0, 1):
            if 0 <= i + offset < n:
                mixed += module.mix.weight[:, :, offset + 1] @ tokens[i + offset]
        points.append(layer_norm(module.norm, mixed))
    return torch.stack(points) / math.sqrt(width)


def token_merge(module, tokens, groups):
    """Fig. 4 with loops over clusters and heads: [N, D] and bool [C, N] -> [C, D]."""
    points = merge_points(module, tokens) * math.sqrt(tokens.shape[1])
    scores = torch.stack([module.score.weight[0] @ p + module.score.bias[0] for p in points])
    attention, result = module.attention, []
    keys, values = attention.key_value(
        torch.stack([layer_norm(attention.norm, p) for p in points])
    ).chunk(2, -1)
    for group in groups:
        weights = [math.exp(scores[i]) if group[i] else 0.0 for i in range(len(points))]
        merged = sum(w * p for w, p in zip(weights, points, strict=True)) / sum(weights)
        query = attention.query(layer_norm(attention.norm, merged))
        heads = []
        for columns in torch.arange(len(merged)).chunk(attention.heads):
            logits = [
                query[columns] @ keys[i, columns] / math.sqrt(len(columns)) + scores[i]
                for i in range(len(points))
            ]
            share = torch.stack(logits).softmax(0)
            heads.append(sum(share[i] * values[i, columns] for i in range(len(points))))
        result.append(merged + attention.project(torch.cat(heads)))
    return torch.stack(result)


def temporal_transformer(module, frames, heads):
    """Pre-norm blocks over [F, D], head by head, with the input added at the end."""
    x = frames + module.positions[: len(frames)]
    for layer in module.blocks.layers:
        normed = layer_norm(layer.norm1, x)
        query, key, value = (
            normed @ layer.self_attn.in_proj_weight.T + layer.self_attn.in_proj_bias
        ).chunk(3, -1)
        seen = []
        for columns in torch.arange(x.shape[1]).chunk(heads):
            logits = query[:, columns] @ key[:, columns].T / math.sqrt(len(columns))
            seen.append(logits.softmax(-1) @ value[:, columns])
        x = x + layer.self_attn.out_proj(torch.cat(seen, -1))
        hidden = layer.linear1(layer_norm(layer.norm2, x))
        x = x + layer.linear2(hidden / (1 + torch.exp(-1.702 * hidden)))
    return frames + x


def layer_norm(norm, x):
    centred = x - x.mean(-1, keepdim=True)
    scale = (centred.square().mean(-1, keepdim=True) + norm.eps).sqrt()
    return centred / scale * norm.weight + norm.bias


def brute_force_indices(value, players, index, probability):
    """Interactions [n][n] and player values [n] by their definitions; value takes a set of players.

    Grabisch & Roubens 1999: means of discrete derivatives over the coalitions of the others, with
    weights p^|S| q^(m-|S|) (Banzhaf: p = ½) or |S|! (m-|S|)! / (m+1)! (Shapley), m others.
    """
    import numpy as np

    def weight(size, others):
        if index == "shapley":
            return math.factorial(size) * math.factorial(others - size) / math.factorial(others + 1)
        p = 0.5 if index == "banzhaf" else probability
        return p**size * (1 - p) ** (others - size)

    known = {frozenset(s): value(s) for s in subsets(range(players))}
    interactions, singles = np.zeros((players, players)), np.zeros(players)
    for i in range(players):
        others = [frozenset(s) for s in subsets(p for p in range(players) if p != i)]
        singles[i] = math.fsum(
            weight(len(s), players - 1) * (known[s | {i}] - known[s]) for s in others
        )
        for j in range(players):
            if i == j:
                continue
            rest = [frozenset(s) for s in subsets(p for p in range(players) if p not in (i, j))]
            interactions[i, j] = math.fsum(
                weight(len(s), players - 2)
                * (known[s | {i, j}] + known[s] - known[s | {i}] - known[s | {j}])
                for s in rest
            )
    return interactions, singles
