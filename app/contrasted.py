"""A and B side by side, as the tab and the endpoint ask for them."""

from __future__ import annotations

from typing import Any

from app.session import explained
from explainers.timing import Progress, half_of
from hbi_core.contrasted import Contrast
from hbi_core.recent import RecentVideos

SAME = "same"  # the encoder of A


def contrasted(
    video: Any,
    caption: Any,
    encoder: Any,
    frames: Any,
    weighting: Any,
    other_caption: Any,
    other_video: Any,
    other_encoder: Any,
    progress: Progress | None = None,
    recent: RecentVideos | None = None,
) -> Contrast:
    """Values as a request has them, of any type.

    Args:
        video, caption, encoder, frames, weighting: of A, as for `explained`.
        other_caption, other_video: of B; without them, as in A.
        other_encoder: of B, or SAME.
        progress, recent: as for `explain`.

    Raises:
        InputError: with a sentence for the visitor.
    """
    return Contrast(
        explained(video, caption, encoder, frames, weighting, half_of(progress, "A", 0.0), recent),
        explained(
            other_video or video,
            other_caption or caption,
            encoder if other_encoder == SAME else other_encoder,
            frames,
            weighting,
            half_of(progress, "B", 0.5),
            recent,
        ),
    )
