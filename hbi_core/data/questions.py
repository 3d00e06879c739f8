"""MSRVTT-QA: questions about videos, with their answers as classes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from hbi_core.data.annotations import AnnotationFolder, fields, read_json, read_json_lines
from hbi_core.data.files import (
    check_missing_rule,
    data_root,
    index_videos,
    locate,
    video_stem,
)
from hbi_core.errors import DataError

CLASSES = 1000  # as in the paper: the most frequent answers of the train split
SPLITS = {"train": "train.jsonl", "validation": "val.jsonl", "test": "test.jsonl"}
LAYOUT = (
    "train.jsonl, val.jsonl, test.jsonl and train_ans2label.json in the root or in annotations/, "
    "and videos/<video_id>.mp4."
)
_PLACES = (".", "annotations", "msrvtt_qa", "MSRVTT-QA", "MSRVTT_QA")
_FIELDS = {"video_id": str, "question": str, "answer": str, "answer_type": str}


@dataclass(frozen=True)
class Question:
    """A question about a video.

    Attributes:
        video_id: as in the annotations, without a video suffix.
        file: the video.
        question: as it was asked.
        answer: the right one.
        answer_type: "what", "who", "how", "when" or "where".
        label: the class of the answer; None if it is no class, so that it cannot be right.
    """

    video_id: str
    file: Path
    question: str
    answer: str
    answer_type: str
    label: int | None


@dataclass(frozen=True)
class QuestionSet:
    """A split of MSRVTT-QA.

    Attributes:
        split: "train", "validation" or "test".
        questions: in the order of the file, at least one.
        answers: class of each answer, 0 to len(answers) - 1; the same in every split.
        missing: ids whose video file is not there; their questions are left out.
    """

    split: str
    questions: tuple[Question, ...]
    answers: dict[str, int]
    missing: tuple[str, ...] = ()


def read_questions(
    root: str | Path, split: str, missing: str = "skip", *, classes: int = CLASSES
) -> QuestionSet:
    """Read a split of MSRVTT-QA.

    Args:
        root: folder with the annotation files, in itself or in annotations/, and with the video
            files anywhere below it.
        split: "train", "validation" or "test".
        missing: whether to "skip" questions without a video, or to "stop" at them.
        classes: of answers, at most.

    Raises:
        DataError: the split is not known; a file is missing or broken; the split is empty; or
            videos are missing and `missing` is "stop".
    """
    check_missing_rule(missing)
    if split not in SPLITS:
        raise DataError(f"msrvtt_qa has no split {split!r}. Choose one of {', '.join(SPLITS)}.")
    root = data_root(root)
    folder = AnnotationFolder(root, _PLACES, LAYOUT)
    path = folder.find(SPLITS[split])
    records = _read_records(path)
    if not records:
        raise DataError(f"The split {split!r} of msrvtt_qa is empty: {path} has no question.")
    answers = _read_answers(folder, classes)
    ids = dict.fromkeys(video_id for video_id, *_ in records)
    where = f"msrvtt_qa {split}, in {root} and all folders in it"
    files, absent = locate(ids, index_videos(root), missing, where)
    questions = tuple(
        Question(video_id, files[video_id], question, answer, answer_type, answers.get(answer))
        for video_id, question, answer, answer_type in records
        if video_id in files
    )
    return QuestionSet(split, questions, answers, absent)


def _read_answers(folder: AnnotationFolder, classes: int) -> dict[str, int]:
    """The classes: of the answers in the file, those that are most frequent in the train split.

    They are numbered without gaps in the order of the file's own labels, so a file of at most
    `classes` answers labelled 0, 1, ... keeps them.
    """
    path = folder.find("train_ans2label.json")
    labels = read_json(path)
    fields(labels, {}, str(path))
    if len(set(map(str, labels.values()))) < len(labels) or not all(
        type(label) is int for label in labels.values()
    ):
        raise DataError(f"{path}: every answer should have a number of its own, {{answer: index}}.")
    train = Counter(answer for _, _, answer, _ in _read_records(folder.find(SPLITS["train"])))
    by_frequency = sorted(labels, key=lambda answer: (-train[answer], labels[answer]))
    chosen = sorted(by_frequency[:classes], key=labels.__getitem__)
    return {answer: number for number, answer in enumerate(chosen)}


def _read_records(path: Path) -> list[list[str]]:
    """The id of the video, question, answer and answer_type of each line."""
    records = [fields(record, _FIELDS, where) for record, where in read_json_lines(path)]
    return [[video_stem(name), *rest] for name, *rest in records]
