"""What the answerer that we ship says of real clips, question by question.

    python -m benchmarks.questions_of_clips --root DIR

DIR has the clips that benchmarks/clip_questions.csv asks about. Its questions were written before
any of them was asked; whatever may pass for right stands there, between bars. 12 frames of a clip.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import tyro
from tqdm import tqdm

from benchmarks.report import report
from hbi_core.pipeline import ask
from hbi_core.recent import RecentVideos

QUESTIONS = Path(__file__).with_name("clip_questions.csv")


@dataclass(frozen=True)
class Settings:
    """Ask about real clips."""

    root: Path
    """Folder with the clips."""


def main(settings: Settings) -> None:
    rows, right, among, recent = [], 0, 0, RecentVideos()
    with QUESTIONS.open(encoding="utf-8") as asked:
        questions = list(csv.DictReader(asked))
    for one in tqdm(questions, leave=False):
        answers = ask(settings.root / one["file"], one["question"], recent=recent).answers
        good = [answer.text in one["answers"].split("|") for answer in answers]
        right, among = right + good[0], among + any(good)
        told = ", ".join(f"{a.text} {100 * a.probability:.0f} %" for a in answers[:3])
        verdict = "right" if good[0] else "among five" if any(good) else ""
        right_ones = one["answers"].replace("|", ", ")
        rows.append([one["file"], one["question"], told, right_ones, verdict])
    title = f"Questions about real clips: {right} of {len(rows)} right, {among} among five answers"
    report("questions_of_clips", title, ["clip", "question", "answers", "right would be", ""], rows)


if __name__ == "__main__":
    main(tyro.cli(Settings, description=__doc__))
