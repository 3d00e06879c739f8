"""Files as the paper's authors and OpenAI release them, with random weights."""

from __future__ import annotations

import json

import open_clip
import torch
from torch import nn

from hbi_core.checkpoints import published
from hbi_core.convert import main

CLIP = "ViT-B-32-quickgelu"
SMALL = "small-quickgelu"
D = 512


def know_small_clip(patch, folder):
    """Make open_clip and the converter know a CLIP that computes in moments.

    Args:
        patch: a pytest.MonkeyPatch.
        folder: to write in.
    """
    config = {
        "embed_dim": D,
        "quick_gelu": True,
        "vision_cfg": {"image_size": 32, "layers": 2, "width": 128, "patch_size": 8},
        "text_cfg": {
            "context_length": 77,
            "vocab_size": 49408,
            "width": 128,
            "heads": 2,
            "layers": 3,
        },
    }
    path = folder / f"{SMALL}.json"
    path.write_text(json.dumps(config))
    open_clip.add_model_config(path)
    patch.setitem(published.CLIPS, (128, 3, 8, 8), SMALL)


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


def whole_state(model=SMALL, seed=0):
    """A released checkpoint; its CLIP in half precision, as GPUs leave it."""
    clip = {f"clip.{name}": shape for name, shape in clip_shapes(model).items()}
    state = random_state(clip | heads_shapes(), seed)
    for name in clip:
        if state[name].dim() > 1:
            state[name] = state[name].half()
    return state


def double(state):
    return {name: value.double() for name, value in state.items()}


UNUSED = {name for name in heads_shapes() if ".bn." in name}


def estimator_state():
    """One of the six estimator files: the bare module."""
    state = {
        name: value for name, value in random_state(heads_shapes()).items() if "teacher" in name
    }
    return {name.removeprefix("banzhafteacher."): value for name, value in state.items()}


SCALARS = {
    "input_resolution": torch.tensor(224),
    "context_length": torch.tensor(77),
    "vocab_size": torch.tensor(49408),
}


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
