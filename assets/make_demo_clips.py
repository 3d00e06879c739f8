"""Make the demo clips: moving views over photographs, joined by cuts.

    python -m assets.make_demo_clips

The photographs come with scikit-image (a development dependency) and are in the public domain;
assets/README.md names them. The same versions of the libraries write the same files.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image
from skimage import data

WIDTH, HEIGHT, RATE = 640, 360, 25

# Photograph, seconds, and the view at the start and the end: centre x, centre y, and width, as
# parts of the photograph's width and height.
View = tuple[float, float, float]
CLIPS: dict[str, list[tuple[str, float, View, View]]] = {
    "space": [
        ("astronaut", 2.8, (0.50, 0.35, 0.95), (0.42, 0.30, 0.60)),
        ("rocket", 2.8, (0.50, 0.62, 0.90), (0.50, 0.40, 0.90)),
        ("hubble_deep_field", 2.4, (0.35, 0.40, 0.50), (0.65, 0.60, 0.70)),
    ],
    "cafe": [
        ("chelsea", 4.0, (0.52, 0.50, 0.98), (0.50, 0.42, 0.62)),
        ("coffee", 4.0, (0.45, 0.50, 0.95), (0.55, 0.50, 0.70)),
    ],
    "day": [
        ("coffee", 2.2, (0.55, 0.50, 0.70), (0.50, 0.50, 0.95)),
        ("chelsea", 2.2, (0.45, 0.45, 0.75), (0.60, 0.50, 0.75)),
        ("rocket", 2.2, (0.50, 0.55, 0.95), (0.50, 0.45, 0.75)),
        ("astronaut", 2.2, (0.45, 0.30, 0.70), (0.50, 0.40, 0.95)),
    ],
}


def views(photograph: np.ndarray, seconds: float, start: View, end: View):
    """Frames of a camera that moves evenly from one view of a photograph to another."""
    image = Image.fromarray(photograph)
    count = round(seconds * RATE)
    for step in np.linspace(0, 1, count):
        x, y, part = ((1 - step) * np.array(start) + step * np.array(end)).tolist()
        width = min(part * image.width, image.height * WIDTH / HEIGHT)
        height = width * HEIGHT / WIDTH
        left = min(max(x * image.width - width / 2, 0), image.width - width)
        top = min(max(y * image.height - height / 2, 0), image.height - height)
        box = (left, top, left + width, top + height)
        yield np.asarray(image.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC, box=box))


def make_clip(name: str, folder: Path) -> Path:
    """Write one clip as MP4 (H.264), playable in a browser from its first bytes."""
    path = folder / f"{name}.mp4"
    with av.open(path, "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=RATE, options={"crf": "26", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.time_base = Fraction(1, RATE)
        for photograph, seconds, start, end in CLIPS[name]:
            for pixels in views(getattr(data, photograph)(), seconds, start, end):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return path


if __name__ == "__main__":
    for clip in CLIPS:
        written = make_clip(clip, Path(__file__).parent / "clips")
        print(f"{written} {written.stat().st_size / 1e3:.0f} kB")
