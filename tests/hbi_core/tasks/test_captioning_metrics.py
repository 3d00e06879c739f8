"""The metrics of captions, counted by hand on toys, with Java and without."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from hbi_core.errors import DataError
from hbi_core.tasks.captioning_metrics import (
    WITH_JAVA,
    WITHOUT_JAVA,
    bleu,
    has_java,
    measure,
    stanford,
)

SAID = ["a dog runs on the grass", "two men sit on a bench", "a red car", "a dog runs"]
PEOPLE = [
    ["A dog runs across the grass.", "The brown dog runs on the green grass", "a dog, running"],
    ["Two men sit on a wooden bench .", "two people sit on a bench outside"],
    ["A red car drives down the street.", "a fast red car"],
    ["A cat sleeps.", "The cat is asleep on a sofa"],
]
needs_java = pytest.mark.skipif(not has_java(), reason="there is no Java")


def plain(text):
    return [word.strip(".,").lower() for word in text.split() if word.strip(".,")]


def grams(words, n):
    return Counter(tuple(words[k : k + n]) for k in range(len(words) - n + 1))


def looped_bleu(said, people):
    """Papineni et al. 2002, of a corpus, up to four words."""
    lengths, nearest, precision = 0, 0, []
    for words, references in zip(said, people, strict=True):
        lengths += len(words)
        nearest += min((abs(len(r) - len(words)), len(r)) for r in references)[1]
    for n in range(1, 5):
        right = total = 0
        for words, references in zip(said, people, strict=True):
            for gram, count in grams(words, n).items():
                right += min(count, max(grams(r, n)[gram] for r in references))
                total += count
        precision.append(right / total)
    mean = math.exp(sum(map(math.log, precision)) / 4)
    return mean * min(1.0, math.exp(1 - nearest / lengths))


def looped_cider(said, people):
    """CIDEr-D (Vedantam et al. 2015) of each caption: clipped, with a penalty of the length."""

    def weights(words, n):
        return {
            gram: count * (math.log(len(people)) - math.log(max(1, seen(gram, n))))
            for gram, count in grams(words, n).items()
        }

    def seen(gram, n):
        return sum(any(gram in grams(r, n) for r in references) for references in people)

    def length(vector):
        return math.sqrt(sum(x * x for x in vector.values()))

    scores = []
    for words, references in zip(said, people, strict=True):
        total = 0.0
        for reference in references:
            for n in range(1, 5):
                one, other = weights(words, n), weights(reference, n)
                alike = sum(min(one[g], other.get(g, 0)) * other.get(g, 0) for g in one)
                if length(one) and length(other):
                    alike /= length(one) * length(other)
                apart = len(words) - len(reference)
                total += alike * math.exp(-(apart**2) / (2 * 6**2)) / 4
        scores.append(10 * total / len(references))
    return scores


def looped_rouge(words, references):
    """ROUGE-L as COCO has it, with β = 1.2."""

    def common(a, b):
        if not a or not b:
            return 0
        if a[-1] == b[-1]:
            return 1 + common(a[:-1], b[:-1])
        return max(common(a[:-1], b), common(a, b[:-1]))

    alike = [common(words, r) for r in references]
    precision = max(n / len(words) for n in alike)
    recall = max(n / len(r) for n, r in zip(alike, references, strict=True))
    return (1 + 1.2**2) * precision * recall / (recall + 1.2**2 * precision) if precision else 0.0


@pytest.fixture(params=[False, pytest.param(True, marks=needs_java)])
def scores(request, monkeypatch):
    """Java's part is its tokenizer here; METEOR takes long to start."""
    monkeypatch.setattr("hbi_core.tasks.captioning_metrics.meteor", lambda *_: (0.5, np.ones(4)))
    return measure(SAID, PEOPLE, request.param)


def test_the_metrics_are_those_counted_by_hand(scores):
    said = [plain(text) for text in SAID]
    people = [[plain(text) for text in own] for own in PEOPLE]
    found = scores.metrics()
    assert found["BLEU-4"] == pytest.approx(100 * looped_bleu(said, people), abs=1e-4)
    assert scores.cider.tolist() == pytest.approx(looped_cider(said, people), abs=1e-9)
    assert found["CIDEr"] == pytest.approx(100 * scores.cider.mean())
    expected = [looped_rouge(*pair) for pair in zip(said, people, strict=True)]
    assert scores.rouge.tolist() == pytest.approx(expected, abs=1e-9)
    assert found["ROUGE-L"] == pytest.approx(100 * sum(expected) / 4)


def test_what_is_missing_without_java_is_told(scores):
    if scores.name == WITH_JAVA:
        assert scores.metrics()["METEOR"] == 50
    else:
        assert scores.name == WITHOUT_JAVA
        assert "tokenizer" in scores.name
        assert "METEOR" not in scores.metrics()


def test_bleu_of_chosen_clips():
    """Of sums, so that a bootstrap can draw the clips."""
    scores = measure(SAID, PEOPLE, java=False)
    for chosen in ([0, 1], [1, 1, 2], [0, 1, 2, 3]):
        said = [plain(SAID[n]) for n in chosen]
        people = [[plain(text) for text in PEOPLE[n]] for n in chosen]
        found = float(bleu(scores.counts[chosen].sum(0)))
        assert found == pytest.approx(looped_bleu(said, people), abs=1e-6)
    assert bleu(scores.counts[3:].sum(0)) < 1e-3  # no word is right but the article


def test_words_that_tokenizers_treat_in_their_own_way():
    captions = ["A man's T-shirt, “red”!", "it’s"]
    scores = measure(captions, [["a man 's t-shirt red"], ["it 's"]], java=False)
    assert scores.rouge.tolist() == pytest.approx([1.0, 1.0])


@needs_java
def test_stanford_reads_line_by_line():
    captions = ["A man's T-shirt,\nred!", "two", "Ein Mädchen lacht."]
    assert stanford(captions) == ["a man 's t-shirt red", "two", "ein mädchen lacht"]


def test_a_java_that_does_not_work_is_told(tmp_path, monkeypatch):
    broken = tmp_path / "java"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert has_java()
    with pytest.raises(DataError, match="Java does not tokenize"):
        measure(SAID, PEOPLE, java=True)
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    assert not has_java()
