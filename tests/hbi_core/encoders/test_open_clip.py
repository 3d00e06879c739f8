"""CLIP encoders: on randomly initialised models of the real architectures, saved to files.

The pretrained weights are not on the package index, so nothing here has seen them.
"""

from __future__ import annotations

import json
import socket

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from hbi_core.encoders import encode_frames, encode_text, load_encoder
from hbi_core.encoders.clip_tokens import tokenize
from hbi_core.encoders.open_clip import load_open_clip
from hbi_core.errors import CaptionError, InputError, WeightsError
from hbi_core.inputs.text import parse_caption
from hbi_core.pipeline import explain
from support.demo import CAFE

BYTE_PAIRS = open_clip.get_tokenizer("ViT-B-32-quickgelu")
CAPTIONS = [
    "two men talking after one puts out a fire",
    "It's a black-and-white cat, isn't it? Yes: 10,000 times!",
    "café 猫 😀 «quoted»",
]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("clip") / "random.safetensors"
    save_file(open_clip.create_model("ViT-B-32-quickgelu").state_dict(), path)
    return path


@pytest.fixture(scope="module")
def encoder(weights):
    return load_encoder(f"open_clip:ViT-B-32-quickgelu:{weights}")


@pytest.mark.parametrize("limit", [3, 5, 9, 24])
def test_a_cut_caption_keeps_its_end_token(encoder, limit):
    """The encoder reads the caption as if it ended there."""
    long = parse_caption("an extraordinarily chonky cat, " * 12)
    for players in ("words", "tokens"):
        result = encode_text(encoder, long, players, limit)
        assert len(result.features) == len(result.labels) == limit
        assert (result.labels[0], result.labels[-1]) == ("[BOS]", "[EOS]")
        ids = list(tokenize(encoder.tokenizer, long, players, limit).ids)
        if players == "tokens":  # as the research code cuts: the first ones, then the end
            assert ids == BYTE_PAIRS(long.text, limit)[0].tolist()
        cut = BYTE_PAIRS.decode(ids[1:-1])
        assert (
            encode_text(encoder, parse_caption(cut), players).features - result.features
        ).abs().max() < 1e-5
        words = [word.text for word in long.words]
        assert result.left_out == tuple(words[len(words) - len(result.left_out) :])
        if players == "words":
            assert len(result.left_out) == len(words) - (limit - 2)


def test_a_word_that_is_cut_is_left_out(encoder):
    """A token more or less of "chonky" (two tokens), as the last that is read."""
    caption = parse_caption("an extraordinarily chonky cat")
    whole = tokenize(encoder.tokenizer, caption, "tokens")
    first, last = whole.pieces[2][0], whole.pieces[2][-1]
    assert first < last
    for limit, expected in ((first + 2, ("chonky", "cat")), (last + 2, ("cat",))):
        assert tokenize(encoder.tokenizer, caption, "tokens", limit).left_out == expected
    with pytest.raises(InputError, match="no room"):
        tokenize(encoder.tokenizer, caption, "tokens", 2)


def test_nothing_to_read(encoder):
    with pytest.raises(CaptionError, match="no token for any word"):
        encode_text(encoder, parse_caption("&nbsp;"))
    with pytest.raises(CaptionError, match="none that fits"):
        encode_text(encoder, parse_caption("x" * 2000))


def test_padding_is_only_given_where_it_is_asked_for(encoder):
    """What is read before it stays the same."""
    captions = [parse_caption(caption) for caption in CAPTIONS[:2]]
    plain = encoder.text_features(captions, "tokens", 24)
    padded = encoder.text_features(captions, "tokens", 24, padded=True)
    for one, other in zip(plain, padded, strict=True):
        assert one.padding is None
        assert (one.features - other.features).abs().max() < 1e-5
        assert other.padding.shape == (24 - len(one.labels), 512)
    with pytest.raises(InputError, match="has 77"):
        encoder.text_features(captions, "tokens", 78, padded=True)


def test_end_token_is_the_sentence_of_clip(encoder):
    """Our [EOS] player is what open_clip calls the text's embedding."""
    result = encode_text(encoder, parse_caption(CAPTIONS[0]))
    assert result.labels == ("[BOS]", *CAPTIONS[0].split(), "[EOS]")
    tokens = open_clip.get_tokenizer("ViT-B-32-quickgelu")(CAPTIONS[0])
    with torch.inference_mode():
        expected = encoder.model.encode_text(tokens)[0]
    assert (result.features[-1] - expected).abs().max() < 1e-5


def test_words_are_the_means_of_their_tokens(encoder):
    caption = parse_caption("an extraordinarily chonky cat")
    tokens = tokenize(encoder.tokenizer, caption)
    ids, pieces = tokens.ids, [[0], *map(list, tokens.pieces), [len(tokens.ids) - 1]]
    assert max(map(len, pieces)) > 1
    # The states of a prefix do not depend on what follows: cut after each token and read the end.
    tokens = torch.zeros(len(ids), 77, dtype=torch.long)
    for length in range(1, len(ids) + 1):
        tokens[length - 1, :length] = torch.tensor(ids[:length])
    model = encoder.model
    with torch.inference_mode():
        x = model.token_embedding(tokens) + model.positional_embedding
        x = model.ln_final(model.transformer(x, attn_mask=model.attn_mask))
        states = torch.stack([x[n, n] for n in range(len(ids))]) @ model.text_projection
    expected = torch.stack([states[tokens_of_word].mean(0) for tokens_of_word in pieces])
    assert (encode_text(encoder, caption).features - expected).abs().max() < 1e-5


def test_tokens_as_players(encoder):
    """The players of the paper's own model: every token, start and end included."""
    caption = parse_caption("an extraordinarily chonky cat")
    tokens = tokenize(encoder.tokenizer, caption)
    result = encoder.text_features([caption], "tokens")[0]
    words = encode_text(encoder, caption)
    assert len(result.labels) == len(result.features) == len(tokens.ids)
    assert result.labels[0] == "[BOS]"
    assert "".join(result.labels[1:-1]) == "anextraordinarilychonkycat"
    assert (result.features[list(tokens.pieces[1])].mean(0) - words.features[2]).abs().max() < 1e-5


def test_captions_of_a_batch_are_independent(encoder):
    batch = encoder.text_features([parse_caption(caption) for caption in CAPTIONS])
    for caption, result in zip(CAPTIONS, batch, strict=True):
        alone = encode_text(encoder, parse_caption(caption))
        assert alone.labels == result.labels
        assert (alone.features - result.features).abs().max() < 1e-4


def test_frames(encoder):
    frames = np.random.default_rng(0).integers(0, 255, (2, 90, 160, 3)).astype(np.uint8)
    preprocess = open_clip.image_transform(224, is_train=False)
    pixels = torch.stack([preprocess(Image.fromarray(frame)) for frame in frames])
    with torch.inference_mode():
        expected = encoder.model.encode_image(pixels)
    assert (encode_frames(encoder, frames) - expected).abs().max() < 1e-5
    prepared = encoder.prepare_frames(frames)
    assert prepared.dtype == torch.uint8  # which processes share
    assert torch.equal(encoder.normalised(prepared), pixels)


def test_captions_beyond_77_tokens(encoder):
    caption = parse_caption(" ".join(["extraordinarily"] * 60))
    result = encode_text(encoder, caption)
    tokens = tokenize(encoder.tokenizer, caption)
    assert len(tokens.ids) <= 77
    assert tokens.ids[-1] == 49407
    read = len(tokens.words)
    assert len(result.labels) == read + 2
    assert len(result.left_out) == 60 - read > 0


def test_words_beyond_those_of_the_caption_are_not_read(encoder):
    """Between the limit of words and the encoder's own."""
    result = encode_text(encoder, parse_caption("a " * 70), "tokens")
    assert len(result.labels) == 64 + 2
    assert len(result.left_out) == 6


def test_explain(weights):
    name = f"open_clip:ViT-B-32-quickgelu:{weights}"
    result = explain(CAFE, "A cat. A cup.", encoder=name, frames=4)
    assert result.encoder == name
    assert [t.text for t in result.levels[0].text_tokens] == [
        "[BOS]",
        "A",
        "cat",
        "A",
        "cup",
        "[EOS]",
    ]


@pytest.fixture(scope="module", params=["RN50-quickgelu", "EVA02-B-16"])
def small(request, tmp_path_factory):
    """Two of open_clip's models with fewer and narrower layers, under names of their own."""
    config = open_clip.get_model_config(request.param)
    if "timm_model_name" in config["vision_cfg"]:
        config["vision_cfg"]["timm_model_name"] = "eva02_tiny_patch14_224"
    else:
        config["vision_cfg"] |= {"layers": [1, 1, 1, 1], "width": 16}
    config["embed_dim"] = 192  # the width of that image tower
    config["text_cfg"] |= {"layers": 2, "width": 64, "heads": 2}
    name = f"small-{request.param}"
    path = tmp_path_factory.mktemp("configuration") / f"{name}.json"
    path.write_text(json.dumps(config))
    open_clip.add_model_config(path)
    return name


def test_other_architectures(small, tmp_path):
    """A ResNet with attention pooling, and a timm image tower with a separate text tower."""
    model, path = small, tmp_path / "random.safetensors"
    state = open_clip.create_model(model).state_dict()
    save_file({key: value.contiguous() for key, value in state.items()}, path)
    encoder = load_open_clip(model, str(path)).eval()
    text = encode_text(encoder, parse_caption(CAPTIONS[0])).features
    frames = encode_frames(encoder, np.zeros((1, 64, 64, 3), np.uint8))
    assert text.shape[-1] == frames.shape[-1]
    with torch.inference_mode():
        tokens = open_clip.get_tokenizer(model)(CAPTIONS[0])
        expected = encoder.model.encode_text(tokens)[0]
    assert (text[-1] - expected).abs().max() < 1e-5


def test_missing_weights_are_told_at_once(monkeypatch, tmp_path):
    """No network, no waiting for one, no random weights."""
    asked = []

    def no_network(*address):
        asked.append(address)
        raise OSError("there is no network")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(WeightsError, match="not on this machine") as error:
        load_encoder("open_clip")
    assert "--encoder open_clip:ViT-B-32-quickgelu:openai --download" in str(error.value)
    assert not asked


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ViT-B-32", "openai"), "use the model ViT-B-32-quickgelu"),
        (("ViT-B-32-quickgelu", "laion2b_s34b_b79k"), "neither a file nor a pretrained tag"),
        (("ViT-Z", "openai"), "no model 'ViT-Z'"),
    ],
)
def test_what_cannot_be_loaded(arguments, message):
    with pytest.raises(WeightsError, match=message):
        load_open_clip(*arguments)


def test_a_file_that_does_not_fit(small, tmp_path):
    path = tmp_path / "wrong.safetensors"
    save_file({"weight": torch.zeros(3)}, path)
    with pytest.raises(WeightsError, match=f"cannot be loaded as {small}"):
        load_open_clip(small, str(path))


def test_torchscript_is_not_run(tmp_path):
    """The original files of OpenAI: told, with the command that takes the weights out."""
    path = tmp_path / "ViT-B-32.pt"
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(path))
    with pytest.raises(WeightsError, match="TorchScript") as error:
        load_open_clip("ViT-B-32-quickgelu", str(path))
    command = f"python -m hbi_core.convert '{path}' '{tmp_path / 'ViT-B-32.safetensors'}'"
    assert command in str(error.value)


def test_weights_of_a_checkpoint_raise_no_false_alarm(small, caplog):
    """They come from its file afterwards; open_clip's warning is right everywhere else."""
    load_open_clip(small, "checkpoint")
    assert not caplog.text
    with pytest.raises(WeightsError, match="lie in a checkpoint"):  # which none has filled
        load_encoder(f"open_clip:{small}:checkpoint")
    open_clip.create_model(small)
    assert "initialized randomly" in caplog.text


def test_the_activation_of_a_file_is_unknown(weights, caplog):
    """Loading is possible, but the user is told of the trap."""
    load_open_clip("ViT-B-32", str(weights))
    assert "use ViT-B-32-quickgelu" in caplog.text
