"""Files of the research code and of OpenAI: read without running them, and computing the same."""

from __future__ import annotations

import os
import pickle
import zipfile

import open_clip
import pytest
import torch
from conftest import CAFE
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

import published
from hbi_core.checkpoint import load_checkpoint
from hbi_core.convert import main, published_model
from hbi_core.encoders import load_encoder
from hbi_core.errors import CheckpointError
from hbi_core.estimator_file import load_estimator
from hbi_core.model import Tokens
from hbi_core.pipeline import explain
from hbi_core.torch_file import read_torch_file

CLIP = "ViT-B-32-quickgelu"
D = 512
LENGTHS = (24, 3, 4, 5, 11)  # tokens of the texts, start and end included
FRAMES = (12, 3, 7, 1, 5)


def clip_shapes(model=CLIP):
    with torch.device("meta"):
        network = open_clip.CLIP(**open_clip.get_model_config(model))
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}


def heads_shapes():
    """All of a published checkpoint but its CLIP, by name."""
    shapes = {"frame_position_embeddings.weight": (77, D)}

    def linear(name, out, width=D):
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = (out, width), (out,)

    def norm(name, width=D):
        shapes[f"{name}.weight"] = shapes[f"{name}.bias"] = (width,)

    for block in (f"transformerClip.resblocks.{n}" for n in range(4)):
        shapes[f"{block}.attn.in_proj_weight"] = (3 * D, D)
        shapes[f"{block}.attn.in_proj_bias"] = (3 * D,)
        linear(f"{block}.attn.out_proj", D)
        linear(f"{block}.mlp.c_fc", 4 * D)
        linear(f"{block}.mlp.c_proj", D, 4 * D)
        norm(f"{block}.ln_1")
        norm(f"{block}.ln_2")
    for fc in (f"{side}_weight_fc{n}" for side in ("text", "video") for n in ("", "0", "1")):
        linear(f"{fc}.0", 2 * D)
        linear(f"{fc}.2", 1, 2 * D)
    for side, n in ((side, n) for side in "tv" for n in "01"):
        shapes[f"{side}_ctm{n}.conv.conv.weight"] = (D, D, 3)
        norm(f"{side}_ctm{n}.norm")
        linear(f"{side}_ctm{n}.score", 1)
        norm(f"{side}_block{n}.norm1")
        linear(f"{side}_block{n}.attn.q", D)
        linear(f"{side}_block{n}.attn.kv", 2 * D)
        linear(f"{side}_block{n}.attn.proj", D)
    for head in ("model", "model0", "model1", "teacher"):
        for part in "QKV":
            shapes[f"banzhaf{head}.{part}"] = (64, 64)
        shapes[f"banzhaf{head}.cnn1.weight"], shapes[f"banzhaf{head}.cnn1.bias"] = (
            (64, 1, 3, 3),
            (64,),
        )
        shapes[f"banzhaf{head}.cnn2.weight"], shapes[f"banzhaf{head}.cnn2.bias"] = (
            (1, 64, 3, 3),
            (1,),
        )
        norm(f"banzhaf{head}.bn", 64)
        shapes[f"banzhaf{head}.bn.running_mean"] = shapes[f"banzhaf{head}.bn.running_var"] = (64,)
        shapes[f"banzhaf{head}.bn.num_batches_tracked"] = ()
    return shapes


UNUSED = {name for name in heads_shapes() if ".bn." in name}


def random_state(shapes, seed=0):
    """Weights at which every part matters: logits of attention, scores and weights of size 1."""
    generator = torch.Generator().manual_seed(seed)

    def draw(name, shape):
        if name.endswith("num_batches_tracked"):
            return torch.tensor(7)
        values = torch.randn(shape, generator=generator)
        if name.endswith("logit_scale"):
            return torch.tensor(4.6)
        if name.endswith("score.bias"):
            return torch.full(shape, -12.0)  # weights beside which 1e-6 is something
        if len(shape) > 1 and "embedding" not in name:
            fan_in = values[0].numel() if "proj" not in name or "." in name else shape[0]
            return values * fan_in**-0.5 * (3.0 if ".2.weight" in name else 1.0)
        is_scale = name.endswith("weight") and len(shape) == 1
        return 0.3 * values + 1.0 if is_scale else 0.5 * values

    return {name: draw(name, shape) for name, shape in shapes.items()}


def double(state):
    return {name: value.double() for name, value in state.items()}


def masks(lengths, most):
    return torch.arange(most) < torch.tensor(lengths)[:, None]


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """A whole published checkpoint: its tensors, our file, and what the command said of it.

    Saved as a training script might: nested, from DataParallel, CLIP in half precision.
    """
    shapes = {f"clip.{name}": shape for name, shape in clip_shapes().items()} | heads_shapes()
    assert len(shapes) == 475
    state = random_state(shapes)
    for name, value in state.items():
        if name.startswith("clip.") and value.dim() > 1:
            state[name] = value.half()
    folder = tmp_path_factory.mktemp("converted")
    source, target = folder / "pytorch_model.bin", folder / "hbi.safetensors"
    stored = {f"module.{name}": value for name, value in state.items()}
    stored["module.left_over.weight"] = torch.ones(2)
    torch.save({"epoch": 5, "model_state_dict": stored}, source)
    said = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("builtins.print", lambda *words, **_: said.append(" ".join(map(str, words))))
        assert main([str(source), str(target)]) == 0
    source.unlink()
    yield state, target, "\n".join(said)
    target.unlink()  # 600 MB


def ours(hierarchy, frames, video_mask, text, text_mask):
    with torch.inference_mode():
        levels = hierarchy(Tokens.original(frames, video_mask), Tokens.original(text, text_mask))
        return [level.game(all_pairs=True).grand_value() for level in levels]


def difference(one, other):
    return max((a - b).abs().max().item() for a, b in zip(one, other, strict=True))


def random_batch(seed):
    """Features of a batch, in the padding too, and their masks."""
    generator = torch.Generator().manual_seed(100 + seed)
    frames = torch.randn(len(FRAMES), 12, D, generator=generator)
    text = torch.randn(len(LENGTHS), 24, D, generator=generator)
    return frames, masks(FRAMES, 12), text, masks(LENGTHS, 24)


def test_the_whole_model_computes_what_the_published_one_does(converted):
    """From pixels and token ids, through the file and its loaders."""
    state, path, _ = converted
    checkpoint = load_checkpoint(path)
    encoder = load_encoder(checkpoint.encoder, checkpoint=checkpoint.path)
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randn(3, 3, 224, 224, generator=generator)
    videos = torch.tensor([[0, 1, 2], [2, 0, 1]])
    ids = torch.zeros(3, 77, dtype=torch.long)
    for row, length in zip(ids, (24, 3, 9), strict=True):
        row[0], row[length - 1] = 49406, 49407
        row[1 : length - 1] = torch.randint(1, 49000, (length - 2,), generator=generator)
    video_mask, text_mask = masks((3, 2), 3), ids[:, :24] > 0

    exact = double(state)
    frames = torch.stack([published.frame_features(exact, x) for x in pixels.double()])[videos]
    texts = [published.text_features(exact, row) for row in ids[:, :24]]
    expected = published.similarities(exact, frames, video_mask, texts, text_mask)

    with torch.inference_mode():
        features = encoder.model.encode_image(pixels)[videos]
        states = encoder.token_states(ids)[:, :24]
    assert difference(features, frames) < 1e-4
    assert difference(states, texts) < 1e-4
    result = ours(checkpoint.hierarchy, features, video_mask, states, text_mask)
    assert difference(result, expected) < 1e-5
    assert encoder.model.logit_scale == state["clip.logit_scale"]


@pytest.mark.parametrize("seed", range(4))
def test_three_levels(seed):
    """Padding in texts, very short ones among them, and in frames; every video with every text."""
    state = random_state(heads_shapes(), seed)
    batch = random_batch(seed)
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
    """Without any one tensor our model is another: the equality above tests them all."""
    _, hierarchy, _, _ = published_model(random_state(heads_shapes()))
    batch = [x[:2] for x in random_batch(0)]
    whole = ours(hierarchy.eval(), *batch)
    for name, parameter in hierarchy.named_parameters():
        idle = (".head.", "logits.2.bias", "score.bias")  # training only; shifts inside a softmax
        if not any(part in name for part in idle):
            kept, parameter.data = parameter.data, torch.zeros_like(parameter)
            assert difference(ours(hierarchy, *batch), whole) > 1e-4, name
            parameter.data = kept


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
    assert set(unused.split(": ")[1].split(", ")) == {"epoch", "left_over.weight", *UNUSED}
    beside = path.with_suffix(".estimator.safetensors")
    assert said.splitlines()[-2:] == [str(path), str(beside)]
    assert not list(path.parent.glob("*.partial"))
    estimator = load_estimator(beside)
    assert torch.equal(estimator.network.attention.query, state["banzhafteacher.Q"])
    with safe_open(path, "pt") as file:
        stored = {name: file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118
    assert set(stored.values()) == {"F32"}
    assert len(stored) == len(state) - len(UNUSED) - len(load_file(beside))


def test_explain_with_a_converted_checkpoint(converted):
    _, path, _ = converted
    result = explain(CAFE, "an extraordinarily chonky cat", checkpoint=path)
    assert result.encoder == f"open_clip:{CLIP}:checkpoint"
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
    return {f"clip.{name}": shape for name, shape in clip_shapes().items()} | heads_shapes()


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
    assert "a safetensors file already" in refusal(tmp_path / "ours.bin", capsys)


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
    """At full size."""
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
    assert {name: tuple(value.shape) for name, value in tensors.items()} == clip_shapes()
    for name, value in clip.items():
        assert tensors[name].dtype == torch.float32
        assert torch.equal(tensors[name], value.half().float()), name
    encoder = load_encoder(f"open_clip:{CLIP}:{target}")
    target.unlink()
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
