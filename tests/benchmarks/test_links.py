"""Links of features are those of an explanation of the same frames and words."""

from __future__ import annotations

import pytest
import torch

from benchmarks.links import encode, links_of, links_of_tokens, play
from hbi_core.encoders import encode_frames
from hbi_core.inputs.text import parse_caption
from hbi_core.inputs.video import read_video
from hbi_core.predictor import Predictor, choose_model
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


def test_a_caption_with_a_word_that_cannot_be_read_is_none(predictor):
    read = encode(predictor, [parse_caption("a cat"), parse_caption("a cat 🐈")])
    assert torch.is_tensor(read[0].features)
    assert read[1] is None
