"""What is asked and how it is shown, in the page's address, so that a link shows the same again.

A visitor's own video is not in it: it lies on the server for an hour, and nobody else may see it.
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from app.session import ENCODERS, LONGEST_CAPTION, MOST_FRAMES
from app.uploads import CLIPS, uploaded_file
from explainers import WEIGHTINGS
from hbi_core.checks import whole_number
from hbi_core.errors import InputError
from hbi_core.figures.view import FigureView
from hbi_core.latest import content_of

_EXPLAINS = "explain"  # the page presses Explain where there is this parameter
_OWN_VIDEO = "own"
_SETTINGS = ("caption", "encoder", "frames", "weighting")
TEXTS = ("other_caption", "question", "query")  # what is asked in tabs


@dataclass(frozen=True)
class Asked:
    """What an address asks; None where it says nothing.

    Attributes:
        video: a clip that we ship.
        own_video: the one that it was made with was a visitor's own.
        caption, encoder, frames, weighting: as of `explained`.
        view: filters of the figure.
        texts: what is asked in tabs, by names of TEXTS.
    """

    video: Path | None = None
    own_video: bool = False
    caption: str | None = None
    encoder: str | None = None
    frames: int | None = None
    weighting: str | None = None
    view: FigureView = field(default_factory=FigureView)
    texts: Mapping[str, str] = field(default_factory=dict)


def read_address(parameters: Mapping[str, str]) -> Asked:
    """What the parameters of an address ask. Those of other names are not looked at.

    Raises:
        InputError: one has a value that it cannot have.
    """
    given = dict(parameters)
    video, encoder, weighting = (given.get(name) for name in ("video", "encoder", "weighting"))
    clips = {clip.stem: clip for clip in _clips()}
    for name, value, known in (
        ("video", video, (*clips, _OWN_VIDEO)),
        ("encoder", encoder, tuple(ENCODERS.values())),
        ("weighting", weighting, WEIGHTINGS),
    ):
        if value is not None and value not in known:
            raise InputError(
                f"There is no {name} {reprlib.repr(value)}: use one of {', '.join(known)}."
            )
    for name in ("caption", *TEXTS):
        if len(given.get(name, "")) > LONGEST_CAPTION:
            told = f"The {name.replace('_', ' ')} of the address"
            raise InputError(f"{told} has more than {LONGEST_CAPTION:,} letters.")
    number = given.get("frames")
    frames = None
    if number is not None:
        is_short = number.isascii() and number.isdigit() and len(number) < 10
        told = "The address asks for {} frames"
        frames = whole_number(int(number) if is_short else number, told, 1, MOST_FRAMES)
    return Asked(
        video=clips.get(video or ""),
        own_video=video == _OWN_VIDEO,
        caption=given.get("caption"),
        encoder=encoder,
        frames=frames,
        weighting=weighting,
        view=FigureView.from_query(given),
        texts={name: given[name] for name in TEXTS if name in given},
    )


def write_address(
    video: Any,
    caption: Any,
    encoder: Any,
    frames: Any,
    weighting: Any,
    view: FigureView,
    *,
    texts: Mapping[str, Any] | None = None,
) -> tuple[str, bool]:
    """The query that asks the same again, and whether the video is in it; `texts` as of `Asked`."""
    clip = _clip_of(video)
    values = {
        "video": clip.stem if clip else _OWN_VIDEO,
        **dict(zip(_SETTINGS, (caption or "", encoder, frames, weighting), strict=True)),
        **(texts or {}),
        **({_EXPLAINS: "1"} if clip else {}),
    }
    return "&".join(filter(None, (urlencode(values), view.to_query()))), clip is not None


def _clip_of(video: Any) -> Path | None:
    """The clip of ours that a visitor looks at, whatever its copy on the server is called."""
    if not video:
        return None
    content = content_of(uploaded_file(video))
    return next((clip for clip in _clips() if content_of(clip) == content), None)


@cache
def _clips() -> tuple[Path, ...]:
    return tuple(sorted(CLIPS.glob("*.mp4")))
