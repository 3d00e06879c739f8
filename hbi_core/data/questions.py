"""MSRVTT-QA: questions about the videos of MSR-VTT, each with one answer."""

from __future__ import annotations

from hbi_core.data.annotations import AnnotationFolder, fields, read_json_lines
from hbi_core.data.clips import Question
from hbi_core.data.files import video_stem

LISTS = {"train": "train.jsonl", "validation": "val.jsonl", "test": "test.jsonl"}
_FIELDS = {"video_id": str, "question": str, "answer": str, "answer_type": str}


def read_msrvtt_qa(folder: AnnotationFolder, split: str) -> dict[str, list[Question]]:
    """The questions of a split by the id of their video; their kind is the answer_type.

    The file train_ans2label.json of the release is not needed: which answers are classes follows
    from the questions that are trained on.
    """
    questions: dict[str, list[Question]] = {}
    for record, where in read_json_lines(folder.find(LISTS[split])):
        name, *question = fields(record, _FIELDS, where)
        questions.setdefault(video_stem(name), []).append(Question(*question))
    return questions
