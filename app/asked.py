"""A question as the tab and the endpoint ask it."""

from __future__ import annotations

from typing import Any

from app.session import checked_caption
from app.uploads import chosen_video
from explainers.timing import Progress
from hbi_core.answered import Answered
from hbi_core.pipeline import ask
from hbi_core.recent import RecentVideos


def asked(
    video: Any,
    question: Any,
    frames: Any,
    weighting: Any,
    answerer: str | None,
    progress: Progress | None = None,
    recent: RecentVideos | None = None,
) -> Answered:
    """Values as a request has them, of any type; `ask` checks what is not checked here.

    Raises:
        InputError: with a sentence for the visitor.
    """
    return ask(
        chosen_video(video),
        checked_caption(question, "question"),
        frames=frames,
        checkpoint=answerer,
        weighting=weighting,
        progress=progress,
        recent=recent,
    )
