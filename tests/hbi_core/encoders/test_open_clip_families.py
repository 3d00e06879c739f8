"""Models of open_clip other than CLIPs: what is read of their texts, and where it stands."""

from __future__ import annotations

import open_clip
import pytest
import torch

from hbi_core.encoders import encode_text, load_encoder
from hbi_core.encoders.clip_tokens import tokenize
from hbi_core.encoders.open_clip_files import preprocessing
from hbi_core.errors import InputError, WeightsError
from hbi_core.inputs.text import parse_caption
from support.open_clip_models import CONTEXT, FAMILIES, write_model

CAPTIONS = [
    "two men talking after one puts out a fire",
    "It's a black-and-white cat, isn't it?",
    "a cat &amp; the chonky   dog \u201cjumps\u201d",
    "a cat 猫 over 😀 fences",
]
LONG = "the extraordinarily chonky dog " * 8
SPECIAL = {
    "siglip": ("", "[LAST]"),
    "siglip2": ("", "[LAST]"),
    "clipa": ("", "[LAST]"),
    "worldwide": ("[BOS]", "[EOS]"),
    "mobileclip": ("[BOS]", "[EOS]"),
    "plain": ("[BOS]", "[EOS]"),
    "coca": ("", "[CLS]"),
    "roberta": ("", ""),
    "roberta-mlp": ("", ""),
    "bert": ("", "[CLS]"),
    "mt5": ("", ""),
    "nllb": ("", "[CLS]"),
}


@pytest.fixture(scope="module", params=list(FAMILIES))
def model(request, tmp_path_factory):
    """Family, encoder, and open_clip's own tokenizer."""
    name, file = write_model(request.param, tmp_path_factory.mktemp(request.param))
    return request.param, load_encoder(f"open_clip:{name}:{file}"), open_clip.get_tokenizer(name)


@pytest.mark.parametrize("caption", [*CAPTIONS, LONG])
def test_ids_are_those_of_the_model(model, caption):
    _, encoder, own = model
    read = tokenize(encoder.tokenizer, parse_caption(caption), "tokens").ids
    padding = [encoder.tokenizer.padding] * (CONTEXT - len(read))
    assert [*read, *padding] == own(caption)[0].tolist()


@pytest.mark.parametrize("caption", [*CAPTIONS, LONG])
@pytest.mark.parametrize("players", ["words", "tokens"])
def test_the_sentence_has_the_embedding_of_the_model(model, caption, players):
    """Pooled as the model pools, our players are what open_clip calls the text's embedding."""
    family, encoder, own = model
    if family in ("roberta-mlp", "mt5") or (players == "words" and family == "roberta"):
        return  # a mean is of all tokens, and one behind a projection with a bend is of none
    if players == "words" and caption == LONG:
        return  # a word that is cut is not read
    with torch.inference_mode():
        expected = encoder.model.encode_text(own(caption), normalize=False)[0]
    found = encode_text(encoder, parse_caption(caption), players)
    if family == "roberta":
        pooled = found.features.mean(0)
    else:
        is_first = players == "tokens" and family in ("bert", "nllb")
        pooled = found.features[0 if is_first else -1]
    assert (pooled - expected).abs().max() < 1e-5


def test_words_are_the_means_of_their_tokens_as_the_model_would_pool_them(model):
    """Of the states that its last layer gave, by the pooler of the model itself."""
    family, encoder, _ = model
    caption = parse_caption("a tabby cat sips the extraordinarily chonky espresso")
    result, tokens = encode_text(encoder, caption), tokenize(encoder.tokenizer, caption)
    first, last = SPECIAL[family]
    assert result.labels == tuple(
        filter(None, [first, *(word.text for word in caption.words), last])
    )
    assert max(map(len, tokens.pieces)) > 1
    for word, own in zip(caption.words, tokens.pieces, strict=True):
        spelled = "".join(encoder.tokenizer.label(tokens.ids[n]).strip("#▁") for n in own)
        assert spelled == word.text
    seen = []
    tower = encoder.text_tower
    hub = hasattr(tower, "pooler")
    layer = tower.transformer if hub else tower.ln_final
    handle = layer.register_forward_hook(lambda *x: seen.append(x[-1]))
    encode_text(encoder, caption)
    handle.remove()
    states = seen[0].last_hidden_state[0] if hub else seen[0][0]
    for word, own in enumerate(tokens.pieces):
        state = states[list(own)].mean(0, keepdim=True)
        with torch.inference_mode():
            expected = _pooled_alone(tower, state) if hub else _projected(tower, state)
        assert (result.features[word + bool(first)] - expected[0]).abs().max() < 1e-5


def _pooled_alone(tower, state):
    """By the model's own pooler, of a text of one token."""
    from transformers.modeling_outputs import BaseModelOutput, BaseModelOutputWithPooling

    text, real = state.unsqueeze(1), torch.ones(1, 1)
    output = BaseModelOutput(last_hidden_state=text)
    if getattr(tower.transformer, "pooler", None) is not None:
        output = BaseModelOutputWithPooling(text, tower.transformer.pooler(text))
    return tower.proj(tower.pooler(output, real))


def _projected(tower, state):
    last = tower.text_projection
    if last is None:
        return state
    return last(state) if callable(last) else state @ last


def test_tokens_as_players(model):
    """All of the tokenizer's, and that of the model where it has one of its own."""
    family, encoder, _ = model
    caption = parse_caption(CAPTIONS[0])
    result = encode_text(encoder, caption, "tokens")
    last = SPECIAL[family][1]
    behind = (last,) if last == "[LAST]" or family == "coca" else ()
    ids = tokenize(encoder.tokenizer, caption, "tokens").ids
    assert len(result.features) == len(ids) + len(behind)
    assert result.labels == (*map(encoder.tokenizer.label, ids), *behind)
    assert all(result.labels)


def test_a_limit_counts_players(model):
    family, encoder, _ = model
    special = sum(map(bool, SPECIAL[family]))
    long = parse_caption(LONG)
    result = encode_text(encoder, long, "words", special + 2)
    assert [label for label in result.labels if label[0] != "["] == ["the", "extraordinarily"]
    assert len(result.labels) == special + 2
    assert len(result.left_out) == len(long.words) - 2
    with pytest.raises(InputError, match="no room for a word"):
        encode_text(encoder, long, "words", special)


def test_words_that_the_tokenizer_does_not_know_are_told(model):
    """Of bytes nothing is unknown; a word of unknown tokens alone is no player."""
    family, encoder, _ = model
    result = encode_text(encoder, parse_caption("a cat 猫 dog"))
    unknown = FAMILIES[family][0] in ("sentences", "around", "pieces")
    assert result.unreadable == (("猫",) if unknown else ())
    assert result.left_out == result.unreadable
    assert ("猫" in result.labels) is not unknown


def test_captions_of_a_batch_are_independent(model):
    _, encoder, _ = model
    batch = encoder.text_features([parse_caption(caption) for caption in CAPTIONS])
    for caption, together in zip(CAPTIONS, batch, strict=True):
        alone = encode_text(encoder, parse_caption(caption))
        assert alone.labels == together.labels
        assert (alone.features - together.features).abs().max() < 1e-5


def test_padding_and_players_that_it_has_not(model):
    """Released checkpoints read the padding of a CLIP, whose text attention is causal."""
    family, encoder, _ = model
    caption = parse_caption("a cat")
    with pytest.raises(InputError, match="words or tokens, not letters"):
        encode_text(encoder, caption, "letters")
    if family == "plain":
        assert encode_text(encoder, caption, "tokens", 8, padded=True).padding.shape == (4, 16)
    else:
        with pytest.raises(InputError, match="needs a CLIP"):
            encode_text(encoder, caption, "tokens", 8, padded=True)


def test_a_tokenizer_without_places_is_refused(tmp_path):
    name, file = write_model("siglip", tmp_path)
    config = tmp_path / f"{name}.json"
    config.write_text(config.read_text().replace('"clean"', '"padding_side": "left", "clean"'))
    open_clip.add_model_config(config)
    with pytest.raises(WeightsError, match="pads on the right"):
        load_encoder(f"open_clip:{name}:{file}")


@pytest.mark.parametrize(
    ("name", "weights", "mean", "mode"),
    [
        ("ViT-B-16-SigLIP", "mine.safetensors", 0.5, "squash"),
        ("ViT-B-16-SigLIP2", "webli", 0.5, "squash"),
        ("ViT-H-14-CLIPA", "checkpoint", 0.485, "squash"),
        ("coca_ViT-B-32", "mine.safetensors", 0.48145466, "shortest"),
        ("MobileCLIP-S1", "mine.safetensors", 0.0, "shortest"),
        ("ViT-L-14", "laion2b_s32b_b82k", 0.5, "shortest"),
    ],
)
def test_pictures_are_prepared_as_the_model_saw_them(name, weights, mean, mode):
    """Also where the weights are a file, which does not tell."""
    found = preprocessing(name, weights)
    assert found["mean"][0] == mean
    assert found["resize_mode"] == mode


def test_weights_that_differ_in_it_are_told(caplog):
    assert preprocessing("ViT-L-14", "mine.safetensors") == {}
    assert "prepared as OpenAI's CLIP does" in caplog.text
