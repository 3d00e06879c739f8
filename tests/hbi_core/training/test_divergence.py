"""A run that computes infinity, or no numbers, stops and says where; it is never the best."""

from __future__ import annotations

import pytest
import torch

from hbi_core.checkpoints.checkpoint import load_checkpoint
from hbi_core.errors import InputError, NotFiniteError, TrainingError
from hbi_core.tasks import TASKS
from hbi_core.tasks.retrieval import RetrievalTask
from hbi_core.train import TRAININGS, main
from hbi_core.training import estimator
from hbi_core.training.config import TrainConfig
from hbi_core.training.estimator import EstimatorConfig, train_estimator
from hbi_core.training.folder import BEST
from hbi_core.training.loop import train
from hbi_core.training.state import saved_states
from support.small_runs import losses, settings, toy_train
from support.toy import ToyEncoder

NAN = float("nan")
QUICK = {"loss": {"target": "none", "distillation": ()}}


@pytest.fixture
def broken_at(monkeypatch):
    """A function that breaks the losses, or what they are made of, from a step on."""

    def break_at(step, change):
        forward, steps = RetrievalTask.forward, []

        def broken(task, batch):
            steps.append(batch)
            return change(task, batch, forward) if len(steps) >= step else forward(task, batch)

        monkeypatch.setattr(RetrievalTask, "forward", broken)

    return break_at


def one_loss(task, batch, forward):
    known = forward(task, batch)
    return known | {"contrastive/action": known["contrastive/action"] * NAN}


def gradient(task, batch, forward):
    """Of a loss that is finite: the square root of 0, times 0."""
    known = forward(task, batch)
    return known | {"total": known["total"] + (0 * known["total"]).sqrt()}


def weights(task, batch, forward):
    task.hierarchy.levels[1].text_logits[0].weight.data[:] = NAN
    return forward(task, batch)


@pytest.mark.parametrize(
    ("change", "said", "clip_norm"),
    [
        (one_loss, r"Not finite: loss/contrastive/action\.", 1.0),
        (gradient, r"Not finite: gradient_norm\.", 1.0),
        (gradient, r"Not finite: gradient_norm\.", 0.0),
        (weights, r"Not finite: loss/contrastive/action\..*text tokens of the action level", 1.0),
    ],
    ids=["a loss", "a gradient", "a gradient, not clipped", "the game"],
)
def test_a_run_stops_where_it_diverges(small, tmp_path, broken_at, change, said, clip_norm):
    """With the step, what it was, and what to try; what was saved before it stays as it was."""
    config = settings(
        tmp_path,
        small,
        data={"clips": 32},
        optimiser={"clip_norm": clip_norm},
        save_every=1,
        **QUICK,
    )
    broken_at(4, change)
    with pytest.raises(TrainingError, match=f"diverged at step 4: .*{said}") as told:
        train(config, ToyEncoder())
    assert isinstance(told.value, InputError)
    for advice in ("optimiser.learning_rate was", "optimiser.warmup", "another place"):
        assert advice in str(told.value)
    assert [line["step"] for line in losses(tmp_path)] == [1, 2, 3]
    assert [path.name for path in saved_states(tmp_path)] == ["state-00000003"]
    best = load_checkpoint(tmp_path / BEST)
    assert best.training["step"] == 2
    assert not (tmp_path / "result.json").exists()


def not_saved(*_):
    pytest.fail("a state was saved")


def test_it_stops_even_if_no_step_follows(small, tmp_path, monkeypatch):
    """What the validation measures of broken weights does not count."""

    class Broken(RetrievalTask):
        def validate(self, features):
            self.hierarchy.levels[0].video_logits[0].bias.data[0] = NAN
            return super().validate(features)

    monkeypatch.setitem(TASKS, "retrieval", Broken)
    config = settings(tmp_path, small, optimiser={"epochs": 1}, **QUICK)
    with pytest.raises(TrainingError, match="diverged at step 4"):
        train(config, ToyEncoder(), not_saved)
    assert not (tmp_path / BEST).exists()


class TooFar(torch.optim.AdamW):
    """Its third step goes too far."""

    def step(self, closure=None):
        super().step(closure)
        weights = self.param_groups[0]["params"][0]
        if self.state[weights]["step"] == 3:
            weights.data.view(-1)[0] = float("inf")


def test_nor_is_the_last_step_written_where_nothing_validates(small, tmp_path, monkeypatch):
    data = {"validation": None, "clips": 48}
    config = settings(tmp_path, small, data=data, optimiser={"epochs": 1}, **QUICK)
    monkeypatch.setattr(torch.optim, "AdamW", TooFar)
    with pytest.raises(TrainingError, match=r"diverged at step 3: The weights .* not finite"):
        train(config, ToyEncoder(), not_saved)
    assert not (tmp_path / BEST).exists()


def test_weights_that_diverged_replace_no_state(small, tmp_path):
    """Where they are infinite after the step that was to be saved."""
    config = settings(
        tmp_path, small, data={"clips": 32}, optimiser={"epochs": 2}, save_every=1, **QUICK
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim, "AdamW", TooFar)
        with pytest.raises(TrainingError, match=r"diverged at step 3: The weights .* not finite"):
            train(config, ToyEncoder())
    assert [path.name for path in saved_states(tmp_path)] == ["state-00000002"]


def test_a_learning_rate_without_measure(small, tmp_path, capsys, monkeypatch):
    """From the command line: status 2, one line, no checkpoint."""
    monkeypatch.setitem(TRAININGS, "model", (TrainConfig, toy_train))
    status = main(
        [
            f"out={tmp_path / 'run'}",
            "data.dataset=synthetic",
            f"data.root={small}",
            "data.frames=8",
            "model.projection=true",
            "model.width=32",
            "model.temporal_layers=0",
            "model.attention_heads=4",
            "optimiser.epochs=1",
            "optimiser.batch_size=16",
            "optimiser.encoder_learning_rate=0",
            "optimiser.learning_rate=1e25",
            "encoder=lite",
        ]
    )
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert status == 2
    assert len(told) == 1
    assert "Training diverged at step" in told[0]
    assert not (tmp_path / "run" / BEST).exists()


def test_an_error_of_the_program_is_no_input_error(small, tmp_path, broken_at, monkeypatch):
    """It is not told as one line: whoever mends it needs the traceback."""

    def wrong(task, batch, forward):
        raise ValueError("a matrix of the wrong shape")

    broken_at(2, wrong)
    monkeypatch.setitem(TRAININGS, "model", (TrainConfig, toy_train))
    with pytest.raises(ValueError, match="wrong shape") as told:
        main(
            [
                f"out={tmp_path / 'run'}",
                "data.dataset=synthetic",
                f"data.root={small}",
                "data.frames=8",
                "model.projection=true",
                "model.width=32",
                "encoder=lite",
                "model.attention_heads=4",
                "optimiser.batch_size=16",
                "optimiser.encoder_learning_rate=0",
            ]
        )
    assert not isinstance(told.value, InputError)


def test_weights_that_half_precision_cannot_hold(small, tmp_path, monkeypatch):
    """They are finite in training, and would be infinite in the file."""
    config = settings(tmp_path, small, optimiser={"epochs": 1}, half=True, **QUICK)

    class Enlarged(RetrievalTask):
        def validate(self, features):
            self.hierarchy.levels[2].head.decode.bias.data[:] = 1e6
            return super().validate(features)

    monkeypatch.setitem(TASKS, "retrieval", Enlarged)
    with pytest.raises(TrainingError, match=r"levels\.2\.head\.decode\.bias"):
        train(config, ToyEncoder())
    assert not (tmp_path / BEST).exists()


def test_the_estimator_stops_too(tmp_path, monkeypatch):
    exact = estimator.interaction_values
    calls = []

    def broken(game):
        calls.append(game)
        return exact(game) * (NAN if len(calls) > 10 else 1)  # eight held-out batches, two steps

    monkeypatch.setattr(estimator, "interaction_values", broken)
    config = EstimatorConfig(tmp_path / "x.safetensors", steps=5, batch_size=2, channels=4)
    with pytest.raises(TrainingError, match=r"diverged at step 3: Not finite: loss\..*0\.00"):
        train_estimator(config)
    assert not config.out.exists()


def test_a_level_that_is_not_finite_has_no_game():
    """Padding may hold anything."""
    from hbi_core.model import LevelTokens, Players, Tokens

    def side(count):
        mask = torch.tensor([[True] * count + [False]])
        tokens = Tokens.original(torch.ones(1, count + 1, 4), mask)
        return Players(tokens, torch.zeros(1, count + 1))

    level = LevelTokens("event", side(2), side(3))
    level.text.logits[0, 3] = NAN
    level.video.tokens.features[0, 2] = NAN
    assert level.game().grand_value().isfinite().all()
    assert level.scores().isfinite().all()
    level.text.logits[0, 1] = float("inf")
    with pytest.raises(NotFiniteError, match="text tokens of the event level"):
        level.game()
    level.video.tokens.features[0, 1, 2] = NAN
    with pytest.raises(NotFiniteError, match="video tokens of the event level"):
        level.game(all_pairs=True)
    with pytest.raises(NotFiniteError, match="video tokens of the event level"):
        level.scores()
