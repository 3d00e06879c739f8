"""What an explanation.json keeps of a video: its name, its times, and small pictures."""

from __future__ import annotations

from typing import Any

import numpy as np

from hbi_core.inputs.thumbnails import grey_frames, picture_of
from hbi_core.inputs.video import Video
from hbi_core.json_reading import Json, JsonError


def video_to_dict(video: Video, thumbnails: bool = True) -> dict[str, Any]:
    """The contents of "video".

    Args:
        video: what was looked at.
        thumbnails: with small pictures of the frames, where some are known.
    """
    pictures = list(video.thumbnails) if thumbnails else []
    return {
        "name": video.name,
        "duration_seconds": video.duration,
        "frame_times": list(video.times),
        **({"thumbnails": pictures} if pictures else {}),
    }


def video_from_json(json: Json) -> Video:
    """What `video_to_dict` wrote; frames are the thumbnails, or grey where there are none.

    Raises:
        JsonError: something is missing, not of its type, its size or its range.
    """
    times = json["frame_times"].increasing()
    kept = json.get("thumbnails")
    pictures = kept.each(len(times), len(times)) if kept else []
    return Video(
        frames=_frames(pictures) if pictures else grey_frames(len(times)),
        times=times,
        duration=json["duration_seconds"].number(0),
        name=json["name"].text(),
        kept_thumbnails=tuple(picture.text() for picture in pictures),
    )


def picture_from_json(json: Json) -> np.ndarray:
    """uint8 [H, W, 3]: a thumbnail.

    Raises:
        JsonError: it is no JPEG picture in a `data:` address, or too large.
    """
    try:
        return picture_of(json.text())
    except ValueError as error:
        raise JsonError(f"{json.place} {error}") from error


def _frames(pictures: list[Json]) -> np.ndarray:
    """uint8 [F, H, W, 3], in the shape of the first."""
    frames: list[np.ndarray] = []
    for picture in pictures:
        frames.append(picture_from_json(picture))
        if frames[-1].shape != frames[0].shape:
            raise JsonError(f"{picture.place} is not as large as the first")
    return np.stack(frames)
