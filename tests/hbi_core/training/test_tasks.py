"""A task that training knows nothing of: it learns, goes on, and comes back from its checkpoint."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import pytest
import torch
from torch import nn
from torch.nn import functional

from hbi_core.checkpoints.checkpoint import load_checkpoint
from hbi_core.data import read_corpus
from hbi_core.data.encoding import encode_corpus
from hbi_core.errors import CheckpointError, SettingsError, TrainingError
from hbi_core.model import Tokens
from hbi_core.settings import COUNT, check
from hbi_core.tasks import TASKS, load_task
from hbi_core.tasks.base import Task
from hbi_core.train import main
from hbi_core.training.config import TrainConfig
from hbi_core.training.config_file import read_config
from hbi_core.training.folder import read_result
from hbi_core.training.loop import train
from support.small_runs import lines, losses, settings
from support.toy import ToyEncoder


@dataclass(frozen=True)
class Colours:
    """Settings of the task: its words for a colour, and the place of the colour in a caption."""

    vocabulary: tuple[str, ...] = ()
    place: int = 1

    def __post_init__(self):
        check(self, "task_settings.", place=COUNT)


def colours(clips, place):
    return [caption.split()[place] for clip in clips for caption in clip.captions]


class Naming(Task):
    """Name the colour of a clip."""

    name, score_name, losses, Settings = "naming", "accuracy", ["naming"], Colours

    def __init__(self, heads, loss, encoder=None, settings=None):
        super().__init__(heads, loss, encoder, settings)
        self.own = nn.Linear(heads.config.width, len(settings.vocabulary))

    @classmethod
    def complete(cls, settings, clips):
        return replace(settings, vocabulary=tuple(sorted(set(colours(clips, settings.place)))))

    def prepare(self, clips):
        words = colours(clips, self.settings.place)
        self.right = torch.tensor([self.settings.vocabulary.index(word) for word in words])

    def named(self, frames: Tokens):
        """Logits of the words, [B, N]: of the frames' mean."""
        entity = self.hierarchy.levels[0].players("video", frames).tokens
        return self.own((entity.features * entity.mask.unsqueeze(-1)).mean(1))

    def forward(self, batch):
        right = self.right[[sample.captions[0] for sample in batch.samples]]
        loss = functional.cross_entropy(self.named(self.tokens(batch)[0]), right)
        return {"naming": loss, "total": loss}

    def validate(self, features):
        with torch.no_grad():
            named = self.named(features.videos(slice(None))).argmax(-1).tolist()
        words = [self.settings.vocabulary[number] for number in named]
        right = colours(features.clips, self.settings.place)
        return {"naming": {"accuracy": sum(map(str.__eq__, words, right)) / len(right)}}

    def score(self, results):
        return results["naming"]["accuracy"]


@pytest.fixture(autouse=True)
def known(monkeypatch):
    monkeypatch.setitem(TASKS, Naming.name, Naming)


LEARNING = {"epochs": 5, "learning_rate": 1e-2}


@pytest.fixture(scope="module", params=["frozen", "learning", "average"])
def trained(request, small, tmp_path_factory):
    """The settings of a run that has ended, and the encoder that it learned with."""
    learns = request.param == "learning"
    optimiser = LEARNING | {"encoder_learning_rate": 1e-3 if learns else 0.0}
    if request.param == "average":
        optimiser["average"] = 0.5
    out = tmp_path_factory.mktemp("naming") / "run"
    encoder = ToyEncoder(learns)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TASKS, Naming.name, Naming)
        config = settings(
            out, small, data={"workers": 0}, optimiser=optimiser, task="naming", save_every=5
        )
        train(config, encoder)
    return config, encoder


def test_it_learns(trained):
    config, _ = trained
    assert {name for name in losses(config.out)[0] if name.startswith("loss/")} == {
        "loss/naming",
        "loss/total",
    }
    result = read_result(config.out)
    assert result["validation"]["naming"]["accuracy"] >= 0.9
    validated = [line["naming/accuracy"] for line in lines(config.out) if "naming/accuracy" in line]
    assert max(validated) == result["validation"]["naming"]["accuracy"]
    assert result["best_step"] == 4 * (1 + validated.index(max(validated)))
    facts = json.loads((config.out / "run.json").read_text())
    assert (facts["task"], facts["losses"]) == ("naming", "naming")


def test_it_comes_back_from_its_checkpoint(trained, small):
    """With its vocabulary and its tensors: what it measures is what was measured in training."""
    config, encoder = trained
    heads = load_checkpoint(config.out / "best.safetensors")
    task = load_task(heads)
    assert isinstance(task, Naming)
    assert not task.training
    assert task.settings == Colours(("blue", "green", "red", "yellow"))
    known = encode_corpus(encoder, read_corpus("synthetic", small, "validation"), 8)
    if heads.path is None or read_result(config.out)["best_step"] == 20:  # the encoder as it was
        assert task.validate(known) == heads.training["validation"]


def test_it_goes_on_where_it_was_stopped(trained, tmp_path, monkeypatch):
    whole, encoder = trained
    if encoder.pixels.weight.requires_grad:
        pytest.skip("a process has its encoder anew; the frozen run shows it")
    config = replace(whole, out=tmp_path / "run")

    class Stopped(Naming):
        seen = 0

        def forward(self, batch):
            Stopped.seen += 1
            if Stopped.seen == 8:
                raise KeyboardInterrupt
            return super().forward(batch)

    monkeypatch.setitem(TASKS, Naming.name, Stopped)
    with pytest.raises(KeyboardInterrupt):
        train(config, ToyEncoder())
    monkeypatch.setitem(TASKS, Naming.name, Naming)
    train(config, ToyEncoder())
    assert lines(config.out) == lines(whole.out)
    ours, theirs = (load_checkpoint(c.out / "best.safetensors") for c in (config, whole))
    assert ours.task.tensors.keys() == theirs.task.tensors.keys() == {"weight", "bias"}
    for name, value in ours.task.tensors.items():
        assert torch.equal(value, theirs.task.tensors[name])


def test_training_can_start_from_it(trained, small, tmp_path):
    """With its words and its weights; for another task, with the model alone."""
    whole, _ = trained
    start = whole.out / "best.safetensors"
    slow = {"epochs": 1, "learning_rate": 1e-9}
    config = settings(
        tmp_path / "run", small, data={"workers": 0, "clips": 16}, optimiser=slow, start=start
    )
    named = replace(config, task="naming")
    best, before = load_checkpoint(train(named, ToyEncoder())), load_checkpoint(start)
    assert best.task.settings == before.task.settings
    for name, value in best.task.tensors.items():
        assert torch.allclose(value, before.task.tensors[name], atol=1e-6)
    with pytest.raises(SettingsError, match=r"task_settings\.place is 2, but 1 in best"):
        train(replace(named, out=tmp_path / "other", task_settings={"place": 2}), ToyEncoder())
    other = load_checkpoint(train(replace(config, out=tmp_path / "retrieval"), ToyEncoder()))
    assert (other.task.name, other.task.settings, other.task.tensors) == ("retrieval", {}, {})


def test_its_settings_are_read_and_kept(small, tmp_path, capsys):
    file = tmp_path / "naming.yaml"
    file.write_text("task: naming\ntask_settings:\n  place: 3\n")
    arguments = ["--config", str(file), f"out={tmp_path / 'run'}", "data.dataset=synthetic"]
    arguments.append(f"data.root={small}")
    assert read_config(TrainConfig, arguments).task_settings == {"place": 3}
    assert read_config(TrainConfig, [*arguments, "task_settings.place=2"]).task_settings == {
        "place": 2
    }
    for wrong in ("task=juggling", "task_settings.place=0", "task_settings.speed=2"):
        assert main([*arguments, "--task", "naming", wrong]) == 2
        said = capsys.readouterr().err.splitlines()[-1]
        assert said.startswith("error: ")
        assert wrong.split("=")[0].split(".")[-1] in said
    assert not (tmp_path / "run").exists()
    config = settings(
        tmp_path / "run", small, optimiser={"epochs": 1}, task="naming", task_settings={"place": 2}
    )
    task = load_task(load_checkpoint(train(config, ToyEncoder())))
    assert task.settings == Colours(("square",), 2)


def test_rules_and_advice_are_those_of_the_task(small, tmp_path, monkeypatch):
    """A model of one level needs no weights of retrieval, and what diverges has no temperature."""
    one_level = {
        "data": {"workers": 0},
        "model": {"video_clusters": (), "text_clusters": ()},
        "optimiser": {"epochs": 1},
    }
    with pytest.raises(SettingsError, match="3 level_weights for 1 levels"):
        settings(tmp_path / "run", small, **one_level)
    config = settings(tmp_path / "run", small, task="naming", **one_level)
    assert load_checkpoint(train(config, ToyEncoder())).retrieval.level_weights == (1.0,)

    class Diverging(Naming):
        advice = ("fewer words",)

        def forward(self, batch):
            return {name: loss / 0 for name, loss in super().forward(batch).items()}

        @classmethod
        def check(cls, config):
            if config.frozen and config.data.words > 24:
                raise SettingsError("Naming reads 24 words.")

    monkeypatch.setitem(TASKS, "naming", Diverging)
    with pytest.raises(SettingsError, match="reads 24 words"):
        replace(config, data=replace(config.data, words=25))
    with pytest.raises(TrainingError, match=r"warmup, a smaller \S+ or fewer words; start again"):
        train(replace(config, out=tmp_path / "other"), ToyEncoder())


def test_a_task_that_this_program_lacks_is_told(trained, monkeypatch):
    heads = load_checkpoint(trained[0].out / "best.safetensors")
    cut = replace(heads, task=replace(heads.task, tensors={}))
    with pytest.raises(CheckpointError, match=r"(?s)best\.safetensors cannot be.*weight"):
        load_task(cut)
    with pytest.raises(CheckpointError, match="speed"):
        load_task(replace(heads, task=replace(heads.task, settings={"speed": 3})))
    for wrong in (4, "red", [1, 2], {"red": 0}, None):
        with pytest.raises(CheckpointError, match=r"best\.safetensors .*vocabulary is"):
            load_task(replace(heads, task=replace(heads.task, settings={"vocabulary": wrong})))
    monkeypatch.delitem(TASKS, "naming")
    with pytest.raises(CheckpointError, match="no task 'naming'"):
        load_task(heads)


def test_a_run_from_before_there_were_tasks_goes_on(small, tmp_path):
    config = settings(tmp_path / "run", small, optimiser={"epochs": 1})
    train(config, ToyEncoder())
    told = (config.out / "config.yaml").read_text()
    kept = [line for line in told.splitlines() if not line.startswith(("task", "start"))]
    assert len(kept) < len(told.splitlines())
    (config.out / "config.yaml").write_text("\n".join(kept) + "\n")
    assert train(config, ToyEncoder()) == config.out / "best.safetensors"
    with pytest.raises(SettingsError, match="task: retrieval -> naming"):
        train(replace(config, task="naming"), ToyEncoder())
