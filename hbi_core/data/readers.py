"""One reader for each data set: annotation files -> ids with their sentences.

The formats are those of the public releases. No validation split is a test split: where a release
has none, it is held out of the train split by a hash of the id. Copies of a release name a video
with or without a suffix, or under two of them: ids are what `video_stem` leaves of the name, and
names that it leaves alike are one video with the texts of both.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

from hbi_core.data.annotations import (
    AnnotationFolder,
    fields,
    read_json,
    read_lines,
    read_pickle,
    read_rows,
    strings,
)
from hbi_core.data.clip_folder import index_clips, read_clip_folder
from hbi_core.data.clips import Question
from hbi_core.data.files import flickr_stem, index_photographs, index_videos, video_stem
from hbi_core.data.made_questions import questions_about
from hbi_core.data.questions import LISTS, read_msrvtt_qa
from hbi_core.errors import DataError

Texts = dict[str, list[str]]  # ids of a split in the order of its list -> sentences
HELD_OUT = 0.05  # of the train split, for validation: about 500 videos of MSR-VTT and ActivityNet
HELD_OUT_PHOTOGRAPHS = 1 / 6  # of Flickr8k without its official lists
_MSRVTT_CAPTIONING = ("captioning-train", "captioning-validate", "captioning-test")
_ENDINGS = {"train": "train", "validation": "val", "test": "test"}  # in the names of files
_FLICKR_LISTS = {
    "train": "Flickr_8k.trainImages.txt",
    "validation": "Flickr_8k.devImages.txt",
    "test": "Flickr_8k.testImages.txt",
}
_FLICKR_LAYOUT = (
    "captions.txt in the root or in annotations/, and Images/<image>; for the official splits "
    + ", ".join(_FLICKR_LISTS.values())
    + " beside captions.txt."
)


@dataclass(frozen=True)
class DataSet:
    """What is particular to a data set.

    Attributes:
        read: annotation folder and split -> Texts, or questions by id; ids without a sentence have
            an empty list.
        splits: their names.
        places: folders below the root where releases put the annotation files.
        layout: what the root should contain, for error messages.
        index: root -> files by id.
        prefix: of ids, which file names may lack.
        measured: the split that a model is evaluated on where none is named.
    """

    read: Callable[[AnnotationFolder, str], Mapping[str, Sequence[str | Question]]]
    splits: tuple[str, ...]
    places: tuple[str, ...]
    layout: str
    index: Callable[[Path], dict[str, Path]] = index_videos
    prefix: str = ""
    measured: str = "test"


def held_out(id: str, share: float) -> bool:
    """Whether an id belongs to the validation share of a train split: the same on any machine."""
    digest = hashlib.sha256(f"hbi-validation:{id}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64


def read_msrvtt(folder: AnnotationFolder, split: str) -> Texts:
    """MSR-VTT: the 1K-A split of retrieval, and the release's own split for captioning."""
    if split == "test":
        texts: Texts = defaultdict(list)
        rows = read_rows(folder.find("MSRVTT_JSFUSION_test.csv"), ("video_id", "sentence"))
        for name, sentence in rows:
            texts[video_stem(name)].append(sentence)
        return dict(texts)
    path = folder.find("MSRVTT_data.json")
    videos, sentences = fields(read_json(path), {"videos": list, "sentences": list}, str(path))
    if split.startswith("captioning-"):
        ids = []
        for number, video in enumerate(videos):
            types = {"video_id": str, "split": str}
            name, part = fields(video, types, f"{path}: videos[{number}]")
            if part == split.removeprefix("captioning-"):
                ids.append(video_stem(name))
    else:
        rows = read_rows(folder.find("MSRVTT_train.9k.csv"), ("video_id",))
        ids = _part_of_train((name for (name,) in rows), split)
    texts = {id: [] for id in ids}
    for number, entry in enumerate(sentences):
        types = {"video_id": str, "caption": str}
        name, caption = fields(entry, types, f"{path}: sentences[{number}]")
        if (id := video_stem(name)) in texts:
            texts[id].append(caption)
    return texts


def read_activitynet(folder: AnnotationFolder, split: str) -> Texts:
    """ActivityNet Captions: one paragraph a video, its sentences in the order of time.

    The test split is val_1, as in the retrieval papers. val_ids.json lists a few ids that val_1
    lacks.
    """
    test = split == "test"
    id_path = folder.find("val_ids.json" if test else "train_ids.json")
    names = strings(read_json(id_path), str(id_path))
    path = folder.find("val_1.json" if test else "train.json")
    videos = read_json(path)
    fields(videos, {}, str(path))
    ids = map(video_stem, names) if test else _part_of_train(names, split)
    moments: dict[str, list[tuple[list[float], str]]] = {id: [] for id in ids}
    for name, video in videos.items():
        if (id := video_stem(name)) in moments:
            moments[id] += _moments(video, f"{path}: {name}")
    return {
        id: _paragraph(sentence for _, sentence in sorted(own, key=itemgetter(0)))
        for id, own in moments.items()
    }


def read_didemo(folder: AnnotationFolder, split: str) -> Texts:
    """DiDeMo: one paragraph a video, its descriptions in the order of the file."""
    ending = _ENDINGS[split]
    names = read_lines(folder.find(f"{ending}_list.txt"))
    path = folder.find(f"{ending}_data.json")
    moments = read_json(path)
    if not isinstance(moments, list):
        raise DataError(f"{path}: expected a list of moments. Download the file again.")
    descriptions: Texts = {flickr_stem(name): [] for name in names}
    for number, moment in enumerate(moments):
        types = {"video": str, "description": str}
        video, description = fields(moment, types, f"{path}: [{number}]")
        if (id := flickr_stem(video)) in descriptions:
            descriptions[id].append(description)
    return {id: _paragraph(sentences) for id, sentences in descriptions.items()}


def read_msvd(folder: AnnotationFolder, split: str) -> Texts:
    """MSVD: many captions a video."""
    names = read_lines(folder.find(f"{_ENDINGS[split]}_list.txt"))
    path = folder.find("raw-captions.pkl")
    captions = read_pickle(path)
    fields(captions, {}, str(path))
    texts: Texts = {video_stem(name): [] for name in names}
    for name, sentences in captions.items():
        if not isinstance(name, str) or not isinstance(sentences, list | tuple):
            raise DataError(f"{path}: {name!r} should have a list of lists of words.")
        if (id := video_stem(name)) in texts:
            texts[id] += [
                " ".join(strings(words, f"{path}: {name}, caption {number}"))
                for number, words in enumerate(sentences)
            ]
    return texts


def read_flickr8k(folder: AnnotationFolder, split: str) -> Texts:
    """Flickr8k: its official lists where they are, else a split by a hash of the image name."""
    texts: Texts = defaultdict(list)
    for image, caption in read_rows(folder.find("captions.txt"), ("image", "caption")):
        texts[image].append(caption)
    if split == "all":
        return dict(texts)
    if split == "test" or any(map(folder.has, _FLICKR_LISTS.values())):
        return {name: texts.get(name, []) for name in read_lines(folder.find(_FLICKR_LISTS[split]))}
    return {
        name: captions
        for name, captions in texts.items()
        if held_out(name, HELD_OUT_PHOTOGRAPHS) == (split == "validation")
    }


def read_flickr8k_questions(folder: AnnotationFolder, split: str) -> dict[str, list[Question]]:
    """Questions made from the captions of Flickr8k; photographs that none is about are left out."""
    asked = questions_about(read_flickr8k(folder, split))
    return {name: questions for name, questions in asked.items() if questions}


def _part_of_train(names: Iterable[str], split: str) -> list[str]:
    """The ids of a train list that belong to "train", or to "validation"."""
    ids = map(video_stem, names)
    return [id for id in ids if held_out(id, HELD_OUT) == (split == "validation")]


def _paragraph(sentences: Iterable[str]) -> list[str]:
    """One text of all sentences, or none if there are none."""
    text = " ".join(filter(None, (sentence.strip() for sentence in sentences)))
    return [text] if text else []


def _moments(video: Any, where: str) -> list[tuple[list[float], str]]:
    """[start, end] in seconds of each sentence, and the sentence."""
    times, sentences = fields(video, {"timestamps": list, "sentences": list}, where)
    sentences = strings(sentences, f"{where}, sentences")
    if len(times) != len(sentences):
        raise DataError(
            f"{where}: {len(times)} timestamps for {len(sentences)} sentences. "
            "Download the file again."
        )
    for time in times:
        pair = isinstance(time, list) and len(time) == 2
        if not pair or not all(isinstance(second, int | float) for second in time):
            raise DataError(f"{where}: the timestamp {time!r} should be [start, end] in seconds.")
    return list(zip(times, sentences, strict=True))


DATA_SETS = {
    "msrvtt": DataSet(
        read_msrvtt,
        ("train", "validation", "test", *_MSRVTT_CAPTIONING),
        ("msrvtt_data", "MSRVTT", "annotation"),
        "MSRVTT_data.json, MSRVTT_train.9k.csv and MSRVTT_JSFUSION_test.csv in the root or in "
        "annotations/, and videos/<video_id>.mp4.",
    ),
    "activitynet": DataSet(
        read_activitynet,
        ("train", "validation", "test"),
        ("captions",),
        "train_ids.json, val_ids.json, train.json and val_1.json in the root or in annotations/, "
        "and videos/<id>.mp4, with or without v_ before the id.",
        prefix="v_",
    ),
    "didemo": DataSet(
        read_didemo,
        ("train", "validation", "test"),
        ("didemo_data", "data"),
        "train_list.txt, val_list.txt, test_list.txt, train_data.json, val_data.json and "
        "test_data.json in the root or in annotations/, and videos/<listed name>.",
        index=partial(index_videos, stem=flickr_stem),
    ),
    "msvd": DataSet(
        read_msvd,
        ("train", "validation", "test"),
        ("msvd_data",),
        "train_list.txt, val_list.txt, test_list.txt and raw-captions.pkl in the root or in "
        "annotations/, and videos/<video>.avi or .mp4.",
    ),
    "flickr8k": DataSet(
        read_flickr8k,
        ("all", "train", "validation", "test"),
        ("Flickr8k_text",),
        _FLICKR_LAYOUT,
        index=index_photographs,
        measured="all",
    ),
    "flickr8k_questions": DataSet(
        read_flickr8k_questions,
        ("all", "train", "validation", "test"),
        ("Flickr8k_text",),
        _FLICKR_LAYOUT,
        index=index_photographs,
        measured="validation",
    ),
    "msrvtt_qa": DataSet(
        read_msrvtt_qa,
        tuple(LISTS),
        ("msrvtt_qa", "MSRVTT-QA", "MSRVTT_QA"),
        "train.jsonl, val.jsonl and test.jsonl in the root or in annotations/, and "
        "videos/<video_id>.mp4.",
    ),
    "folder": DataSet(
        read_clip_folder,
        ("all", "train", "validation", "test"),
        (),
        "video files or photographs, in any folders, and captions.csv in the root or in "
        "annotations/, with the columns video, caption and, if there are splits, split.",
        index=index_clips,
        measured="all",
    ),
}
