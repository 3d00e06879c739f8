"""What the command makes of files of the research code, and which it refuses."""

from __future__ import annotations

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from explainers import SimilarityGame
from hbi_core.checkpoints.checkpoint import RetrievalSettings, load_checkpoint
from hbi_core.checkpoints.published import Conversion, _clip
from hbi_core.checkpoints.published_names import published_model
from hbi_core.convert import main
from hbi_core.encoders import load_encoder
from hbi_core.estimator import load_estimator
from hbi_core.pipeline import explain
from support import published
from support.demo import CAFE
from support.published_files import (
    CLIP,
    SCALARS,
    SMALL,
    UNUSED,
    Holder,
    clip_shapes,
    double,
    estimator_state,
    heads_shapes,
    know_small_clip,
    refusal,
    whole_state,
)

DONE = Conversion("nothing", (), set())


@pytest.fixture(scope="module", autouse=True)
def small_clip_is_known(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        know_small_clip(patch, tmp_path_factory.mktemp("small"))
        yield


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """A whole published checkpoint: its tensors, our file, and what the command said of it.

    Saved as a training script might: nested, from DataParallel, CLIP in half precision.
    """
    state = whole_state()
    folder = tmp_path_factory.mktemp("converted")
    source, target = folder / "pytorch_model.bin", folder / "hbi.safetensors"
    stored = {f"module.{name}": value for name, value in state.items()}
    stored["module.n_averaged"] = torch.tensor(3)
    torch.save({"epoch": 5, "model_state_dict": stored}, source)
    said = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("builtins.print", lambda *words, **_: said.append(" ".join(map(str, words))))
        assert main([str(source), str(target)]) == 0
    source.unlink()
    return state, target, "\n".join(said)


def test_what_the_command_says_and_writes(converted):
    state, path, said = converted
    unused = next(line for line in said.splitlines() if line.startswith("Not used (22)"))
    assert set(unused.split(": ")[1].split(", ")) == {"epoch", "n_averaged", *UNUSED}
    assert "Taken off the names: module.\n" in said
    assert "24 words, level weights [1.0, 0.0, 0.0]" in said
    assert "wrong interactions" in said
    assert load_checkpoint(path).retrieval == RetrievalSettings(12, 24, (1.0, 0.0, 0.0))
    beside = path.with_suffix(".estimator.safetensors")
    assert said.splitlines()[-2:] == [str(path), str(beside)]
    assert not list(path.parent.glob("*.partial"))
    estimator = load_estimator(beside)
    assert torch.equal(estimator.network.attention.query, state["banzhafteacher.Q"])
    with safe_open(path, "pt") as file:
        stored = {name: file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118
    assert set(stored.values()) == {"F32"}
    assert len(stored) == len(state) - len(UNUSED) - len(load_file(beside))


def test_what_a_model_of_another_data_set_reads(monkeypatch, tmp_path, capsys):
    asked = []
    monkeypatch.setattr("hbi_core.convert.convert", lambda *given: asked.append(given) or DONE)
    command = [str(tmp_path / "a.bin"), str(tmp_path / "a.safetensors")]
    assert main([*command, "--frames", "64", "--words", "64"]) == 0
    assert asked[0][2] == RetrievalSettings(64, 64, (1.0, 0.0, 0.0))
    assert main([*command, "--words", "0"]) == 2
    assert "words" in capsys.readouterr().err


def test_explain_with_a_converted_checkpoint(converted):
    _, path, _ = converted
    result = explain(CAFE, "an extraordinarily chonky cat", checkpoint=path)
    assert result.encoder == f"open_clip:{SMALL}:checkpoint"
    entity, action, event = result.levels
    labels = [token.text for token in entity.text_tokens]
    assert (labels[0], labels[-1]) == ("[BOS]", "[EOS]")
    assert "".join(labels[1:-1]) == "anextraordinarilychonkycat"
    assert len(labels) > 6  # pieces of words
    assert [len(level.video_tokens) for level in result.levels] == [12, 3, 2]
    assert len(action.text_tokens) <= 24 // 4  # a share of the padded length
    assert len(event.text_tokens) <= 3


def hollow(shapes):
    """Tensors of these shapes that take no room in a file."""
    return {name: torch.zeros(()).expand(shape) for name, shape in shapes.items()}


@pytest.fixture(scope="module")
def every_shape():
    """Of the released retrieval model, at full size."""
    shapes = {f"clip.{name}": shape for name, shape in clip_shapes(CLIP).items()} | heads_shapes()
    assert len(shapes) == 475
    return shapes


def test_missing_tensors(every_shape, tmp_path, capsys):
    left = {k: v for k, v in every_shape.items() if "transformerClip.resblocks.2." not in k}
    torch.save(hollow(left), tmp_path / "a.bin")
    error = refusal(tmp_path / "a.bin", capsys)
    assert "12 tensors are missing" in error
    assert error.count("transformerClip.resblocks.2.") == 10
    assert "and 2 more" in error


@pytest.mark.parametrize(
    "name", ["t_block1.attn.kv.bias", "clip.ln_final.bias", "banzhafteacher.V"]
)
def test_one_tensor_missing_or_of_another_shape(every_shape, tmp_path, capsys, name):
    torch.save(hollow({k: v for k, v in every_shape.items() if k != name}), tmp_path / "a.bin")
    assert f"1 tensors are missing: {name}." in refusal(tmp_path / "a.bin", capsys)
    torch.save(hollow(every_shape | {name: (3, 5)}), tmp_path / "a.bin")
    assert f"{name} is [3, 5], not [" in refusal(tmp_path / "a.bin", capsys)


def test_another_clip(every_shape, tmp_path, capsys):
    wrong = every_shape | {"clip.visual.conv1.weight": (1024, 3, 14, 14)}
    torch.save(hollow(wrong), tmp_path / "a.bin")
    error = refusal(tmp_path / "a.bin", capsys)
    assert "[1024, 3, 14, 14]" in error
    assert "ViT-B-32-quickgelu, ViT-B-16-quickgelu" in error


def test_the_released_model_at_full_size(every_shape):
    """475 tensors; all of them but those of the batch norms are used."""
    tensors = hollow(every_shape)
    config, hierarchy, _, used = published_model(tensors)
    name, network, of_clip = _clip(tensors, "clip.")
    assert (name, network.visual.proj.shape) == (CLIP, (768, 512))
    assert used | of_clip == set(every_shape) - UNUSED
    assert (config.reads_padding, config.text_players) == (True, "tokens")
    assert len(hierarchy.state_dict()) + len(of_clip) + 7 == len(used | of_clip)  # the estimator's


def test_an_estimator_of_the_authors(tmp_path, capsys, caplog):
    """Half the channels, as another setting of theirs; what is wrong with it, is said again."""
    state = {
        name: torch.randn([min(size, 32) for size in value.shape])
        for name, value in estimator_state().items()
        if "num_batches" not in name
    }
    torch.save(state, tmp_path / "a.pth")
    target = tmp_path / "a.safetensors"
    assert main([str(tmp_path / "a.pth"), str(target)]) == 0
    out = capsys.readouterr().out
    assert "It is an estimator of interactions" in out
    assert "Note: The estimators that the paper's authors released date from 2023-10-15" in out
    assert not caplog.text
    estimator = load_estimator(target)
    assert "trained on wrong interactions" in caplog.text
    assert (estimator.channels, estimator.error) == (32, {})
    cells = 0.1 * torch.randn(5, 7, generator=torch.Generator().manual_seed(0))  # [V, T]
    game = SimilarityGame(cells, torch.zeros(5), torch.zeros(7))
    there = {f"x.{name}": value for name, value in double(state).items()}
    expected = published.prediction_head(there, "x", 1000 * cells.T.double()).T / 1000
    with torch.inference_mode():
        difference = estimator(game) - expected
    assert difference.abs().max() < 1e-5 * expected.abs().max()


def test_a_note_is_said_only_where_there_is_one(caplog):
    load_estimator()
    assert not caplog.text


def test_question_answering_is_refused(every_shape, tmp_path, capsys):
    more = {"classifier.0.weight": (8192, 4096), "classifier1.2.bias": (1500,), "v_proj.bias": (9,)}
    torch.save(hollow({f"module.{k}": v for k, v in (every_shape | more).items()}), tmp_path / "a")
    error = refusal(tmp_path / "a", capsys)
    assert "question answering (classifier.0.weight, classifier1.2.bias)" in error


def test_another_task_is_refused(every_shape, tmp_path, capsys):
    torch.save(hollow(every_shape | {"decoder.bias": (4,), "epoch": ()}), tmp_path / "a.bin")
    error = refusal(tmp_path / "a.bin", capsys)
    assert "1 tensors that a retrieval model of the paper has not (decoder.bias)" in error


def test_clip_of_openai_becomes_an_encoder(converted, tmp_path, monkeypatch, capsys):
    state, _, _ = converted
    clip = {k.removeprefix("clip."): v for k, v in state.items() if k.startswith("clip.")}
    torch.jit.script(Holder(clip | SCALARS)).save(str(tmp_path / "ViT-B-32.pt"))
    monkeypatch.setattr(torch.jit, "load", None)
    target = tmp_path / "clip.safetensors"
    assert main([str(tmp_path / "ViT-B-32.pt"), str(target)]) == 0
    (tmp_path / "ViT-B-32.pt").unlink()
    said = capsys.readouterr().out
    unused = next(line for line in said.splitlines() if line.startswith("Not used (3)"))
    assert set(unused.split(": ")[1].split(", ")) == set(SCALARS)
    tensors = load_file(target)
    assert {name: tuple(value.shape) for name, value in tensors.items()} == clip_shapes(SMALL)
    for name, value in clip.items():
        assert tensors[name].dtype == torch.float32
        assert torch.equal(tensors[name], value.half().float()), name
    encoder = load_encoder(f"open_clip:{SMALL}:{target}")
    assert torch.equal(encoder.model.visual.proj, clip["visual.proj"].float())


def test_files_that_are_none(converted, tmp_path, capsys):
    path = tmp_path / "a.bin"
    assert "There is no file" in refusal(path, capsys)
    assert "There is no file" in refusal(tmp_path, capsys)
    path.write_bytes(b"hello world" * 30)
    assert "no file of PyTorch, or damaged" in refusal(path, capsys)
    torch.save(torch.randn(1000), path)
    assert "holds a Tensor, not a state dict" in refusal(path, capsys)
    torch.save({"weight": torch.randn(1000)}, path)
    assert "it has weight" in refusal(path, capsys)
    path.write_bytes(path.read_bytes()[:2000])
    assert "no file of PyTorch, or damaged" in refusal(path, capsys)
    assert "cannot be written" in refusal(path, capsys, target="target.bin")
    assert "cannot be written" in refusal(path, capsys, target="nowhere/target.safetensors")
    (tmp_path / "ours.bin").symlink_to(converted[1])
    assert "a file of this program already" in refusal(tmp_path / "ours.bin", capsys)
