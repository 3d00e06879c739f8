"""Every loss against a version with loops."""

from __future__ import annotations

import math

import pytest
import torch

from explainers import SimilarityGame
from explainers.closed_forms import interaction_values
from hbi_core.losses import (
    LossConfig,
    banzhaf_loss,
    contrastive_loss,
    distillation_loss,
    foil_loss,
    pointing_loss,
    total_loss,
)


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


def masks(counts, length):
    return torch.arange(length) < torch.tensor(counts).unsqueeze(-1)


def test_pointing_loss():
    """Token by token and pair by pair: -log of the mass on what belongs to a token."""
    interactions, scale = 0.01 * random(3, 4, 5), 150.0
    videos, texts = [4, 2, 3], [5, 3, 4]
    alignment = (random(3, 4, 5, seed=1) > 0.3) * random(3, 4, 5, seed=2).sigmoid()
    alignment[0, 1], alignment[0, :, 2], alignment[2] = 0.0, 0.0, 0.0  # nothing known of these
    pairs: dict[str, list[float]] = {"rows": [], "columns": []}
    for b in range(3):
        cells = (scale * interactions[b, : videos[b], : texts[b]]).tolist()
        known = alignment[b, : videos[b], : texts[b]].tolist()
        for direction in ("rows", "columns"):
            tokens = []
            for own, belongs in zip(cells, known, strict=True):
                if any(belongs):
                    mass = sum(p * y for p, y in zip(softmax(own), belongs, strict=True))
                    tokens.append(-math.log(mass))
            if tokens:
                pairs[direction].append(sum(tokens) / len(tokens))
            cells, known = list(zip(*cells, strict=True)), list(zip(*known, strict=True))
    assert [len(means) for means in pairs.values()] == [2, 2]
    expected = sum(sum(means) / len(means) for means in pairs.values())
    room = masks(videos, 4), masks(texts, 5)
    loss = pointing_loss(interactions, alignment, *room, scale)
    assert float(loss) == pytest.approx(expected, rel=1e-12)
    real = room[0].unsqueeze(-1) & room[1].unsqueeze(-2)
    others = (torch.where(real, x, torch.nan) for x in (interactions, alignment))
    interactions, alignment = (x.nan_to_num(7.0) for x in others)
    assert pointing_loss(interactions, alignment, *room, scale) == loss


def test_pointing_loss_of_right_and_of_no_links():
    """Interactions that say what is known cost nothing, flat ones the logarithm of the choice."""
    alignment = torch.eye(3).repeat_interleave(2, 0)[None]  # six frames of three words
    room = masks([6], 6), masks([3], 3)
    assert pointing_loss(alignment, alignment, *room, 200.0) == 0
    flat = pointing_loss(torch.zeros(1, 6, 3), alignment, *room, 200.0)
    assert float(flat) == pytest.approx(2 * math.log(3))
    wrong = pointing_loss(alignment.roll(1, -1), alignment, *room, 2000.0)
    assert float(wrong) == pytest.approx(4000, rel=1e-3)  # finite, where the mass is 0 in float32
    interactions = torch.randn(1, 6, 3).requires_grad_()
    nothing = pointing_loss(interactions, torch.zeros(1, 6, 3), *room, 200.0)
    nothing.backward()
    assert nothing == 0
    assert not interactions.grad.any()


def test_pointing_teaches_the_game_through_its_exact_interactions():
    """Differences of the loss in similarity and weights agree with its gradient."""
    room = masks([3, 2], 3), masks([2, 4], 4)
    alignment = (random(2, 3, 4, seed=5) > 0).double()

    def loss(similarity, video_logits, text_logits):
        game = SimilarityGame(similarity.tanh(), video_logits, text_logits, *room)
        return pointing_loss(interaction_values(game), alignment, *room, 20.0)

    sides = (random(2, 3, 4), random(2, 3, seed=1), random(2, 4, seed=2))
    assert torch.autograd.gradcheck(loss, [x.requires_grad_() for x in sides])


def one_of(places, count):
    """bool [B, count], True at the place of each row; nowhere for -1."""
    return torch.arange(count) == torch.tensor(places).unsqueeze(-1)


def test_foil_loss():
    """Pair by pair, and frame by frame, of texts that differ in length."""
    true, foiled, scale = random(4, 3, 5), random(4, 3, 4, seed=1), 2.0
    videos, nouns, others = [3, 1, 2, 3], [0, 4, 2, 3], [3, 0, -1, 1]
    missed = []
    for b in range(4):
        if others[b] >= 0:
            m = sum(float(true[b, v, nouns[b]]) for v in range(videos[b]))
            m_foiled = sum(float(foiled[b, v, others[b]]) for v in range(videos[b]))
            missed.append(-math.log(1 / (1 + math.exp(-scale * (m - m_foiled)))))
    assert len(missed) == 3
    room, players = masks(videos, 3), (one_of(nouns, 5), one_of(others, 4))
    loss = foil_loss(true, foiled, *players, room, scale)
    assert float(loss) == pytest.approx(sum(missed) / 3, rel=1e-12)
    padded = (x.masked_fill(~room.unsqueeze(-1), 7.0) for x in (true, foiled))
    assert foil_loss(*padded, *players, room, scale) == loss


def test_foil_loss_of_right_wrong_and_no_foils():
    """Finite where the sigmoid is 0; nothing, without a gradient, where no noun is known."""
    much, nothing = torch.full((1, 2, 1), 50.0), torch.zeros(1, 2, 1)
    here, room = one_of([0], 1), masks([2], 2)
    assert foil_loss(much, nothing, here, here, room, 10.0) == 0
    assert float(foil_loss(nothing, nothing, here, here, room, 10.0)) == pytest.approx(math.log(2))
    assert float(foil_loss(nothing, much, here, here, room, 10.0)) == pytest.approx(1000)
    much.requires_grad_()
    none = foil_loss(much, nothing, here, ~here, room, 10.0)
    none.backward()
    assert none == 0
    assert not much.grad.any()


def test_foils_teach_both_games_through_their_exact_interactions():
    """Differences of the loss in similarities and weights agree with its gradient."""
    video, texts = masks([3, 2], 3), (masks([2, 4], 4), masks([3, 1], 3))

    def loss(true, foiled, video_logits, *text_logits):
        values = [
            interaction_values(SimilarityGame(s.tanh(), video_logits, own, video, text))
            for s, own, text in zip((true, foiled), text_logits, texts, strict=True)
        ]
        return foil_loss(*values, one_of([1, 2], 4), one_of([0, 0], 3), video, 20.0)

    sides = [random(2, 3, 4), random(2, 3, 3, seed=1), random(2, 3, seed=2)]
    sides += [random(2, 4, seed=3), random(2, 3, seed=4)]
    assert torch.autograd.gradcheck(loss, [x.requires_grad_() for x in sides])
    assert all(grad.any() for grad in torch.autograd.grad(loss(*sides), sides))


def test_total_loss_weighs_each_kind():
    kinds = ("contrastive/a", "banzhaf/a", "distillation/a>b", "pointing/a", "foil/a")
    config = LossConfig(alpha=10.0, beta=100.0, pointing=1000.0, foil=10_000.0)
    assert total_loss(dict.fromkeys(kinds, torch.tensor(1.0)), config) == 11_111


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
    banzhaf_loss(relation, interactions, mask, mask, 10.0, detached=False).backward()
    assert interactions.grad.abs().sum() > 0


def test_gradients_agree_with_differences():
    mask = torch.tensor([[True, True, False], [True, True, True]])

    similarity, relation = random(2, 2).requires_grad_(), random(2, 3, 3).requires_grad_()
    relation_target = random(2, 3, 3, seed=4)
    assert torch.autograd.gradcheck(
        lambda s, r: contrastive_loss(s, 0.1) + banzhaf_loss(r, relation_target, mask, mask, 3.0),
        (similarity, relation),
    )
    assert torch.autograd.gradcheck(
        lambda r, i: banzhaf_loss(r, i, mask, mask, 3.0, detached=False),
        (relation, relation_target.requires_grad_()),
    )
