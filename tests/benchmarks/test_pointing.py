from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest
import torch

from benchmarks.links import Links
from benchmarks.measures import Count
from benchmarks.pointing import (
    FoiledPair,
    draw_foils,
    draw_montages,
    foil_is_lowest,
    foil_strayed,
    measure_foils,
    measure_montages,
    measure_retrieval,
)
from explainers import SimilarityGame
from hbi_core.chosen_model import choose_model
from hbi_core.data import Clip, Corpus
from hbi_core.data.features import Features
from hbi_core.data.foils import Foil, frequent_nouns
from hbi_core.inputs.text import parse_caption
from hbi_core.predictor import Predictor

# Photographs stand for classes of ImageNet; their captions name them.
NAMES = ("tabby", "pizza", "volcano", "canoe", "zebra", "castle")
ROWS = (281, 963, 980, 472, 340, 483)


@pytest.fixture(scope="module")
def predictor():
    return Predictor(*choose_model("untrained", "lite"))


@pytest.fixture(scope="module")
def features(predictor):
    """Two frames of each photograph, which are the class embedding that its caption is nearest."""
    encoder = predictor.encoder
    frames = torch.zeros(len(NAMES), 2, encoder.widths[0])
    frames[:, :, : encoder.classes.shape[1]] = encoder.classes[list(ROWS)].unsqueeze(1)
    captions = [f"A photo of a {name}." for name in NAMES]
    texts = encoder.text_features([parse_caption(caption) for caption in captions])
    starts = torch.tensor([0, *(len(text.features) for text in texts)]).cumsum(0)
    return Features(
        clips=tuple(
            Clip(name, (Path(f"{name}.jpg"),), (caption,))
            for name, caption in zip(NAMES, captions, strict=True)
        ),
        frames=frames.half(),
        frame_mask=torch.ones(frames.shape[:2], dtype=torch.bool),
        plain=2,
        words=torch.cat([text.features for text in texts]).half(),
        starts=starts,
        owners=torch.arange(len(NAMES)),
    )


def test_montages_show_what_their_captions_name(predictor, features):
    corpus = Corpus("flickr8k", "validation", features.clips)
    drawn = draw_montages(corpus, 4, seed=0)
    for montage in drawn:
        names = [NAMES[number] for number in montage.photographs]
        words = [word.text for word in montage.caption.words]
        assert [words[n] for n in (4, 9, 14)] == names
        assert [montage.parts[n] for n in (4, 9, 14)] == [0, 1, 2]
    units = defaultdict(list)
    measure_montages(predictor, features, drawn, units)
    for link in ("exact interaction", "cosine similarity"):
        assert [count.of for count in units[f"sentence → photograph, {link}", "entity"]] == [3] * 4
    nouns = units["content word → photograph, exact interaction", "entity"]
    assert sum(count.of for count in nouns) == 4 * 3 * 2  # photo, and the name
    sentences = units["sentence → photograph, exact interaction", "entity"]
    assert sum(count.hits for count in sentences) / 12 > 0.8
    swapped = features.frames.roll(1, 0)  # every photograph shows another
    others = Features(**{**vars(features), "frames": swapped})
    wrong = defaultdict(list)
    measure_montages(predictor, others, drawn, wrong)
    sentences = wrong["sentence → photograph, exact interaction", "entity"]
    assert sum(count.hits for count in sentences) / 12 < 0.5


def test_retrieval_counts_the_captions_of_each_photograph(predictor, features):
    units = defaultdict(list)
    measure_retrieval(predictor.heads, features, features, units)
    assert [count.of for count in units["text → image, R@5", "all"]] == [1] * len(NAMES)
    assert units["text → image, R@10", "all"] == [Count(1, 1)] * len(NAMES)
    assert sum(count.hits for count in units["text → image, R@1", "all"]) >= 5
    found = units["text → image with a querybank, R@1", "all"]
    assert sum(count.hits for count in found) >= 5
    without = defaultdict(list)
    measure_retrieval(predictor.heads, features, None, without)
    assert not without["text → image with a querybank, R@1", "all"]


def test_the_true_caption_scores_higher_than_its_foil(predictor, features):
    true, false = parse_caption("A zebra and a pizza"), parse_caption("A boat and a pizza")
    pair = [number for number, name in enumerate(NAMES) if name == "zebra"]
    foiled = FoiledPair(pair[0], true, Foil(false, 1, (1, 4)))
    units = defaultdict(list)
    measure_foils(predictor, features, [foiled], units)
    assert units["true caption above its foil", "entity"] == [Count(1, 1)]
    assert units["the same by chance", "entity"] == [Count(1 / 2, 1)]
    turned = FoiledPair(pair[0], false, Foil(true, 1, (1,)))
    units = defaultdict(list)
    measure_foils(predictor, features, [turned], units)
    assert units["true caption above its foil", "all"] == [Count(0, 1)]
    assert not units["replaced noun has the lowest value", "entity"]  # one noun says nothing
    same = FoiledPair(pair[0], true, Foil(true, 1, (1, 4)))
    units = defaultdict(list)
    measure_foils(predictor, features, [same], units)
    assert units["true caption above its foil", "all"] == [Count(0, 1)]  # a tie is wrong


def test_the_lowest_of_the_nouns_is_that_of_their_players():
    """Word 1 is in the player of highest value, words 3 and 5 in those of the others."""
    similarity = torch.tensor([[0.9, 0.1, 0.4]], dtype=torch.float64)
    game = SimilarityGame(similarity, torch.zeros(1), torch.zeros(3))
    links = Links("entity", ((0,),), ((0, 1), (2, 3), (4, 5)), game, similarity)
    caption = parse_caption("a b c d e f")
    assert foil_is_lowest(links, Foil(caption, 3, (1, 3, 5)))
    assert not foil_is_lowest(links, Foil(caption, 5, (1, 3, 5)))
    assert foil_is_lowest(links, Foil(caption, 5, (1, 5)))
    assert not foil_is_lowest(links, Foil(caption, 3, (2, 3)))  # of one player: equal


def test_how_much_the_noun_that_was_put_in_interacts():
    """Of what the players of the other nouns do, whatever the sign."""
    exact = torch.tensor([[0.6, -0.2, 0.4], [0.2, 0.0, -0.2]], dtype=torch.float64)
    game = SimilarityGame(exact, torch.zeros(2), torch.zeros(3))
    links = Links("entity", ((0,), (1,)), ((0, 1), (2, 3), (4, 5)), game, exact)
    caption = parse_caption("a b c d e f")
    share, of = foil_strayed(links, Foil(caption, 3, (1, 3, 5)))
    assert (share, of) == pytest.approx((0.1, 0.35))
    assert foil_strayed(links, Foil(caption, 3, (2, 3))) == Count(0, 0)  # of one player


def test_foils_are_of_the_first_captions():
    clips = [
        Clip("0", (Path("0.jpg"),), ("A dog runs.", "A cat runs.", "Nothing")),
        Clip("1", (Path("1.jpg"),), ("It runs.", "A horse on a beach")),
    ]
    known = frequent_nouns(["dog cat horse elephant beach park"], 1)
    pairs = draw_foils(clips, known, captions=2, seed=0)
    assert [(pair.photograph, pair.true.text) for pair in pairs] == [
        (0, "A dog runs."),
        (0, "A cat runs."),
        (1, "A horse on a beach"),
    ]
    assert all({"dog", "cat"}.isdisjoint(_words(pair.foil.caption)) for pair in pairs[:2])
    assert draw_foils(clips, known, 2, seed=0) == pairs


def _words(caption):
    return {word.text for word in caption.words}
