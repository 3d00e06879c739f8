"""A description as the tab and the endpoint ask for it."""

from __future__ import annotations

from typing import Any

from app.uploads import uploaded_file
from explainers.timing import Progress
from hbi_core.described import Described
from hbi_core.errors import VideoError
from hbi_core.pipeline import describe
from hbi_core.recent import RecentVideos


def described(
    video: Any,
    frames: Any,
    captioner: str | None,
    progress: Progress | None = None,
    recent: RecentVideos | None = None,
) -> Described:
    """Values as a request has them, of any type; `describe` checks what is not checked here.

    Raises:
        InputError: with a sentence for the visitor.
    """
    if not video:
        raise VideoError("Choose a video first: upload one, record one, or take an example.")
    return describe(
        uploaded_file(video),
        frames=frames,
        checkpoint=captioner,
        progress=progress,
        recent=recent,
    )
