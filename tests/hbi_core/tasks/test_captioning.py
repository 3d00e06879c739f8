"""Captioning: its words, its loss, what it learns, and what is in its checkpoint."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

from hbi_core.checkpoints.checkpoint import load_checkpoint
from hbi_core.data import Clip, read_corpus
from hbi_core.data.batch import Batch, Sample
from hbi_core.data.encoding import encode_corpus
from hbi_core.errors import SettingsError
from hbi_core.evaluate import Captioning, main
from hbi_core.losses import LossConfig
from hbi_core.model import Tokens, pad
from hbi_core.model.decoder import END, SPECIAL, UNKNOWN
from hbi_core.tasks import TASKS, load_task
from hbi_core.tasks.captioning import CaptioningSettings, CaptioningTask
from hbi_core.training.folder import read_result
from hbi_core.training.loop import train
from support.patience import PATIENCE
from support.processes import child, forks
from support.random_model import randomised
from support.small_runs import losses, settings, toy_heads
from support.toy import ToyEncoder

SMALL = {"width": 32, "layers": 1, "heads": 4, "hidden": 32, "dropout": 0.0, "longest": 6}
CLIPS = (
    Clip("a", (Path("a"),), ("A dog runs.", "The dog runs, and runs")),
    Clip("b", (Path("b"),), ("A man 's dog", "a b c d e f g")),
    Clip("c", (Path("c"),), ("a dog",)),
)


def small_task(**options):
    chosen = CaptioningSettings(**SMALL | {"at_least": 2} | options)
    task = CaptioningTask(toy_heads(), LossConfig(), None, CaptioningTask.complete(chosen, CLIPS))
    task = randomised(task).requires_grad_(True)
    task.prepare(CLIPS)
    return task


def batch_of(captions, frames=(3, 5, 2, 4)):
    drawn = torch.Generator().manual_seed(0)
    owners = [0, 0, 1, 1, 2]
    videos = [torch.randn(n, 48, generator=drawn) for n in frames[: len(captions)]]
    video = pad(videos, max(map(len, videos)))
    words = torch.zeros(len(captions), 1, 32).double()
    samples = tuple(Sample((owners[n],), (n,), 0) for n in captions)
    ids = torch.arange(len(captions))
    mask = torch.ones(len(captions), 1, dtype=torch.bool)
    return Batch(video.features.double(), video.mask, words, mask, ids, samples)


def test_the_vocabulary_is_that_of_the_training_captions():
    """Words said twice or more, in lower case, without punctuation; the most frequent first."""
    assert small_task().settings.vocabulary == ("a", "dog", "runs")
    words = small_task(at_least=1).settings.vocabulary
    assert words[:3] == ("a", "dog", "runs")
    assert list(words[3:]) == sorted(["the", "and", "man's", *"bcdefg"])
    with pytest.raises(SettingsError, match="said 9 times"):
        small_task(at_least=9)


def test_captions_are_numbered_and_read_back():
    task = small_task()
    words, length = task.encoded("A cat runs!")
    assert (words.tolist(), length) == ([SPECIAL, UNKNOWN, SPECIAL + 2, *[END] * 4], 4)
    words, length = task.encoded("a b c d e f g")  # too long: the first words, and no END
    assert (words.tolist(), length) == ([SPECIAL, *[UNKNOWN] * 5, END], 6)
    words, length = task.encoded("a dog runs a dog runs")
    assert (length, int(words[-1])) == (7, END)
    assert task.text(words) == "a dog runs a dog runs"
    assert task.text(task.encoded("The dog runs.")[0][1:]) == "dog runs"


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_is_that_of_each_word(smoothing):
    """Against torch's cross entropy, one caption after another, words and END counted alike."""
    task = small_task(smoothing=smoothing, without_video=0.0)
    batch = batch_of([1, 3, 0, 4])
    memory = task.memory(Tokens.original(batch.frames, batch.frame_mask))
    total, count = 0.0, 0
    for row, number in enumerate([1, 3, 0, 4]):
        text = [text for clip in CLIPS for text in clip.captions][number]
        words, length = task.encoded(text)
        following = task.own(memory[row : row + 1], words[:-1].unsqueeze(0))[0, :length]
        total += functional.cross_entropy(
            following, words[:length], reduction="sum", label_smoothing=smoothing
        )
        count += length
    losses = task(batch)
    assert set(losses) == {*task.losses, "total"} == {"caption", "total"}
    assert float(losses["caption"].detach()) == pytest.approx(float(total.detach()) / count)


def test_some_captions_are_learnt_without_the_video():
    task = small_task(without_video=0.5).train()
    torch.manual_seed(3)
    found = {
        round(float(task(batch_of([0], (frames,)))["total"].detach()), 9) for frames in [2] * 20
    }
    assert len(found) == 2
    batch = batch_of([0], (2,))
    none = replace(batch, frame_mask=torch.zeros_like(batch.frame_mask))
    task.eval()
    assert found == {round(float(task(x)["total"].detach()), 9) for x in (batch, none)}


def half(rank, folder):
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2
    )
    task = small_task(without_video=0.0)
    own = slice(2 * rank, 2 * rank + 2)
    whole = batch_of([1, 3, 0, 4])
    batch = replace(
        whole,
        **{
            n: v[own]
            for n, v in vars(whole).items()
            if isinstance(v, torch.Tensor | tuple) and len(v)
        },
    )
    wrapped = nn.parallel.DistributedDataParallel(task, find_unused_parameters=True)
    wrapped(batch)["total"].backward()
    torch.save({n: p.grad for n, p in task.named_parameters()}, folder / f"{rank}.pt")
    torch.distributed.destroy_process_group()


@forks
def test_two_processes_have_the_gradients_of_one(tmp_path):
    """Though their captions have other numbers of words."""
    processes = [child(half, rank, tmp_path) for rank in range(2)]
    task = small_task(without_video=0.0)
    task(batch_of([1, 3, 0, 4]))["total"].backward()
    for process in processes:
        process.join(PATIENCE)
        assert process.exitcode == 0
    for rank in range(2):
        gradients = torch.load(tmp_path / f"{rank}.pt")
        for name, parameter in task.named_parameters():
            if parameter.grad is not None:
                assert (gradients[name] - parameter.grad).abs().max() < 1e-10, name


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"data": {"validation_parts": 3}}, "describes clips one by one"),
        ({"model": {"reconstruction": True}}, "has no text yet"),
    ],
)
def test_what_it_has_no_use_for_is_refused(small, tmp_path, wrong, told):
    with pytest.raises(SettingsError, match=told):
        settings(tmp_path / "run", small, task="captioning", **wrong)


LEARNING = {"epochs": 40, "learning_rate": 1e-2, "batch_size": 16}
TOLD = SMALL | {"smoothing": 0.05, "beams": 3}


@pytest.fixture(scope="module")
def trained(small, tmp_path_factory):
    """The settings of a run that has ended."""
    config = settings(
        tmp_path_factory.mktemp("captioning") / "run",
        small,
        data={"workers": 0},
        optimiser=LEARNING,
        task="captioning",
        task_settings=TOLD,
        evaluate_every=20,
    )
    train(config, ToyEncoder())
    return config


def known_clips(small, split):
    return encode_corpus(ToyEncoder(), read_corpus("synthetic", small, split), 8)


def right(task, features):
    """How many captions are those of people, to the word."""
    people = [clip.captions[0] for clip in features.clips]
    return sum(map(str.__eq__, task.captions(features), people)) / len(people)


def test_it_climbs_from_chance_to_nearly_perfect(trained, small):
    told = losses(trained.out)
    assert told[0]["loss/caption"] > 0.8 * math.log(13)  # 11 words, END and UNKNOWN
    assert told[-1]["loss/caption"] < 0.5
    task = load_task(load_checkpoint(trained.out / "best.safetensors"))
    seen = known_clips(small, "validation"), known_clips(small, "test")
    assert sum(right(task, clips) for clips in seen) / 2 >= 0.8  # chance is 1 of 16
    (metrics,) = read_result(trained.out)["validation"].values()
    assert metrics["BLEU-4"] > 85
    assert metrics["CIDEr"] > 800
    others = replace(seen[0], clips=seen[0].clips[5:] + seen[0].clips[:5])
    assert right(task, others) < 0.4  # it is the clips that it describes


def test_it_comes_back_from_its_checkpoint(trained, small):
    heads = load_checkpoint(trained.out / "best.safetensors")
    task = load_task(heads)
    assert isinstance(task, TASKS["captioning"])
    assert set(task.settings.vocabulary) >= {"red", "square", "moves", "left"}
    assert task.settings.vocabulary[:3] == ("a", "moves", "square")
    assert task.validate(known_clips(small, "validation")) == heads.training["validation"]


def test_an_encoder_can_learn_beside_it(small, tmp_path):
    """From pixels: frames alone are encoded, and their encoder has a gradient."""
    encoder = ToyEncoder(learns=True)
    before = encoder.pixels.weight.clone()
    config = settings(
        tmp_path / "run",
        small,
        data={"workers": 0, "clips": 32},
        optimiser={"epochs": 1, "encoder_learning_rate": 1e-3},
        task="captioning",
        task_settings=TOLD | {"beams": 1},
    )
    heads = load_checkpoint(train(config, encoder))
    assert (encoder.pixels.weight - before).abs().max() > 1e-5
    assert heads.task.name == "captioning"


def test_the_command_measures_it(trained, small, tmp_path, monkeypatch, capsys):
    """On a machine without Java, as the results say."""
    monkeypatch.setattr("hbi_core.chosen_model.load_encoder", lambda *_: ToyEncoder())
    monkeypatch.setenv("PATH", str(tmp_path))
    path, out = trained.out / "best.safetensors", tmp_path / "out.json"
    arguments = ["--dataset", "synthetic", "--root", str(small), "--json", str(out)]
    arguments += ["--split", "validation", "--checkpoint", str(path)]
    assert main(["captioning", *arguments]) == 0
    assert json.loads(out.read_text()) == load_checkpoint(path).training["validation"]
    told = capsys.readouterr().out.splitlines()
    assert told[-2].split() == ["BLEU-4", "ROUGE-L", "CIDEr"]
    assert told[-1].startswith("captions (tokenizer of ours)")


def test_without_a_checkpoint_the_one_that_we_ship_is_measured(tmp_path):
    shipped = Captioning("flickr8k", tmp_path, tmp_path / "out.json").model()
    heads = load_checkpoint(shipped)
    assert (heads.task.name, heads.encoder) == ("captioning", "lite")
    task = load_task(heads)
    (metrics,) = heads.training["validation"].values()
    assert metrics["CIDEr"] > 42  # 1.5 times that of the nearest photograph's caption
    assert metrics["BLEU-4"] > 16
    assert {"dog", "snow", "running"} <= set(task.settings.vocabulary)
    assert Path(shipped).stat().st_size < 10e6
