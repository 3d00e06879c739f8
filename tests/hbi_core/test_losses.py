"""Every loss against a version with loops."""

from __future__ import annotations

import math

import pytest
import torch

from hbi_core.losses import banzhaf_loss, contrastive_loss, distillation_loss


def random(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def softmax(values):
    total = sum(math.exp(v) for v in values)
    return [math.exp(v) / total for v in values]


def divergence(own, other):
    return sum(p * math.log(p / q) for p, q in zip(softmax(own), softmax(other), strict=True))


def test_contrastive_loss():
    similarity, tau = random(5, 5).tanh(), 0.07
    total = 0.0
    for k in range(5):
        row = softmax([float(similarity[k, l]) / tau for l in range(5)])  # noqa: E741
        column = softmax([float(similarity[l, k]) / tau for l in range(5)])  # noqa: E741
        total += math.log(row[k]) + math.log(column[k])
    assert float(contrastive_loss(similarity, tau)) == pytest.approx(-total / 10, abs=1e-12)


def test_texts_of_one_video_are_no_negatives():
    """Leaving a pair out of the denominators is the same as cutting its cells out of the sums."""
    similarity, tau, videos = random(5, 5).tanh(), 0.07, [0, 1, 0, 2, 1]
    total = 0.0
    for k in range(5):
        others = [m for m in range(5) if videos[m] != videos[k] or m == k]
        row = softmax([float(similarity[k, m]) / tau for m in others])
        column = softmax([float(similarity[m, k]) / tau for m in others])
        total += math.log(row[others.index(k)]) + math.log(column[others.index(k)])
    same = torch.tensor([[a == b for a in videos] for b in videos])
    loss = contrastive_loss(similarity, tau, same)
    assert float(loss) == pytest.approx(-total / 10, abs=1e-12)
    alone = contrastive_loss(similarity, tau, torch.eye(5, dtype=torch.bool))
    assert torch.equal(alone, contrastive_loss(similarity, tau))


def test_banzhaf_loss():
    """Eq. 5 pair by pair, real tokens only, whatever stands in the padding."""
    relation, interactions = random(3, 4, 5), 0.01 * random(3, 4, 5, seed=1)
    videos, texts, scale = [4, 2, 1], [5, 3, 4], 300.0
    total = 0.0
    for b, (v, t) in enumerate(zip(videos, texts, strict=True)):
        r, i = relation[b, :v, :t].tolist(), (scale * interactions[b, :v, :t]).tolist()
        rows = [divergence(r[n], i[n]) for n in range(v)]
        columns = [divergence([x[m] for x in r], [x[m] for x in i]) for m in range(t)]
        total += sum(rows) / v + sum(columns) / t
    video_mask = torch.arange(4) < torch.tensor(videos).unsqueeze(-1)
    text_mask = torch.arange(5) < torch.tensor(texts).unsqueeze(-1)
    loss = banzhaf_loss(relation, interactions, video_mask, text_mask, scale)
    assert float(loss) == pytest.approx(total / 3, abs=1e-10)
    real = video_mask.unsqueeze(-1) & text_mask.unsqueeze(-2)
    other = torch.where(real, relation, 77.0)
    assert banzhaf_loss(other, interactions, video_mask, text_mask, scale) == loss
    assert banzhaf_loss(scale * interactions, interactions, video_mask, text_mask, scale) < 1e-12


def test_distillation_loss():
    """KL(student ‖ teacher), in this direction, of softmaxes of S itself (Eq. 9)."""
    student, teacher = random(4, 4).tanh(), random(4, 4, seed=1).tanh()
    s, t = student.tolist(), teacher.tolist()
    total = sum(
        divergence(s[k], t[k]) + divergence([r[k] for r in s], [r[k] for r in t]) for k in range(4)
    )
    loss = distillation_loss(student, teacher)
    assert float(loss) == pytest.approx(total / 4, abs=1e-12)
    assert abs(float(loss - distillation_loss(teacher, student))) > 1e-3


def test_gradients_flow_to_the_student_only():
    student, teacher = random(4, 4).requires_grad_(), random(4, 4, seed=1).requires_grad_()
    distillation_loss(student, teacher).backward()
    assert student.grad.abs().sum() > 0
    assert teacher.grad is None
    mask = torch.tensor([[True, True, True, False]])
    relation = random(1, 4, 4).requires_grad_()
    interactions = random(1, 4, 4, seed=2).requires_grad_()
    banzhaf_loss(relation, interactions, mask, mask, 10.0).backward()
    assert relation.grad.isfinite().all()
    assert relation.grad[0, 3].abs().sum() == relation.grad[0, :, 3].abs().sum() == 0
    assert interactions.grad is None


def test_gradients_agree_with_differences():
    mask = torch.tensor([[True, True, False], [True, True, True]])

    similarity, relation = random(2, 2).requires_grad_(), random(2, 3, 3).requires_grad_()
    relation_target = random(2, 3, 3, seed=4)
    assert torch.autograd.gradcheck(
        lambda s, r: contrastive_loss(s, 0.1) + banzhaf_loss(r, relation_target, mask, mask, 3.0),
        (similarity, relation),
    )
