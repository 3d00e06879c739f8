"""Links of features are those of an explanation of the same frames and words."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from benchmarks.links import encode, links_of, links_of_tokens, play
from hbi_core.chosen_model import choose_model
from hbi_core.encoders import encode_frames
from hbi_core.inputs.text import parse_caption
from hbi_core.inputs.video import read_video
from hbi_core.model import build_hierarchy
from hbi_core.predictor import Predictor
from support.demo import CAFE


@pytest.fixture(scope="module")
def predictor():
    predictor = Predictor(*choose_model())
    predictor.set_video(read_video(CAFE, 4))
    return predictor


def test_features_give_the_links_of_an_explanation(predictor):
    """Beside another, longer sample, whose padding is no player."""
    captions = [parse_caption(text) for text in ("a tabby cat", "a cup of espresso on a table")]
    frames = encode_frames(predictor.encoder, predictor.video.frames)
    texts = encode(predictor, captions)
    batch = play(predictor, [frames, frames[:3]], texts)
    for level, told in zip(batch, predictor.explain(captions[0]).levels, strict=True):
        made, known = links_of_tokens(level, 0), links_of(told)
        assert made.level == known.level == told.name
        rows = [made.frames.index(own) for own in known.frames]
        columns = [made.words.index(own) for own in known.words]
        assert (len(rows), len(columns)) == made.exact.shape
        assert made.exact[rows][:, columns] == pytest.approx(known.exact, abs=1e-6)
        cosine = "cosine similarity"
        ordered = made.strengths[cosine][rows][:, columns]
        assert ordered == pytest.approx(known.strengths[cosine], abs=1e-6)
        value = known.game.grand_value()
        assert float(made.game.grand_value()) == pytest.approx(float(value), abs=1e-6)
        assert float(value) == pytest.approx(told.score, abs=1e-9)


def test_players_that_are_phrases_are_known_by_all_their_words(predictor):
    heads = predictor.heads
    config = replace(
        heads.config, text_players="phrases", text_context=heads.config.text_width, text_path=1.0
    )
    heads = replace(heads, config=config, hierarchy=build_hierarchy(config).eval())
    of_phrases = Predictor(predictor.encoder, heads)
    of_phrases.set_video(predictor.video)
    caption = parse_caption("a tabby cat looks at the table")
    frames = encode_frames(predictor.encoder, predictor.video.frames)
    (text,) = encode(of_phrases, [caption])
    entity, *merged = play(of_phrases, [frames], [text])
    assert links_of_tokens(entity, 0).words == ((0, 1), (2,), (3,), (4, 5, 6))
    told = of_phrases.explain(caption)
    for level, known in zip([entity, *merged], map(links_of, told.levels), strict=True):
        made = links_of_tokens(level, 0)
        assert sorted(made.words) == sorted(known.words)
        assert float(made.game.grand_value()) == pytest.approx(float(known.game.grand_value()))


def test_a_caption_with_a_word_that_cannot_be_read_is_none(predictor):
    read = encode(predictor, [parse_caption("a cat"), parse_caption("a cat 🐈")])
    assert torch.is_tensor(read[0].features)
    assert read[1] is None
