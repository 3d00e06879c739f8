"""Files of the research code and of OpenAI: read without running them, and computing the same."""

from __future__ import annotations

import os
import pickle
import zipfile

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from explainers import SimilarityGame
from hbi_core.checkpoints.checkpoint import RetrievalSettings, load_checkpoint
from hbi_core.checkpoints.published import Conversion, _clip, convert
from hbi_core.checkpoints.published_names import published_model
from hbi_core.checkpoints.torch_file import read_torch_file
from hbi_core.convert import main
from hbi_core.encoders import load_encoder
from hbi_core.errors import CheckpointError
from hbi_core.estimator import load_estimator
from hbi_core.model import Tokens
from hbi_core.pipeline import explain
from support import published
from support.demo import CAFE
from support.published_files import (
    CLIP,
    SMALL,
    D,
    clip_shapes,
    double,
    heads_shapes,
    know_small_clip,
    random_state,
    whole_state,
)

LENGTHS = (24, 3, 4, 5, 11)  # tokens of the texts, start and end included
FRAMES = (12, 3, 7, 1, 5)
DONE = Conversion("nothing", (), set())
UNUSED = {name for name in heads_shapes() if ".bn." in name}


def masks(lengths, most):
    return torch.arange(most) < torch.tensor(lengths)[:, None]


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


def ours(hierarchy, frames, video_mask, text, text_mask):
    with torch.inference_mode():
        levels = hierarchy(Tokens.original(frames, video_mask), Tokens.original(text, text_mask))
        return [level.game(all_pairs=True).grand_value() for level in levels]


def difference(one, other):
    return max((a - b).abs().max().item() for a, b in zip(one, other, strict=True))


def random_batch(seed, most=(12, 24)):
    """Features of a batch, in the padding too, and their masks."""
    generator = torch.Generator().manual_seed(100 + seed)
    frames = torch.randn(len(FRAMES), most[0], D, generator=generator)
    text = torch.randn(len(LENGTHS), most[1], D, generator=generator)
    return frames, masks(FRAMES, most[0]), text, masks(LENGTHS, most[1])


@pytest.mark.parametrize(("seed", "most"), [*((n, (12, 24)) for n in range(4)), (4, (32, 40))])
def test_three_levels(seed, most):
    """Padding in texts, very short ones among them, and in frames; every video with every text.

    The last have several clusters of nothing but padding, which are the same vector.
    """
    state = random_state(heads_shapes(), seed)
    batch = random_batch(seed, most)
    _, hierarchy, _, _ = published_model(state)
    frames, video_mask, text, text_mask = batch
    expected = published.similarities(
        double(state), frames.double(), video_mask, text.double(), text_mask
    )
    result = ours(hierarchy.eval(), *batch)
    for level, values in zip(result, expected, strict=True):
        assert level.shape == (len(FRAMES), len(LENGTHS))
        assert values.std() > 0.01
    assert difference(result, expected) < 1e-6


def test_every_part_matters():
    """A change of any tensor changes the similarities: the equality above tests them all."""
    _, hierarchy, _, _ = published_model(random_state(heads_shapes()))
    frames, video_mask, text, text_mask = (x[:2] for x in random_batch(0))
    levels = hierarchy(Tokens.original(frames, video_mask), Tokens.original(text, text_mask))
    scores = torch.stack([level.game(all_pairs=True).grand_value() for level in levels])
    scores.square().sum().backward()
    for name, parameter in hierarchy.named_parameters():
        idle = (".head.", "logits.2.bias", "score.bias")  # training only; shifts inside a softmax
        if not any(part in name for part in idle):
            assert parameter.grad.abs().max() > 1e-6, name


@pytest.mark.parametrize("part", ["banzhafmodel", "banzhafmodel0", "banzhafmodel1", "estimator"])
def test_prediction_heads(part):
    state = random_state(heads_shapes())
    _, hierarchy, estimator, _ = published_model(state)
    if part == "estimator":
        head, part = estimator.network, "banzhafteacher"
    else:
        head = hierarchy.levels[("", "0", "1").index(part.removeprefix("banzhafmodel"))].head
    cells = torch.randn(2, 5, 7, generator=torch.Generator().manual_seed(0))  # [B, V, T]
    everybody = torch.ones(2, 5, dtype=torch.bool), torch.ones(2, 7, dtype=torch.bool)
    with torch.inference_mode():
        result = head(cells, *everybody)
    expected = [published.prediction_head(double(state), part, c.T.double()).T for c in cells]
    assert difference(result, expected) < 1e-4


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


def refusal(source, capsys, target="target.safetensors"):
    """What the command says of a file that it refuses; it leaves nothing behind."""
    before = sorted(source.parent.rglob("*"))
    assert main([str(source), str(source.parent / target)]) == 2
    assert sorted(source.parent.rglob("*")) == before
    out, err = capsys.readouterr()
    assert not out
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    return err


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


def estimator_state():
    """One of the six estimator files: the bare module."""
    state = {
        name: value for name, value in random_state(heads_shapes()).items() if "teacher" in name
    }
    return {name.removeprefix("banzhafteacher."): value for name, value in state.items()}


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


class Holder(nn.Module):
    """Submodules and tensors by dotted names, as deep as the names go; in half precision."""

    def __init__(self, tensors):
        super().__init__()
        inner = {}
        for name, value in tensors.items():
            head, _, rest = name.partition(".")
            if rest:
                inner.setdefault(head, {})[rest] = value
            elif value.is_floating_point():
                self.register_parameter(head, nn.Parameter(value.half()))
            else:
                self.register_buffer(head, value)
        for name, values in inner.items():
            self.add_module(name, Holder(values))

    def forward(self, x):
        return x


SCALARS = {
    "input_resolution": torch.tensor(224),
    "context_length": torch.tensor(77),
    "vocab_size": torch.tensor(49408),
}


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
