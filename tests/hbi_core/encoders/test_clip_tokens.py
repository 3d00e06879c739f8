"""The tokens of a caption are CLIP's, and each is known by its word."""

from __future__ import annotations

import random

import open_clip
import pytest

from hbi_core.encoders.clip_tokens import ClipTokenizer, tokenize
from hbi_core.inputs.text import parse_caption

TYPED = [
    "two men talking after one puts out a fire",
    "It's a black-and-white cat, isn't it? Yes: 10,000 times!",
    "café 猫 😀 «quoted»",
    "a girl holding a horse 's lead",
    "the dog 's owner can 't see , but they 'll call 'd it",
    "I'LL say: DON'T, they've, we're, it's",
    "  spaces \t and\nlines   ",
    "it&#39;s a dog &amp; a cat &lt;3 &amp;amp;",
    "\u201ccurly\u201d \u2018quotes\u2019 and an \u2026",
    "cafÃ© and â€œmojibakeâ€\x9d",
    "ﬁne ﬂowers, ｆｕｌｌ ｗｉｄｔｈ",
    "İstanbul ΟΔΟΣ ẞ re\u0301sume\u0301 Å",
    "a<end_of_text>b <start_of_text>",
    "猫が犬を見る ไทย العربية हिन्दी",
    "zero\u200bwidth soft\u00adhyphen non\u00a0breaking \x07bell",
    "C++ $5 10,000 10:30 e.g. U.S.A. @home #1 a_b a-b a/b",
    "👨‍👩‍👧 👍🏽 🇩🇪",
    "\x1b[31mred\x1b[0m",
    " ".join(["extraordinarily"] * 20) + ".",
]


@pytest.mark.parametrize("caption", TYPED)
@pytest.mark.parametrize("players", ["words", "tokens"])
def test_ids_are_those_of_clip(caption, players):
    """Also of what it mends before it reads: entities, ligatures, detached 's."""
    tokenizer = open_clip.get_tokenizer("ViT-B-32-quickgelu")
    ids = tokenize(ClipTokenizer(tokenizer), parse_caption(caption), players).ids
    assert [*ids, *[0] * (77 - len(ids))] == tokenizer(caption)[0].tolist()


def test_ids_of_many_captions():
    """Words in any order, joined by anything that people put between them."""
    tokenizer = open_clip.get_tokenizer("ViT-B-32-quickgelu")
    parts = ["a", "dog", "'s", "'t", "don't", "&", ";", "&amp;", "&eacute;", "é", "Ã©"]
    parts += ["\u2019s", "\u00bd", "３", ".", ",", "--", "...", "(", ")"]
    drawn = random.Random(0)
    for _ in range(300):
        words = ["dog", *drawn.choices(parts, k=drawn.randint(1, 12))]
        caption = "".join(word + drawn.choice([" ", " ", "", "\u3000", "  "]) for word in words)
        ids = tokenize(ClipTokenizer(tokenizer), parse_caption(caption)).ids
        assert [*ids, *[0] * (77 - len(ids))] == tokenizer(caption)[0].tolist(), caption


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("A horse 's lead.", ["a", "horse", "'s", "lead"]),
        ("Don't  &lt;shout", ["don't", "<", "shout"]),
        ("an extraordinarily CHONKY cat", ["an", "extraordinarily", "chonky", "cat"]),
        ("ﬁne cafÃ© İzmir, 10,000!", ["fine", "café", "café", "i\u0307zmir", "10,000"]),
    ],
)
def test_a_word_has_the_tokens_of_its_characters(caption, expected):
    """Written otherwise where the tokenizer mends the text: "cafÃ" and "©" share a token."""
    tokenizer = open_clip.get_tokenizer("ViT-B-32-quickgelu")
    caption = parse_caption(caption)
    tokens = tokenize(ClipTokenizer(tokenizer), caption)
    read = ["".join(tokenizer.decode([tokens.ids[n]]) for n in own) for own in tokens.pieces]
    assert [text.replace(" ", "") for text in read] == expected
    assert [caption.words[n].text for n in tokens.words] == [w.text for w in caption.words]
    assert not tokens.left_out
