"""The command that measures retrieval: from photographs on disk to the JSON that others read."""

from __future__ import annotations

import json
import math

import pytest
from PIL import Image

from hbi_core.checkpoints.checkpoint import Checkpoint, RetrievalSettings, save_checkpoint
from hbi_core.evaluate import main
from hbi_core.model import ModelConfig, build_hierarchy
from support.releases import write_drawing
from support.toy import ToyEncoder


@pytest.fixture
def photographs(tmp_path):
    """Arguments that measure retrieval among three photographs, and the file that is written."""
    images = tmp_path / "Images"
    images.mkdir()
    rows = ["image,caption"]
    colours = {"red": (200, 20, 20), "green": (20, 180, 20), "blue": (20, 20, 220)}
    for name, colour in colours.items():
        Image.new("RGB", (90, 60), colour).save(images / f"{name}.jpg")
        rows += [f"{name}.jpg,a {name} wall", f'{name}.jpg,"something {name}, and flat"']
    (tmp_path / "captions.txt").write_text("\n".join(rows) + "\n")
    out = tmp_path / "result" / "metrics.json"
    arguments = ["retrieval", "--dataset", "flickr8k", "--root", str(tmp_path), "--json", str(out)]
    return [*arguments, "--workers", "0"], out


def test_command_line(photographs, tmp_path, capsys):
    """From photographs on disk to the JSON that others read."""
    arguments, out = photographs
    assert main(arguments) == 0
    metrics = json.loads(out.read_text())
    assert set(metrics) == {"text_to_video", "video_to_text"}
    for row in metrics.values():
        assert list(row) == ["R@1", "R@5", "R@10", "MdR", "MnR"]
        assert all(math.isfinite(value) for value in row.values())
        assert row["R@5"] == 100
    assert "3 clips, 6 texts" in capsys.readouterr().out

    assert main([*arguments[:4], str(tmp_path / "nowhere"), *arguments[5:]]) == 2
    assert main([*arguments, "--split", "holdout"]) == 2
    assert main([*arguments, "--checkpoint", str(tmp_path / "none.safetensors")]) == 2
    errors = capsys.readouterr().err.strip().splitlines()
    assert len(errors) == 3
    assert all(line.startswith("error: ") for line in errors)


def test_a_querybank_changes_how_texts_find_their_videos(photographs, capsys):
    arguments, out = photographs
    assert main(arguments) == 0
    plain = json.loads(out.read_text())
    assert main([*arguments, "--querybank", "train", "--querybank-captions", "4"]) == 0
    metrics = json.loads(out.read_text())
    assert metrics["video_to_text"] == plain["video_to_text"]
    assert metrics["text_to_video"].keys() == plain["text_to_video"].keys()
    capsys.readouterr()
    assert main([*arguments, "--querybank", "all"]) == 2
    assert "is the split that is measured" in capsys.readouterr().err
    assert main([*arguments, "--querybank", "holdout"]) == 2
    assert capsys.readouterr().err.startswith("error: ")  # before anything is encoded


def test_questions_are_answered_by_the_model_that_we_ship(tmp_path, capsys):
    root, out = write_drawing(tmp_path, frames=4, colours=["red"], train=1), tmp_path / "a.json"
    arguments = ["--dataset", "synthetic_questions", "--split", "validation", "--workers", "0"]
    arguments += ["--root", str(root), "--json", str(out)]
    assert main(["question_answering", *arguments]) == 0
    metrics = json.loads(out.read_text())
    assert {group: row["questions"] for group, row in metrics.items()} == {
        "all": 12,
        "colour": 4,
        "direction": 4,
        "shape": 4,
    }
    assert metrics["direction"]["top-5"] == 0  # it knows no such answer
    told = capsys.readouterr().out
    assert "heads lite_answers.safetensors" in told
    assert "top-1   top-5  questions" in told


@pytest.fixture
def toy_heads(tmp_path, monkeypatch):
    """A checkpoint for the toy encoder with settings of its own, and what is measured with it."""
    from hbi_core.tasks import retrieval

    config = ModelConfig(48, 32, 16, projection=True, temporal_layers=0, attention_heads=2)
    heads = Checkpoint(
        "toy", config, build_hierarchy(config), RetrievalSettings(3, 5, (1.0, 0.0, 0.5)), ""
    )
    path = tmp_path / "toy.safetensors"
    save_checkpoint(path, heads)
    monkeypatch.setattr("hbi_core.chosen_model.load_encoder", lambda *_: ToyEncoder())
    measured, scores = [], retrieval.retrieval_scores

    def remembered(hierarchy, features, reads, progress):
        measured.append((features.plain, reads.words, tuple(reads.level_weights)))
        return scores(hierarchy, features, reads)

    monkeypatch.setattr(retrieval, "retrieval_scores", remembered)
    return path, heads, measured


def test_a_model_is_measured_as_it_was_trained(photographs, toy_heads, capsys):
    """Or as was asked for."""
    arguments, _ = photographs
    path, _, measured = toy_heads
    arguments = [*arguments, "--checkpoint", str(path)]
    assert main(arguments) == 0
    assert "frames 3, words 5, levels [1.0, 0.0, 0.5]" in capsys.readouterr().out
    others = ["--frames", "2", "--words", "4", "--level-weights", "0", "1", "1"]
    assert main([*arguments, *others]) == 0
    assert measured == [(3, 5, (1.0, 0.0, 0.5)), (2, 4, (0.0, 1.0, 1.0))]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (["--frames", "0"], "frames is 0"),
        (["--words", "-1"], "words is -1"),
        (["--workers", "-1"], "workers is -1"),
        (["--missing", "perhaps"], "missing is 'perhaps'"),
        (["--level-weights", "1", "1"], "2 level_weights for 3 levels"),
        (["--level-weights", "0", "0", "0"], "level_weights are all 0"),
        (["--level-weights", "1", "nan", "0"], "level_weights"),
        (["--querybank-captions", "0"], "querybank_captions is 0"),
        (["--sharpness", "0"], "sharpness is 0"),
    ],
)
def test_settings_that_are_refused(photographs, toy_heads, capsys, wrong, told):
    arguments, out = photographs
    path, _, measured = toy_heads
    assert main([*arguments, "--checkpoint", str(path), *wrong]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: ")
    assert told in error
    assert not measured
    assert not out.exists()


def test_a_place_that_cannot_be_written_is_told_before_the_work(photographs, toy_heads, capsys):
    arguments, out = photographs
    path, _, measured = toy_heads
    out.mkdir(parents=True)
    assert main([*arguments, "--checkpoint", str(path)]) == 2
    assert "is a folder: name a file, --json FILE" in capsys.readouterr().err
    assert not measured


def test_a_model_whose_values_are_not_finite(photographs, toy_heads, capsys):
    """Its weights are, but not what they compute."""
    arguments, out = photographs
    path, heads, _ = toy_heads
    for parameter in heads.hierarchy.parameters():
        parameter.data.fill_(1e38)
    save_checkpoint(path, heads)
    assert main([*arguments, "--checkpoint", str(path)]) == 2
    assert "level are not finite" in capsys.readouterr().err.splitlines()[-1]
    assert not out.exists()


def test_an_error_of_the_program_is_no_input_error(photographs, toy_heads, monkeypatch):
    def wrong(*_):
        raise ValueError("a matrix of the wrong shape")

    monkeypatch.setattr("hbi_core.tasks.retrieval.retrieval_metrics", wrong)
    with pytest.raises(ValueError, match="wrong shape"):
        main([*photographs[0], "--checkpoint", str(toy_heads[0])])
