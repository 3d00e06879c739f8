"""Files of PyTorch and of OpenAI: read without running them, whatever stands around the names."""

from __future__ import annotations

import os
import pickle
import zipfile

import pytest
import torch
from safetensors.torch import load_file, save_file

from hbi_core.checkpoints.published import convert
from hbi_core.checkpoints.torch_file import read_torch_file
from hbi_core.convert import main
from hbi_core.errors import CheckpointError
from hbi_core.estimator import load_estimator
from support.published_files import (
    SCALARS,
    Holder,
    estimator_state,
    refusal,
)

WRAPPED = {
    "as they are": lambda name: name,
    "compiled": lambda name: f"_orig_mod.{name}",
    "parallel and compiled": lambda name: f"module._orig_mod.{name}",
    "lightning": lambda name: f"model.{name}",
    "all of them": lambda name: f"model.module._orig_mod.{name}",
    "inside another model": lambda name: f"net.estimator.{name}",
    "a part alone": lambda name: name.replace("cnn1.", "cnn1._orig_mod.module."),
    "sharded": lambda name: f"_fsdp_wrapped_module.{name}".replace(
        "cnn2.", "cnn2._checkpoint_wrapped_module."
    ),
}


@pytest.mark.parametrize("how", WRAPPED)
@pytest.mark.parametrize("keys", ["", "state_dict", "model", "module", "weights", "run net"])
def test_names_in_wrappers(tmp_path, capsys, how, keys):
    """With an epoch beside them, as a tensor too, and an optimiser."""
    wrap, state = WRAPPED[how], estimator_state()
    stored = {wrap(name): value for name, value in state.items()} | {"epoch": torch.tensor(5)}
    for key in reversed(keys.split()):
        momentum = {"state": {0: {"exp_avg": torch.ones(3)}}, "param_groups": []}
        stored = {key: stored, "epoch": 5, "optimizer": momentum}
    torch.save(stored, tmp_path / "a.bin")
    assert main([str(tmp_path / "a.bin"), str(tmp_path / "a.safetensors")]) == 0
    _, _, taken_off, unused, *_ = capsys.readouterr().out.splitlines()
    assert "epoch" in unused
    before = {part for name in state for part in wrap(name).split(".")}
    before -= {part for name in state for part in name.split(".")}
    assert all(f"{part}." in taken_off for part in before)
    assert before or taken_off.endswith("nothing")
    tensors = load_file(tmp_path / "a.safetensors")
    assert torch.equal(tensors["network.attention.query"], state["Q"])
    assert torch.equal(tensors["network.encode.weight"], state["cnn1.weight"].mT)


@pytest.mark.filterwarnings("ignore::UserWarning")  # torch's, of what is rare
@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (lambda x: torch.tensor(1.0), "Q is [], not [64, 64]"),
        (lambda x: torch.ones(0, 64), "Q is [0, 64], not [64, 64]"),
        (lambda x: x[None, :, 0], "Q is [1, 64], not ["),
        (lambda x: x.to_sparse(), "Q is sparse_coo"),
        (lambda x: x.to_sparse_csr(), "Q is sparse_csr"),
        (lambda x: torch.nested.nested_tensor([x, x[:3]]), "Q is nested"),
        (lambda x: x.to("meta"), "Q is without values"),
        (lambda x: x.to(torch.complex64), "Q is complex64"),
        (lambda x: x.to(torch.float8_e4m3fn), "Q is float8_e4m3fn"),
        (lambda x: torch.quantize_per_tensor(x, 0.1, 0, torch.qint8), "Q is qint8"),
        (lambda x: x.long(), "whole numbers, which no weights are: Q."),
        (lambda x: x > 0, "whole numbers, which no weights are: Q."),
    ],
)
def test_a_tensor_that_is_no_weight_is_named(tmp_path, capsys, changed, told):
    state = estimator_state()
    torch.save(state | {"Q": changed(state["Q"])}, tmp_path / "a.pth")
    assert told in refusal(tmp_path / "a.pth", capsys)


@pytest.mark.parametrize("kind", [torch.complex64, torch.float8_e4m3fn])
def test_so_is_one_that_was_saved_anew(tmp_path, capsys, kind):
    state = estimator_state()
    save_file(state | {"Q": state["Q"].to(kind)}, tmp_path / "a.in")
    assert f"Q is {str(kind).removeprefix('torch.')}" in refusal(tmp_path / "a.in", capsys)


def test_several_models_in_a_file(tmp_path, capsys):
    state = estimator_state()
    both = {
        f"{part}.{name}": value for part in ("student", "teacher") for name, value in state.items()
    }
    torch.save(both, tmp_path / "a.bin")
    error = refusal(tmp_path / "a.bin", capsys)
    assert "holds 2 models, whose names begin with 'student.', 'teacher.'" in error
    torch.save({"one": state, "other": state}, tmp_path / "a.bin")
    assert "several state dicts (one, other)" in refusal(tmp_path / "a.bin", capsys)
    torch.save({"one": state, "model": {}, "n": 3}, tmp_path / "a.bin")
    assert main([str(tmp_path / "a.bin"), str(tmp_path / "a.safetensors")]) == 0
    torch.save(state | {"module.Q": state["Q"]}, tmp_path / "b.bin")
    assert main([str(tmp_path / "b.bin"), str(tmp_path / "b.safetensors")]) == 2
    assert "has Q twice" in capsys.readouterr().err


def test_a_file_that_was_saved_anew(tmp_path):
    """As safetensors, by the names of the research code."""
    state = estimator_state()
    save_file({f"model.{name}": value for name, value in state.items()}, tmp_path / "a.safetensors")
    convert(tmp_path / "a.safetensors", tmp_path / "b.safetensors")
    assert torch.equal(
        load_estimator(tmp_path / "b.safetensors").network.decode.bias, state["cnn2.bias"]
    )


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("wrapped", [True, False])
def test_pickled_code_is_not_run(tmp_path, capsys, wrapped):
    evil = {"clip.visual.conv1.weight": torch.ones(1), "more": Evil(tmp_path / "done")}
    torch.save(evil, tmp_path / "a.bin", _use_new_zipfile_serialization=wrapped)
    assert "could run code" in refusal(tmp_path / "a.bin", capsys)


def small_clip():
    """OpenAI's names, few and small."""
    shapes = {
        "positional_embedding": (7, 4),
        "text_projection": (4, 6),
        "visual.proj": (8, 6),
        "visual.conv1.weight": (8, 3, 2, 2),
        "visual.transformer.resblocks.0.attn.in_proj_weight": (24, 8),
        "visual.transformer.resblocks.1.mlp.c_fc.bias": (32,),
        "token_embedding.weight": (9, 4),
    }
    state = {name: torch.randn(shape) for name, shape in shapes.items()}
    return state | {"logit_scale": torch.tensor(4.6)} | SCALARS


def without_code(source, target):
    """The same archive with nonsense for code."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            new.writestr(name, b"nonsense" if "/code/" in name else old.read(name))


@pytest.mark.parametrize("how", ["trace", "script"])
def test_tensors_of_torchscript(tmp_path, how):
    module = Holder(small_clip())
    module.visual.register_buffer("turned", torch.arange(12.0).view(3, 4).T[1:])  # strides
    made = torch.jit.script(module) if how == "script" else torch.jit.trace(module, torch.ones(1))
    made.save(str(tmp_path / "ViT.pt"))
    expected = torch.jit.load(str(tmp_path / "ViT.pt")).state_dict()
    without_code(tmp_path / "ViT.pt", tmp_path / "bare.pt")
    with pytest.raises(RuntimeError):
        torch.jit.load(str(tmp_path / "bare.pt"))
    for name in ("ViT.pt", "bare.pt"):
        tensors, others = read_torch_file(tmp_path / name)
        assert not others
        assert set(tensors) == set(expected)
        for key, value in expected.items():
            assert tensors[key].dtype == value.dtype
            assert torch.equal(tensors[key], value), key


@pytest.mark.parametrize("name", ["posix system", "torch load", "builtins eval", "torch.hub load"])
def test_torchscript_with_other_objects_is_refused(tmp_path, capsys, name):
    module, function = name.split()
    call = f"c{module}\n{function}\n".encode() + b"(V" + str(tmp_path / "done").encode() + b"\ntR."
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        archive.writestr("a/data.pkl", call)
        archive.writestr("a/constants.pkl", pickle.dumps(()))
    assert "could run code" in refusal(tmp_path / "a.pt", capsys)


def test_damaged_torchscript(tmp_path, capsys):
    torch.jit.script(Holder(small_clip())).save(str(tmp_path / "a.pt"))
    with zipfile.ZipFile(tmp_path / "a.pt") as old, zipfile.ZipFile(tmp_path / "b.pt", "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name)[:2] if "/data/" in name else old.read(name))
    assert "damaged" in refusal(tmp_path / "b.pt", capsys)
    with pytest.raises(CheckpointError):
        read_torch_file(tmp_path / "b.pt")
