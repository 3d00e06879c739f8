"""A description as the tab and the endpoint ask for it."""

from __future__ import annotations

from typing import Any

from app.uploads import chosen_video
from explainers.timing import Progress
from hbi_core.described import Described
from hbi_core.pipeline import describe
from hbi_core.recent import RecentVideos


def described(
    video: Any,
    frames: Any,
    captioner: str | None,
    progress: Progress | None = None,
    recent: RecentVideos | None = None,
    beams: Any = None,
) -> Described:
    """Values as a request has them, of any type; `describe` checks what is not checked here.

    Raises:
        InputError: with a sentence for the visitor.
    """
    return describe(
        chosen_video(video),
        frames=frames,
        checkpoint=captioner,
        beams=beams,
        progress=progress,
        recent=recent,
    )
