"""What an explanation tells as JSON."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from support.demo import CAFE_CAPTION


def test_json_schema(explanation):
    data = json.loads(explanation.to_json())
    assert data["schema"] == "hbi-explanation/1"
    assert data["caption"] == CAFE_CAPTION
    assert set(data["video"]) == {"name", "duration_seconds", "frame_times"}
    assert data["model"] == {
        "encoder": "lite",
        "checkpoint": "lite_heads.safetensors",
        "weighting": "renormalised",
    }
    assert data["levels"][0]["text_tokens"][1] == {"words": [1], "text": "tabby"}
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
        }
        assert level["method"] == "closed_form"
        shape = (len(level["video_tokens"]), len(level["text_tokens"]))
        assert np.shape(level["similarity"]) == np.shape(level["interactions"]) == shape


def test_json_has_no_value_that_json_lacks(explanation):
    broken = replace(explanation.levels[0], score=math.nan)
    with pytest.raises(ValueError, match="JSON"):
        replace(explanation, levels=(broken,)).to_json()
