"""Training: it learns, goes on where it was killed, and is the same on two processes."""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import re
import signal
import socket
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from hbi_core import evaluate
from hbi_core.checkpoints.checkpoint import load_checkpoint
from hbi_core.checkpoints.tensor_file import read_tensors
from hbi_core.command_line import parsed
from hbi_core.data import Clip, Corpus, read_corpus
from hbi_core.data.batch import Batch, Sample
from hbi_core.data.config import DataConfig
from hbi_core.data.encoding import encode_corpus
from hbi_core.data.features import Features
from hbi_core.data.frames import read_frames
from hbi_core.data.montage import join_captions
from hbi_core.data.reading import ClipReader
from hbi_core.data.views import random_views
from hbi_core.encoders.loading import fill_encoder
from hbi_core.errors import DataError, SettingsError, VideoError
from hbi_core.inputs.text import parse_caption
from hbi_core.losses import LossConfig, distillation_loss
from hbi_core.model import ModelConfig, Tokens, build_hierarchy, pad
from hbi_core.model.entity import Projection, TemporalTransformer
from hbi_core.tasks import TASKS
from hbi_core.tasks.retrieval import RetrievalTask
from hbi_core.tasks.retrieval_metrics import retrieval_metrics, similarity_scores
from hbi_core.training import loop, run
from hbi_core.training.batches import (
    FeatureBatches,
    PixelBatches,
    batches_of_epoch,
    share_of_process,
)
from hbi_core.training.config import OptimiserConfig
from hbi_core.training.folder import BEST
from hbi_core.training.initialise import fit_projections, initialise_from_clip
from hbi_core.training.loop import learning_rates, train
from hbi_core.training.processes import check_same_clips, new_name, start_processes
from hbi_core.training.progress import Metrics, saved_states
from hbi_core.training.run import parameter_groups
from support.releases import write_drawing
from support.small_runs import MODEL, lines, losses, settings, toy_heads
from support.toy import Counted, ToyEncoder

forks = pytest.mark.skipif(torch.cuda.is_available(), reason="forked processes have no CUDA")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """As the child processes have: sums then have one order, and results are equal to the bit."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def child(function, *arguments):
    """Start a process with what is imported here, which saves the seconds of importing."""
    process = multiprocessing.get_context("fork").Process(
        target=_alone, args=(function, *arguments)
    )
    process.start()
    return process


def _alone(function, *arguments):
    torch.set_num_threads(1)
    function(*arguments)


# --- Learning ---------------------------------------------------------------------------------


def test_learns_to_retrieve(tmp_path):
    """From chance (6 %) to nearly every colour and direction, the direction by time alone."""
    root, epochs = write_drawing(tmp_path / "large", train=16), 8
    config = settings(
        tmp_path,
        root,
        loss={"alpha": 0.2, "beta": 0.5, "temperature": 0.1},
        optimiser={"epochs": epochs},
        evaluate_every=4,
    )
    best = load_checkpoint(train(config, ToyEncoder()))
    corpus = read_corpus("synthetic", root, "validation")
    known = encode_corpus(ToyEncoder(), corpus, 8)

    def recall(hierarchy):
        scores = similarity_scores(hierarchy, known, 24, (1, 1, 1))
        return retrieval_metrics(scores, known.owners)

    assert recall(build_hierarchy(best.config).eval())["text_to_video"]["R@1"] < 30
    results = recall(best.hierarchy)
    assert results["text_to_video"]["R@1"] >= 90
    assert results["video_to_text"]["R@1"] >= 90
    assert results == best.training["validation"]
    assert best.training["settings"]["optimiser"]["epochs"] == epochs
    assert (best.encoder, best.path) == ("toy", None)
    first, last = losses(tmp_path)[0], losses(tmp_path)[-1]
    for name in first:
        if name.startswith("loss/contrastive"):
            assert last[name] < 0.6 * first[name], name


@pytest.mark.parametrize("workers", [0, 1])
def test_the_encoder_learns(small, tmp_path, workers):
    config = settings(
        tmp_path, small, data={"workers": workers}, optimiser={"encoder_learning_rate": 1e-3}
    )
    encoder = ToyEncoder(learns=True)
    best = load_checkpoint(train(config, encoder))
    total = [line["loss/total"] for line in losses(tmp_path)]
    assert len(total) == 8
    assert np.mean(total[-2:]) < np.mean(total[:2])
    start = dict(ToyEncoder().named_parameters())
    for name, value in encoder.named_parameters():
        assert not torch.equal(value, start[name]), name
    assert best.path == tmp_path / BEST
    tensors, _ = read_tensors(tmp_path / BEST, prefix="encoder.")
    assert set(tensors) == {"table.weight", "pixels.weight"}
    filled = ToyEncoder()
    fill_encoder(filled, best.path)
    assert not torch.equal(filled.pixels.weight, start["pixels.weight"])


def test_an_encoder_is_in_training_mode_from_the_first_step(small, tmp_path, monkeypatch):
    """Otherwise a run that goes on would differ from one that was never stopped."""
    modes, encoder = [], ToyEncoder(learns=True)
    known = encoder.frame_features
    monkeypatch.setattr(
        encoder, "frame_features", lambda x: (modes.append(encoder.training), known(x))[1]
    )
    train(settings(tmp_path, small, optimiser={"encoder_learning_rate": 1e-3}), encoder)
    assert modes == ([True] * 4 + [False] * 16) * 2


def test_clips_that_cannot_be_read_are_left_out(tmp_path):
    """And every caption stays with its own clip."""
    root = write_drawing(tmp_path / "data")
    corpus = read_corpus("synthetic", root, "train")
    corpus.clips[5].files[0].write_text("broken")
    config = settings(tmp_path / "run", root, optimiser={"epochs": 1})
    seen, batch = [], FeatureBatches._batch

    def remembered(self, samples):
        seen.extend((self.clips[s.clips[0]], s.captions[0]) for s in samples)
        return batch(self, samples)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FeatureBatches, "_batch", remembered)
        train(config, ToyEncoder())
    captions = [c for clip in corpus.clips if clip.id != "train-5" for c in clip.captions]
    assert len(seen) == 48  # of 63: three batches
    assert all(captions[number] in clip.captions for clip, number in seen)
    assert corpus.clips[5] not in {clip for clip, _ in seen}


# --- Going on ---------------------------------------------------------------------------------

RANDOM = {"noise": 0.3, "dropout": 0.3}
LONG = {"epochs": 4, "average": 0.9}
PATIENCE = 600.0  # seconds for a process that takes a few on an idle machine


def run_until_killed(config, encoder, moment):
    """Train in a process that dies at a moment."""
    write, rename, save = Metrics.write, Path.rename, loop.save_state

    def die():
        os.kill(os.getpid(), signal.SIGKILL)

    def after_writing(self, step, numbers):
        write(self, step, numbers)
        if step == 7:
            die()

    def before_renaming(self, target):
        return die() if str(target).endswith("-00000008") else rename(self, target)

    def before_saving(accelerator, folder, step):
        return die() if step == 8 else save(accelerator, folder, step)

    with pytest.MonkeyPatch.context() as patch:
        if moment == "between two states":
            patch.setattr(Metrics, "write", after_writing)
        elif moment == "saved but not renamed":
            patch.setattr(Path, "rename", before_renaming)
        elif moment == "validated but not saved":
            patch.setattr(loop, "save_state", before_saving)
        train(config, encoder)


def killed(config, encoder, moment):
    """Leave in config.out what such a process leaves; returns the step of its saved state."""
    process = child(run_until_killed, config, encoder, moment)
    process.join(PATIENCE)
    assert process.exitcode == -signal.SIGKILL
    return int(saved_states(config.out)[-1].name.removeprefix("state-"))


@pytest.fixture(scope="module", params=["frozen", "learning"])
def uninterrupted(request, small, tmp_path_factory):
    """A whole run: its settings and its encoder."""
    learns = request.param == "learning"
    config = settings(
        tmp_path_factory.mktemp(request.param) / "whole",
        small,
        data={"workers": 1},
        model=RANDOM,
        optimiser=LONG | {"encoder_learning_rate": 1e-3 if learns else 0.0},
        save_every=3,
        evaluate_every=2,
    )
    train(config, ToyEncoder(learns))
    return config, learns


@forks
@pytest.mark.parametrize(
    "moment", ["between two states", "saved but not renamed", "validated but not saved"]
)
def test_goes_on_where_it_was_killed(uninterrupted, moment, tmp_path):
    whole, learns = uninterrupted
    if learns and moment != "between two states":
        pytest.skip("the frozen run shows it")
    config = replace(whole, out=tmp_path / "killed")
    saved = killed(config, ToyEncoder(learns), moment)
    assert 0 < saved < 16
    (config.out / "state.partial" / "model").mkdir(parents=True, exist_ok=True)
    (config.out / "state.partial" / "model" / "half").write_text("x")
    with (config.out / "metrics.jsonl").open("a") as file:
        file.write('{"step": 9, "loss/tot')
    train(config, ToyEncoder(learns))
    assert [line["step"] for line in losses(config.out)] == list(range(1, 17))
    assert lines(config.out) == lines(whole.out)
    ours, expected = (read_tensors(c.out / BEST)[0] for c in (config, whole))
    assert ours.keys() == expected.keys()
    assert all(torch.equal(ours[name], expected[name]) for name in expected)
    assert [path.name for path in saved_states(config.out)] == ["state-00000016"]
    assert not (config.out / "state.partial").exists()


def test_a_finished_run_stays_as_it_is(uninterrupted):
    whole, learns = uninterrupted
    before = lines(whole.out), (whole.out / BEST).stat().st_mtime_ns
    assert train(whole, ToyEncoder(learns)) == whole.out / BEST
    assert (lines(whole.out), (whole.out / BEST).stat().st_mtime_ns) == before


def test_state_at_the_end_of_an_epoch_knows_its_validation(small, tmp_path):
    """Also where save_every falls on that step: going on from it must not validate again."""
    config = settings(tmp_path, small, save_every=4)
    train(config, ToyEncoder())
    before = lines(tmp_path)
    assert [line["step"] for line in before] == [1, 2, 3, 4, 4, 5, 6, 7, 8, 8]
    assert not (tmp_path / "state.partial").exists()
    train(config, ToyEncoder())
    assert lines(tmp_path) == before


def test_metrics_take_back_what_came_after_the_state(tmp_path):
    metrics = Metrics(tmp_path, 0, True)
    for step in (1, 2, 3):
        metrics.write(step, {"loss": step / 2})
    metrics.close()
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 2, "lo')
    Metrics(tmp_path, 2, False)  # another process, which does not write
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 4
    metrics = Metrics(tmp_path, 2, True)
    metrics.write(3, {"loss": 9.0})
    metrics.close()
    assert lines(tmp_path) == [
        {"step": 1, "loss": 0.5}, {"step": 2, "loss": 1.0}, {"step": 3, "loss": 9.0}
    ]  # fmt: skip


# --- What a run leaves ------------------------------------------------------------------------


def test_best_checkpoint_is_that_of_the_best_validation(small, tmp_path, monkeypatch):
    """By the sum of recalls, given here; an equal one later changes nothing."""
    given = iter([10.0, 30.0, 20.0, 30.0])
    kept = []

    class Measured(RetrievalTask):
        def validate(self, features):
            row = dict.fromkeys(("R@1", "R@5", "R@10", "MdR", "MnR"), next(given))
            return {"text_to_video": row, "video_to_text": row}

    save_state = loop.save_state

    def remembered(accelerator, folder, step):
        save_state(accelerator, folder, step)
        if step % 4 == 0:
            weights = accelerator._models[0].hierarchy.state_dict()
            kept.append({name: value.clone() for name, value in weights.items()})

    monkeypatch.setitem(TASKS, "retrieval", Measured)
    monkeypatch.setattr(loop, "save_state", remembered)
    file = train(settings(tmp_path, small, optimiser={"epochs": 4}), ToyEncoder())
    best = load_checkpoint(file)
    assert len(kept) == 4
    for epoch, weights in enumerate(kept):
        same = [torch.equal(v, weights[k]) for k, v in best.hierarchy.state_dict().items()]
        assert all(same) == (epoch == 1)
    assert best.training["step"] == 8
    assert best.training["validation"]["text_to_video"]["R@1"] == 30.0
    assert "text_to_video/R@1" in lines(tmp_path)[4]


def test_the_moving_average_is_what_is_saved(small, tmp_path):
    """Of the weights after each step, from the first on."""
    config = settings(tmp_path, small, optimiser={"epochs": 1, "average": 0.5}, save_every=1)
    kept, save_state = [], loop.save_state

    def remembered(accelerator, folder, step):
        save_state(accelerator, folder, step)
        weights = accelerator._models[0].hierarchy.state_dict()
        kept.append({name: value.clone() for name, value in weights.items()})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "save_state", remembered)
        best = load_checkpoint(train(config, ToyEncoder())).hierarchy.state_dict()
    for name, value in best.items():
        average = kept[0][name]
        for weights in kept[1:]:
            average = 0.5 * average + 0.5 * weights[name]
        assert torch.allclose(value, average, atol=1e-6), name
    moved = best["levels.0.text.0.linear.weight"] - kept[-1]["levels.0.text.0.linear.weight"]
    assert moved.abs().max() > 1e-3


def test_the_moving_average_is_of_the_encoder_too(small, tmp_path):
    """Where it learns: in the file and in the validation, which is not that of the last weights."""
    config = settings(
        tmp_path, small, data={"workers": 0},
        optimiser={"epochs": 1, "average": 0.9, "encoder_learning_rate": 1e-2}, save_every=1,
    )  # fmt: skip
    encoder = ToyEncoder(learns=True)
    best = load_checkpoint(train(config, encoder))
    average = ToyEncoder()
    fill_encoder(average, best.path)
    start = ToyEncoder().pixels.weight
    moved, averaged = (x.pixels.weight.detach() - start for x in (encoder, average))
    assert 0.05 < float(averaged.abs().mean() / moved.abs().mean()) < 0.6
    corpus = read_corpus("synthetic", small, "validation")
    known = encode_corpus(average, corpus, 8)
    scores = similarity_scores(best.hierarchy, known, 24, (1, 1, 1))
    assert retrieval_metrics(scores, known.owners) == best.training["validation"]


def test_montages_that_are_validated_on_do_not_depend_on_the_seed(small, tmp_path, monkeypatch):
    seen, join = [], run.join_clips

    def remembered(*arguments):
        joined = join(*arguments)
        seen.append([clip.id for clip in joined.clips])
        return joined

    monkeypatch.setattr(run, "join_clips", remembered)
    for seed in (0, 3):
        config = settings(
            tmp_path / str(seed), small, data={"clips": 16, "validation_parts": 3},
            model={"positions": 24}, optimiser={"epochs": 1}, seed=seed,
        )  # fmt: skip
        train(config, ToyEncoder())
    assert seen[0] == seen[1]
    assert len(seen[0]) == 5
    facts = json.loads((config.out / "run.json").read_text())
    assert facts["validation"] == "validation: 16 clips, 16 captions, in montages of 3"


def test_losses_are_logged_by_name(small, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train(settings(tmp_path, small, optimiser={"epochs": 1}), ToyEncoder())
    names = {f"loss/{kind}/{level}" for kind in ("contrastive", "banzhaf")
             for level in ("entity", "action", "event")}  # fmt: skip
    names |= {f"loss/distillation/entity>{level}" for level in ("action", "event")}
    step = losses(tmp_path)[0]
    rates = {"learning_rate", "encoder_learning_rate"}
    assert set(step) == names | rates | {"loss/total", "gradient_norm", "step"}
    (first, *_) = map(json.loads, (tmp_path / "metrics.jsonl").read_text().splitlines())
    assert 0 < first["data_seconds"] < first["seconds"]  # waiting for data is part of a step
    weights = {"contrastive": 1.0, "banzhaf": 1.0, "distillation": 2.0}
    total = sum(weights[name.split("/")[1]] * step[name] for name in names)
    assert step["loss/total"] == pytest.approx(total, rel=1e-5)
    board = EventAccumulator(str(tmp_path / "tensorboard"))
    board.Reload()
    tags = board.Tags()["scalars"]
    assert set(tags) >= names | {"loss/total", "text_to_video/R@1", "video_to_text/MdR"}
    values = [(event.step, event.value) for event in board.Scalars("loss/total")]
    expected = [(line["step"], line["loss/total"]) for line in losses(tmp_path)]
    assert [s for s, _ in values] == [s for s, _ in expected]
    assert [v for _, v in values] == pytest.approx([v for _, v in expected], rel=1e-5)


def test_learning_rates():
    config = OptimiserConfig(learning_rate=2.0, encoder_learning_rate=0.5, warmup=0.2)
    rates = [learning_rates(config, step, 100) for step in range(100)]
    assert rates[0] == pytest.approx((0.1, 0.025))  # no step is without effect
    assert rates[9] == pytest.approx((1.0, 0.25))
    assert rates[19] == rates[20] == pytest.approx((2.0, 0.5))
    assert rates[60] == pytest.approx((1.0, 0.25))  # half of the cosine
    assert 0 < rates[99][0] < 0.01
    model = [rate for rate, _ in rates]
    assert model[:20] == sorted(model[:20])
    assert model[20:] == sorted(model[20:], reverse=True)
    assert learning_rates(replace(config, warmup=0.0), 0, 100) == (2.0, 0.5)
    assert learning_rates(replace(config, warmup=0.01), 0, 3) == (2.0, 0.5)


def test_learning_rates_are_used(small, tmp_path):
    config = settings(tmp_path, small, optimiser={"warmup": 0.5, "encoder_learning_rate": 0.0})
    train(config, ToyEncoder())
    used = [line["learning_rate"] for line in losses(tmp_path)]
    expected = [learning_rates(config.optimiser, step, 8)[0] for step in range(8)]
    assert used == pytest.approx(expected)
    assert max(used) == pytest.approx(1e-2)


# --- Two processes ----------------------------------------------------------------------------


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


def retrieval_task(target="closed_form"):
    """With every parameter drawn anew, so that no part is idle."""
    config = replace(MODEL, text_clusters=(0.5, 0.5))
    loss = LossConfig(target=target, learned_temperature=True, temperature=0.5)
    task = RetrievalTask(toy_heads(config), loss).double()
    drawn = torch.Generator().manual_seed(1)
    for name, parameter in task.named_parameters():
        if name != "log_scale":
            noise = torch.randn(parameter.shape, generator=drawn, dtype=torch.float64)
            parameter.data = parameter.data + 0.1 * noise
    return task


def half(rank, folder):
    """Losses and gradients of one process, by DistributedDataParallel."""
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2
    )
    own = slice(4 * rank, 4 * rank + 4)
    batch = batch_of(*(side[own] for side in joint_batch()))
    task = nn.parallel.DistributedDataParallel(retrieval_task(), find_unused_parameters=True)
    losses = task(batch)
    losses["total"].backward()
    gradients = {name: p.grad for name, p in task.module.named_parameters()}
    losses = {name: value.detach() for name, value in losses.items()}
    torch.save((losses, gradients), folder / f"{rank}.pt")
    torch.distributed.destroy_process_group()


@forks
def test_two_processes_have_the_gradients_of_one(tmp_path):
    processes = [child(half, rank, tmp_path) for rank in range(2)]
    task, batch = retrieval_task(), batch_of(*joint_batch())
    expected = task(batch)
    expected["total"].backward()
    for process in processes:
        process.join(PATIENCE)
        assert process.exitcode == 0
    (first, gradients), (second, others) = (torch.load(tmp_path / f"{r}.pt") for r in range(2))
    assert first.keys() == expected.keys()
    for name, value in expected.items():
        # Banzhaf losses are means over a process's own pairs, the others see all pairs.
        if name.startswith(("contrastive", "distillation")):
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
    scores = [level.game(all_pairs=True).grand_value() for level in task.hierarchy(
        *task.tokens(batch))]  # fmt: skip
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


def test_with_an_encoder_that_learns_the_temperature_has_its_rate():
    encoder = ToyEncoder(learns=True)
    task = RetrievalTask(toy_heads(), LossConfig(learned_temperature=True), encoder)
    model, encoder, temperature = parameter_groups(task, OptimiserConfig())
    assert [group["rate"] for group in (model, encoder, temperature)] == [0, 1, 1]
    assert len(encoder["params"]) == 2
    everything = [*model["params"], *encoder["params"], *temperature["params"]]
    assert {id(p) for p in everything} == {id(p) for p in task.parameters()}
    assert len(everything) == len(set(map(id, everything)))


def test_same_videos_are_no_negatives():
    """The ids reach the loss: with all of one video, nothing is left to tell apart."""
    task, batch = retrieval_task("none"), batch_of(*joint_batch())
    alike = task(replace(batch, ids=torch.zeros(8, dtype=torch.long)))
    assert float(alike["contrastive/entity"].detach()) == pytest.approx(0, abs=1e-12)
    assert float(task(batch)["contrastive/entity"].detach()) > 0.1


def as_one_of_two(rank, port):
    """As torchrun starts it, on a machine without a GPU: no variable of accelerate is set."""
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(True)
    os.environ |= {
        "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
    }  # fmt: skip


def one_of_two(rank, port, config, encoder):
    as_one_of_two(rank, port)
    encoded = []

    def remembered(pixels, known=encoder.frame_features):
        encoded.append(len(pixels) * (not encoder.training))
        return known(pixels)

    encoder.frame_features = remembered
    train(config, encoder)
    (config.out / f"encoded-{rank}").write_text(str(sum(encoded)))


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def on_two_processes(config, encoder, alone=None):
    """Train on two processes; alone: what is done here meanwhile."""
    port = free_port()
    processes = [child(one_of_two, rank, port, config, encoder) for rank in range(2)]
    if alone:
        alone()
    for process in processes:
        process.join(PATIENCE)
        assert process.exitcode == 0
    return [int((config.out / f"encoded-{rank}").read_text()) for rank in range(2)]


@forks
def test_a_run_on_two_processes(small, tmp_path):
    """The losses that see all pairs are those of one process, step by step, in float32.

    Each process encodes its half of the clips, also where no cache was asked for.
    """
    one, two = (
        settings(tmp_path / name, small, data={"cache": None, "workers": 0}, save_every=3)
        for name in ("one", "two")
    )
    encoded = on_two_processes(two, ToyEncoder(), lambda: train(one, ToyEncoder()))
    assert encoded == [8 * (64 + 16) // 2] * 2
    assert [line["step"] for line in lines(two.out)] == [line["step"] for line in lines(one.out)]
    for ours, expected in zip(losses(two.out), losses(one.out), strict=True):
        for level in ("entity", "action", "event"):
            name = f"loss/contrastive/{level}"
            assert ours[name] == pytest.approx(expected[name], rel=2e-2), name
            name = f"loss/banzhaf/{level}"  # of a process's own pairs: logged is their mean
            assert ours[name] == pytest.approx(expected[name], rel=5e-2), name
    assert (two.out / BEST).is_file()
    assert not list((two.out / "features").glob("meeting-*"))
    assert [path.name for path in saved_states(two.out)] == ["state-00000008"]
    assert json.loads((two.out / "run.json").read_text())["processes"] == "2 (cpu)"


class Running(ToyEncoder):
    """Keeps a running mean, as batch normalisation does; each process sees its own batches."""

    def __init__(self):
        super().__init__(learns=True)
        self.register_buffer("mean", torch.tensor(0.0))

    def frame_features(self, pixels):
        if self.training:
            self.mean.lerp_(pixels.mean(), 0.1)
        return super().frame_features(pixels - self.mean)


@forks
def test_two_processes_share_the_validation_of_an_encoder_that_learns(small, tmp_path):
    config = settings(
        tmp_path / "two", small, data={"clips": 32, "workers": 0},
        loss={"target": "none", "distillation": ()}, optimiser={"encoder_learning_rate": 1e-3},
    )  # fmt: skip
    encoded = on_two_processes(config, Running())
    assert encoded == [2 * 8 * 16 // 2] * 2  # in two epochs
    assert not (config.out / "validation-features").exists()


def told_of_clips(rank, port, folder):
    as_one_of_two(rank, port)
    start_processes(OptimiserConfig())
    (folder / f"names-{rank}").write_text(f"{new_name()} {new_name()}")
    clips = clips_with(1, 2, 1)
    check_same_clips(clips, "train")
    other = replace(clips[2], captions=("another",))
    for number, changed in enumerate(((*clips[:2], other), clips[:2], clips[::-1])):
        try:
            check_same_clips(changed if rank else clips, "train")
        except DataError as error:
            (folder / f"{number}-{rank}").write_text(str(error))


@forks
def test_processes_agree_on_clips_and_names(tmp_path):
    port = free_port()
    processes = [child(told_of_clips, rank, port, tmp_path) for rank in range(2)]
    for process in processes:
        process.join(PATIENCE)
        assert process.exitcode == 0
    for number, counts in enumerate(("3, 3", "3, 2", "3, 3")):
        for rank in range(2):
            told = (tmp_path / f"{number}-{rank}").read_text()
            assert f"different clips or captions of train ({counts} clips)" in told
    names, others = ((tmp_path / f"names-{rank}").read_text() for rank in range(2))
    assert names == others
    assert len(set(names.split())) == 2


@pytest.mark.parametrize(("started", "joined"), [("2", 1), ("3", 2)])
def test_another_number_of_processes_than_were_started_is_told(
    small, tmp_path, monkeypatch, started, joined
):
    """As where accelerate or torch did not join them: each would train alone."""
    from hbi_core.training import processes

    class Alone:
        num_processes = joined

    monkeypatch.setenv("WORLD_SIZE", started)
    monkeypatch.setattr(processes, "Accelerator", lambda **_: Alone())
    with pytest.raises(SettingsError, match=f"{started} processes were started.*ACCELERATE_USE"):
        train(settings(tmp_path / "run", small), ToyEncoder())
    assert not (tmp_path / "run").exists()


# --- Batches ----------------------------------------------------------------------------------


def clips_with(*counts):
    return tuple(
        Clip(f"clip-{n}", (), tuple(f"caption {n} {c}" for c in range(count)))
        for n, count in enumerate(counts)
    )


CLIPS = clips_with(3, 1, 5, 2, 4, 1, 2, 6)  # 24 captions
OWNERS = [n for n, clip in enumerate(CLIPS) for _ in clip.captions]


def data_config(**options):
    return DataConfig("synthetic", Path("."), **options)


def pairs_of(batches):
    return [
        pair
        for batch in batches
        for sample in batch
        for pair in zip(sample.clips, sample.captions, strict=True)
    ]


def test_samples_follow_from_seed_and_epoch():
    config = data_config(montages=0.5)
    once, again, epoch, seed = (
        batches_of_epoch(CLIPS, config, 6, *numbers) for numbers in ((3, 4), (3, 4), (3, 5), (4, 4))
    )
    assert once == again
    assert once != epoch
    assert once != seed
    seeds = [sample.seed for batch in once + epoch for sample in batch]
    assert len(set(seeds)) == len(seeds)


def test_every_caption_once():
    batches = batches_of_epoch(CLIPS, data_config(), 6, 0, 0)
    assert [len(batch) for batch in batches] == [6] * 4
    assert sorted(pairs_of(batches)) == [(owner, c) for c, owner in enumerate(OWNERS)]
    assert [len(b) for b in batches_of_epoch(CLIPS, data_config(), 7, 0, 0)] == [7] * 3


def test_captions_per_clip():
    """Drawn anew in each epoch."""
    seen = set()
    for epoch in range(20):
        pairs = pairs_of(batches_of_epoch(CLIPS, data_config(captions_per_clip=2), 1, 0, epoch))
        assert len(set(pairs)) == len(pairs)
        assert all(OWNERS[caption] == clip for clip, caption in pairs)
        for number, clip in enumerate(CLIPS):
            own = sum(owner == number for owner, _ in pairs)
            assert own == min(2, len(clip.captions))
        seen |= set(pairs)
    assert len(seen) == 24


def test_montages_keep_all_pairs():
    sizes, kinds = set(), []
    for epoch in range(30):
        batches = batches_of_epoch(CLIPS, data_config(montages=0.5), 12, 0, epoch)
        assert sorted(pairs_of(batches)) == [(owner, c) for c, owner in enumerate(OWNERS)]
        for batch in batches:
            assert len(pairs_of([batch])) == 12
            kinds.append(len(batch) < 12)
            for sample in batch:
                assert len(set(sample.clips)) == len(sample.clips)
                sizes.add(len(sample.clips))
    assert sizes == {1, 2, 3, 4}
    assert 0.25 < np.mean(kinds) < 0.75


def test_montages_of_few_clips():
    """No clip twice in one sample even where nearly all captions are of one clip."""
    few = clips_with(9, 1, 2)
    for epoch in range(20):
        (batch,) = batches_of_epoch(few, data_config(montages=1.0), 12, 1, epoch)
        assert len(pairs_of([batch])) == 12
        assert all(len(set(s.clips)) == len(s.clips) for s in batch)


def test_shares_are_even():
    batch = [Sample((n,), (n,), n) for n in range(11)]
    shares = [share_of_process(batch, rank, 3) for rank in range(3)]
    assert [len(share) for share in shares] == [3, 3, 3]
    assert [*shares[0], *shares[1], *shares[2]] == batch[:9]
    assert share_of_process(batch, 0, 1) == batch


@pytest.fixture(scope="module")
def encoded(small):
    """The validation clips, two captions each, and their features."""
    corpus = read_corpus("synthetic", small, "validation")
    clips = tuple(
        replace(clip, captions=(clip.captions[0], f"{clip.captions[0]}, slowly."))
        for clip in corpus.clips
    )
    corpus = replace(corpus, clips=clips)
    return corpus, encode_corpus(ToyEncoder(), corpus, 8, seed=1)


SAMPLES = [Sample((3,), (7,), 1), Sample((5, 2), (10, 4), 2), Sample((0,), (1,), 3)]


def test_feature_batches_are_the_features(encoded):
    _, known = encoded
    (batch,) = FeatureBatches(known, data_config(frames=8, words=9))([SAMPLES])
    assert batch.frames.shape[:2] == (3, 16)
    assert batch.words.shape[:2] == (3, 9)
    for row, sample in enumerate(SAMPLES):
        video = torch.cat([known.frames[clip].float() for clip in sample.clips])
        text = torch.cat([known.caption(caption) for caption in sample.captions])[:9]
        assert torch.equal(batch.frames[row][batch.frame_mask[row]], video)
        assert torch.equal(batch.words[row][batch.word_mask[row]], text)
        assert batch.frame_mask[row].sum() == 8 * len(sample.clips)
    assert batch.word_mask.sum(-1).tolist() == [6, 9, 6]  # 5 + 5 words are cut
    assert len(set(batch.ids.tolist())) == 3
    (again,) = FeatureBatches(known, data_config(frames=8))([[SAMPLES[0], SAMPLES[0]]])
    assert again.ids[0] == again.ids[1]


def test_random_views_are_chosen_by_the_seed_of_the_sample():
    """Only from the clip's own features, frames or views, at most as many as frames."""
    frames = torch.arange(2 * 8).view(2, 8, 1).half()
    known = Features(
        clips_with(1, 1), frames, torch.ones(2, 8, dtype=torch.bool), 2,
        torch.ones(4, 3).half(), torch.tensor([0, 2, 4]), torch.tensor([0, 1]),
    )  # fmt: skip
    source = FeatureBatches(known, data_config(frames=3, views=6))
    samples = [Sample((1, 0), (1, 0), seed) for seed in (1, 1, *range(2, 30))]
    (batch,) = source([samples])
    lengths = batch.frame_mask.sum(-1)
    assert torch.equal(batch.frames[0], batch.frames[1])
    assert set(lengths.tolist()) == {2, 3, 4, 5, 6}  # one to three of each clip
    first, last = set(), set()
    for row, length in zip(batch.frames, lengths, strict=True):
        real = row[:length, 0].tolist()
        first.add(real[0])
        last.add(real[-1])
    assert first == set(range(8, 16))
    assert last == set(range(8))


@pytest.mark.parametrize("workers", [0, 1])
def test_pixel_batches_hold_what_feature_batches_hold(encoded, workers):
    """Up to the half precision of the features."""
    corpus, known = encoded
    config, encoder = data_config(frames=8, words=9, workers=workers), ToyEncoder()
    (frozen,) = FeatureBatches(known, config)([SAMPLES])
    with ClipReader(encoder, workers=workers) as reader:
        (batch,) = PixelBatches(corpus.clips, config, reader)([SAMPLES])
    assert batch.words[1].text == join_captions([corpus.clips[5].captions[0],
                                                 corpus.clips[2].captions[0]])  # fmt: skip
    task = RetrievalTask(toy_heads(words=config.words), LossConfig(), encoder)
    video, text = task.tokens(batch)
    assert torch.equal(video.mask, frozen.frame_mask)
    assert torch.equal(text.mask, frozen.word_mask)
    assert torch.allclose(video.features, frozen.frames, atol=1e-3)
    assert torch.allclose(text.features, frozen.words, atol=2e-3)
    assert torch.equal(batch.ids, frozen.ids)


def test_pixel_batches_draw_no_random_numbers(encoded):
    """Or a run that goes on in the middle of an epoch would have other noise."""
    corpus, _ = encoded
    with ClipReader(ToyEncoder()) as reader:
        state = torch.get_rng_state()
        list(PixelBatches(corpus.clips, data_config(frames=8), reader)([SAMPLES]))
    assert torch.equal(torch.get_rng_state(), state)


# --- Frozen features --------------------------------------------------------------------------


@pytest.fixture
def photographs(tmp_path):
    """Three drawn photographs of their own."""
    from PIL import Image

    clips = []
    for number in range(3):
        file = tmp_path / f"{number}.png"
        pixels = np.random.default_rng(number).integers(0, 256, (24, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(file)
        clips.append(Clip(f"photo-{number}", (file,), ("a dog", f"{number} cats run")))
    return Corpus("photographs", "train", tuple(clips))


def test_features_are_read_from_the_cache(photographs, tmp_path):
    encoder, cache = Counted(), tmp_path / "new" / "cache"
    first = encode_corpus(encoder, photographs, 2, views=3, cache=cache)
    assert encoder.calls > 0
    assert len(list(cache.iterdir())) == 3  # one for each clip
    encoder.calls = 0
    second = encode_corpus(encoder, photographs, 2, views=3, cache=cache)
    assert encoder.calls == 0
    for name in ("frames", "frame_mask", "words", "starts", "owners"):
        assert torch.equal(getattr(first, name), getattr(second, name))
    assert first.frames.shape == (3, 5, 48)
    assert (first.plain, first.frames.dtype) == (2, torch.float16)
    assert first.owners.tolist() == [0, 0, 1, 1, 2, 2]
    assert first.starts.tolist() == [0, 2, 5, 7, 10, 12, 15]
    assert first.videos(slice(0, 2)).features.shape == (2, 2, 48)


def test_the_cache_is_for_the_same_only(photographs, tmp_path):
    cache, encoder = tmp_path / "cache", Counted()

    def encoded(corpus, frames=2, **options):
        """How many clips were encoded, not read."""
        before = {file.name for file in cache.glob("*")}
        encode_corpus(encoder, corpus, frames, cache=cache, **options)
        return len({file.name for file in cache.glob("*")} - before)

    first, *others = photographs.clips
    assert encoded(photographs) == 3
    assert encoded(photographs) == 0
    other = replace(first, captions=("a dog", "0 cats ran"))
    assert encoded(replace(photographs, clips=(other, *others))) == 1
    assert encoded(photographs, 3) == 3
    assert encoded(photographs, views=2) == 3
    assert encoded(photographs, seed=1) == 3
    assert encoded(photographs, players="tokens") == 3
    encoder.name = "another"
    assert encoded(photographs) == 3
    encoder.name = "toy"
    assert encoded(photographs) == 0
    with torch.no_grad():
        encoder.pixels.weight[0, 0] += 1e-6
    assert encoded(photographs) == 3
    encoder.register_buffer("mean", torch.zeros(2, 2), persistent=False)
    assert encoded(photographs) == 3
    encoder.mean[1, 0] = 1
    assert encoded(photographs) == 3
    encoder = Counted()
    assert encoded(photographs) == 0
    time_of = first.files[0].stat().st_mtime_ns
    os.utime(first.files[0], ns=(time_of, time_of + 1))
    assert encoded(photographs) == 1


@pytest.mark.parametrize("folder", ["/proc/features", "file", "file/below"])
def test_a_cache_that_cannot_be_written_is_told_first(small, tmp_path, folder):
    (tmp_path / "file").touch()
    cache = tmp_path / folder  # "/proc/features" stays as it is
    config = settings(tmp_path / "run", small, data={"cache": cache, "root": tmp_path / "none"})
    arguments = ["retrieval", "--dataset", "msvd", "--root", "none"]
    arguments += ["--json", str(tmp_path / "none.json")]
    told = f"{cache} cannot be written .*: choose another folder, "
    with pytest.raises(SettingsError, match=told + "data.cache=FOLDER"):
        train(config, ToyEncoder())
    with pytest.raises(SettingsError, match=told + "--cache FOLDER"):
        parsed(evaluate.Command, "evaluate", [*arguments, "--cache", str(cache)]).run()


def test_features_are_those_of_the_encoder(photographs):
    encoder = ToyEncoder()
    known = encode_corpus(encoder, photographs, 2, views=2, seed=5)
    for number, clip in enumerate(photographs.clips):
        pixels = np.concatenate(
            [
                read_frames(clip, 2).pixels,
                random_views(clip.files[0], 2, np.random.default_rng([5, *clip.id.encode()])),
            ]
        )
        expected = encoder.frame_features(encoder.prepare_frames(pixels))
        assert torch.allclose(known.frames[number].float(), expected, atol=2e-2)
    texts = encoder.text_features([parse_caption("2 cats run")])[0].features
    assert torch.allclose(known.caption(5), texts, atol=2e-3)
    cut = known.texts(slice(4, 6), 2)
    assert cut.mask.tolist() == [[True, True], [True, True]]
    assert torch.allclose(cut.features[1], texts[:2], atol=2e-3)


def test_random_views_follow_from_the_seed(photographs):
    file = photographs.clips[0].files[0]
    one, same, other = (random_views(file, 3, np.random.default_rng(s)) for s in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert len({view.tobytes() for view in one}) == 3
    assert (one.dtype, one.shape[0], one.shape[-1]) == (np.uint8, 3, 3)


def test_a_broken_photograph_is_named(photographs, tmp_path):
    file = photographs.clips[1].files[0]
    file.write_bytes(file.read_bytes()[:60])
    for views in (0, 2):
        with pytest.raises(VideoError, match=r"1\.png"):
            encode_corpus(ToyEncoder(), photographs, 2, views=views, cache=tmp_path / "cache")
    with pytest.raises(VideoError, match=r"1\.png"):
        random_views(file, 1, np.random.default_rng(0))
    file.unlink()
    with pytest.raises(VideoError, match=r"1\.png"):
        encode_corpus(ToyEncoder(), photographs, 2, cache=tmp_path / "cache")
    assert len(list(tmp_path.glob("cache/*"))) == 2  # of the photograph before it
    known = encode_corpus(ToyEncoder(), photographs, 2, missing="skip")
    assert [clip.id for clip in known.clips] == ["photo-0", "photo-2"]
    assert known.owners.tolist() == [0, 0, 1, 1]


# --- Where training starts --------------------------------------------------------------------


def test_projections_are_fitted():
    """Centre and scale of real frames and of all words; padding does not count."""
    drawn = torch.Generator().manual_seed(0)
    frames = torch.randn(5, 4, 48, generator=drawn) * 3 + 2
    mask = torch.arange(4) < torch.tensor([[4], [1], [3], [2], [4]])
    words = torch.randn(20, 32, generator=drawn) * 0.5 - 1
    frames[~mask] = 1000.0
    hierarchy = build_hierarchy(MODEL)
    fit_projections(
        hierarchy,
        Features(clips_with(*[1] * 5), frames.half(), mask, 4, words.half(),
                 torch.arange(0, 24, 4), torch.arange(5)),
    )  # fmt: skip
    video, text = (
        next(m for m in side.modules() if isinstance(m, Projection))
        for side in (hierarchy.levels[0].video, hierarchy.levels[0].text)
    )
    for step, known in ((video, frames[mask]), (text, words)):
        assert torch.allclose(step.centre, known.mean(0), atol=1e-2)
        scale = (known - known.mean(0)).square().mean().sqrt()
        assert float(step.scale) == pytest.approx(float(scale), rel=1e-3)
    fit_projections(build_hierarchy(ModelConfig(8, 8, 8, attention_heads=2)), None or Features(
        (), torch.zeros(1, 1, 8), torch.ones(1, 1, dtype=torch.bool), 1, torch.zeros(1, 8),
        torch.zeros(2), torch.zeros(1)),
    )  # fmt: skip


class TinyClip(nn.Module):
    """An encoder with the text tower of a CLIP, with random weights."""

    name = architecture = "tiny"

    def __init__(self, width=32):
        super().__init__()
        from open_clip.model import CLIP

        torch.manual_seed(0)
        vision = {"layers": 1, "width": 64, "patch_size": 16, "image_size": 32}
        text = {"context_length": 12, "vocab_size": 20, "width": width, "heads": 4, "layers": 3}
        self.text_tower = CLIP(16, vision, text, quick_gelu=True).eval()
        for parameter in self.text_tower.parameters():
            parameter.data = 0.1 * torch.randn_like(parameter) + (parameter.dim() == 1)
        self.requires_grad_(False)


def test_temporal_transformer_starts_from_clip():
    """Its blocks compute what the first blocks of CLIP's text encoder do without causal mask."""
    clip = TinyClip()
    config = ModelConfig(32, 32, 32, temporal_layers=2, attention_heads=4, positions=15)
    hierarchy = build_hierarchy(config)
    assert "2 blocks, from the text encoder of tiny" in initialise_from_clip(hierarchy, clip)
    (temporal,) = [m for m in hierarchy.modules() if isinstance(m, TemporalTransformer)]
    frames = torch.randn(2, 7, 32, generator=torch.Generator().manual_seed(1))
    x = frames + clip.text_tower.positional_embedding[:7]
    for block in clip.text_tower.transformer.resblocks[:2]:
        x = block(x)
    with torch.no_grad():
        result = temporal.eval()(Tokens.original(frames)).features
    assert (x - frames).abs().max() > 0.1
    assert torch.allclose(result, frames + x, atol=1e-5)
    assert torch.equal(temporal.positions[:12].data, clip.text_tower.positional_embedding)
    assert not temporal.positions[12:].any()
    assert temporal.positions.requires_grad


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"temporal_layers": 0}, "none"),
        ({"attention_heads": 8}, "'attention_heads': 8.*'attention_heads': 4"),
        ({"temporal_layers": 4}, "4 blocks.*the 3 blocks of tiny"),
    ],
)
def test_what_cannot_start_from_clip(settings, said):
    """Other heads, more blocks, no transformer: the model stays as it is, and it is told why."""
    config = ModelConfig(
        32, 32, 32, **{"temporal_layers": 2, "attention_heads": 4, "positions": 15} | settings
    )
    hierarchy = build_hierarchy(config)
    before = {name: value.clone() for name, value in hierarchy.state_dict().items()}
    assert re.search(said, initialise_from_clip(hierarchy, TinyClip()))
    if config.temporal_layers:
        assert "width" in initialise_from_clip(hierarchy, TinyClip(width=64))
        assert "toy is no CLIP" in initialise_from_clip(hierarchy, ToyEncoder())
    assert all(torch.equal(v, before[k]) for k, v in hierarchy.state_dict().items())
