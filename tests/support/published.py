"""What the paper's released checkpoints compute, slowly, from their state dict.

Written from the public description of the research code (HBI, CVPR 2023), not from our modules,
which are not imported here. One sample, one head, one token at a time; tensors only where a row is
multiplied by a matrix. Left out: the uniform noise below 1e-6 that breaks ties of the density;
of equally dense tokens the earlier counts as the denser, one of the outcomes of the noise.

`state` is a state dict by the published names. Shapes: B samples, N tokens, F frames, D features.
"""

from __future__ import annotations

import math

import torch
from torch.nn.functional import conv1d, layer_norm, relu

EPS = 1e-5
HEADS = 8
NEIGHBOURS = 3
RATES = (0.25, 0.5)


def norm(state, name, x):
    return layer_norm(x, x.shape[-1:], state[f"{name}.weight"], state[f"{name}.bias"], EPS)


def linear(state, name, x):
    return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]


def transformer(state, name, x, heads, mask):
    """Pre-norm blocks over x [N, D]; mask [N, N] is added to the attention logits."""
    size = x.shape[1] // heads
    last = [k for k in state if k.startswith(name) and k.endswith("attn.out_proj.weight")]
    for block in range(1 + max(int(k.split(".")[-4]) for k in last)):
        here = f"{name}.resblocks.{block}"
        read = norm(state, f"{here}.ln_1", x)
        both = read @ state[f"{here}.attn.in_proj_weight"].T + state[f"{here}.attn.in_proj_bias"]
        query, key, value = both.chunk(3, -1)
        seen = []
        for head in range(heads):
            part = slice(head * size, (head + 1) * size)
            logits = query[:, part] @ key[:, part].T / math.sqrt(size) + mask
            seen.append(logits.softmax(-1) @ value[:, part])
        x = x + linear(state, f"{here}.attn.out_proj", torch.cat(seen, -1))
        hidden = linear(state, f"{here}.mlp.c_fc", norm(state, f"{here}.ln_2", x))
        x = x + linear(state, f"{here}.mlp.c_proj", hidden * torch.sigmoid(1.702 * hidden))
    return x


def frame_features(state, pixels):
    """One frame [3, S, S] -> its projected class token [D]."""
    kernel = state["clip.visual.conv1.weight"]
    size = kernel.shape[-1]
    patches = [
        (kernel * pixels[:, y : y + size, x : x + size]).sum((1, 2, 3))
        for y in range(0, pixels.shape[1], size)
        for x in range(0, pixels.shape[2], size)
    ]
    x = torch.stack([state["clip.visual.class_embedding"], *patches])
    x = norm(state, "clip.visual.ln_pre", x + state["clip.visual.positional_embedding"])
    x = transformer(state, "clip.visual.transformer", x, x.shape[1] // 64, 0.0)
    return norm(state, "clip.visual.ln_post", x[0]) @ state["clip.visual.proj"]


def read_text(words, most=24, start=49406, end=49407):
    """Ids of a caption's tokens -> ids with start and end, cut and padded; which are real."""
    ids = [*[start, *words][: most - 1], end]
    real = torch.arange(most) < len(ids)
    return torch.tensor(ids + [0] * (most - len(ids))), real


def text_features(state, ids, real):
    """Token ids [N], padded with 0 -> the projected state of every token [N, D].

    No token sees one after it, or padding: what stands in the padding sees the real ones alone.
    """
    x = state["clip.token_embedding.weight"][ids]
    x = x + state["clip.positional_embedding"][: len(ids)]
    mask = torch.zeros(len(ids), len(ids), dtype=x.dtype)
    for query in range(len(ids)):
        for key in range(len(ids)):
            if key > query or not real[key]:
                mask[query, key] = -torch.inf
    x = transformer(state, "clip.transformer", x, x.shape[1] // 64, mask)
    return norm(state, "clip.ln_final", x) @ state["clip.text_projection"]


def read_video(state, frames, most=12):
    """The pixels of a video's frames -> features [most, D], and which frames are real.

    A frame that the video lacks is zeros instead of pixels, and encoded like any other.
    """
    missing = [torch.zeros_like(frames[0])] * (most - len(frames))
    features = torch.stack([frame_features(state, pixels) for pixels in (*frames, *missing)])
    return features, torch.arange(most) < len(frames)


def temporal(state, frames, mask):
    """[F, D] -> [F, D]: the transformer over time; missing frames are seen by none."""
    x = frames + state["frame_position_embeddings.weight"][: len(frames)]
    hidden = torch.where(mask, 0.0, -1e6).to(x.dtype).expand(len(frames), -1)
    return transformer(state, "transformerClip", x, HEADS, hidden) + frames


def cluster(samples, masks, count):
    """DPC-KNN as in TCFormer: points [N, D] of each sample -> the cluster of each token."""
    distances = []
    for points in samples:
        rows = [[(p - q).norm().item() / math.sqrt(len(p)) for q in points] for p in points]
        distances.append(rows)
    beyond = 1 + max(max(max(row) for row in rows) for rows in distances)
    labels = []
    for rows, mask in zip(distances, masks, strict=True):
        tokens = range(len(rows))
        if mask is not None:
            rows = [[rows[i][j] if mask[j] else beyond for j in tokens] for i in tokens]
        density = []
        for i in tokens:
            nearest = sorted(rows[i])[:NEIGHBOURS]
            real = mask is None or bool(mask[i])
            density.append(math.exp(-sum(d * d for d in nearest) / NEIGHBOURS) if real else 0.0)
        largest = max(max(row) for row in rows)
        scores = []
        for i in tokens:
            denser = [rows[i][j] for j in tokens if (density[j], -j) > (density[i], -i)]
            scores.append(density[i] * min(denser, default=largest))
        centres = torch.tensor(scores).topk(count).indices.tolist()
        label = []
        for i in tokens:
            if i in centres:
                label.append(centres.index(i))
            else:
                label.append(min(range(count), key=lambda c: rows[centres[c]][i]))
        labels.append(label)
    return labels


def merge(state, side, number, samples, masks):
    """Tokens [N, D] of each sample -> the fewer tokens of the next level; mask None: all real."""
    here, block = f"{side}_ctm{number}", f"{side}_block{number}"
    points, scores = [], []
    for x, mask in zip(samples, masks, strict=True):
        x = x + conv1d(x.T[None], state[f"{here}.conv.conv.weight"], padding=1)[0].T
        points.append(norm(state, f"{here}.norm", x))
        score = linear(state, f"{here}.score", points[-1])[:, 0]
        # The research code masks a view of the scores in place, so the attention sees it too.
        scores.append(score if mask is None else score.masked_fill(~mask, -torch.inf))
    count = max(math.ceil(len(samples[0]) * RATES[number]), 1)
    merged = []
    for x, score, label in zip(points, scores, cluster(points, masks, count), strict=True):
        tokens = []
        for c in range(count):
            members = [i for i in range(len(x)) if label[i] == c]
            total = sum(score[i].exp() for i in members) + 1e-6
            tokens.append(sum(x[i] * (score[i].exp() / total) for i in members))
        merged.append(attend(state, block, torch.stack(tokens), x, score))
    return merged


def attend(state, block, merged, original, score):
    """Merged tokens [C, D] look at the original ones [N, D]."""
    size = merged.shape[1] // HEADS
    query = linear(state, f"{block}.attn.q", norm(state, f"{block}.norm1", merged))
    both = linear(state, f"{block}.attn.kv", norm(state, f"{block}.norm1", original))
    key, value = both.chunk(2, -1)
    result = []
    for own, token in zip(query, merged, strict=True):
        seen = []
        for head in range(HEADS):
            part = slice(head * size, (head + 1) * size)
            logits = key[:, part] @ own[part] / math.sqrt(size) + score
            seen.append(logits.softmax(0) @ value[:, part])
        result.append(token + linear(state, f"{block}.attn.proj", torch.cat(seen)))
    return torch.stack(result)


def token_weights(state, name, x, mask):
    hidden = relu(linear(state, f"{name}.0", x))
    logits = linear(state, f"{name}.2", hidden)[:, 0]
    return logits.masked_fill(~mask, -9e15).softmax(0) if mask is not None else logits.softmax(0)


def similarity(state, number, video, video_mask, text, text_mask):
    """One video [F, D] with one text [N, D]; masks None where padding is not known any more."""
    video_weights = token_weights(state, f"video_weight_fc{number}", video, video_mask)
    text_weights = token_weights(state, f"text_weight_fc{number}", text, text_mask)
    cells = [[float(v @ t / (v.norm() * t.norm())) for v in video] for t in text]
    if text_mask is not None:
        cells = [
            [c * float(text_mask[t]) * float(video_mask[v]) for v, c in enumerate(row)]
            for t, row in enumerate(cells)
        ]
    to_video = sum(w * max(row) for w, row in zip(text_weights.tolist(), cells, strict=True))
    columns = zip(*cells, strict=True)
    to_text = sum(w * max(col) for w, col in zip(video_weights.tolist(), columns, strict=True))
    return (to_video + to_text) / 2


def similarities(state, frames, video_masks, texts, text_masks):
    """Every video with every text: the matrices [videos, texts] of the three levels.

    Args:
        frames: features of frames, [B, F, D]; padding has features too.
        texts: states of tokens, [B, N, D]; likewise.
        video_masks, text_masks: bool [B, F], [B, N].
    """
    video = [temporal(state, x, mask) for x, mask in zip(frames, video_masks, strict=True)]
    text = list(texts)
    levels = []
    for level, number in enumerate(("", "0", "1")):
        if level:
            video = merge(state, "v", level - 1, video, video_masks)
            text = merge(state, "t", level - 1, text, text_masks)
            video_masks, text_masks = [None] * len(video), [None] * len(text)
        rows = [
            [similarity(state, number, v, vm, t, tm) for t, tm in zip(text, text_masks)]  # noqa: B905
            for v, vm in zip(video, video_masks, strict=True)
        ]
        levels.append(torch.tensor(rows, dtype=torch.float64))
    return levels


def prediction_head(state, name, cells):
    """One similarity matrix, rows text tokens, columns video tokens -> interactions, likewise."""
    texts, videos = cells.shape
    hidden = relu(convolve(state, f"{name}.cnn1", cells[None])).flatten(1).T  # [t·v, 64]
    query, key, value = (hidden @ state[f"{name}.{part}"] for part in "QKV")
    for cell in range(texts * videos):
        hidden[cell] += (key @ query[cell]).softmax(0) @ value
    return convolve(state, f"{name}.cnn2", hidden.T.view(-1, texts, videos))[0]


def convolve(state, name, x):
    """3 x 3, zeros around: [channels, t, v] -> [channels, t, v]."""
    kernel, bias = state[f"{name}.weight"], state[f"{name}.bias"]
    _, texts, videos = x.shape
    result = bias[:, None, None].repeat(1, texts, videos)
    for t in range(texts):
        for v in range(videos):
            for dt in (-1, 0, 1):
                for dv in (-1, 0, 1):
                    if 0 <= t + dt < texts and 0 <= v + dv < videos:
                        result[:, t, v] += kernel[:, :, dt + 1, dv + 1] @ x[:, t + dt, v + dv]
    return result
