"""A clip as frames: a video is read; photographs are shown one after another, zooming in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from hbi_core.data.clips import Clip
from hbi_core.data.files import is_photograph
from hbi_core.errors import VideoError
from hbi_core.inputs.video import Decoder, VideoLimits, file_name, read_video

SIZE = 320  # pixels, of photographs
LAST_ZOOM = 0.8  # the share of a photograph's side that its last frame shows


@dataclass(frozen=True, eq=False)
class ClipFrames:
    """Frames of a clip.

    Attributes:
        pixels: uint8 [F, H, W, 3], RGB in [0, 255].
        shown: for each frame, the number of its file in `clip.files`.
    """

    pixels: np.ndarray
    shown: tuple[int, ...]


def read_frames(
    clip: Clip,
    frames: int = 12,
    *,
    size: int = SIZE,
    limits: VideoLimits | None = None,
    decoder: Decoder | None = None,
) -> ClipFrames:
    """The frames of a clip.

    Args:
        clip: of one video or of photographs.
        frames: wanted. A video with fewer gives all that it has; photographs share them as evenly
            as possible, the first ones getting one more.
        size: side of the square that photographs are cut to, in pixels.
        limits: for a video, see VideoLimits.
        decoder: reads a video; one of its own for a file that is not trusted.

    Raises:
        VideoError: a file is missing or broken, or there are fewer frames than photographs.
    """
    if not all(map(is_photograph, clip.files)):
        if len(clip.files) > 1:
            raise VideoError(f"{clip.id} has {len(clip.files)} files, which are not all images.")
        read = decoder.read if decoder else read_video
        pixels = read(clip.files[0], frames, limits).frames
        return ClipFrames(pixels, (0,) * len(pixels))
    if frames < len(clip.files):
        raise VideoError(
            f"{clip.id} has {len(clip.files)} photographs; {frames} frames cannot show them all. "
            "Ask for more frames."
        )
    share, rest = divmod(frames, len(clip.files))
    views = [share + (number < rest) for number in range(len(clip.files))]
    zoomed = [zoom_in(file, count, size) for file, count in zip(clip.files, views, strict=True)]
    shown = np.repeat(np.arange(len(views)), views).tolist()
    return ClipFrames(np.concatenate(zoomed), tuple(shown))


def zoom_in(path: Path, frames: int, size: int = SIZE) -> np.ndarray:
    """uint8 [frames, size, size, 3]: a whole photograph, pressed into the square; then its middle
    square, zooming in.

    Raises:
        VideoError: the file is missing or broken.
    """
    photograph = open_photograph(path)
    views = [np.asarray(photograph.resize((size, size), Image.Resampling.BICUBIC))]
    if frames == 1:
        return np.stack(views)
    square = ImageOps.fit(photograph, (size, size))
    for zoom in np.linspace(1.0, LAST_ZOOM, frames - 1):
        margin = size * (1 - zoom) / 2
        box = (margin, margin, size - margin, size - margin)
        views.append(np.asarray(square.resize((size, size), Image.Resampling.BICUBIC, box)))
    return np.stack(views)


def open_photograph(path: Path) -> Image.Image:
    """A photograph, upright and in RGB; 16 bits scaled to 8, what is transparent on white.

    Raises:
        VideoError: the file is missing or broken, or its numbers are neither of 8 nor of 16 bits.
    """
    if not path.is_file():
        raise VideoError(f"There is no image file {file_name(path)}.")
    try:
        with Image.open(path) as image:
            return _in_rgb(ImageOps.exif_transpose(image))
    except VideoError as error:
        raise VideoError(f"{file_name(path)} {error}") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise VideoError(
            f"{file_name(path)} cannot be read as an image; it may be damaged. Download it again."
        ) from error


def _in_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F" or image.mode.startswith("I"):
        image = _in_8_bits(image)
    if not image.has_transparency_data:
        return image.convert("RGB")
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def _in_8_bits(image: Image.Image) -> Image.Image:
    """Grey of 16 bits in 8. The library would cut it off at 255."""
    grey = np.asarray(image)
    if image.mode == "F" or grey.min() < 0 or grey.max() > 65535:
        raise VideoError(
            "has pixels that are not numbers of 8 or 16 bits, so nothing tells which of them are "
            "black and white. Save it with 8 bits."
        )
    scaled = Image.fromarray(np.rint(grey / 257).astype(np.uint8))
    key = image.info.get("transparency")
    if key is not None:
        scaled.putalpha(Image.fromarray(np.where(grey == key, 0, 255).astype(np.uint8)))
    return scaled
