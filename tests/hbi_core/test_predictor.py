"""Predictor: a video is decoded and encoded once, whatever is asked about it."""

from __future__ import annotations

import copy
import csv
import json
from dataclasses import replace

import networkx as nx
import pytest
import torch

from hbi_core.checkpoints.checkpoint import untrained
from hbi_core.encoders import load_encoder
from hbi_core.errors import CaptionError, InputError
from hbi_core.figures.coalition_html import view_json
from hbi_core.inputs.video import read_video
from hbi_core.model.build import build_hierarchy
from hbi_core.model.config import ModelConfig
from hbi_core.pipeline import explain
from hbi_core.predictor import Predictor
from hbi_core.recent import RecentVideos
from support.demo import CAFE, CAFE_CAPTION
from support.toy import Counted

CAPTIONS = ("a cat", "a cup of espresso on a wooden table", "a cat")


@pytest.fixture(scope="module")
def clip():
    return read_video(CAFE, 6)


@pytest.fixture
def predictor():
    """Untrained heads on an encoder that counts how often it encodes frames."""
    encoder = Counted()
    return Predictor(encoder, untrained(encoder.name, encoder.widths))


def same(first, second):
    return first.to_json() == second.to_json()


def test_frames_are_encoded_once_for_all_captions(predictor, clip):
    predictor.set_video(clip)
    told = [predictor.explain(caption) for caption in CAPTIONS]
    predictor.explain(CAPTIONS[0], weighting="fixed")
    assert predictor.encoder.calls == 1
    assert same(told[0], told[2])
    assert not same(told[0], told[1])
    for explanation in told:
        view_json(explanation)


def test_a_caption_after_others_is_explained_as_alone(explanation):
    """The shipped model: what was asked before, and how the video came, leaves no trace."""
    recent = RecentVideos()
    for caption in (*CAPTIONS, CAFE_CAPTION):
        last = explain(CAFE, caption, recent=recent)
    assert same(last, explanation)


def test_seconds_are_those_that_were_spent(predictor):
    predictor.set_video(CAFE, frames=2)
    video = dict(predictor.video_seconds)
    assert list(video) == ["decoding", "encoding", "merging"]
    with pytest.raises(ValueError, match="weighting"):
        predictor.explain("a cat", "softmax", with_video=True)
    alone, whole = predictor.explain("a cat"), predictor.explain("a cat", with_video=True)
    assert list(alone.seconds) == ["encoding", "merging", "game"]
    assert list(whole.seconds) == ["decoding", "encoding", "merging", "game"]
    assert whole.seconds["decoding"] == video["decoding"]
    assert whole.seconds["encoding"] > video["encoding"]
    assert predictor.video_seconds == video
    with pytest.raises(TypeError):
        predictor.video_seconds["encoding"] = 0.0


def test_the_heads_go_to_the_device_of_the_encoder():
    encoder = Counted()
    predictor = Predictor(encoder.to("meta"), untrained(encoder.name, encoder.widths))
    assert {p.device.type for p in predictor.heads.hierarchy.parameters()} == {"meta"}


PHRASES = "a tabby cat looks at the table, a cup of espresso stands in front of it"


@pytest.fixture(scope="module")
def of_phrases(clip):
    """Untrained heads whose text players are phrases, on the encoder lite."""
    encoder = load_encoder("lite")
    config = ModelConfig(
        video_width=encoder.widths[0],
        text_width=encoder.widths[1],
        width=384,
        projection=True,
        temporal_layers=0,
        text_players="phrases",
        text_context=384,
        text_path=1.0,
        video_path=0.5,
        text_clusters=(0.6, 0.5),
    )
    heads = untrained(encoder.name, encoder.widths)
    heads = replace(heads, config=config, hierarchy=build_hierarchy(config).eval())
    predictor = Predictor(encoder, heads)
    predictor.set_video(clip)
    return predictor


def test_players_that_are_phrases(of_phrases):
    explanation = of_phrases.explain(PHRASES)
    words = tuple(PHRASES.replace(",", "").split())
    assert explanation.words == words
    entity = [token.text for token in explanation.levels[0].text_tokens]
    assert entity == [
        "a tabby",
        "cat",
        "looks",
        "at the table",
        "a cup",
        "of espresso",
        "stands in front of it",
    ]
    for level in explanation.levels:
        members = [word for token in level.text_tokens for word in token.words]
        assert members == list(range(len(words)))  # of the way along the text alone: spans
        assert level.interactions.values.shape == (len(level.video_tokens), len(level.text_tokens))
        for token in level.text_tokens:
            assert token.text == " ".join(words[word] for word in token.words)
    counts = [len(level.text_tokens) for level in explanation.levels]
    assert counts == [7, 5, 3]


def test_files_of_an_explanation_by_phrases(of_phrases, tmp_path):
    """What stands for what can be read from each of them."""
    explanation = of_phrases.explain(PHRASES)
    explanation.save(tmp_path)
    data = json.loads((tmp_path / "explanation.json").read_text())
    assert data["schema"] == "hbi-explanation/1"
    assert data["words"] == list(explanation.words)
    for level in data["levels"]:
        for token in level["text_tokens"]:
            assert token["text"] == " ".join(data["words"][word] for word in token["words"])
    assert data["levels"][0]["text_tokens"][0] == {"words": [0, 1], "text": "a tabby"}
    graph = nx.read_graphml(tmp_path / "graph.graphml")
    for index, token in enumerate(explanation.levels[0].text_tokens):
        node = graph.nodes[f"entity/text/{index}"]
        assert node["members"] == ",".join(map(str, token.words))
        assert node["label"] == token.text
        merged = [
            other
            for other in graph[f"entity/text/{index}"]
            if graph.edges[f"entity/text/{index}", other]["relation"] == "membership"
        ]
        assert len(merged) == 1
    with (tmp_path / "interactions.csv").open(encoding="utf-8-sig") as file:
        rows = [row for row in csv.DictReader(file) if row["level"] == "entity"]
    assert {row["text"] for row in rows} == {t.text for t in explanation.levels[0].text_tokens}
    assert len(rows) == 6 * 7


def test_words_of_another_language_are_players_and_it_is_said(of_phrases, caplog):
    explanation = of_phrases.explain("Ein Hund in der Sonne")
    assert [token.words for token in explanation.levels[0].text_tokens] == [(n,) for n in range(5)]
    (note,) = explanation.notes
    assert note in caplog.text
    data = explanation.to_dict()
    assert data["notes"] == [note]
    assert "words" not in data
    assert "notes" not in of_phrases.explain("A dog in the sun").to_dict()


def test_another_video_takes_its_place(predictor, clip):
    predictor.set_video(clip)
    before = predictor.explain("a cat")
    other = copy.copy(predictor)
    other.set_video(CAFE, frames=2)
    assert len(other.explain("a cat").levels[0].video_tokens) == 2
    assert same(predictor.explain("a cat"), before)


def test_what_a_predictor_refuses(predictor):
    with pytest.raises(RuntimeError, match="set_video"):
        predictor.explain("a cat")
    with pytest.raises(InputError, match="a whole number, 1 to 64"):
        predictor.set_video(CAFE, frames=65)
    predictor.set_video(CAFE, frames=1)
    with pytest.raises(CaptionError):
        predictor.explain("...")
    with pytest.raises(ValueError, match="weighting"):
        predictor.explain("a cat", weighting="softmax")


def test_heads_that_are_given_stay_as_they_are():
    encoder = Counted()
    heads = untrained(encoder.name, encoder.widths)
    Predictor(encoder, heads)
    assert {p.dtype for p in heads.hierarchy.parameters()} == {torch.float32}
