"""Frames as small pictures in text: what an explanation.json keeps of a video."""

from __future__ import annotations

import base64
import binascii
import io

import numpy as np
from PIL import Image

ROW = 2304  # pixels of all frames side by side: a page's width of 6.875 in at more than 300 dpi
NARROWEST, WIDEST = 96, 320  # pixels, however many frames there are; 1 in at more than 300 dpi
_PREFIX = "data:image/jpeg;base64,"
_QUALITY = 80
_LARGEST = 1024  # pixels of a side that is opened
_GREY = 221
_UNKNOWN = (90, 160)  # height and width of a frame of which no picture is there


def thumbnails_of(frames: np.ndarray) -> tuple[str, ...]:
    """Frames as JPEG pictures in `data:` addresses.

    Args:
        frames: uint8 [F, H, W, 3]. Each keeps its shape; it becomes ROW / F pixels wide, at least
            96 and at most 320, and never wider than it is.

    Returns:
        F texts, about 80 kB together for 12 frames; the same frames give the same texts.
    """
    width = min(max(ROW // max(len(frames), 1), NARROWEST), WIDEST)
    return tuple(_thumbnail(frame, width) for frame in frames)


def _thumbnail(frame: np.ndarray, width: int) -> str:
    image = Image.fromarray(frame)
    image.thumbnail((width, _LARGEST), Image.Resampling.LANCZOS)
    data = io.BytesIO()
    image.save(data, "JPEG", quality=_QUALITY)
    return _PREFIX + base64.b64encode(data.getvalue()).decode()


def picture_of(thumbnail: str) -> np.ndarray:
    """uint8 [H, W, 3], RGB: the picture in a `data:` address.

    Raises:
        ValueError: it is no JPEG picture, or has a side of more than 1,024 pixels; what is wrong.
    """
    if not thumbnail.startswith(_PREFIX):
        raise ValueError(f"does not begin with {_PREFIX}")
    try:
        data = base64.b64decode(thumbnail[len(_PREFIX) :], validate=True)
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
            if max(image.size) > _LARGEST:
                raise ValueError(f"is larger than {_LARGEST:,} pixels a side")
            return np.asarray(image.convert("RGB"))
    except (binascii.Error, OSError, SyntaxError) as error:  # PIL has SyntaxError for broken files
        raise ValueError("is no JPEG picture") from error


def grey_frames(count: int) -> np.ndarray:
    """uint8 [F, 90, 160, 3]: what is drawn for frames of which no picture is there."""
    return np.full((count, *_UNKNOWN, 3), _GREY, np.uint8)
