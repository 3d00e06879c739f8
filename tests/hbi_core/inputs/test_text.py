"""Captions as their readers see them."""

from __future__ import annotations

import string
import unicodedata

import pytest

from hbi_core.errors import CaptionError
from hbi_core.inputs.text import MAX_WORDS, parse_caption


@pytest.mark.parametrize(
    ("caption", "words"),
    [
        (
            "Two men talking, after one puts out a fire.",
            ["Two", "men", "talking", "after", "one", "puts", "out", "a", "fire"],
        ),
        ("it's a black-and-white cat", ["it's", "a", "black-and-white", "cat"]),
        ("10,000 people at 3.5 km, 10:30", ["10,000", "people", "at", "3.5", "km", "10:30"]),
        ("cats,dogs and 'birds'...fly", ["cats", "dogs", "and", "birds", "fly"]),
        ("  spaces \t and\nlines  ", ["spaces", "and", "lines"]),
        ("ein Mädchen läuft", ["ein", "Mädchen", "läuft"]),
        ("कुत्ता दौड़ता है", ["कुत्ता", "दौड़ता", "है"]),
        ("رجل يركض", ["رجل", "يركض"]),
        ("一只猫坐着。", ["一", "只", "猫", "坐", "着"]),
        ("a dog 🐶 runs 👩‍🚀", ["a", "dog", "🐶", "runs", "👩‍🚀"]),
        ("😀", ["😀"]),
        ("dog🐶 🐶🐱 👍🏽 🇩🇪🇫🇷", ["dog", "🐶", "🐶", "🐱", "👍🏽", "🇩🇪", "🇫🇷"]),
        ("コーヒーを飲む", ["コーヒー", "を", "飲", "む"]),
        ("$5 and C++ | 3% = x", ["$5", "and", "C++", "3", "x"]),
        (
            "<b>two</b> <br> alpha$ =2 `code` ~5 #cat wait#",
            ["b", "two", "b", "br", "alpha", "2", "code", "5", "cat", "wait"],
        ),
        (
            "C# C++11 A+ 5€ US$5 -€5.50 +5 −5 A$AP x=y 1+1",
            ["C#", "C++11", "A+", "5€", "US$5", "€5.50", "+5", "−5", "A$AP", "x", "y", "1+1"],
        ),
        (
            "it´s dogs’ 'tis rock’n’roll צה״ל col·legi AT&T me@example.com",
            ["it´s", "dogs", "tis", "rock’n’roll", "צה״ל", "col·legi", "AT&T", "me@example.com"],
        ),
        (
            "at https://example.com/a.mp4?x=1#y, or (http://a.b/c).",
            ["at", "https://example.com/a.mp4?x=1#y", "or", "http://a.b/c"],
        ),
        (
            "cats&amp;dogs &lt;b&gt; caf&eacute; R&B; AT&T; Q&A",
            ["cats", "amp", "dogs", "lt", "b", "gt", "caf", "eacute", "R&B", "AT&T", "Q&A"],
        ),
        ("٣٫٥ and 1⁄2, x²", ["٣٫٥", "and", "1⁄2", "x²"]),
        ("ｺｰﾋｰ 人々", ["ｺｰﾋｰ", "人", "々"]),
        ("1️⃣ #️⃣ ❤️‍🔥 🏽 \u0301", ["1️⃣", "#️⃣", "❤️‍🔥", "🏽", "\u0301"]),
        (
            "a face \U0001fae9, \ue000 \ufffd \u0378",  # Unicode 16, private, damaged, unassigned
            ["a", "face", "\U0001fae9", "\ue000", "\ufffd", "\u0378"],
        ),
    ],
)
def test_words(caption, words):
    parsed = parse_caption(caption)
    assert [word.text for word in parsed.words] == words
    assert all(caption[word.start : word.end] == word.text for word in parsed.words)


@pytest.mark.parametrize(
    ("caption", "clauses"),
    [
        (
            "A cat sits. A dog, that barks at 3.5 m; a man's hat",
            ["A cat sits", "A dog", "that barks at 3.5 m", "a man's hat"],
        ),
        ("He stops.Then he runs", ["He stops", "Then he runs"]),
        ("A man sits.A woman stands", ["A man sits", "A woman stands"]),
        ("Он стоит.Потом бежит", ["Он стоит", "Потом бежит"]),
        ("It is 5.Then it rains!Later,sun", ["It is 5", "Then it rains", "Later", "sun"]),
        ("वह रुकता है.वह बैठा है", ["वह रुकता है", "वह बैठा है"]),
        (
            "see example.com v1.2 at 3.5 Ph.D B.Sc e.g a.m U.S.A node.JS พ.ศ he.then",
            ["see example.com v1.2 at 3.5 Ph.D B.Sc e.g a.m U.S.A node.JS พ.ศ he.then"],
        ),
        ("يركض، يقف؟ نعم؛ لا۔ هو", ["يركض", "يقف", "نعم", "لا", "هو"]),
        ("कुत्ता है। वह है॥ अब", ["कुत्ता है", "वह है", "अब"]),
        ("Կատուն է։ Շունը ինչո՞ւ", ["Կատուն է", "Շունը ինչո՞ւ"]),
        ("ድመት ተቀምጧል። ውሻ፡ይሮጣል፣ ሰው", ["ድመት ተቀምጧል", "ውሻ ይሮጣል", "ሰው"]),
        ("ខ្ញុំ។ គាត់", ["ខ្ញុំ", "គាត់"]),
        ("ကြောင်။ ခွေး၊ လူ", ["ကြောင်", "ခွေး", "လူ"]),
        ("τι; ναι· όχι", ["τι", "ναι", "όχι"]),
        ("a\nb\rc\x85d\u2028e\u2029f\x0bg\x0ch", list("abcdefgh")),
        ("¿qué? ¡sí! (no) 【a】《b》", ["qué", "sí", "no", "a", "b"]),
        ("he said „so“ and “yes” to 'us'", ["he said so and yes to us"]),
    ],
)
def test_clauses(caption, clauses):
    found = {}
    for word in parse_caption(caption).words:
        found.setdefault(word.clause, []).append(word.text)
    assert [" ".join(words) for words in found.values()] == clauses
    assert list(found) == list(range(len(clauses)))


def test_no_letter_digit_or_symbol_is_lost():
    """Each is in a word, whatever its script; asked of Python's own tables, not of `regex`."""
    visible = [
        character
        for character in map(chr, range(0x20000))
        if unicodedata.category(character)[0] in "LN"
        or unicodedata.category(character) in ("So", "Mc", "Me")  # many of Mn are invisible
    ]
    text = " ".join(visible)
    inside = set()
    for word in parse_caption(text, max_words=len(text)).words:
        inside.update(range(word.start, word.end))
    assert [text[i] for i in range(0, len(text), 2) if i not in inside] == []


def test_long_captions_take_no_longer_for_their_signs():
    """Each is read once: a pattern that tried anew at every sign would not come to an end."""
    for sign in "+$.<-@":
        assert parse_caption(sign * 200_000 + "a").words[0].text == "a"
    assert parse_caption("aa.A" * 50_000).words[0].text == "aa"


def test_half_a_surrogate_pair_is_an_unknown_character():
    parsed = parse_caption("caf\udce9 \ud83d\ude00\ud83d x")
    assert [word.text for word in parsed.words] == ["caf", "\ufffd", "😀", "\ufffd", "x"]
    assert parsed.text == "caf\ufffd 😀\ufffd x"
    assert parse_caption("\ufeffa").text == "\ufeffa"


def test_what_is_no_text():
    for caption in (5, None, ["a"], b"cat"):
        with pytest.raises(CaptionError, match=r"no text\. Type a sentence"):
            parse_caption(caption)


@pytest.mark.parametrize(
    "caption", ["", "   \n", "...", "?!, -- '", "\u200b", string.punctuation, "~~~ $$$ `", "・・・"]
)
def test_nothing_to_explain(caption):
    with pytest.raises(CaptionError, match="Type a sentence"):
        parse_caption(caption)


def test_it_is_called_what_it_is():
    for kind, wanted in (("question", "question about the video"), ("query", "looked for")):
        with pytest.raises(CaptionError, match=f"The {kind} is empty. Type .*{wanted}"):
            parse_caption(" ", kind=kind)


def test_too_long():
    parsed = parse_caption(" ".join(f"word{i}" for i in range(MAX_WORDS + 10)))
    assert len(parsed.words) == MAX_WORDS
    assert parsed.left_out == tuple(f"word{i}" for i in range(MAX_WORDS, MAX_WORDS + 10))
