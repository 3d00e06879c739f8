"""What CONTRIBUTING.md says of the rooms is so, and what it adds to them works."""

from __future__ import annotations

import re

import gradio as gr
import numpy as np
import torch

from app.page import ask
from explainers import SimilarityGame, compare
from hbi_core.checkpoints.checkpoint import load_checkpoint
from hbi_core.encoders import Encoder, encode_frames, encode_text
from hbi_core.inputs.text import parse_caption
from hbi_core.tasks import TASKS, load_task
from hbi_core.training.loop import train
from support.demo import ROOT
from support.documents import programs_of
from support.small_runs import losses, settings
from support.toy import ToyEncoder


def made_by(heading: str) -> dict:
    """What the program below a heading defines."""
    (program,) = programs_of("CONTRIBUTING.md", heading)
    names: dict = {}
    exec(program, names)
    return names


def test_the_encoder_encodes():
    encoder = made_by("Add an encoder")["ColourEncoder"]()
    assert isinstance(encoder, Encoder)
    red = np.zeros((2, 8, 8, 3), np.uint8)
    red[..., 0] = 255
    assert encode_frames(encoder, red).tolist() == [[1, 0, 0], [1, 0, 0]]
    text = encode_text(encoder, parse_caption("a rug"))
    assert text.labels == ("a", "rug")
    assert text.features.shape == (2, encoder.widths[1])


def test_every_room_is_there():
    rooms = re.findall(r"`([\w/]+/)`", (ROOT / "CONTRIBUTING.md").read_text())
    assert all((ROOT / room).is_dir() for room in rooms)
    inner = {path.parent for path in (ROOT / "hbi_core").glob("*/__init__.py")}
    assert {ROOT / room for room in rooms} >= inner


def test_the_tab_answers_its_click(explanation):
    with gr.Blocks():
        tab = made_by("Add a tab")["Strongest"](ask())
    assert isinstance(tab.title, str)
    assert isinstance(tab.elem_id, str)
    answer = tab.list_pairs(explanation)
    assert [row[0] for row in answer[tab.table]] == ["entity", "action", "event"]
    assert answer[tab.message] == ""
    assert "Press Explain" in tab.list_pairs(None)[tab.message]


def but(left_out: int | None, players: int) -> torch.Tensor:
    """The coalition of all players but one."""
    return torch.tensor([player != left_out for player in range(players)])


def test_the_method_is_compared():
    """Where a pair is all that there is, it comes last, and the values are the exact ones."""
    made = made_by("Add a method of computing interactions")
    pair = SimilarityGame(torch.tensor([[0.7]]), torch.zeros(1), torch.zeros(1))
    methods = {"last_to_come": made["LAST_TO_COME"]}
    (row,) = compare(pair, methods).rows
    assert row.agreement.max_error < 1e-6
    assert row.coalitions == 4
    similarity = torch.rand(3, 4, generator=torch.Generator().manual_seed(0))
    game = SimilarityGame(similarity, torch.zeros(3), torch.zeros(4))
    (values,) = compare(game, methods).estimates
    with_both, with_word, with_frame, with_none = (
        game.value(but(frame, 3), but(word, 4))
        for frame, word in [(None, None), (0, None), (None, 3), (0, 3)]
    )
    torch.testing.assert_close(values.values[0, 3], with_both - with_word - with_frame + with_none)


def test_the_task_is_trained(small, tmp_path, monkeypatch):
    kind = made_by("Add a task")["Length"]
    monkeypatch.setitem(TASKS, kind.name, kind)
    config = settings(tmp_path / "run", small, task="length", data={"workers": 0})
    task = load_task(load_checkpoint(train(config, ToyEncoder())))
    assert isinstance(task, kind)
    first, *_, last = losses(config.out)
    assert last["loss/length"] < first["loss/length"]
