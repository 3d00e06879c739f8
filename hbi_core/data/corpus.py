"""A split of a data set: clips with their captions, whatever the release looks like."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from hbi_core.data.annotations import AbsentError, AnnotationFolder
from hbi_core.data.clips import Clip, Corpus, Question
from hbi_core.data.files import check_missing_rule, data_root, first_ten, locate
from hbi_core.data.readers import DATA_SETS, DataSet
from hbi_core.data.synthetic import QUESTIONS, SPLITS, SYNTHETIC, synthetic_corpus
from hbi_core.errors import DataError

TRAIN_AND_VALIDATION = "train+validation"
_LOG = logging.getLogger(__name__)


def read_corpus(name: str, root: str | Path, split: str, missing: str = "skip") -> Corpus:
    """Read a split of a data set in the layout of its public release.

    Args:
        name: "msrvtt", "activitynet", "didemo", "msvd" or "flickr8k"; "folder", one's own clips
            with captions.csv; or "synthetic", which is drawn into the folder. Of questions
            "msrvtt_qa", "flickr8k_questions", made of the captions of that release, and
            "synthetic_questions", about the same drawings.
        root: folder with the annotation files, in itself or in annotations/, and with the video
            files anywhere below it.
        split: "train", "validation" or "test", which have no clip in common where the release's
            own lists have none; or "train+validation", for the final run. The published protocols
            train on the whole train list: of msrvtt (9k) and activitynet (10k), where validation
            is held out of it, that is "train+validation"; of didemo, msvd and flickr8k, which have
            a list for validation, "train". Also "captioning-train", "captioning-validate" and
            "captioning-test" of msrvtt; "all" of flickr8k and folder.
        missing: whether to "skip" clips without a file, or to "stop" at them.

    Raises:
        DataError: the data set or the split is not known; a file is missing or broken; the split
            is empty; or videos are missing and `missing` is "stop".
    """
    check_missing_rule(missing)
    _check_split(name, split)
    if name in SYNTHETIC:
        asked = name == QUESTIONS
        parts = (synthetic_corpus(Path(root), part, asked) for part in split.split("+"))
        return Corpus(name, split, tuple(clip for part in parts for clip in part.clips))
    data_set, root = DATA_SETS[name], data_root(root)
    texts = {id: _clean(captions) for id, captions in _read(data_set, root, split).items()}
    without_text = tuple(id for id, captions in texts.items() if not captions)
    with_text = [id for id, captions in texts.items() if captions]
    if not with_text:
        raise DataError(
            f"The split {split!r} of {name} in {root} is empty: of {len(texts)} ids listed for it, "
            f"none has a caption. Expected layout: {data_set.layout}"
        )
    if without_text:
        count, listed = len(without_text), first_ten(without_text)
        _LOG.warning(
            "%d ids of %s %s have no caption and are left out: %s.", count, name, split, listed
        )
    where = f"{name} {split}, in {root} and all folders in it"
    files, absent = locate(with_text, data_set.index(root), missing, where, data_set.prefix)
    clips = tuple(_clip(id, file, texts[id]) for id, file in files.items())
    return Corpus(name, split, clips, absent, without_text)


def shared_with_test(corpus: Corpus, root: str | Path) -> tuple[str, ...]:
    """Ids of a split that models of the data set are tested on, whatever the split is called.

    A split with any must not choose between models: "captioning-test" of msrvtt has the videos of
    the test split of retrieval, "all" of flickr8k the photographs of all its lists.

    Args:
        corpus: the split.
        root: the folder that it was read from.

    Returns:
        In the order of the split. Where the release's list of the test split is not in the folder,
        only a test split itself is known to share with it.

    Raises:
        DataError: the list of the test split is broken.
    """
    ids = tuple(clip.id for clip in corpus.clips)
    if corpus.split.endswith("test"):
        return ids
    try:
        tested = (
            _read(DATA_SETS[corpus.name], Path(root), "test") if corpus.name in DATA_SETS else {}
        )
    except AbsentError:
        return ()
    return tuple(id for id in ids if id in tested)


def measured_split(name: str) -> str:
    """The split of a data set that a model is evaluated on where none is named."""
    return DATA_SETS[name].measured if name in DATA_SETS else "test"


def _check_split(name: str, split: str) -> None:
    """Raises DataError unless there is such a data set with such a split."""
    if name not in SYNTHETIC and name not in DATA_SETS:
        known = ", ".join([*DATA_SETS, *SYNTHETIC])
        raise DataError(f"The data set {name!r} is not known. Choose one of {known}.")
    splits = (*(SPLITS if name in SYNTHETIC else DATA_SETS[name].splits), TRAIN_AND_VALIDATION)
    if split not in splits:
        raise DataError(f"{name} has no split {split!r}. Choose one of {', '.join(splits)}.")


def _read(data_set: DataSet, root: Path, split: str) -> dict[str, list[str | Question]]:
    """The sentences or questions of a split, or of several that are joined by "+"."""
    folder = AnnotationFolder(root, (".", "annotations", *data_set.places), data_set.layout)
    texts: dict[str, list[str | Question]] = {}
    for part in split.split("+"):
        for id, sentences in data_set.read(folder, part).items():
            texts.setdefault(id, []).extend(sentences)
    return texts


def _clean(texts: Iterable[str | Question]) -> list[str | Question]:
    """Texts with single spaces and whole characters, without those that have no word."""
    cleaned: list[str | Question] = []
    for text in texts:
        if isinstance(text, Question):
            question = Question(*map(_spaced, text))
            cleaned += [question] if _has_word(question.text) and question.answer else []
        else:
            cleaned += [spaced] if _has_word(spaced := _spaced(text)) else []
    return cleaned


def _spaced(text: str) -> str:
    return " ".join(text.encode("utf-8", "replace").decode().split())


def _has_word(text: str) -> bool:
    return any(map(str.isalnum, text))


def _clip(id: str, file: Path, texts: Sequence[str | Question]) -> Clip:
    asked = [text for text in texts if isinstance(text, Question)]
    captions = tuple(text.text if isinstance(text, Question) else text for text in texts)
    answers, kinds = (tuple(getattr(q, name) for q in asked) for name in ("answer", "kind"))
    return Clip(id, (file,), captions, answers, kinds)
