"""The files that a release of a data set consists of, and what was read of them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from hbi_core.data import Corpus

MSRVTT_IDS = [f"video{number}" for number in range(200)]


def write_json(path: Path, value) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def write_csv(path: Path, *rows) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


def write_lines(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def touch(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()


def write_drawing(root: Path, **changed) -> Path:
    """Folder of the drawn clips: squares of four colours in four directions, in few pixels."""
    usual = {"frames": 8, "size": 32, "shapes": ["square"], "train": 4}
    colours = ["red", "green", "blue", "yellow"]
    write_json(root / "drawing.json", usual | {"colours": colours} | changed)
    return root


def texts(corpus: Corpus) -> dict[str, tuple[str, ...]]:
    return {clip.id: clip.captions for clip in corpus.clips}


def ids(corpus: Corpus) -> list[str]:
    return [clip.id for clip in corpus.clips]
