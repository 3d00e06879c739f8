"""The losses of retrieval: of one process and of two."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from explainers import closed_form
from hbi_core.data.batch import Batch, Foils, Sample
from hbi_core.errors import NotFiniteError
from hbi_core.losses import LossConfig, contrastive_loss, distillation_loss, pointing_loss
from hbi_core.model import pad
from hbi_core.tasks.alignment import alignment
from hbi_core.tasks.hard_negatives import hard_contrastive_loss
from hbi_core.tasks.retrieval import RetrievalTask
from hbi_core.training.config import OptimiserConfig
from hbi_core.training.optimiser import parameter_groups
from support.patience import PATIENCE
from support.processes import child, forks
from support.small_runs import MODEL, toy_heads


def joint_batch():
    """Eight pairs, the longest video and text in the first half; one video is in both halves."""
    drawn = torch.Generator().manual_seed(0)

    def some(count, width):
        return torch.randn(count, width, generator=drawn, dtype=torch.float64)

    videos = [some(count, 48) for count in (7, 3, 5, 6, 4, 4, 2, 3)]
    texts = [some(count, 32) for count in (4, 9, 2, 5, 3, 6, 6, 1)]
    return videos, texts, torch.tensor([11, 12, 13, 12, 14, 11, 15, 16])


def batch_of(videos, texts, ids):
    video, text = (pad(side, max(map(len, side))) for side in (videos, texts))
    return Batch(video.features.double(), video.mask, text.features.double(), text.mask, ids)


def montage_batch():
    """Two montages, of two and of three clips, and two single ones between them."""
    frames, words = ([[3, 4], [5], [2, 1, 3], [4]], [[2, 5], [6], [1, 3, 2], [5]])

    def parts(counts):
        numbers = [[part for part, n in enumerate(row) for _ in range(n)] for row in counts]
        longest = max(map(len, numbers))
        return torch.tensor([row + [-1] * (longest - len(row)) for row in numbers])

    drawn = torch.Generator().manual_seed(4)
    videos, texts = (
        [torch.randn(sum(row), width, generator=drawn).double() for row in counts]
        for counts, width in ((frames, 48), (words, 32))
    )
    samples = tuple(Sample((0,) * len(row), (0,) * len(row), 0) for row in frames)
    batch = batch_of(videos, texts, torch.arange(4))
    return replace(batch, samples=samples, frame_parts=parts(frames), word_parts=parts(words))


def retrieval_task(target="closed_form", reconstruction=False, noise=0.0, dropout=0.0, **options):
    """With every parameter drawn anew, so that no part is idle."""
    config = replace(
        MODEL,
        text_clusters=(0.5, 0.5),
        reconstruction=reconstruction,
        noise=noise,
        dropout=dropout,
    )
    loss = LossConfig(target=target, learned_temperature=True, temperature=0.5, **options)
    task = RetrievalTask(toy_heads(config), loss).double()
    drawn = torch.Generator().manual_seed(1)
    for name, parameter in task.named_parameters():
        if name != "log_scale":
            noise = torch.randn(parameter.shape, generator=drawn, dtype=torch.float64)
            parameter.data = parameter.data + 0.1 * noise
    return task


def foiled_batch(rows=slice(0, 8)):
    """The joint batch, or some rows of it, of which every third text and the last have a foil."""
    videos, texts, ids = (side[rows] for side in joint_batch())
    drawn = torch.Generator().manual_seed(5)
    # Of some rows, the noun that was replaced, the one in its place, and words of the foil.
    known = {0: (2, 2, 4), 3: (1, 2, 5), 6: (0, 0, 7), 7: (0, 1, 2)}
    made = {row: torch.randn(n, 32, generator=drawn).double() for row, (*_, n) in known.items()}
    own = [row for row in known if row in range(8)[rows]]
    foils = Foils(
        rows=torch.tensor(own) - range(8)[rows].start,
        nouns=torch.tensor([known[row][1] for row in own]),
        replaced=torch.tensor([known[row][0] for row in own]),
        texts=pad([made[row] for row in own], max(len(made[row]) for row in own)),
    )
    return replace(batch_of(videos, texts, ids), foils=foils)


def half(rank, folder, reconstruction):
    """Losses and gradients of one process, by DistributedDataParallel."""
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2
    )
    batch = foiled_batch(slice(4 * rank, 4 * rank + 4))
    task = retrieval_task(reconstruction=reconstruction, foil=0.5)
    task = nn.parallel.DistributedDataParallel(task, find_unused_parameters=True)
    losses = task(batch)
    losses["total"].backward()
    gradients = {name: p.grad for name, p in task.module.named_parameters()}
    losses = {name: value.detach() for name, value in losses.items()}
    torch.save((losses, gradients), folder / f"{rank}.pt")
    torch.distributed.destroy_process_group()


@forks
@pytest.mark.parametrize("reconstruction", [False, True], ids=["alone", "rebuilt"])
def test_two_processes_have_the_gradients_of_one(tmp_path, reconstruction):
    processes = [child(half, rank, tmp_path, reconstruction) for rank in range(2)]
    task, batch = retrieval_task(reconstruction=reconstruction, foil=0.5), foiled_batch()
    expected = task(batch)
    expected["total"].backward()
    for process in processes:
        process.join(PATIENCE)
        assert process.exitcode == 0
    (first, gradients), (second, others) = (torch.load(tmp_path / f"{r}.pt") for r in range(2))
    assert first.keys() == expected.keys()
    for name, value in expected.items():
        # Those of interactions are means over a process's own pairs, the others see all pairs.
        if name.startswith(("contrastive", "reconstruction", "distillation")):
            assert float(first[name]) == pytest.approx(float(second[name]), abs=1e-12)
        mean = float(first[name] + second[name]) / 2
        assert mean == pytest.approx(float(value.detach()), abs=1e-10), name
    assert gradients.keys() == others.keys() == dict(task.named_parameters()).keys()
    for name, parameter in task.named_parameters():
        assert parameter.grad is not None, name
        scale = max(1e-3, float(parameter.grad.abs().max()))
        for other in (gradients[name], others[name]):
            assert (other - parameter.grad).abs().max() < 1e-8 * scale, name
    assert sum(bool(p.grad.any()) for p in task.parameters()) > 0.9 * len(gradients)


def test_self_distillation_has_no_temperature():
    """Eq. 9: softmaxes of S itself, whatever τ is."""
    task, batch, found = retrieval_task("none"), batch_of(*joint_batch()), []
    for temperature in (0.5, 0.05):
        task.log_scale.data.fill_(-math.log(temperature))
        found.append(task(batch))
    scores = [
        level.game(all_pairs=True).grand_value() for level in task.hierarchy(*task.tokens(batch))
    ]
    expected = distillation_loss(scores[2], scores[0])
    for named in found:
        loss = named["distillation/entity>event"]
        assert float(loss.detach()) == pytest.approx(float(expected.detach()), rel=1e-9)
    assert found[0]["contrastive/event"] < found[1]["contrastive/event"]


def test_a_learned_temperature_stays_in_its_range():
    """Not below 0.01, as CLIP's; without weight decay; and it can rise again."""
    task, batch = retrieval_task("none"), batch_of(*joint_batch())
    groups = parameter_groups(task, OptimiserConfig(weight_decay=0.2, encoder_learning_rate=0.0))
    (own,) = [group for group in groups if any(p is task.log_scale for p in group["params"])]
    assert (own["weight_decay"], own["rate"], len(own["params"])) == (0.0, 0, 1)
    assert groups[0]["weight_decay"] == 0.2
    task.log_scale.data.fill_(9.0)
    total = task(batch)["total"]
    assert float(task.log_scale.detach()) == pytest.approx(math.log(100))
    total.backward()
    assert task.log_scale.grad.isfinite()
    assert task.log_scale.grad != 0


def test_a_temperature_that_is_given_is_not_changed():
    task = RetrievalTask(toy_heads(), LossConfig(temperature=0.005))
    assert float(task.temperature()) == pytest.approx(0.005)
    groups = parameter_groups(task, OptimiserConfig())
    assert all(p is not task.log_scale for group in groups for p in group["params"])


def test_same_videos_are_no_negatives():
    """The ids reach the loss: with all of one video, nothing is left to tell apart."""
    task, batch = retrieval_task("none"), batch_of(*joint_batch())
    alike = task(replace(batch, ids=torch.zeros(8, dtype=torch.long)))
    assert float(alike["contrastive/entity"].detach()) == pytest.approx(0, abs=1e-12)
    assert float(task(batch)["contrastive/entity"].detach()) > 0.1


def test_alignment_of_players_with_the_parts_they_stand_for():
    """At every level, counted one original token after the other."""
    task, batch = retrieval_task("none"), montage_batch()
    videos, texts = task.tokens(batch)
    for level in task.hierarchy(videos, texts):
        found = alignment(level, videos, texts, batch)
        for b in range(4):
            sides = []
            for players, parts in (
                (level.video, batch.frame_parts[b].tolist()),
                (level.text, batch.word_parts[b].tolist()),
            ):
                groups = players.tokens.groups[b].tolist()
                sides.append([[p for own, p in zip(g, parts, strict=True) if own] for g in groups])
            for v, shown in enumerate(sides[0]):
                for t, told in enumerate(sides[1]):
                    pairs = [a == b for a in shown for b in told]
                    share = sum(pairs) / len(pairs) if pairs else 0.0
                    assert float(found[b, v, t]) == pytest.approx(share, abs=1e-6)
    assert len({round(float(x), 3) for x in found.flatten()}) > 3  # some tokens are of two parts


def test_alignment_of_players_that_stand_for_several_words():
    """Of a text whose players are phrases already at the entity level."""
    batch = montage_batch()
    task = retrieval_task("none")
    videos, texts = task.tokens(batch)
    words = 2 * texts.mask.shape[1]
    groups = texts.groups.repeat_interleave(2, -1)  # each player stands for two words
    assert groups.shape[-1] == words
    several = replace(texts, groups=groups)
    for one, other in zip(
        task.hierarchy(videos, texts), task.hierarchy(videos, several), strict=True
    ):
        assert torch.equal(
            alignment(one, videos, texts, batch), alignment(other, videos, several, batch)
        )


def test_pointing_is_learnt_from_the_montages_of_a_batch():
    """What stands beside them has no part in it, and every supervised level has its own."""
    task, batch = retrieval_task("none", pointing=0.5, pointing_scale=30.0), montage_batch()
    losses = task(batch)
    videos, texts = task.tokens(batch)
    for level in task.hierarchy(videos, texts):
        game = level.game()
        belongs = alignment(level, videos, texts, batch)
        belongs[1], belongs[3] = 0.0, 0.0
        masks = game.video_mask, game.text_mask
        expected = pointing_loss(closed_form(game).values, belongs, *masks, 30.0)
        found = float(losses[f"pointing/{level.name}"].detach())
        assert found == pytest.approx(float(expected.detach()), rel=1e-9)
    assert set(losses) == {*task.losses, "total"}
    without = {name: loss for name, loss in losses.items() if name.startswith("contrastive")}
    pointing = sum(loss for name, loss in losses.items() if name.startswith("pointing"))
    distilled = sum(loss for name, loss in losses.items() if name.startswith("distillation"))
    expected = sum(without.values()) + 2.0 * distilled + 0.5 * pointing
    assert float(losses["total"].detach()) == pytest.approx(float(expected.detach()))


def test_with_reconstruction_the_interactions_are_those_of_rebuilt_tokens():
    """And similarities of all pairs learn as they do without it."""
    task, batch = retrieval_task("closed_form", reconstruction=True, pointing=0.5), montage_batch()
    losses, (videos, texts) = task(batch), task.tokens(batch)
    sides = task.hierarchy.players("video", videos), task.hierarchy.players("text", texts)
    for module, alone, rebuilt in zip(
        task.hierarchy.levels,
        task.hierarchy.alone(*sides),
        task.hierarchy(videos, texts),
        strict=True,
    ):
        same = torch.eye(4, dtype=torch.bool)
        belongs = alignment(rebuilt, videos, texts, batch)[[0, 2]]
        masks = rebuilt.video.tokens.mask[[0, 2]], rebuilt.text.tokens.mask[[0, 2]]
        exact = closed_form(rebuilt.game()).values[[0, 2]]
        scale = dict(zip(("entity", "action", "event"), task.loss.interaction_scale, strict=True))
        expected = {
            "contrastive": contrastive_loss(alone.scores(), 0.5),
            "banzhaf": task.banzhaf(rebuilt, module.head, scale[rebuilt.name]),
            "pointing": pointing_loss(exact, belongs, *masks, task.loss.pointing_scale),
            "reconstruction": hard_contrastive_loss(
                module, alone.video, alone.text, alone.scores(), same, 0.5, task.loss.hard_negatives
            ),
        }
        for kind, loss in expected.items():
            found = float(losses[f"{kind}/{rebuilt.name}"].detach())
            assert found == pytest.approx(float(loss.detach()), rel=1e-9), kind
    assert set(losses) == {*task.losses, "total"}


def test_rebuilt_tokens_that_are_not_finite_name_their_losses():
    task = retrieval_task("none", reconstruction=True)
    task.hierarchy.levels[1].reconstruction.text.project.bias.data.fill_(math.nan)
    told = r"Not finite: .*loss/reconstruction/action.*text tokens of the action level"
    with pytest.raises(NotFiniteError, match=told):
        task(batch_of(*joint_batch()))


def test_pointing_of_a_batch_without_montages_is_nothing():
    task, batch = retrieval_task("none", pointing=0.5), montage_batch()
    single = tuple(Sample((0,), (0,), 0) for _ in batch.samples)
    losses = task(replace(batch, samples=single))
    for level in ("entity", "action", "event"):
        assert losses[f"pointing/{level}"] == 0
    losses["total"].backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in task.parameters())


def test_pointing_is_taught_by_gradients():
    """A few steps on one batch make the interactions say what is known."""
    torch.manual_seed(0)  # of the weights before training
    task, batch = retrieval_task("none", pointing=1.0), montage_batch()
    optimiser = torch.optim.Adam(task.parameters(), 1e-2)
    found = []
    for _ in range(16):
        loss = sum(loss for name, loss in task(batch).items() if name.startswith("pointing"))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        found.append(float(loss.detach()))
    assert found[-1] < 0.5 * found[0]


@pytest.mark.parametrize("reconstruction", [False, True], ids=["alone", "rebuilt"])
def test_the_interactions_of_captions_and_foils_are_contrasted(reconstruction):
    """Those of the noun with all frames: in the game of each caption with its own video alone."""
    task = retrieval_task("none", reconstruction, foil=0.5, foil_scale=30.0)
    batch = foiled_batch()
    losses, (videos, texts) = task(batch), task.tokens(batch)
    sums = {}
    for kind, nouns, words in (
        ("true", batch.foils.replaced, texts.chosen(batch.foils.rows)),
        ("foiled", batch.foils.nouns, batch.foils.texts),
    ):
        for level in task.hierarchy(videos.chosen(batch.foils.rows), words):
            values = closed_form(level.game()).values
            for b, noun in enumerate(nouns.tolist()):
                groups = level.text.tokens.groups[b].tolist()
                (player,) = [t for t, own in enumerate(groups) if own[noun]]
                sums.setdefault((level.name, kind), []).append(
                    float(values[b, :, player].detach().sum())
                )
    for level in ("entity", "action", "event"):
        gains = zip(sums[level, "true"], sums[level, "foiled"], strict=True)
        missed = [math.log(1 + math.exp(-30.0 * (one - other))) for one, other in gains]
        found = float(losses[f"foil/{level}"].detach())
        assert found == pytest.approx(sum(missed) / 4, rel=1e-9)
    assert set(losses) == {*task.losses, "total"}
    foils = float(sum(losses[f"foil/{level}"].detach() for level in ("entity", "action", "event")))
    task.loss = replace(task.loss, foil=0.0)
    without = float(task(batch)["total"].detach())
    assert float(losses["total"].detach()) == pytest.approx(without + 0.5 * foils, rel=1e-12)


def test_without_the_foil_loss_foils_change_nothing():
    """No bit of a loss, and no random number, of noise and dropout say."""
    found, batch = [], foiled_batch()
    for one in (batch, replace(batch, foils=None)):
        torch.manual_seed(0)
        task = retrieval_task(noise=0.3, dropout=0.5)
        losses = task(one)
        assert not [name for name in losses if name.startswith("foil")]
        losses["total"].backward()
        gradients = [p.grad for p in task.parameters() if p.grad is not None]
        found.append([*losses.values(), *gradients, torch.get_rng_state()])
    assert all(torch.equal(*pair) for pair in zip(*found, strict=True))


def test_foils_of_a_batch_without_any_are_nothing():
    """A loss of 0, not a missing one, so that processes agree on the losses."""
    task = retrieval_task("none", foil=0.5)
    losses = task(replace(foiled_batch(), foils=None))
    assert set(losses) == {*task.losses, "total"}
    for level in ("entity", "action", "event"):
        assert losses[f"foil/{level}"] == 0
    losses["total"].backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in task.parameters())


def test_foils_are_learnt_by_gradients():
    torch.manual_seed(0)  # of the weights before training
    task, batch = retrieval_task("none", foil=1.0), foiled_batch()
    optimiser = torch.optim.Adam(task.parameters(), 1e-2)
    found = []
    for _ in range(16):
        loss = sum(loss for name, loss in task(batch).items() if name.startswith("foil"))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        found.append(float(loss.detach()))
    assert found[-1] < 0.5 * found[0]


def test_foils_that_are_not_finite_name_their_losses():
    task, batch = retrieval_task("none", foil=0.5), foiled_batch()
    batch.foils.texts.features[0, 0] = math.nan
    with pytest.raises(NotFiniteError, match=r"loss/foil/entity.*text tokens of the entity level"):
        task(batch)


@pytest.mark.parametrize("detached", [True, False])
def test_the_gradient_of_eq_5_stops_at_the_interactions_unless_asked(detached):
    """The head is computed of the similarities too, so it is taken out here."""
    task, batch = retrieval_task(detached=detached), joint_batch()
    (level, *_), module = task.hierarchy(*task.tokens(batch_of(*batch))), task.hierarchy.levels[0]
    loss = task.banzhaf(level, lambda similarity, *masks: torch.zeros_like(similarity), 10.0)
    assert loss.requires_grad is not detached
    if not detached:
        loss.backward()
        assert module.video_logits[0].weight.grad.abs().sum() > 0
