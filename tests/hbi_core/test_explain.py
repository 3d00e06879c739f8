"""The command that explains: as it is typed, and what it says of unusable input."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys

import pytest
from safetensors.torch import save_file

from hbi_core.checkpoints.checkpoint import SHIPPED
from hbi_core.explain import main
from hbi_core.tensor_file import read_tensors
from support.demo import CAFE, CAFE_CAPTION, ROOT, SAVED


@pytest.mark.parametrize(
    ("value", "weighting"),
    [(math.nan, "renormalised"), (math.nan, "fixed"), (math.inf, "fixed"), (3e38, "fixed")],
)
def test_a_diverged_checkpoint_writes_nothing(tmp_path, capsys, value, weighting):
    """Weights of no number, or so large that what is computed of them is none."""
    tensors, metadata = read_tensors(SHIPPED)
    tensors = {name: tensor.float() for name, tensor in tensors.items()}
    for tensor in tensors.values():
        tensor.fill_(value)
    save_file(tensors, tmp_path / "heads.safetensors", metadata)
    out = tmp_path / "out"
    status = main(
        [
            str(CAFE),
            "a cat",
            "--frames",
            "2",
            "--checkpoint",
            str(tmp_path / "heads.safetensors"),
            "--weighting",
            weighting,
            "--out",
            str(out),
        ]
    )
    error = capsys.readouterr().err
    assert status == 2, error
    assert "not finite" in error
    assert len(error.splitlines()) == 1
    assert not out.exists()


def test_command_line(tmp_path, explanation):
    """As a user types it, from another folder than the repository's."""
    out = tmp_path / "new" / "folder"
    result = subprocess.run(
        [sys.executable, "-m", "hbi_core.explain", str(CAFE), CAFE_CAPTION, "--out", str(out)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "OMP_NUM_THREADS": os.environ["OMP_NUM_THREADS"]},
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    assert {path.name for path in out.iterdir()} == SAVED
    data = json.loads((out / "explanation.json").read_text())
    assert data == json.loads(explanation.to_json())


def test_an_explanation_is_opened_again(tmp_path, explanation, capsys):
    """Without its video; the same numbers, and a figure of another width."""
    explanation.save(tmp_path / "first")
    file = tmp_path / "first" / "explanation.json"
    out = tmp_path / "second"
    assert main([str(file), "--out", str(out), "--width", "column"]) == 0
    assert {path.name for path in out.iterdir()} == SAVED
    for name in ("explanation.json", "interactions.csv", "graph.graphml"):
        assert (out / name).read_bytes() == (file.parent / name).read_bytes()
    assert b'width="234pt"' in (out / "figure.svg").read_bytes()[:2000]
    assert "lite_heads.safetensors" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing.json"], "nothing.json cannot be read"),
        ([str(ROOT / "requirements.json"), "a cat"], "only opened again: leave out CAPTION"),
        (["a.json", "--frames", "3", "--encoder", "lite"], "leave out --encoder, --frames"),
        (["nothing.mp4", "a cat"], "There is no video file nothing.mp4"),
        (["https://example.com/a.mp4", "a cat"], "https://example.com/a.mp4 is an address"),
        ([str(CAFE), "猫 🐶"], "Write it in English"),
        ([str(CAFE), "  "], "The caption is empty"),
        ([str(CAFE), "a cat", "--encoder", "light"], "no encoder 'light'"),
        ([str(CAFE), "a cat", "--encoder", "open_clip"], "not on this machine"),
        ([str(CAFE), "a cat", "--checkpoint", "nothing"], "no checkpoint nothing"),
        ([str(CAFE), "a cat", "--frames", "0"], "a whole number, 1 to 64"),
        ([str(CAFE), "a cat", "--frames", "abc"], "abc"),
        ([str(CAFE), "a cat", "--weighting", "softmax"], "softmax"),
        ([str(CAFE)], "CAPTION"),
        ([str(CAFE), "a cat", "--out", str(CAFE)], "Cannot write to"),
    ],
)
def test_command_line_with_unusable_input(arguments, message, tmp_path, capsys, monkeypatch):
    """Exit status 2, and one clear line on standard error."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    if "--out" not in arguments:
        arguments = [*arguments, "--out", str(tmp_path)]
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1


def test_command_line_help(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert not stop.value.code
    assert "Explain how a video and a caption fit together" in capsys.readouterr().out
