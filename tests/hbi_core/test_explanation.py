"""What an explanation tells as JSON, and that it can be opened again."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from explainers import closed_form, enumerate_coalitions
from hbi_core.errors import ExplanationError
from hbi_core.explanation import Explanation, TextToken
from support.demo import CAFE_CAPTION


def test_json_schema(explanation):
    data = json.loads(explanation.to_json())
    assert data["schema"] == "hbi-explanation/1"
    assert data["caption"] == CAFE_CAPTION
    assert set(data["video"]) == {"name", "duration_seconds", "frame_times", "thumbnails"}
    assert data["model"] == {
        "encoder": "lite",
        "checkpoint": "lite_heads.safetensors",
        "weighting": "renormalised",
    }
    tokens = data["levels"][0]["text_tokens"]
    words = [explanation.words[index] for token in tokens for index in token["words"]]
    assert " ".join(token["text"] for token in tokens) == " ".join(words)
    for level in data["levels"]:
        assert set(level) == {
            "name",
            "score",
            "video_tokens",
            "text_tokens",
            "similarity",
            "video_logits",
            "text_logits",
            "interactions",
            "method",
            "values",
            "explained",
        }
        assert level["method"] == "closed_form"
        shape = (len(level["video_tokens"]), len(level["text_tokens"]))
        assert np.shape(level["similarity"]) == np.shape(level["interactions"]) == shape
        assert (len(level["values"]["video"]), len(level["values"]["text"])) == shape
        shares = [share for name, share in level["explained"].items() if name != "variance"]
        assert sum(shares) == pytest.approx(1.0, abs=1e-12)


def test_what_is_told_of_players_is_that_of_the_game(explanation):
    """Of all coalitions; at the entity level they are too many."""
    for level in explanation.levels[1:]:
        game = level.game(explanation.weighting)
        exact = enumerate_coalitions(game, pairs="all")
        video, text = level.video_values, level.text_values
        assert (torch.cat([video, text]) - exact.player_values).abs().max() < 1e-12
        members = torch.cartesian_prod(*[torch.tensor([False, True])] * game.players)
        variance = game.coalition_values(members).var(correction=0)
        assert float(level.explained.variance) == pytest.approx(float(variance))
        drawn = exact.values[: len(video), len(video) :].square().sum() / 16
        assert float(level.explained.cross_pairs) == pytest.approx(float(drawn / variance))


def test_json_has_no_value_that_json_lacks(explanation):
    broken = replace(explanation.levels[0], score=math.nan)
    with pytest.raises(ValueError, match="JSON"):
        replace(explanation, levels=(broken,)).to_json()


def test_what_was_written_opens_again(explanation):
    """The same text, the same game, and frames as the thumbnails show them."""
    text = explanation.to_json()
    again = Explanation.from_json(text)
    assert again.to_json() == text
    assert again.words == explanation.words
    assert again.video.times == explanation.video.times
    for level, known in zip(again.levels, explanation.levels, strict=True):
        assert level.interactions.values.equal(known.interactions.values)
        played = closed_form(level.game(again.weighting)).values
        assert played.equal(known.interactions.values)
    small, frames = again.video.frames, explanation.video.frames
    step = frames.shape[1] / small.shape[1]
    assert frames.shape[2] / small.shape[2] == step
    blocks = [f.reshape(6, 60, 8, 80, 3).mean((1, 3)) for f in frames]  # 360 x 640
    means = [f.reshape(6, 18, 8, 24, 3).mean((1, 3)) for f in small]  # 108 x 192
    assert np.abs(np.array(blocks) - np.array(means)).max() < 6


def test_the_thumbnails_are_small(explanation):
    assert len(explanation.to_json()) - len(explanation.to_json(thumbnails=False)) < 120_000


def test_everything_that_is_said_of_a_caption_opens_again(explanation):
    """Phrases as players, words that were left out, and notes."""
    first, *above = explanation.levels
    tokens = list(first.text_tokens)
    tokens[:2] = [TextToken((0, 1), "A tabby")]
    level = replace(
        first,
        text_tokens=tuple(tokens),
        similarity=first.similarity[:, 1:],
        text_logits=first.text_logits[1:],
        text_values=first.text_values[1:],
        interactions=replace(first.interactions, values=first.interactions.values[:, 1:]),
    )
    told = replace(
        explanation,
        levels=(level, *above),
        caption="</script>\x0b\u2028 猫 \U0001f408",
        words_left_out=("猫", "late"),
        words_unreadable=("猫",),
        notes=("A note.",),
    )
    again = Explanation.from_json(told.to_json().encode())
    assert again.to_json() == told.to_json()
    assert again.words == explanation.words
    assert again.left_out_why == told.left_out_why
    assert again.notes == told.notes


def test_old_files_have_grey_frames(explanation):
    text = explanation.to_json(thumbnails=False)
    old = Explanation.from_json(text)
    assert old.to_json() == text
    assert old.video.frames.shape[0] == 12
    assert len(np.unique(old.video.frames)) == 1


def test_older_files_get_what_follows_from_their_games(explanation):
    data = json.loads(explanation.to_json())
    for level in data["levels"]:
        del level["values"], level["explained"]
    again = Explanation.from_json(json.dumps(data))
    assert again.to_json() == explanation.to_json()


def changed(explanation, path, value):
    """The JSON with another value at a place, or without it."""
    data = json.loads(explanation.to_json())
    inner = data
    for step in path[:-1]:
        inner = inner[step]
    if value is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return json.dumps(data)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["schema"], "hbi-explanation/2", "schema .* is not one of hbi-explanation/1"),
        (["schema"], ["hbi-explanation/1"], "schema is not one of"),
        (["levels"], [], "levels has 0 elements"),
        (["levels"], ..., "levels is missing"),
        (["levels", 0], 3, r"levels\[0\] \(3\) is no object"),
        (["levels", 1, "score"], True, r"levels\[1\]\.score \(True\) is no number"),
        (["levels", 1, "score"], "0.3", r"levels\[1\]\.score .* is no number"),
        (["levels", 1, "score"], -1e101, r"levels\[1\]\.score .* is less than -1e\+100"),
        (["levels", 1, "score"], 10**400, r"levels\[1\]\.score .* is not finite"),
        (["levels", 1, "name"], "entity", "two levels of one name"),
        (["levels", 0, "similarity"], [[0.0]], r"similarity has 1 elements instead of 12"),
        (["levels", 0, "similarity", 3], [0.0] * 99, r"similarity\[3\] has 99 elements"),
        (["levels", 0, "interactions", 3, 4], None, r"interactions\[3\]\[4\] \(None\)"),
        (["levels", 0, "video_logits"], [0.0], "video_logits has 1 elements"),
        (["levels", 0, "values", "text"], [0.0], r"values\.text has 1 elements"),
        (["levels", 0, "explained", "rest"], -0.1, r"explained\.rest .* is less than 0"),
        (["levels", 0, "video_logits"], [-1e308, 1e308] * 6, r"video_logits\[0\] .* is less than"),
        (
            ["levels", 0, "text_tokens"],
            [{}] * 257,
            "text_tokens has 257 elements instead of 1 to 256",
        ),
        (["levels", 2, "video_tokens", 0, "frames"], [], "frames has 0 elements"),
        (["levels", 2, "video_tokens", 0, "frames"], [12], "is not one of 0 to 11"),
        (["levels", 2, "video_tokens", 0, "frames"], [1, 1], "does not increase"),
        (["levels", 2, "video_tokens", 0, "frames"], [1.0], "is no whole number"),
        (["levels", 2, "text_tokens", 0, "text"], "a\x00", "control characters"),
        (["video", "frame_times", 1], -1, "is less than 0"),
        (["video", "frame_times", 1], 99, "does not increase"),
        (["video", "thumbnails", 1], "https://example.com/a.jpg", "does not begin with data:"),
        (["video", "thumbnails", 1], "data:image/jpeg;base64,aGk=", "is no JPEG picture"),
        (["video", "thumbnails", 1], 'data:image/jpeg;base64,"', "is no JPEG picture"),
        (["video", "thumbnails"], [], "thumbnails has 0 elements instead of 12"),
        (["model", "weighting"], "softmax", "weighting .* is not one of"),
        (["caption"], "\ud800", "lone surrogate"),
        (["words_unreadable"], ["猫"], "does not begin with words_unreadable"),
    ],
)
def test_a_broken_file_is_told_with_its_place(explanation, path, value, message):
    with pytest.raises(ExplanationError, match=f"broken.json cannot be opened: .*{message}"):
        Explanation.from_json(changed(explanation, path, value), "broken.json")


def test_without_a_list_of_words_each_is_a_token(explanation):
    document = json.loads(explanation.to_json())
    document.pop("words", None)
    del document["levels"][1:]
    for index, token in enumerate(document["levels"][0]["text_tokens"]):
        token["words"] = [index]
    words = Explanation.from_json(json.dumps(document)).words
    assert words == tuple(token.text for token in explanation.levels[0].text_tokens)
    document["levels"][0]["text_tokens"][1]["words"] = [2]
    with pytest.raises(ExplanationError, match=r"text_tokens\[1\]\.words .*is not \[1\]"):
        Explanation.from_json(json.dumps(document))


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("", "it is no JSON"),
        ("[1, 2", "it is no JSON"),
        ("[]", "the document is no object"),
        (b"\xff\xfe", "no text in UTF-8"),
        ('{"schema": NaN}', "NaN, which is no number"),
        ("[" * 100_000, "nested too deeply"),
        ("1" * 10_000, "it is no JSON"),
    ],
)
def test_what_is_no_explanation_at_all(document, message):
    with pytest.raises(ExplanationError, match=message):
        Explanation.from_json(document)


def test_files_that_cannot_be_opened(tmp_path):
    for path in (tmp_path, tmp_path / "none.json", "a\0b"):
        with pytest.raises(ExplanationError, match="cannot be read"):
            Explanation.from_file(path)
    with (tmp_path / "large.json").open("wb") as file:
        file.truncate(20_000_001)
    with pytest.raises(ExplanationError, match="larger than 20 MB"):
        Explanation.from_file(tmp_path / "large.json")


def test_windows_writes_a_mark_before_it(explanation, tmp_path):
    (tmp_path / "a.json").write_text(explanation.to_json(), encoding="utf-8-sig")
    assert Explanation.from_file(tmp_path / "a.json").to_json() == explanation.to_json()
