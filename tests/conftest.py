"""What several tests use."""

from __future__ import annotations

from pathlib import Path

import pytest

from hbi_core.pipeline import explain

ROOT = Path(__file__).parents[1]
CAFE = ROOT / "assets" / "clips" / "cafe.mp4"
CAFE_CAPTION = "A tabby cat looks into the camera. A cup of espresso stands on a wooden table."


@pytest.fixture(scope="session")
def explanation():
    """A demo clip explained with the defaults. Not to be changed."""
    return explain(CAFE, CAFE_CAPTION)
