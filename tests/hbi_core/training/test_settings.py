"""Settings of training runs: read from files and the command line, each within its range."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path

import pytest

from hbi_core.data import read_corpus
from hbi_core.data.config import DataConfig
from hbi_core.errors import InputError, SettingsError
from hbi_core.losses import LossConfig
from hbi_core.model import ModelConfig
from hbi_core.train import TRAININGS, main
from hbi_core.training.config import OptimiserConfig, TrainConfig
from hbi_core.training.estimator import EstimatorConfig, train_estimator
from hbi_core.training.loop import train
from support.demo import ROOT
from support.small_runs import settings, toy_train
from support.toy import ToyEncoder

CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))


def test_settings_that_are_refused(tmp_path):
    data = DataConfig("flickr8k", tmp_path)
    with pytest.raises(SettingsError, match="test split"):
        DataConfig("flickr8k", tmp_path, validation="test")
    with pytest.raises(SettingsError, match=r"'exact'.*closed_form"):
        LossConfig(target="exact")
    with pytest.raises(SettingsError, match=r"loss\.estimator"):
        LossConfig(target="estimator")
    with pytest.raises(SettingsError, match="teacher>student"):
        LossConfig(distillation=("entity>scene",))
    with pytest.raises(SettingsError, match="scene"):
        LossConfig(supervised=("scene",))
    with pytest.raises(SettingsError, match="2 level_weights for 3 levels"):
        TrainConfig(tmp_path, data, level_weights=(1.0, 1.0))
    with pytest.raises(SettingsError, match=r"1 loss\.interaction_scale for 3 levels"):
        TrainConfig(tmp_path, data, loss=LossConfig(interaction_scale=(1000.0,)))
    with pytest.raises(SettingsError, match="random weights"):
        TrainConfig(tmp_path, data, encoder="open_clip:ViT-B-32-quickgelu:checkpoint")
    assert LossConfig().distilled == (("entity", "action"), ("entity", "event"))


def test_too_few_samples_for_a_batch(small, tmp_path):
    with pytest.raises(SettingsError, match="fewer samples than a batch of 65"):
        train(settings(tmp_path, small, optimiser={"batch_size": 65}), ToyEncoder())


NAN, INFINITY = float("nan"), float("inf")
COUNTS = (0, -1, 1.5, True, NAN)
WHOLE = (-1, 1.5, NAN)
NUMBERS = (-0.1, NAN, INFINITY)
POSITIVE = (0, *NUMBERS)
SHARES_BELOW_ONE = (1, *NUMBERS)
RANGES = {
    DataConfig: {
        **dict.fromkeys(("frames", "words", "validation_parts"), COUNTS),
        **dict.fromkeys(("clips", "views", "captions_per_clip", "workers"), WHOLE),
        "missing": ("", "warn"),
        **dict.fromkeys(("montages", "degraded", "dissolves"), (1.1, *NUMBERS)),
        "validation": ("test", "captioning-test", ""),
        **dict.fromkeys(("dataset", "train"), ("", None)),
        "cache": (Path(""),),
    },
    LossConfig: {
        **dict.fromkeys(("alpha", "beta", "pointing", "foil"), NUMBERS),
        **dict.fromkeys(("pointing_scale", "foil_scale"), POSITIVE),
        "target": ("", "exact"),
        "coalitions": (3, *COUNTS),
        "interaction_scale": ((100, 0, 5), (NAN, 1, 1), (1, -1, 1)),
        "weighting": ("softmax",),
        "temperature": POSITIVE,
        "hard_negatives": COUNTS,
        "supervised": ((), ("scene",), ("entity", "entity"), None),
        "distillation": (
            ("entity",),
            ("entity>scene",),
            ("entity>action>event",),
            ("entity>entity",),
            ("entity>action", "entity>action"),
            None,
        ),
    },
    OptimiserConfig: {
        "learning_rate": (1e39, *POSITIVE),
        **dict.fromkeys(("encoder_learning_rate", "weight_decay"), (1e39, *NUMBERS)),
        "clip_norm": NUMBERS,
        **dict.fromkeys(("warmup", "average"), SHARES_BELOW_ONE),
        **dict.fromkeys(("epochs", "batch_size", "accumulation"), COUNTS),
        "precision": ("fp16", "", 16),
    },
    TrainConfig: {
        **dict.fromkeys(("reranked", "evaluate_every", "save_every"), COUNTS),
        "seed": (2**32, *WHOLE),
        "level_weights": ((1, 1), (0, 0, 0), (1, -1, 1), (1, NAN, 1), None),
        "encoder": ("open_clip:ViT-B-32:checkpoint", "", None),
        "out": (Path(""),),
    },
    ModelConfig: {
        **dict.fromkeys(("video_width", "text_width", "width", "attention_heads"), COUNTS),
        **dict.fromkeys(("positions", "neighbours", "head_channels", "weight_hidden"), COUNTS),
        "text_players": ("letters",),
        "text_context": WHOLE,
        **dict.fromkeys(("video_path", "text_path"), (1.1, *NUMBERS)),
        "noise": NUMBERS,
        "dropout": SHARES_BELOW_ONE,
        "temporal_layers": WHOLE,
        "logit_bound": POSITIVE,
        **dict.fromkeys(("video_clusters", "text_clusters"), ((0, 1), (2.5, 1), (3,), (NAN, 1))),
        "head": ("rnn",),
        "compatibility": ("old",),
    },
    EstimatorConfig: {
        **dict.fromkeys(("steps", "batch_size", "channels", "frames", "words"), COUNTS),
        "learning_rate": (1e39, *POSITIVE),
        "weighting": ("softmax",),
        "seed": WHOLE,
        "out": (Path(""),),
    },
}
NEEDED = {
    DataConfig: {"dataset": "msvd", "root": Path("x")},
    TrainConfig: {"out": Path("x"), "data": DataConfig("msvd", Path("x"))},
    EstimatorConfig: {"out": Path("x")},
}


@pytest.mark.parametrize(
    ("kind", "name"),
    [(kind, name) for kind, ranges in RANGES.items() for name in ranges],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_every_setting_has_its_range(kind, name):
    """What lies outside is refused by name when the settings are made, and nothing else."""
    kind(**NEEDED.get(kind, {}))
    for value in RANGES[kind][name]:
        with pytest.raises(SettingsError, match=name):
            kind(**NEEDED.get(kind, {}) | {name: value})


@pytest.mark.parametrize("kind", RANGES, ids=lambda kind: kind.__name__)
def test_no_number_is_without_a_range(kind):
    """Fields that are numbers, or tuples of them, are all among the ranges tried here."""
    numbers = {f.name for f in fields(kind) if any(t in f.type for t in ("int", "float"))}
    assert numbers - set(RANGES[kind]) == set()


def test_all_that_is_wrong_is_told_at_once():
    with pytest.raises(SettingsError) as told:
        OptimiserConfig(epochs=0, warmup=1.0)
    for said in (
        "optimiser.epochs is 0: use a whole number of at least 1",
        "optimiser.warmup is 1.0: use a number of at least 0 and below 1",
    ):
        assert said in str(told.value)


ONE_LEVEL = {
    "model": ModelConfig(video_clusters=(), text_clusters=()),
    "level_weights": (1.0,),
}


@pytest.mark.parametrize(
    ("loss", "others", "told"),
    [
        ({"supervised": ("event",), "interaction_scale": (1.0,)}, ONE_LEVEL, "entity"),
        ({"supervised": ("action",)}, {"level_weights": (1.0, 0.0, 0.0)}, "one of entity in"),
        ({"supervised": ("entity",), "distillation": ()}, {"level_weights": (0, 1, 1)}, "has a"),
        ({"supervised": ("entity",), "beta": 0.0}, {"level_weights": (0, 0, 1)}, "one of event in"),
    ],
)
def test_levels_that_count_must_learn(tmp_path, loss, others, told):
    data = DataConfig("msvd", tmp_path)
    with pytest.raises(SettingsError, match=rf"(loss\.supervised|level_weights).*{told}"):
        TrainConfig(tmp_path, data, loss=LossConfig(**loss), **others)


def test_levels_that_a_model_lacks_are_left_out(tmp_path):
    """And a student learns from its teacher."""
    data = DataConfig("msvd", tmp_path)
    TrainConfig(tmp_path, data, loss=LossConfig(interaction_scale=(1.0,)), **ONE_LEVEL)
    only = LossConfig(supervised=("entity",))
    TrainConfig(tmp_path, data, loss=only, level_weights=(0.0, 0.0, 1.0))


def test_a_learned_temperature_starts_in_its_range():
    LossConfig(temperature=0.005)
    with pytest.raises(SettingsError, match=r"temperature.*at least 0\.01"):
        LossConfig(temperature=0.005, learned_temperature=True)


def test_views_as_of_videos_need_views(tmp_path):
    known = partial(DataConfig, "flickr8k", tmp_path)
    with pytest.raises(SettingsError, match=r"data\.degraded is 0\.5, .*set data\.views above 0"):
        known(degraded=0.5)
    with pytest.raises(SettingsError, match=r"data\.dissolves is 0\.5, .*set data\.montages"):
        known(views=2, dissolves=0.5)
    with pytest.raises(SettingsError, match=r"data\.dissolves is 0\.5, .*set data\.views"):
        known(montages=0.5, dissolves=0.5)
    known(views=2, degraded=0.5, montages=0.5, dissolves=0.5)


def test_pointing_needs_montages_of_frozen_features(tmp_path):
    frozen, pointing = OptimiserConfig(encoder_learning_rate=0), LossConfig(pointing=0.5)
    photographs = DataConfig("flickr8k", tmp_path)
    montages = replace(photographs, montages=0.3)
    with pytest.raises(SettingsError, match=r"set data\.montages above 0, or loss\.pointing=0"):
        TrainConfig(tmp_path, photographs, loss=pointing, optimiser=frozen)
    with pytest.raises(SettingsError, match=r"loss\.pointing is for frozen features"):
        TrainConfig(tmp_path, montages, loss=pointing)
    TrainConfig(tmp_path, montages, loss=pointing, optimiser=frozen)
    with pytest.raises(SettingsError, match=r"'sampling'.*no gradient.*loss\.detached=true"):
        LossConfig(target="sampling", detached=False)


def test_foils_need_frozen_features_without_padding(tmp_path):
    frozen, foil = OptimiserConfig(encoder_learning_rate=0), LossConfig(foil=0.5)
    data = DataConfig("flickr8k", tmp_path)
    with pytest.raises(SettingsError, match=r"loss\.foil is for frozen features.* set it to 0"):
        TrainConfig(tmp_path, data, loss=foil)
    published = ModelConfig(compatibility="published", text_players="tokens")
    with pytest.raises(SettingsError, match=r"loss\.foil is not for .*published.* set it to 0"):
        TrainConfig(tmp_path, data, loss=foil, optimiser=frozen, model=published)
    TrainConfig(tmp_path, data, loss=foil, optimiser=frozen)


def test_views_are_for_frozen_features(tmp_path):
    data = DataConfig("flickr8k", tmp_path, views=2)
    with pytest.raises(SettingsError, match=r"data\.views.*frozen"):
        TrainConfig(tmp_path, data)
    TrainConfig(tmp_path, data, optimiser=OptimiserConfig(encoder_learning_rate=0.0))


class LikeLite(ToyEncoder):
    """No tokens, as the default encoder."""

    name = "lite"

    def text_features(self, captions, players="words", *others):
        if players != "words":
            raise InputError("lite has no tokens.")
        return super().text_features(captions, players, *others)


def test_what_does_not_fit_the_encoder_or_the_data_is_told_at_once(small, tmp_path):
    """Before anything is encoded or written."""
    config = settings(
        tmp_path / "run",
        small,
        model={"projection": False, "video_width": 32, "text_players": "tokens", "positions": 7},
        optimiser={"batch_size": 65},
    )
    with pytest.raises(SettingsError) as told:
        train(config, LikeLite())
    for said in (
        "model.projection=true",
        "model.text_players=tokens",
        "model.positions=8",
        "optimiser.batch_size lower",
    ):
        assert said in str(told.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("players", "has"), [("words", 0), ("phrases", 32)])
def test_context_is_as_wide_as_the_encoder_gives_it(small, tmp_path, players, has):
    config = settings(tmp_path / "run", small, model={"text_players": players, "text_context": 7})
    with pytest.raises(SettingsError, match=f"{players} of toy.*model.text_context={has}"):
        train(config, ToyEncoder())
    assert not (tmp_path / "run").exists()


def test_a_place_that_cannot_be_written_is_told_before_the_work(small, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="cannot be written"):
        train(settings(tmp_path / "file" / "run", small), ToyEncoder())
    with pytest.raises(SettingsError, match="cannot be written"):
        train_estimator(EstimatorConfig(tmp_path / "file" / "x.safetensors"))
    with pytest.raises(SettingsError, match="is a folder"):
        train_estimator(EstimatorConfig(tmp_path, steps=1, batch_size=2, channels=4))
    with pytest.raises(SettingsError, match=r"cannot be written.*cache=FOLDER"):
        train(settings(tmp_path / "run", small, data={"cache": tmp_path / "file"}), ToyEncoder())


@pytest.mark.parametrize("validation", ["train", "train+validation"])
def test_what_is_trained_on_chooses_nothing(small, tmp_path, validation):
    with pytest.raises(
        SettingsError, match=f"data.validation={re.escape(validation)} has 64 clips"
    ):
        train(settings(tmp_path / "run", small, data={"validation": validation}), ToyEncoder())


def test_nor_do_clips_of_the_test_split(tmp_path):
    """Whatever the split is called: here all photographs, with a list of those to be tested on."""
    from PIL import Image

    (tmp_path / "Images").mkdir()
    names = [f"{number}.jpg" for number in range(6)]
    for name in names:
        Image.new("RGB", (20, 20)).save(tmp_path / "Images" / name)
    rows = ["image,caption", *(f"{name},a dog" for name in names)]
    (tmp_path / "captions.txt").write_text("\n".join(rows) + "\n")
    for split, listed in (("train", names[:3]), ("dev", names[3:5]), ("test", names[5:])):
        (tmp_path / f"Flickr_8k.{split}Images.txt").write_text("\n".join(listed) + "\n")
    config = settings(
        tmp_path / "run",
        tmp_path,
        data={"dataset": "flickr8k", "train": "validation", "validation": "all"},
        optimiser={"batch_size": 2},
    )
    with pytest.raises(SettingsError, match=r"1 clips of the test split.*2 clips of validation"):
        train(config, ToyEncoder())


def test_a_subset_is_the_same_whatever_else_there_is(small):
    corpus = read_corpus("synthetic", small, "train")
    few = corpus.subset(5)
    assert len(few.clips) == 5
    assert [clip for clip in corpus.clips if clip in few.clips] == list(few.clips)
    assert set(few.clips) < set(corpus.subset(9).clips)
    others = replace(corpus, clips=corpus.clips[:40])
    assert set(few.clips) & set(others.clips) <= set(others.subset(5).clips)
    assert corpus.subset(1000) == corpus
    assert few.clips != corpus.clips[:5]


@pytest.fixture
def asked(monkeypatch):
    """The settings with which a training would have started."""
    started = []
    for name, (kind, _) in list(TRAININGS.items()):
        monkeypatch.setitem(TRAININGS, name, (kind, started.append))
    return started


@pytest.mark.parametrize(
    "file", [c for c in CONFIGS if not c.stem.startswith("ablation")], ids=lambda file: file.stem
)
def test_configurations_can_be_read(file, asked):
    assert main(["--config", str(file)]) == 0
    (config,) = asked
    assert isinstance(config, TrainConfig)
    assert isinstance(config.model, ModelConfig)
    assert isinstance(config.data.root, Path)
    assert not config.data.validation.startswith("test")


def test_settings_on_the_command_line(asked, tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text(
        "out: runs/x\nseed: 3\ndata:\n  dataset: msvd\n  root: data/msvd\n  frames: 9\n"
        "model:\n  video_clusters: [4, 2]\noptimiser:\n  epochs: 7\n"
    )
    changes = [
        "optimiser.epochs=2",
        "--optimiser.learning_rate",
        "5e-4",
        "seed=8",
        "model.video_clusters=[5,3]",
        "--data.cache=c",
        "loss.target=none",
    ]
    assert main(["--config", str(file), *changes]) == 0
    assert main([f"--config={file}"]) == 0
    changed, plain = asked
    assert (plain.optimiser.epochs, plain.seed, plain.data.frames) == (7, 3, 9)
    assert plain.model.video_clusters == (4, 2)
    assert (plain.out, plain.data.root, plain.data.cache) == (
        Path("runs/x"),
        Path("data/msvd"),
        None,
    )
    assert (changed.optimiser.epochs, changed.seed, changed.data.frames) == (2, 8, 9)
    assert changed.optimiser.learning_rate == 5e-4
    assert changed.model.video_clusters == (5, 3)
    assert (changed.data.cache, changed.loss.target) == (Path("c"), "none")


def test_a_training_is_chosen_as_settings_are_made(asked):
    for chosen in (["task=estimator"], ["--task", "estimator"], ["--task=estimator"]):
        assert main([*chosen, "out=x.safetensors", "steps=3"]) == 0
    assert asked == [EstimatorConfig(Path("x.safetensors"), steps=3)] * 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["optimizer.epochs=2"], "optimizer"),
        (["--optimiser.speed", "2"], "speed"),
        (["optimiser.epochs=many"], "epochs"),
        (["data.validation=test"], "test split"),
        (["loss.target=exact"], "exact"),
        (["level_weights=[1,2]"], "level_weights"),
        (["--config", "absent.yaml"], "absent.yaml"),
        (["--config", "bytes.yaml"], "utf-8"),
        (["--config", "null.yaml"], "model is None"),
        (["nonsense"], "nonsense"),
        (["optimiser.learning_rat=1"], "learning_rat"),
        (["--see", "3"], "see"),
        (["--tas", "estimator"], "tas"),
        (["optimiser.epochs=0"], "epochs is 0"),
        (["data.video_limits.reading_seconds=0"], "reading_seconds is 0"),
        (["optimiser.warmup=.nan"], "nan"),
        (["loss.interaction_scale=[1]"], "interaction_scale"),
        (["--config", "limits.yaml"], "data.video_limits is None"),
        (["--config", "weights.yaml"], "level_weights is None"),
        (["out="], "out is "),
    ],
)
def test_wrong_settings_are_told_in_one_line(arguments, said, asked, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "null.yaml").write_text("model: null\n")
    (tmp_path / "limits.yaml").write_text("data:\n  video_limits: null\n")
    (tmp_path / "weights.yaml").write_text("level_weights: null\n")
    base = ["out=x", "data.dataset=msvd", f"data.root={tmp_path}"]
    try:
        status = main([*base, *arguments])
    except SystemExit as stop:
        status = stop.code
    assert status == 2
    assert not asked
    error = capsys.readouterr().err
    assert said in error
    assert error.startswith("error: ")
    assert error.count("\n") == 1


def test_errors_of_the_program_come_through(monkeypatch):
    @dataclass
    class Wrong:
        out: str

        def __post_init__(self):
            raise TypeError("an argument too many")

    monkeypatch.setitem(TRAININGS, "model", (Wrong, print))
    with pytest.raises(TypeError, match="too many"):
        main(["out=x"])


def test_errors_of_the_data_are_told_in_one_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(TRAININGS, "model", (TrainConfig, toy_train))
    arguments = ["out=" + str(tmp_path / "out"), "encoder=lite", "data.dataset=msvd"]
    status = main([*arguments, f"data.root={tmp_path / 'absent'}", "model.projection=true"])
    error = capsys.readouterr().err.splitlines()
    assert status == 2
    assert [line for line in error if line.startswith("error: ")] == error[-1:]
