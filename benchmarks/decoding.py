"""What reading a clip costs in training, and the bytes of a batch that workers hand over.

    python -m benchmarks.decoding

Core seconds are those of this process and of the decoders, so they depend little on what else the
machine does; the others are by the clock.
"""

from __future__ import annotations

import resource
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import torch
import tyro

from benchmarks.report import report
from hbi_core.data import Clip
from hbi_core.data.reading import ClipReader
from hbi_core.encoders.open_clip import load_open_clip
from hbi_core.encoders.open_clip_files import IN_CHECKPOINT
from hbi_core.inputs.video import Decoder, read_video

RATE, SECONDS, SIZE = 25, 12, (320, 240)
SAMPLES = 16  # of a process: 128 on eight devices


@dataclass(frozen=True)
class Settings:
    """Seconds of reading a clip."""

    clips: int = 100


def write_clip(path: Path) -> None:
    """A picture of blurred noise that slides by, with a key frame at least every ten seconds."""
    width, height = SIZE
    noise = np.random.default_rng(0).integers(0, 256, (height // 8, width // 4, 3), dtype=np.uint8)
    picture = torch.from_numpy(noise).permute(2, 0, 1).unsqueeze(0).float()
    picture = torch.nn.functional.interpolate(picture, (height, 2 * width), mode="bicubic")
    pixels = picture.clamp(0, 255).to(torch.uint8)[0].permute(1, 2, 0).numpy()
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(RATE * SECONDS):
            shown = np.ascontiguousarray(pixels[:, number : number + width])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(shown, format="rgb24")))
        container.mux(stream.encode())


def core_seconds() -> float:
    """Of this process and of its children that have ended."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


def anew(path: Path, frames: int, clips: int) -> None:
    for _ in range(clips):
        read_video(path, frames)


def living_on(path: Path, frames: int, clips: int) -> None:
    with Decoder() as decoder:
        for _ in range(clips):
            decoder.read(path, frames)


def main(settings: Settings) -> None:
    encoder = load_open_clip(weights=IN_CHECKPOINT)  # only its preprocessing is used
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        write_clip(path)
        for frames in (12, 64):

            def prepared(path: Path, frames: int, clips: int) -> None:
                clip = Clip("clip", (path,), ("sliding noise",))
                with ClipReader(encoder) as reader:
                    for _ in reader([clip] * clips, frames):
                        pass

            values = SAMPLES * encoder.prepare_frames(read_video(path, frames).frames).numel()
            for name, run, mebibytes in (
                ("a new interpreter for every clip", anew, 4 * values / 2**20),
                ("one that lives on", living_on, values / 2**20),
                ("the same, and prepared for ViT-B/32", prepared, values / 2**20),
            ):
                started, cores = time.perf_counter(), core_seconds()
                run(path, frames, settings.clips)
                taken = (core_seconds() - cores, time.perf_counter() - started)
                each = [f"{seconds / settings.clips:.3f}" for seconds in taken]
                rows.append([str(frames), name, *each, f"{mebibytes:.0f}"])
    report(
        "decoding",
        f"Clips of {SIZE[0]} x {SIZE[1]} and {SECONDS} s, H.264; batches of {SAMPLES}, as float32 "
        "with a new interpreter for every clip, else as bytes",
        ["frames", "decoder", "core seconds a clip", "seconds a clip", "MiB a batch"],
        rows,
    )


if __name__ == "__main__":
    main(tyro.cli(Settings))
