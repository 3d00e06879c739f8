"""The examples run as they stand, and say what is so."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys

import pytest
import torch

from hbi_core.checkpoints.checkpoint import SHIPPED, load_checkpoint
from hbi_core.training.folder import BEST
from support.clips import write_clip
from support.demo import ROOT


def run(name, *arguments):
    """As it is typed in a clean clone, where no package is installed."""
    return subprocess.run(
        [sys.executable, "-m", f"examples.{name}", *arguments],
        cwd=ROOT,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
        capture_output=True,
        encoding="utf-8",
    )


def output_of(name, *arguments):
    done = run(name, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_own_game():
    """By hand: left and right gain 1 alone and 0 beside another left glove; two left ones, the
    other way round, gain 0 alone and -1 beside the right glove."""
    output = output_of("own_game")
    found = re.findall(r"(\w+) +and (\w+) *: exact (\S+), sampled (\S+) ± (\S+)", output)
    assert len(found) == 3
    for one, other, exact, sampled, error in found:
        assert float(exact) == (0.5 if one != other else -0.5)
        assert abs(float(sampled) - float(exact)) <= 5 * float(error) + 1e-4


def test_own_features():
    output = output_of("own_features")
    assert "1. frame 3 and 'dog'" in output


def test_compare_methods():
    output = output_of("compare_methods")
    assert len(re.findall(r"^sampling", output, re.M)) == 6
    errors = {line.split()[0]: float(line.split()[3]) for line in output.splitlines()[1:]}
    assert errors["closed_form"] == 0.0
    assert errors["enumeration"] < 1e-9


@pytest.mark.parametrize(
    ("name", "typed"),
    [("fine_tune", []), ("fine_tune", ["a", "b", "c"]), ("compare_methods", ["clip.mp4"])],
)
def test_arguments_that_do_not_fit(name, typed, capsys):
    with pytest.raises(SystemExit) as stopped:
        importlib.import_module(f"examples.{name}").main(typed)
    assert stopped.value.code == 2
    usage, error = capsys.readouterr().err.splitlines()
    assert usage.startswith(f"usage: python -m examples.{name} ")
    assert "error: " in error


def test_fine_tune(tmp_path):
    """On clips of one grey that have to be told apart by their captions."""
    (tmp_path / "clips").mkdir()
    lines = ["video,caption,split"]
    for number, split in enumerate(["train"] * 4 + ["validation"] * 2):
        write_clip(tmp_path / "clips" / f"{number}.mp4", 6, first=8 * number, size=(32, 32))
        lines.append(f"{number},The grey number {number}.,{split}")
    (tmp_path / "clips" / "captions.csv").write_text("\n".join(lines), encoding="utf-8")
    out = tmp_path / "out"
    output = output_of("fine_tune", str(tmp_path / "clips"), str(out))
    before, after = (json.loads((out / f"{name}.json").read_text()) for name in ("before", "after"))
    assert set(before) == set(after) == {"text_to_video", "video_to_text"}
    assert "before fine-tuning" in output
    assert "heads best.safetensors" in output
    explained = json.loads((out / "explanation" / "explanation.json").read_text())
    assert explained["caption"] == "The grey number 4."
    assert explained["model"]["checkpoint"] == "best.safetensors"
    shipped, tuned = (load_checkpoint(p).hierarchy for p in (SHIPPED, out / "run" / BEST))
    assert any(
        not torch.equal(weights, tuned.state_dict()[name])
        for name, weights in shipped.state_dict().items()
    )
